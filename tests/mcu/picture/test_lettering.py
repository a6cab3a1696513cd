"""Letters: initials, colours, masks that are cut and never empty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mcu.picture.lettering import MAX_LETTERS, colour_of, disc, initials, lay_over, written


@pytest.mark.parametrize(("name", "expected"), [
    ("Ada Lovelace", "AL"), ("linus", "L"), ("Mary Ann Evans", "ME"), ("张伟", "伟"), ("", "?"), ("  ", "?"),
    ("+49 30 1234567", "67"), ("007", "07"), ("!!", "!"),
])
def test_initials_are_two_letters_or_a_sign(name: str, expected: str) -> None:
    assert initials(name) == expected


def test_colour_of_a_name_is_always_the_same() -> None:
    assert colour_of("Ada") == colour_of("Ada")
    assert len({colour_of(name) for name in ("Ada", "Bob", "Cy", "Dee", "Eve", "Fay", "Gus", "Hal")}) > 2


@example("\0\n")
@example("x" * 500)
@example("张伟")
@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60))
def test_text_is_written_in_a_mask_of_even_size(text: str) -> None:
    mask = written(text, 30)
    assert mask.dtype == np.uint8 and mask.shape[0] == 30 and mask.shape[1] % 2 == 0
    assert mask.shape[1] <= 30 * MAX_LETTERS


def test_letters_are_there() -> None:
    assert written("Ada", 30).max() > 200
    assert written("Adam", 30).shape[1] > written("Ada", 30).shape[1]


def test_disc_is_round() -> None:
    mask = disc(40)
    assert mask[20, 20] == 255 and mask[0, 0] == 0
    assert mask.mean() / 255 == pytest.approx(np.pi / 4, abs=0.02)


def test_mask_lets_half_of_the_value_through_at_half_its_strength() -> None:
    plane = np.full((2, 2), 100, np.uint8)
    lay_over(plane, np.array([[0, 255], [128, 255]], np.uint8), 200)
    assert plane.tolist() == [[100, 200], [150, 200]]
