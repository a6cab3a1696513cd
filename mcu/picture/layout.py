"""Where the tiles of a composed picture are: gallery, speaker with a strip, one at a time, slides in the main place.

All edges are even, as the planes of colour have half the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_TILES = 9
MAX_STRIP = 7
_GRIDS = ((1, 1), (2, 1), (2, 2), (2, 2), (3, 2), (3, 2), (3, 3), (3, 3), (3, 3))
"""Columns and rows by the number of tiles."""


class Layout(StrEnum):
    """How a room is shown to a phone with one line of pictures."""

    GALLERY = "gallery"
    """All alike, up to nine."""
    SPEAKER = "speaker"
    """Who speaks in the main place, up to seven in a strip."""
    SWITCH = "switch"
    """Who speaks, and nobody else."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A place: pixels, all even. is_whole: the picture is shown uncut, between bars where its shape differs (slides)."""

    left: int
    top: int
    width: int
    height: int
    is_whole: bool = False


def gallery(count: int, width: int, height: int) -> tuple[Tile, ...]:
    """Up to nine equal tiles of 16:9, each row in the middle."""
    count = max(0, min(count, MAX_TILES))
    if not count:
        return ()
    columns, rows = _GRIDS[count - 1]
    across, down = _fit(width / columns, height / rows)
    top = (height - rows * down) / 2
    tiles = []
    for row in range(rows):
        there = min(columns, count - row * columns)
        left = (width - there * across) / 2
        tiles += [_tile(left + column * across, top + row * down, across, down) for column in range(there)]
    return tuple(tiles)


def speaker(count: int, width: int, height: int, *, is_slides: bool = False) -> tuple[Tile, ...]:
    """The first in the main place of three quarters, up to four beside it, up to three more below.

    is_slides: what is in the main place is a screen, which is shown uncut.
    """
    count = max(0, min(count, MAX_STRIP + 1))
    if count <= 1:
        return tuple(Tile(0, 0, width & ~1, height & ~1, is_slides) for _ in range(count))
    has_row = count > 5
    main_width, side = width * 3 / 4, width / 4
    main_height = height * 3 / 4 if has_row else height
    across, down = _fit(side, height / 4)
    main = _tile(0, 0, main_width, main_height) if has_row or is_slides else _middle(main_width, height)
    beside = min(count - 1, 4)
    top = 0.0 if has_row else (height - beside * down) / 2
    tiles = [Tile(main.left, main.top, main.width, main.height, is_slides)]
    tiles += [_tile(main_width, top + index * down, across, down) for index in range(beside)]
    below = count - 1 - beside
    left = (main_width - below * across) / 2
    tiles += [_tile(left + index * across, main_height, across, down) for index in range(below)]
    return tuple(tiles)


def _fit(width: float, height: float) -> tuple[float, float]:
    """The largest 16:9 in a cell."""
    return (width, width * 9 / 16) if width * 9 <= height * 16 else (height * 16 / 9, height)


def _middle(width: float, height: float) -> Tile:
    across, down = _fit(width, height)
    return _tile((width - across) / 2, (height - down) / 2, across, down)


def _tile(left: float, top: float, width: float, height: float) -> Tile:
    """A tile whose edges are those of its neighbours, rounded alike."""
    x, y = _even(left), _even(top)
    return Tile(x, y, _even(left + width) - x, _even(top + height) - y)


def _even(value: float) -> int:
    return 2 * round(value / 2)
