"""The test picture's code: read as drawn, small and large, noisy and shifted a little, and not read out of anything else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.codecs.chart import draw, read
from rtp.codecs.i420 import Picture


@given(st.integers(0, 255), st.integers(0, 0xFFFF), st.sampled_from([(80, 40), (160, 120), (320, 180), (642, 362)]))
def test_code_is_read_as_it_was_drawn(who: int, count: int, size: tuple[int, int]) -> None:
    picture = Picture.create(*size)
    draw(picture, who, count)
    assert read(picture.y) == (who, count)
    noisy = picture.y.astype(int) + np.random.default_rng(0).integers(-40, 40, picture.y.shape)
    assert read(np.clip(noisy, 0, 255).astype(np.uint8)) == (who, count)


def test_code_in_a_part_of_a_picture_is_read_there() -> None:
    whole, tile = Picture.create(640, 360), Picture.create(320, 180)
    draw(tile, 3, 999)
    whole.region(320, 180, 320, 180).copy_from(tile)
    assert read(whole.region(320, 180, 320, 180).y) == (3, 999)
    assert read(whole.region(322, 182, 318, 178).y) == (3, 999)
    assert read(whole.region(0, 0, 320, 180).y) is None


@pytest.mark.parametrize("fill", [0, 128, 255])
def test_nothing_is_read_out_of_an_empty_picture(fill: int) -> None:
    assert read(np.full((180, 320), fill, np.uint8)) is None
    assert read(np.full((10, 10), fill, np.uint8)) is None


def test_half_of_a_code_of_another_is_no_code() -> None:
    first, second = Picture.create(320, 180), Picture.create(320, 180)
    draw(first, 1, 0x1234)
    draw(second, 2, 0x4321)
    first.y[70:] = second.y[70:]
    assert read(first.y) is None
