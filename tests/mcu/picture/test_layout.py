"""Tiles: inside the picture, even, side by side, none over another."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu.picture.layout import Tile, gallery, speaker

SIZES = st.sampled_from([(1280, 720), (640, 360), (1920, 1080), (640, 480), (354, 288), (176, 144)])


def overlap(one: Tile, other: Tile) -> bool:
    """Whether two tiles share a pixel."""
    return (one.left < other.left + other.width and other.left < one.left + one.width
            and one.top < other.top + other.height and other.top < one.top + one.height)


@given(st.sampled_from([gallery, speaker]), st.integers(0, 12), SIZES)
def test_tiles_are_even_inside_and_apart(layout: object, count: int, size: tuple[int, int]) -> None:
    assert callable(layout)
    tiles = layout(count, *size)
    assert len(tiles) == min(count, 9 if layout is gallery else 8)
    for tile in tiles:
        assert tile.left % 2 == tile.top % 2 == tile.width % 2 == tile.height % 2 == 0
        assert tile.left >= 0 and tile.top >= 0 and tile.width >= 16 and tile.height >= 16
        assert tile.left + tile.width <= size[0] and tile.top + tile.height <= size[1]
    assert not any(overlap(one, other) for one, other in combinations(tiles, 2))


@pytest.mark.parametrize(("count", "expected"), [
    (1, [(0, 0, 1280, 720)]), (2, [(0, 180, 640, 360), (640, 180, 640, 360)]),
    (3, [(0, 0, 640, 360), (640, 0, 640, 360), (320, 360, 640, 360)]),
])
def test_gallery_of_a_few_is_as_large_as_can_be_and_its_last_row_in_the_middle(
        count: int, expected: list[tuple[int, int, int, int]]) -> None:
    assert [(tile.left, tile.top, tile.width, tile.height) for tile in gallery(count, 1280, 720)] == expected


def test_nine_tiles_fill_the_picture() -> None:
    tiles = gallery(9, 1280, 720)
    assert sum(tile.width * tile.height for tile in tiles) == 1280 * 720


def test_speaker_has_three_quarters_and_a_strip() -> None:
    tiles = speaker(8, 1280, 720)
    assert tiles[0] == Tile(0, 0, 960, 540)
    assert {(tile.width, tile.height) for tile in tiles[1:]} == {(320, 180)}
    assert [tile.left for tile in tiles[1:5]] == [960] * 4 and [tile.top for tile in tiles[5:]] == [540] * 3


def test_slides_are_shown_uncut_in_the_main_place() -> None:
    assert [tile.is_whole for tile in speaker(3, 1280, 720, is_slides=True)] == [True, False, False]
    assert speaker(1, 1280, 720, is_slides=True) == (Tile(0, 0, 1280, 720, True),)
