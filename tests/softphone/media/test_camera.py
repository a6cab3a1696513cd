"""Sources of pictures: the test picture, files, and cameras that are not there."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from rtp.codecs import chart
from rtp.codecs.i420 import Picture, to_frame
from softphone.media.camera import Camera, CameraError, ChartSource, VideoFile, Webcam, from_bgr, open_video_source, webcams


def make_file(path: Path, numbers: tuple[int, ...], size: tuple[int, int] = (320, 180)) -> None:
    """A film of one picture for each number."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index, number in enumerate(numbers):
            picture = Picture.create(*size)
            chart.draw(picture, number, index)
            frame = to_frame(picture)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_the_test_picture_tells_its_number_and_the_time() -> None:
    before = time.monotonic_ns() // 1_000_000
    code = chart.read(ChartSource("41").read().y)
    after = time.monotonic_ns() // 1_000_000
    assert code is not None and code[0] == 41 and (code[1] - before) % 65536 <= after - before


def test_a_name_makes_a_number_of_its_own() -> None:
    assert ChartSource("alice").number == ChartSource("alice").number != ChartSource("bob").number
    assert 1 <= ChartSource("").number <= 255


def test_a_file_begins_again_after_its_end(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    make_file(path, (5, 6))
    source = VideoFile(path)
    source.start()
    pictures = [source.read() for _ in range(5)]
    source.stop()
    source.stop()
    codes = [chart.read(picture.y) for picture in pictures if picture is not None]
    assert [code[0] for code in codes if code is not None] == [5, 6, 5, 6, 5] and source.rate == 25.0


def test_a_tall_film_is_cut_to_the_shape_of_a_screen(tmp_path: Path) -> None:
    path = tmp_path / "tall.mp4"
    make_file(path, (5,), (240, 320))
    source = VideoFile(path)
    source.start()
    picture = source.read()
    source.stop()
    assert picture is not None and (picture.width, picture.height) == (568, 320)


@pytest.mark.parametrize("content", [b"", b"not a film" * 50], ids=["empty", "text"])
def test_a_file_without_pictures_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(CameraError, match="holds no pictures"):
        VideoFile(path).start()


def test_what_is_asked_for_is_opened_or_refused_in_words(tmp_path: Path) -> None:
    assert isinstance(open_video_source("test"), ChartSource) and isinstance(open_video_source("camera"), Webcam)
    with pytest.raises(CameraError, match="is no file"):
        open_video_source(str(tmp_path / "none.mp4"))


def test_a_camera_that_is_not_there_is_told_and_ends_its_thread_alone() -> None:
    told: list[str] = []
    camera = Camera(Webcam("/dev/video-that-is-not-there"), told.append)
    camera.start()
    camera.join(10)
    assert told == ["no camera was found; plug one in, or choose the test picture"] and not camera.is_alive()
    assert all(key.startswith("/dev/video") for key, _ in webcams())


class Failing(ChartSource):
    """Goes away after two pictures."""

    def read(self) -> Picture:
        """A picture, then the fault."""
        if self._count == 2:
            raise CameraError("the camera has gone away")
        return super().read()


def test_a_camera_that_goes_away_is_told_once_and_what_it_gave_was_given_to_all() -> None:
    told: list[str] = []
    given: list[int] = []
    done = threading.Event()
    camera = Camera(Failing("1", rate=200.0), lambda text: (told.append(text), done.set())[0])
    camera.outlets = (lambda picture, at: given.append(picture.width), lambda picture, at: given.append(picture.height))
    camera.start()
    assert done.wait(10)
    assert told == ["the camera has gone away"] and given == [640, 360] * 2


def test_a_picture_of_opencv_keeps_its_colours() -> None:
    red = np.zeros((6, 8, 3), np.uint8)
    red[:, :, 2] = 255
    picture = from_bgr(red)
    assert (picture.width, picture.height) == (8, 6)
    assert int(picture.y[0, 0]) in range(70, 90) and int(picture.v[0, 0]) > 220 and int(picture.u[0, 0]) < 110
