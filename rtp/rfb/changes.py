"""What has changed between two pictures: tiles that differ, and blocks that moved up or down (CopyRect, RFC 6143 §7.7.2)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtp.rfb.pixels import Pixels, Rectangle

TILE = 64
MIN_MOVED_ROWS = 24
"""A block with fewer rows isn't worth the search's result."""
WINDOW = 8
"""Rows that are looked for together: single ones, empty lines for example, occur everywhere."""
MIN_VOTES = 8
"""Windows found again at the same distance before it counts as scrolling."""
_WEIGHTS = np.random.Generator(np.random.PCG64(6143)).integers(1, 1 << 63, 16384, dtype=np.uint64) | np.uint64(1)


@dataclass(frozen=True, slots=True)
class Move:
    """A block of the earlier picture that is found again in the later one: `area` is where it is now."""

    area: Rectangle
    from_x: int
    from_y: int


def changed_areas(before: Pixels, after: Pixels, within: Rectangle) -> list[Rectangle]:
    """Rectangles that hold all differences of two pictures of the same shape, within a part of them."""
    differs = within.of(before) != within.of(after)
    if differs.size == 0 or not differs.any():
        return []
    marked = np.logical_or.reduceat(differs, np.arange(0, within.height, TILE), axis=0)
    marked = np.logical_or.reduceat(marked, np.arange(0, within.width, TILE), axis=1)
    return [_shrunk(differs, block, within) for block in _blocks(marked)]


def bounds(areas: list[Rectangle]) -> Rectangle:
    """The rectangle round some."""
    left, top = min(area.x for area in areas), min(area.y for area in areas)
    right, bottom = max(area.x + area.width for area in areas), max(area.y + area.height for area in areas)
    return Rectangle(left, top, right - left, bottom - top)


def find_move(before: Pixels, after: Pixels, within: Rectangle) -> Move | None:
    """The largest block of whole rows of `within` that moved up or down; None when none is worth it."""
    if within.height < 2 * MIN_MOVED_ROWS:
        return None
    old, new = _row_sums(within.of(before)), _row_sums(within.of(after))
    distance = _likely_distance(old, new)
    if distance == 0:
        return None
    first, count = _longest_run(old, new, distance)
    if count < MIN_MOVED_ROWS:
        return None
    area = Rectangle(within.x, within.y + first, within.width, count)
    source = Rectangle(area.x, area.y - distance, area.width, area.height)
    if not np.array_equal(area.of(after), source.of(before)):
        return None
    return Move(area, source.x, source.y)


def _blocks(marked: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Marked tiles as (left, top, right, bottom) in tiles: runs of a row, grown downwards while the run stays the same."""
    done: list[tuple[int, int, int, int]] = []
    growing: dict[tuple[int, int], int] = {}
    for row in range(marked.shape[0] + 1):
        runs = _runs(marked[row]) if row < marked.shape[0] else []
        for left, right in [run for run in growing if run not in runs]:
            done.append((left, growing.pop((left, right)), right, row))
        for run in runs:
            growing.setdefault(run, row)
    return done


def _runs(row: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _shrunk(differs: NDArray[np.bool_], block: tuple[int, int, int, int], within: Rectangle) -> Rectangle:
    left, top, right, bottom = (edge * TILE for edge in block)
    part = differs[top:bottom, left:right]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    return Rectangle(within.x + left + int(columns[0]), within.y + top + int(rows[0]),
                     int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)


def _row_sums(pixels: Pixels) -> NDArray[np.uint64]:
    """A number for each row; equal rows have equal ones."""
    sums: NDArray[np.uint64] = np.zeros(pixels.shape[0], np.uint64)
    for start in range(0, pixels.shape[1], TILE):            # in strips that stay in the cache
        strip = pixels[:, start:start + TILE].astype(np.uint64)
        sums += (strip * _WEIGHTS[start:start + strip.shape[1]]).sum(axis=1, dtype=np.uint64)
    return sums


def _likely_distance(old: NDArray[np.uint64], new: NDArray[np.uint64]) -> int:
    """How far most rows moved down (negative: up); windows that occur twice don't vote."""
    places = _unique_places(old)
    votes: Counter[int] = Counter()
    for value, row in _unique_places(new).items():
        if value in places and places[value] != row:
            votes[row - places[value]] += 1
    if not votes:
        return 0
    distance, count = votes.most_common(1)[0]
    return distance if count >= MIN_VOTES else 0


def _unique_places(sums: NDArray[np.uint64]) -> dict[int, int]:
    rows = len(sums) - WINDOW + 1
    windows = np.zeros(rows, np.uint64)
    for place in range(WINDOW):
        windows += sums[place:place + rows] * _WEIGHTS[place]
    values, first, counts = np.unique(windows, return_index=True, return_counts=True)
    once = counts == 1
    return dict(zip(values[once].tolist(), first[once].tolist(), strict=True))


def _longest_run(old: NDArray[np.uint64], new: NDArray[np.uint64], distance: int) -> tuple[int, int]:
    """First row (of the later picture) and number of the longest row of rows that are found again so far away."""
    start = max(0, distance)
    end = len(new) + min(0, distance)
    same = new[start:end] == old[start - distance:end - distance]
    edges = np.flatnonzero(np.diff(same.astype(np.int8), prepend=0, append=0))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return start + int(edges[2 * longest]), int(lengths[longest])
