"""The colours of the window: every word can be read on what it lies on (WCAG 2.1, contrast of 4.5 to 1)."""

from __future__ import annotations

import pytest

from softphone.ui.theme import AVATAR_COLOURS, DARK, LIGHT, Palette

ENOUGH = 4.5
GROUNDS = {
    "text": ("window", "panel", "tile", "raised", "hover", "danger_soft"),
    "muted": ("window", "panel", "tile", "raised", "hover", "danger_soft"),
    "accent_ink": ("window", "panel", "raised"), "danger_ink": ("window", "panel", "raised", "danger_soft"),
    "success_ink": ("window", "panel", "raised"), "warning_ink": ("window", "panel", "raised"),
    "on_colour": ("accent", "accent_hover", "danger", "danger_hover", "success", "success_hover"),
}
"""By the colour of words: what they lie on."""


def luminance(colour: str) -> float:
    """How bright #rrggbb is, 0 to 1."""
    parts = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1, the same, to 21, black and white."""
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_black_on_white_has_a_contrast_of_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=["dark", "light"])
def test_every_word_can_be_read(palette: Palette) -> None:
    found = {(ink, ground): contrast(getattr(palette, ink), getattr(palette, ground))
             for ink, grounds in GROUNDS.items() for ground in grounds}
    assert {pair: round(value, 2) for pair, value in found.items() if value < ENOUGH} == {}


def test_initials_can_be_read_on_every_avatar() -> None:
    assert {colour for colour in AVATAR_COLOURS if contrast("#ffffff", colour) < ENOUGH} == set()
