"""Composed pictures, read by program: who is where, uncut slides, names, rings, avatars, no work for nothing."""

from __future__ import annotations

import numpy as np
import pytest

from mcu.picture.compositor import RING, Compositor, Content
from mcu.picture.layout import Tile, gallery, speaker
from rtp.codecs.chart import draw, read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder, create_video_encoder

WIDTH, HEIGHT = 1280, 720


def person(number: int, width: int = 640, height: int = 360) -> Picture:
    """A test picture of somebody."""
    picture = Picture.create(width, height)
    draw(picture, number, number * 1000)
    return picture


def at(canvas: Picture, tile: Tile) -> Picture:
    """What is in a tile."""
    return canvas.region(tile.left, tile.top, tile.width, tile.height)


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_each_is_seen_in_the_tile_of_their_place(count: int) -> None:
    tiles = gallery(count, WIDTH, HEIGHT)
    canvas = Compositor(WIDTH, HEIGHT).compose(
        tiles, [Content(person(number), f"P{number}", number == 1) for number in range(count)])
    assert [read(at(canvas, tile).y) for tile in tiles] == [(number, number * 1000) for number in range(count)]


def test_composed_picture_is_readable_behind_an_encoder() -> None:
    tiles = speaker(8, WIDTH, HEIGHT)
    canvas = Compositor(WIDTH, HEIGHT).compose(tiles, [Content(person(number), "name") for number in range(8)])
    data = create_video_encoder("h264", WIDTH, HEIGHT, 1_500_000).encode(canvas, 0, is_key=True)
    (picture,) = VideoDecoder("h264").decode(data)
    assert [read(at(picture, tile).y) for tile in tiles] == [(number, number * 1000) for number in range(8)]


@pytest.mark.parametrize("size", [(640, 480), (360, 640), (352, 288), (1920, 1080), (16, 16)])
def test_picture_of_another_shape_fills_its_tile(size: tuple[int, int]) -> None:
    picture = Picture.create(*size)
    picture.fill(200, 90, 160)
    canvas = Compositor(WIDTH, HEIGHT).compose(gallery(1, WIDTH, HEIGHT), [Content(picture)])
    assert (canvas.y == 200).all() and (canvas.u == 90).all() and (canvas.v == 160).all()


@pytest.mark.parametrize("size", [(640, 480), (1024, 768), (2560, 1080)])
def test_slides_are_uncut_between_bars(size: tuple[int, int]) -> None:
    slides = Picture.create(*size)
    slides.fill(120, 128, 128)
    slides.y[:size[1] // 8], slides.y[-size[1] // 8:] = 220, 220
    slides.y[:, :size[0] // 8], slides.y[:, -size[0] // 8:] = 220, 220
    tiles = speaker(8, WIDTH, HEIGHT, is_slides=True)
    place = at(Compositor(WIDTH, HEIGHT).compose(tiles, [Content(slides), *[Content(None)] * 7]), tiles[0])
    bright = np.argwhere(place.y > 200)
    (top, left), (bottom, right) = bright.min(0), bright.max(0)
    assert (right - left) / (bottom - top) == pytest.approx(size[0] / size[1], rel=0.03)
    assert (place.y[0] < 30).all() or (place.y[:, 0] < 30).all()


def test_who_speaks_has_a_ring_and_the_others_have_none() -> None:
    tiles = gallery(4, WIDTH, HEIGHT)
    canvas = Compositor(WIDTH, HEIGHT).compose(tiles, [Content(person(number), is_speaking=number == 2) for number in range(4)])
    edges = [set(at(canvas, tile).v[0].tolist()) for tile in tiles]
    assert [edge == {RING[2]} for edge in edges] == [False, False, True, False]


def test_name_stands_at_the_lower_left_on_a_dark_pill() -> None:
    tiles = gallery(4, WIDTH, HEIGHT)
    picture = Picture.create(640, 360)
    picture.fill(150, 128, 128)
    canvas = Compositor(WIDTH, HEIGHT).compose(
        tiles, [Content(picture, "Ada Lovelace"), Content(picture), Content(picture, "W" * 300)])
    named, plain, long = (at(canvas, tile).y for tile in tiles[:3])
    assert named[-45:, :320].max() > 200 and named[-45:, :320].min() < 80
    assert (named[:-60] == 150).all() and (named[:, 400:] == 150).all()
    assert (plain == 150).all()
    assert (long[:, -10:] == 150).all() and (long[:-60] == 150).all()


def test_who_sends_no_picture_is_an_avatar_with_initials() -> None:
    tiles = gallery(1, WIDTH, HEIGHT)
    canvas = Compositor(WIDTH, HEIGHT).compose(tiles, [Content(None, "Ada Lovelace")])
    middle = canvas.region(480, 180, 320, 360).y
    assert middle.max() > 200 and (middle > 80).mean() > 0.5
    assert (canvas.y[:100] < 60).all()
    assert read(canvas.y) is None


def test_only_what_changed_is_drawn_again() -> None:
    compositor, tiles = Compositor(WIDTH, HEIGHT), gallery(4, WIDTH, HEIGHT)
    contents = [Content(person(number), "name") for number in range(4)]
    compositor.compose(tiles, contents)
    compositor.compose(tiles, list(contents))
    assert compositor.drawn == 4
    contents[2] = Content(person(9), "name")
    canvas = compositor.compose(tiles, contents)
    assert compositor.drawn == 5 and read(at(canvas, tiles[2]).y) == (9, 9000)
    contents[1] = Content(contents[1].picture, "name", True)
    compositor.compose(tiles, contents)
    assert compositor.drawn == 6


def test_other_layout_leaves_nothing_of_the_one_before() -> None:
    compositor = Compositor(WIDTH, HEIGHT)
    compositor.compose(gallery(1, WIDTH, HEIGHT), [Content(person(1))])
    tiles = gallery(2, WIDTH, HEIGHT)
    canvas = compositor.compose(tiles, [Content(person(2)), Content(person(3))])
    assert (canvas.y[:170] == canvas.y[0, 0]).all() and read(at(canvas, tiles[1]).y) == (3, 3000)
    canvas = compositor.compose(tiles, [Content(person(2))])
    assert (at(canvas, tiles[1]).y == canvas.y[0, 0]).all()
