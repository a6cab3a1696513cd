"""Names and avatars as masks: written once by Pillow, then laid over pictures as often as they are shown.

The first font that the machine has is taken; Pillow's own has no Chinese, and stands where there is no other.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from rtp.codecs.i420 import Plane

Mask = npt.NDArray[np.uint8]
MAX_LETTERS = 40
FONTS = ("Inter-Medium.otf", "wqy-microhei.ttc", "DejaVuSans.ttf")
WIDE_FONTS = ("wqy-microhei.ttc", "NotoSansCJK-Regular.ttc", "DejaVuSans.ttf")
"""For names with letters that the first ones lack."""
_FIRST_WIDE = 0x2E80
_COLOURS = ((96, 150, 100), (90, 110, 160), (100, 140, 140), (88, 105, 105), (110, 120, 150), (95, 165, 115), (105, 95, 140))
"""Luma and both colours of avatars: calm, none brighter than a face."""


@lru_cache(256)
def written(text: str, height: int) -> Mask:
    """The text in white on black: uint8, shape (height, as wide as it is), both even; the letters fill two thirds."""
    text = "".join(letter for letter in text[:MAX_LETTERS] if letter.isprintable()) or " "
    font = _font(max(8, height * 2 // 3), any(ord(letter) >= _FIRST_WIDE for letter in text))
    left, _, right, _ = font.getbbox(text)
    width = max(2, round(right - left) + 1 & ~1)
    image = Image.new("L", (width, height), 0)
    ImageDraw.Draw(image).text((width / 2, height / 2), text, fill=255, font=font, anchor="mm")
    return np.asarray(image)


def _font(size: int, is_wide: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in WIDE_FONTS if is_wide else FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def initials(name: str) -> str:
    """Two letters at most: the first of the first and of the last word; of a name in Chinese the last sign, of a number the
    last two digits."""
    words = name.split()
    if not words:
        return "?"
    if not any(letter.isalpha() for letter in name):
        return "".join(letter for letter in name if letter.isalnum())[-2:] or words[0][0]
    if ord(words[-1][-1]) >= _FIRST_WIDE:
        return words[-1][-1]
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def colour_of(name: str) -> tuple[int, int, int]:
    """The avatar's colour: always the same for a name."""
    return _COLOURS[sum(name.encode()) % len(_COLOURS)]


@lru_cache(64)
def disc(diameter: int) -> Mask:
    """A white circle with a smooth edge: uint8, shape (diameter, diameter)."""
    image = Image.new("L", (4 * diameter, 4 * diameter), 0)
    ImageDraw.Draw(image).ellipse((0, 0, 4 * diameter - 1, 4 * diameter - 1), fill=255)
    return np.asarray(image.resize((diameter, diameter), Image.Resampling.BOX))


def lay_over(plane: Plane, mask: Mask, value: int) -> None:
    """Paint a value through a mask of the same shape."""
    there = plane.astype(np.int16)
    plane[:] = there + ((value - there) * mask.astype(np.int16) // 255)
