"""The size of a picture follows the rate, and not every dip of it."""

from __future__ import annotations

import numpy as np

from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder
from rtp.sdp.video import VideoFormat
from softphone.media.encoding import LineEncoder, fitted

H264 = VideoFormat("H264", 97, 97, 1)
STEP_NS = 40_000_000


def noise(seed: int) -> Picture:
    """A picture that no codec makes small."""
    picture = Picture.create(640, 360)
    picture.y[:] = np.random.default_rng(seed).integers(0, 256, picture.y.shape, np.uint8)
    return picture


def sizes(encoder: LineEncoder, rates: list[int], busy: bool, start: int = 0) -> list[int]:
    """The heights that come of these rates, a picture for each."""
    plain = Picture.create(640, 360)
    found = []
    for index, rate in enumerate(rates, start):
        encoder.encode(noise(index) if busy else plain, index * 3600, rate, index * STEP_NS, is_key=index == 0)
        found.append(encoder.figures.height)
    return found


def test_with_less_rate_a_busy_picture_becomes_smaller_and_grows_again_later() -> None:
    encoder = LineEncoder(H264)
    assert sizes(encoder, [1_000_000] * 5, True)[-1] == 360
    small = sizes(encoder, [150_000] * 25, True, 5)
    assert small[-1] == 180
    after = sizes(encoder, [1_000_000] * 125, True, 30)
    assert after[0] == 180 and after[-1] == 360


def test_a_picture_that_needs_little_keeps_its_size_at_any_rate() -> None:
    encoder = LineEncoder(H264)
    sizes(encoder, [1_000_000] * 5, False)
    assert set(sizes(encoder, [150_000] * 25, False, 5)) == {360}


def test_a_receiver_of_small_pictures_gets_small_ones() -> None:
    encoder = LineEncoder(VideoFormat("H264", 97, 97, 1, max_macroblocks=396))          # CIF
    coded = encoder.encode(noise(1), 0, 1_000_000, 0, is_key=True)
    (picture,) = VideoDecoder("h264").decode(coded)
    assert (picture.width, picture.height) == (320, 180)


def test_a_picture_of_another_shape_is_cut_in_the_middle() -> None:
    square = Picture.create(400, 400)
    square.y[:] = 20
    square.y[100:300] = 200
    wide = fitted(square, 320, 180)
    assert (wide.width, wide.height) == (320, 180) and int(wide.y[90, 160]) == 200
    assert int(wide.y[2, 10]) < 60 and int(wide.y[-3, 10]) < 60
    assert fitted(square, 400, 400) is square
