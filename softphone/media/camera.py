"""Where pictures come from: a camera (OpenCV), a file, a test picture, behind one interface; and the thread that takes them.

A source that fails ends its thread with a sentence for the user; the call goes on without pictures.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
from av.error import FFmpegError

from rtp.codecs import chart
from rtp.codecs.i420 import Picture, Plane, from_frame
from softphone.media.encoding import fitted

WIDTH, HEIGHT, RATE = 640, 360, 25.0
CAMERA_RATE = 30.0
LOST_S = 2.0
"""A camera that gives nothing for so long was unplugged."""
Outlet = Callable[[Picture, int], None]


class CameraError(Exception):
    """A source of pictures can't be used; the text says why and what to do."""


class VideoSource(Protocol):
    """Pictures, one after the other. rate: pictures a second; is_paced: whether `read` itself waits for the next one."""

    rate: float
    is_paced: bool

    def start(self) -> None:
        """Open it. Raises CameraError."""

    def read(self) -> Picture | None:
        """The next picture; None at the end. Raises CameraError."""

    def stop(self) -> None:
        """Close it; twice is once."""


class ChartSource:
    """A moving picture with a number and a time that programs read (`rtp.codecs.chart`): the time is the monotonic clock's, in
    ms, 16 bits of it. name: makes the number, 1 to 255, where it is not a number itself."""

    is_paced = False

    def __init__(self, name: str = "", width: int = WIDTH, height: int = HEIGHT, rate: float = RATE) -> None:
        self.rate = rate
        self.number = int(name) & 0xFF if name.isascii() and name.isdigit() else zlib.crc32(name.encode()) % 255 + 1
        self._size = (width, height)
        self._count = 0

    def start(self) -> None:
        """Nothing to open."""

    def read(self) -> Picture:
        """The next picture."""
        picture = Picture.create(*self._size)
        now_ns = time.monotonic_ns()
        chart.draw(picture, self.number, now_ns // 1_000_000)
        text = f"{time.strftime('%H:%M:%S')}  {self._count}"
        height = self._size[1]
        cv2.putText(picture.y, text, (height // 30, height * 4 // 5), cv2.FONT_HERSHEY_SIMPLEX, height / 500,
                    (chart.LIGHT,), max(1, height // 300), cv2.LINE_AA)
        self._count += 1
        return picture

    def stop(self) -> None:
        """Nothing to close."""


class VideoFile:
    """A file that FFmpeg reads, again and again, at its own rate. Raises CameraError when it holds no pictures."""

    is_paced = False

    def __init__(self, path: Path, height: int = 720) -> None:
        self.rate = RATE
        self._path, self._height = path, height
        self._container: Any = None
        self._frames: Any = None

    def start(self) -> None:
        """Open it."""
        try:
            self._container = av.open(str(self._path))
            stream = self._container.streams.video[0]
        except (FFmpegError, OSError, IndexError) as error:
            self.stop()
            raise CameraError(f"{self._path} holds no pictures that can be shown ({error})") from None
        self.rate = float(min(60, stream.average_rate or RATE))
        self._frames = self._container.decode(stream)

    def read(self) -> Picture | None:
        """The next picture; the first again after the last."""
        for _ in range(2):
            try:
                frame = next(self._frames, None)
            except FFmpegError as error:
                raise CameraError(f"{self._path} can't be read any further ({error})") from None
            if frame is not None:
                picture = from_frame(frame)
                height = min(self._height, picture.height) & ~1
                return fitted(picture, height * 16 // 9 & ~1, height)
            self._container.seek(0)
            self._frames = self._container.decode(video=0)
        return None

    def stop(self) -> None:
        """Close it."""
        container, self._container = self._container, None
        if container is not None:
            container.close()


class Webcam:
    """A camera by OpenCV. key: number or path of the device."""

    is_paced = True

    def __init__(self, key: str = "0", width: int = 1280, height: int = 720) -> None:
        self.rate = CAMERA_RATE
        self._key, self._size = key, (width, height)
        self._capture: Any = None

    def start(self) -> None:
        """Open it. May take a second."""
        path = Path(f"/dev/video{self._key}" if self._key.isdigit() else self._key)
        if not path.exists():
            raise CameraError("no camera was found; plug one in, or choose the test picture")
        if not os.access(path, os.R_OK | os.W_OK):
            raise CameraError(f"the camera {path} may not be used by you; join the group that owns it (mostly: video)")
        capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            raise CameraError(f"the camera {path} can't be opened; another program may be using it")
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        capture.set(cv2.CAP_PROP_FPS, self.rate)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._capture = capture

    def read(self) -> Picture:
        """The next picture, when it is there."""
        end = time.monotonic() + LOST_S
        while time.monotonic() < end:
            found, bgr = self._capture.read()
            if found:
                return from_bgr(bgr)
            time.sleep(0.02)
        raise CameraError("the camera has gone away; the call goes on without your picture")

    def stop(self) -> None:
        """Close it."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()


def from_bgr(bgr: Any) -> Picture:
    """A picture of OpenCV's. bgr: uint8, shape (height, width, 3); odd sizes lose a pixel."""
    height, width = bgr.shape[0] & ~1, bgr.shape[1] & ~1
    whole: Plane = np.asarray(cv2.cvtColor(np.ascontiguousarray(bgr[:height, :width]), cv2.COLOR_BGR2YUV_I420), np.uint8)
    whole = whole.reshape(-1)
    size, half = width * height, (height // 2, width // 2)
    return Picture(whole[:size].reshape(height, width), whole[size:size * 5 // 4].reshape(half),
                   whole[size * 5 // 4:].reshape(half))


def webcams() -> list[tuple[str, str]]:
    """(key, name) of the cameras of this machine."""
    found = []
    for path in sorted(Path("/dev").glob("video*"), key=lambda path: (len(path.name), path.name)):
        name = ""
        with contextlib.suppress(OSError):
            name = Path("/sys/class/video4linux", path.name, "name").read_text(encoding="utf-8").strip()
        found.append((str(path), name or str(path)))
    return found


def open_video_source(text: str, name: str = "") -> VideoSource:
    """A source by what was asked for: `test`, `test:NUMBER`, `camera`, `camera:DEVICE`, else a file. name: for the test
    picture. Raises CameraError."""
    kind, _, rest = text.partition(":")
    if kind == "test":
        return ChartSource(rest or name)
    if kind == "camera":
        return Webcam(rest or "0")
    path = Path(text)
    if not path.is_file():
        raise CameraError(f"{text} is no file, and not test, camera or none")
    return VideoFile(path)


class Camera(threading.Thread):
    """Takes pictures from a source and gives each to all outlets, in this thread. on_trouble: gets a sentence when it ends by a
    fault. pictures: how many it gave."""

    def __init__(self, source: VideoSource, on_trouble: Callable[[str], None] = lambda text: None) -> None:
        super().__init__(name="camera", daemon=True)
        self.pictures = 0
        self.outlets: tuple[Outlet, ...] = ()
        self._source = source
        self._on_trouble = on_trouble
        self._is_stopping = threading.Event()

    def run(self) -> None:
        """See Thread."""
        try:
            self._source.start()
            self._take()
        except CameraError as error:
            if not self._is_stopping.is_set():
                self._on_trouble(str(error))
        finally:
            self._source.stop()

    def _take(self) -> None:
        due = time.monotonic()
        while not self._is_stopping.is_set():
            picture = self._source.read()
            if picture is None:
                return
            taken_ns = time.monotonic_ns()
            self.pictures += 1
            for outlet in self.outlets:
                outlet(picture, taken_ns)
            if not self._source.is_paced:
                due = max(due + 1 / self._source.rate, time.monotonic() - 0.2)
                self._is_stopping.wait(max(0.0, due - time.monotonic()))

    def stop(self) -> None:
        """End it; does not wait."""
        self._is_stopping.set()
