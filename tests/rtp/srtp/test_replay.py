"""Index guesses round the wrap, and the replay window at its edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.srtp.replay import ReplayWindow, guess_index


@pytest.mark.parametrize(("sequence", "highest", "index"), [
    (7, -1, 7), (0xFFFF, -1, 0xFFFF), (0, 0xFFFF, 0x10000), (5, 0xFFF0, 0x10005), (0xFFFE, 0x10003, 0xFFFE),
    (0x9000, 0x10000, 0x9000), (0x8000, 0x10000, 0x18000), (0xFFF0, 5, 0xFFF0), (0x7000, 0x2F001, 0x37000),
])
def test_index_is_the_nearest_to_the_highest_so_far(sequence: int, highest: int, index: int) -> None:
    assert guess_index(sequence, highest) == index


@given(st.integers(0x10000, 2**47), st.integers(-0x7FFF, 0x7FFF))
def test_any_index_within_half_a_round_is_guessed_right(highest: int, distance: int) -> None:
    assert guess_index((highest + distance) & 0xFFFF, highest) == highest + distance


def test_index_is_fresh_once() -> None:
    window = ReplayWindow(64)
    assert window.is_fresh(100)
    window.add(100)
    assert not window.is_fresh(100) and window.is_fresh(99) and window.is_fresh(101)


def test_what_is_older_than_the_window_is_not_fresh() -> None:
    window = ReplayWindow(64)
    window.add(100)
    assert window.is_fresh(37) and not window.is_fresh(36)


def test_what_came_before_an_imported_highest_counts_as_seen() -> None:
    window = ReplayWindow(64, 100)
    assert not window.is_fresh(99) and not window.is_fresh(100) and window.is_fresh(101)
    window.add(103)
    assert window.is_fresh(102) and not window.is_fresh(98)


@given(st.lists(st.integers(0, 300), max_size=200), st.sampled_from([64, 128]))
def test_no_index_is_ever_fresh_twice(indexes: list[int], size: int) -> None:
    window, seen = ReplayWindow(size), set[int]()
    for index in indexes:
        expected = index not in seen and index > max(seen, default=-1) - size
        assert window.is_fresh(index) is expected
        if expected:
            window.add(index)
            seen.add(index)
