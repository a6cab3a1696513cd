"""Pictures on their way to the window: the newest alone, at the size of the tile, taken down when nothing follows."""

from __future__ import annotations

import numpy as np
import pytest

from rtp.codecs.i420 import Picture
from softphone import board
from softphone.board import PictureBoard, Place, made_to_fit


def plain(y: int, width: int = 64, height: int = 36) -> Picture:
    """A picture of one grey."""
    picture = Picture.create(width, height)
    picture.fill(y, 128, 128)
    return picture


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the board sees."""
    now = [100.0]
    monkeypatch.setattr(board.time, "monotonic", lambda: now[0])
    return now


def test_what_no_tile_wants_is_not_made_and_what_is_wanted_has_its_size(clock: list[float]) -> None:
    pictures = PictureBoard()
    pictures.put("id:1", plain(235))
    assert pictures.take() == {} and pictures.shown() == {"id:1"} and pictures.sizes() == {"id:1": (64, 36)}
    pictures.want({"id:1": Place(31, 17)})
    clock[0] += 1
    pictures.put("id:1", plain(235))
    (rgb,) = pictures.take().values()
    assert rgb is not None and rgb.shape == (17, 31, 3) and int(rgb.min()) > 250
    assert pictures.take() == {}


def test_a_window_that_is_busy_gets_the_newest_picture(clock: list[float]) -> None:
    pictures = PictureBoard()
    pictures.want({"id:1": Place(32, 18)})
    for level in (16, 235):
        clock[0] += 0.1
        pictures.put("id:1", plain(level))
    rgb = pictures.take()["id:1"]
    assert rgb is not None and int(rgb.min()) > 250


def test_a_picture_that_nothing_follows_is_taken_down(clock: list[float]) -> None:
    pictures = PictureBoard()
    pictures.want({"id:1": Place(32, 18)})
    pictures.put("id:1", plain(16))
    pictures.take()
    clock[0] += board.STALE_S + 0.1
    assert pictures.take() == {"id:1": None} and pictures.shown() == frozenset()
    pictures.put("id:1", plain(16))
    pictures.remove("id:1")
    assert pictures.take() == {"id:1": None}


def test_a_mirrored_picture_has_left_and_right_changed(clock: list[float]) -> None:
    picture = plain(16)
    picture.y[:, :32] = 235
    pictures = PictureBoard()
    pictures.want({"self": Place(64, 36)})
    pictures.put("self", picture, is_mirrored=True)
    rgb = pictures.take()["self"]
    assert rgb is not None and int(rgb[10, 5].max()) < 30 and int(rgb[10, 60].min()) > 230


def test_the_whole_picture_is_shown_where_nothing_may_be_cut_off() -> None:
    white = plain(235)
    whole = made_to_fit(white, Place(36, 36, is_whole=True))
    assert int(whole[0].max()) == 0 and int(whole[18].min()) > 250
    cut = made_to_fit(white, Place(36, 36))
    assert int(cut.min()) > 250 and cut.shape == (36, 36, 3) and cut.flags["C_CONTIGUOUS"] and cut.dtype == np.uint8
