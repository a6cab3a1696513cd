"""Where things go: pure arithmetic for the gallery, the speaker view and the toolbar, tested without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDEST = 1.95
NARROWEST = 1.0
"""A tile's width over its height; between the two it takes the shape of its cell."""
SMALLEST_TILE = (168, 112)
STRIP_SHARE = 0.22


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: int
    top: int
    width: int
    height: int


def gallery_capacity(width: int, height: int, gap: int, scale: float = 1.0) -> int:
    """How many tiles of the smallest size find room."""
    columns = max(1, int((width + gap) // (SMALLEST_TILE[0] * scale + gap)))
    rows = max(1, int((height + gap) // (SMALLEST_TILE[1] * scale + gap)))
    return columns * rows


def gallery(count: int, width: int, height: int, gap: int) -> list[Box]:
    """Boxes for `count` tiles of one size, as large as they can be; a last row that isn't full is centred."""
    if count <= 0 or width <= 0 or height <= 0:
        return []
    columns = max(range(1, count + 1), key=lambda columns: _worth(count, columns, width, height, gap))
    tile_width, tile_height = _tile(count, columns, width, height, gap)
    rows = -(-count // columns)
    top = (height - rows * tile_height - (rows - 1) * gap) // 2
    boxes = []
    for row in range(rows):
        here = min(columns, count - row * columns)
        left = (width - here * tile_width - (here - 1) * gap) // 2
        boxes += [
            Box(left + i * (tile_width + gap), top + row * (tile_height + gap), tile_width, tile_height) for i in range(here)
        ]
    return boxes


def _tile(count: int, columns: int, width: int, height: int, gap: int) -> tuple[int, int]:
    rows = -(-count // columns)
    cell_width = max(1, (width - (columns - 1) * gap) // columns)
    cell_height = max(1, (height - (rows - 1) * gap) // rows)
    return min(cell_width, int(cell_height * WIDEST)), min(cell_height, int(cell_width / NARROWEST))


def _worth(count: int, columns: int, width: int, height: int, gap: int) -> float:
    tile_width, tile_height = _tile(count, columns, width, height, gap)
    return min(tile_width, tile_height * 1.6) * min(tile_height, tile_width / 1.3)


def speaker_view(count: int, width: int, height: int, gap: int) -> list[Box]:
    """One large box, and a strip of small ones below for the others, as many as fit (the first is the large one)."""
    if count <= 1:
        return gallery(count, width, height, gap)
    strip = max(60, int(height * STRIP_SHARE))
    small = int(strip * 1.5)
    here = min(count - 1, max(1, (width + gap) // (small + gap)))
    left = (width - here * small - (here - 1) * gap) // 2
    large = Box(0, 0, width, height - strip - gap)
    return [large, *(Box(left + i * (small + gap), height - strip, small, strip) for i in range(here))]


def buttons_that_fit(widths: Sequence[int], available: int, gap: int) -> int:
    """How many buttons, taken in order, fit beside each other, each with a gap before it."""
    used = 0
    for count, width in enumerate(widths):
        used += gap + width
        if used > available:
            return count
    return len(widths)
