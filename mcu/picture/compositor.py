"""Puts pictures together into one: scaled into tiles, names on them, a ring round who speaks, avatars for who sends none.

Pure: pictures in, one picture out. Only what changed since the last time is drawn again. Works on planes of 4:2:0 throughout:
no colours are converted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mcu.picture.layout import Tile
from mcu.picture.lettering import colour_of, disc, initials, lay_over, written
from rtp.codecs.i420 import Picture, Plane

GROUND = (24, 128, 128)
"""Luma and colours of what lies between the tiles, and beside a screen of another shape."""
EMPTY = (44, 128, 128)
"""Behind an avatar."""
MAX_PILL = 36
RING = (173, 42, 26)
"""The green of who speaks."""
PILL_LUMA, WHITE = 40, 230


@dataclass(frozen=True, slots=True)
class Content:
    """What a tile shows. picture: the newest of that person, None for an avatar; name: empty for no pill."""

    picture: Picture | None
    name: str = ""
    is_speaking: bool = False


class Compositor:
    """One composed picture of a fixed size. `drawn`: tiles drawn so far; `canvas`: the picture, till the next `compose`;
    `version`: another one for each picture that differs."""

    def __init__(self, width: int, height: int) -> None:
        self.canvas = Picture.create(width, height)
        self.drawn = self._layouts = 0
        self._tiles: tuple[Tile, ...] | None = None
        self._shown: list[Content] = []

    def compose(self, tiles: Sequence[Tile], contents: Sequence[Content]) -> Picture:
        """The picture with each content in its tile, in order; tiles without a content stay empty."""
        layout = tuple(tiles)
        if layout != self._tiles or len(contents) != len(self._shown):
            self.canvas.fill(*GROUND)
            self._tiles, self._shown = layout, []
            self._layouts += 1
        for index, (tile, content) in enumerate(zip(layout, contents, strict=False)):
            if index >= len(self._shown) or not _is_same(self._shown[index], content):
                self._draw(tile, content)
        self._shown = list(contents)
        return self.canvas

    @property
    def version(self) -> tuple[int, int]:
        """Of what the canvas shows."""
        return self._layouts, self.drawn

    def _draw(self, tile: Tile, content: Content) -> None:
        self.drawn += 1
        area = self.canvas.region(tile.left, tile.top, tile.width, tile.height)
        if content.picture is None:
            _draw_avatar(area, content.name)
        elif tile.is_whole:
            _draw_whole(area, content.picture)
        else:
            _draw_filled(area, content.picture)
        if content.name:
            _draw_name(area, content.name)
        if content.is_speaking:
            _draw_ring(area, max(2, tile.height // 60 & ~1))


def _is_same(before: Content, now: Content) -> bool:
    return before.picture is now.picture and before.name == now.name and before.is_speaking == now.is_speaking


def _draw_filled(area: Picture, picture: Picture) -> None:
    """The middle of the picture, cut to the tile's shape."""
    width, height = picture.width, picture.height
    if width * area.height > height * area.width:
        kept = max(2, height * area.width // area.height & ~1)
        picture = picture.region((width - kept) // 2 & ~1, 0, kept, height)
    else:
        kept = max(2, width * area.height // area.width & ~1)
        picture = picture.region(0, (height - kept) // 2 & ~1, width, kept)
    _scale(picture, area)


def _draw_whole(area: Picture, picture: Picture) -> None:
    """All of the picture, between bars."""
    factor = min(area.width / picture.width, area.height / picture.height)
    width, height = max(2, round(picture.width * factor) & ~1), max(2, round(picture.height * factor) & ~1)
    area.fill(*GROUND)
    _scale(picture, area.region((area.width - width) // 2 & ~1, (area.height - height) // 2 & ~1, width, height))


def _scale(picture: Picture, area: Picture) -> None:
    for source, target in ((picture.y, area.y), (picture.u, area.u), (picture.v, area.v)):
        _scale_plane(source, target)


def _scale_plane(source: Plane, target: Plane) -> None:
    """Between the nearest pixels; from more than twice the size by the mean, so that fine lines don't flicker."""
    if source.shape == target.shape:
        target[:] = source
        return
    height, width = target.shape
    how = cv2.INTER_AREA if source.shape[0] > 2 * height else cv2.INTER_LINEAR
    cv2.resize(source, (width, height), dst=target, interpolation=how)


def _draw_avatar(area: Picture, name: str) -> None:
    area.fill(*EMPTY)
    y, u, v = colour_of(name)
    diameter = max(16, area.height // 2) & ~3
    left, top = (area.width - diameter) // 2 & ~1, (area.height - diameter) // 2 & ~1
    if left < 0 or top < 0:
        return
    spot = area.region(left, top, diameter, diameter)
    lay_over(spot.y, disc(diameter), y)
    for plane, value in ((spot.u, u), (spot.v, v)):
        lay_over(plane, disc(diameter // 2), value)
    letters = written(initials(name), diameter // 2 & ~1)
    height, width = letters.shape
    if width <= diameter:
        across, down = (diameter - width) // 2, (diameter - height) // 2
        lay_over(spot.y[down:down + height, across:across + width], letters, WHITE)


def _draw_name(area: Picture, name: str) -> None:
    """A dark pill at the lower left, cut where the name is longer than the tile is wide."""
    height = max(14, min(MAX_PILL, area.height // 12)) & ~1
    margin = max(4, height // 2) & ~1
    letters = written(name, height)
    width = min(letters.shape[1], area.width - 4 * margin) & ~1
    if width < 2 or area.height < height + 2 * margin:
        return
    pill = area.region(margin, area.height - height - margin, width + 2 * margin, height)
    pill.y[:] = (pill.y.astype(np.uint16) + 3 * PILL_LUMA >> 2).astype(np.uint8)
    pill.u[:], pill.v[:] = 128, 128
    lay_over(pill.y[:, margin:margin + width], letters[:, :width], WHITE)


def _draw_ring(area: Picture, thick: int) -> None:
    for plane, value, edge in ((area.y, RING[0], thick), (area.u, RING[1], thick // 2), (area.v, RING[2], thick // 2)):
        plane[:edge], plane[-edge:], plane[:, :edge], plane[:, -edge:] = value, value, value, value
