"""What lies over a tile's picture, put into its pixels: corners, ring, name's ground, microphone, bars.

A Tk canvas mixes a half-clear image with what is below it by reading the screen back, at each new picture; done here, on the
pixels that are not clear and no others, it costs a tenth.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from softphone.ui import drawing, icons
from softphone.ui.layout import Box
from softphone.ui.theme import Look

RADIUS = 14
RING = 3
PILL_HEIGHT = 28


class Overlay:
    """An image (RGBA) that is laid over pictures of its size."""

    def __init__(self, image: Image.Image) -> None:
        pixels = np.asarray(image.convert("RGBA")).reshape(-1, 4)
        self._where = np.flatnonzero(pixels[:, 3])
        alpha = pixels[self._where, 3:].astype(np.uint16)
        self._keep = 255 - alpha
        self._add = pixels[self._where, :3].astype(np.uint16) * alpha + 127
        self._is_full = bool(np.all(alpha == 255))

    def lay_over(self, rgb: npt.NDArray[np.uint8]) -> None:
        """Change a picture: uint8, shape (height, width, 3), contiguous."""
        flat = rgb.reshape(-1, 3)
        flat[self._where] = (flat[self._where] * self._keep + self._add) // 255


def tile_overlay(look: Look, box: Box, *, ring: str, pill_width: int, icon: tuple[str, str] | None, bars: int) -> Overlay:
    """The overlay of a tile. ring: its colour, empty for none; pill_width: of the name's ground; icon: its name and colour;
    bars: how many are lit, 0 for none."""
    px = look.px
    image = drawing.frame(box.width, box.height, px(RADIUS), drawing.rgba(look.palette.window),
                          drawing.rgba(ring) if ring else None, px(RING))

    def put(part: Image.Image, left: int, top: int) -> None:
        if part.width <= image.width and part.height <= image.height:
            image.alpha_composite(part, (min(max(0, left), image.width - part.width),
                                         min(max(0, top), image.height - part.height)))

    top = box.height - px(PILL_HEIGHT) - px(10)
    put(drawing.rounded(pill_width, px(PILL_HEIGHT), px(8), (0, 0, 0, 165 if look.palette.is_dark else 150)), px(10), top)
    if icon is not None:
        size = px(17)
        put(icons.icon(icon[0], size, drawing.rgba(icon[1])), px(26) - size // 2, top + px(PILL_HEIGHT) // 2 - size // 2)
    if bars:
        part = bars_image(look, bars)
        put(part, box.width - px(14) - part.width, box.height - px(14) - part.height)
    return Overlay(image)


def bars_image(look: Look, count: int) -> Image.Image:
    """The quality bars, so many of them lit."""
    palette = look.palette
    colour = palette.ring if count >= 3 else palette.warning if count == 2 else palette.danger
    return drawing.bars(look.px(18), count, drawing.rgba(colour), drawing.rgba(palette.muted, 130))


