"""Planes: regions are views, frames of FFmpeg there and back, odd sizes and other formats."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from rtp.codecs.i420 import BLACK, GREY, Picture, from_frame, to_frame


def test_new_picture_is_black_and_its_planes_lie_behind_each_other() -> None:
    picture = Picture.create(64, 48)
    assert (picture.width, picture.height, picture.u.shape) == (64, 48, (24, 32))
    assert (picture.y == BLACK).all() and (picture.u == GREY).all() and (picture.v == GREY).all()


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (0, 2)])
def test_odd_size_is_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="have to be even"):
        Picture.create(width, height)


def test_region_is_a_view() -> None:
    picture = Picture.create(64, 48)
    picture.region(32, 24, 32, 24).fill(200, 10, 20)
    assert (picture.y[24:, 32:] == 200).all() and (picture.u[12:, 16:] == 10).all() and (picture.v[12:, 16:] == 20).all()
    assert (picture.y[:24] == BLACK).all() and (picture.u[:, :16] == GREY).all()


@pytest.mark.parametrize("size", [(64, 48), (642, 362), (2, 2)])
def test_frame_there_and_back_has_the_same_pixels(size: tuple[int, int]) -> None:
    picture = Picture.create(*size)
    for plane in (picture.y, picture.u, picture.v):
        plane[:] = np.random.default_rng(3).integers(0, 255, plane.shape, np.uint8)
    back = from_frame(to_frame(picture))
    for ours, theirs in zip((picture.y, picture.u, picture.v), (back.y, back.u, back.v), strict=True):
        assert (ours == theirs).all()


def test_other_formats_are_converted_and_odd_sizes_cut() -> None:
    frame: Any = av.VideoFrame.from_ndarray(np.full((49, 65, 3), 255, np.uint8), "rgb24")
    picture = from_frame(frame)
    assert (picture.width, picture.height) == (64, 48)
    assert abs(int(picture.y.mean()) - 235) <= 1
