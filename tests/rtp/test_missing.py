"""Gaps: asked for a few times with the round trip between, mended, or given up for a key frame."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtp.missing import MAX_ASKED, MAX_GAP, MAX_MISSING, MissingPackets

MS = 1_000_000


def test_gap_is_asked_for_when_it_is_more_than_reordering() -> None:
    missing = MissingPackets()
    for sequence in (65534, 65535, 2):
        assert missing.on_packet(sequence, 0)
    assert missing.due(1 * MS, 0) == ((), False)
    assert missing.due(5 * MS, 0) == ((0, 1), False)
    missing.on_packet(1, 6 * MS)
    missing.on_packet(1, 6 * MS)
    assert missing.recovered == 1
    assert missing.due(20 * MS, 0) == ((), False)
    assert missing.due(30 * MS, 0) == ((0,), False)


def test_packet_that_was_only_late_is_not_asked_for() -> None:
    missing = MissingPackets()
    for sequence in (1, 3, 2):
        missing.on_packet(sequence, 0)
    assert not missing.has_gaps and missing.due(MS * 100, 0) == ((), False) and missing.recovered == 0


def test_round_trip_lies_between_two_requests_and_the_last_one_is_followed_by_giving_up() -> None:
    missing = MissingPackets()
    missing.on_packet(1, 0)
    missing.on_packet(3, 0)
    asked = [now for now in range(0, 1000, 5) if missing.due(now * MS, 80 * MS)[0]]
    assert asked == [5, 105, 205, 305, 405]
    assert len(asked) == MAX_ASKED and missing.given_up == 1 and not missing.has_gaps


def test_giving_up_is_told_once() -> None:
    missing = MissingPackets()
    missing.on_packet(1, 0)
    missing.on_packet(3, 0)
    assert [missing.due(now * MS, 0)[1] for now in (601, 602)] == [True, False]


def test_gap_that_is_too_long_wants_a_key_frame_at_once() -> None:
    missing = MissingPackets()
    assert missing.on_packet(1, 0)
    assert not missing.on_packet(2 + MAX_GAP, 0)
    assert not missing.has_gaps and missing.given_up == MAX_GAP
    assert missing.on_packet(3 + MAX_GAP, 0)


@given(st.lists(st.integers(0, 65535), max_size=200))
def test_memory_is_bounded_whatever_comes(sequences: list[int]) -> None:
    missing = MissingPackets()
    for now, sequence in enumerate(sequences):
        missing.on_packet(sequence, now * MS)
        lost, _ = missing.due(now * MS, 0)
        assert len(lost) <= MAX_MISSING
