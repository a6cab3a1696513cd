"""Where the pictures of a share come from: a screen, a window, a region, and their synthetic, file and null twins.

    source = open_source(Choice.parse("window:0x1a00003"))
    while True:
        changed = source.take()                          # before the picture, so that nothing is missed
        picture = source.grab(changed)

A source is used by the thread that opened it. What is needed of X and mss is imported when a screen is opened, and not before.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from rtp.codecs import chart
from rtp.codecs.i420 import Picture
from rtp.rfb.pixels import Pixels
from softphone.errors import PhoneError
from softphone.remote.injector import Area
from softphone.shares import Choice, Shareable

NO_MODULE = "To share a screen, the packages mss and python-xlib are needed; type: pip install 'confero[phone]'"
TEST_SIZE = (1280, 720)
DRAWN_S, PATIENCE_S = 0.2, 1.0
"""So long programs have to draw windows that were covered, before small pictures are taken; and those that are still blank."""
SMALL, LARGE = (200, 120), (560, 340)
"""Small pictures of windows and monitors are no larger; that of the whole screen is, as a part of it is chosen there."""


class ShareSource(Protocol):
    """Something that gives pictures to share; places are in its own pixels, from its left upper corner."""

    def size(self) -> tuple[int, int]:
        """Width and height now. Raises PhoneError, in words, when it is there no more."""

    def take(self) -> Area | None:
        """Where it changed since the last time; None for nowhere."""

    def grab(self, part: Area) -> Pixels | None:
        """The picture of now, or a part of it; None while it can't be seen. The topmost byte of a pixel means nothing.

        Raises PhoneError."""

    def close(self) -> None:
        """Give back what it holds."""


def open_source(choice: Choice, display: str | None = None) -> ShareSource:
    """What was chosen. display: an X display such as `:0`, None for the environment's. Raises PhoneError in words."""
    match choice.kind:
        case "test":
            return TestSource()
        case "file":
            return FileSource(Path(choice.path))
        case "none":
            return NullSource()
    try:
        from softphone.remote.screen import refuse_wayland
        from softphone.remote.screen_source import ScreenSource
        from softphone.remote.windows import WindowGrabber
    except ImportError as error:
        raise PhoneError(NO_MODULE) from error
    refuse_wayland(display)
    if choice.kind == "window":
        return WindowGrabber(choice.number, display)
    region = Area(*choice.region) if choice.kind == "region" else None
    return ScreenSource(display, monitor=choice.number if region is None else 0, region=region)


def find_shareables(display: str | None = None) -> list[Shareable]:
    """What could be shared here: the whole screen, monitors when there are several, windows; each with a small picture.

    Raises PhoneError in words when nothing can be.
    """
    try:
        from softphone.remote.screen import ScreenGrabber
    except ImportError as error:
        raise PhoneError(NO_MODULE) from error
    found = []
    grabber = ScreenGrabber(display)
    try:
        found = [Shareable(Choice("screen"), "", (grabber.area.width, grabber.area.height), preview_of(grabber.grab(), LARGE))]
        found += [Shareable(Choice("screen", number), str(number), (area.width, area.height), preview_of(grabber.grab(area)))
                  for number, area in enumerate(grabber.monitors, 1) if len(grabber.monitors) > 1]
    finally:
        grabber.close()
    return found + _windows(display)


def _windows(display: str | None) -> list[Shareable]:
    """The windows with their pictures. What lay under others is drawn anew by its program when it is looked at: a moment is
    left for that."""
    from softphone.remote.windows import WindowFound, WindowGrabber, list_windows

    opened: list[tuple[WindowFound, WindowGrabber]] = []
    found = []
    for window in list_windows(display):
        with contextlib.suppress(PhoneError):
            opened.append((window, WindowGrabber(window.number, display)))
    until = time.monotonic() + PATIENCE_S
    time.sleep(DRAWN_S if opened else 0.0)
    for window, grabber in opened:
        with contextlib.suppress(PhoneError):
            width, height = grabber.size()
            pixels = grabber.grab(Area(0, 0, width, height))
            while pixels is not None and pixels.min() == pixels.max() and time.monotonic() < until:
                time.sleep(DRAWN_S / 2)
                pixels = grabber.grab(Area(0, 0, width, height))
            picture = preview_of(pixels)
            found.append(Shareable(Choice("window", window.number), window.title, (width, height), picture))
        grabber.close()
    return found


def preview_of(picture: Pixels | None, most: tuple[int, int] = SMALL) -> tuple[int, int, bytes] | None:
    """A small picture, no larger than `most`: width, height, RGB bytes."""
    if picture is None:
        return None
    height, width = picture.shape
    scale = min(1.0, most[0] / width, most[1] / height)
    small = cv2.resize(as_bgra(picture), (max(1, round(width * scale)), max(1, round(height * scale))),
                       interpolation=cv2.INTER_AREA)
    return small.shape[1], small.shape[0], cv2.cvtColor(small, cv2.COLOR_BGRA2RGB).tobytes()


def as_bgra(picture: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The bytes of a picture as cv2 knows them: shape (height, width, 4)."""
    return np.ascontiguousarray(picture, "<u4").view(np.uint8).reshape(*picture.shape, 4)


class NullSource:
    """A black picture that never changes."""

    def size(self) -> tuple[int, int]:
        """Small."""
        return 320, 180

    def take(self) -> Area | None:
        """Never."""
        return None

    def grab(self, part: Area) -> Pixels | None:
        """Black."""
        return np.zeros((part.height, part.width), np.uint32)

    def close(self) -> None:
        """Nothing to do."""


class FileSource:
    """A picture of a file, as a slide; it never changes. Raises PhoneError when it can't be read."""

    def __init__(self, path: Path) -> None:
        try:
            octets = np.frombuffer(path.read_bytes(), np.uint8)
        except OSError as error:
            raise PhoneError(f"{path} can't be read ({error.strerror or error})") from error
        picture = cv2.imdecode(octets, cv2.IMREAD_COLOR) if len(octets) else None
        if picture is None:
            raise PhoneError(f"{path} is no picture that can be read")
        self._picture: Pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA).view("<u4")[..., 0]

    def size(self) -> tuple[int, int]:
        """Of the picture."""
        return self._picture.shape[1], self._picture.shape[0]

    def take(self) -> Area | None:
        """Never."""
        return None

    def grab(self, part: Area) -> Pixels | None:
        """The picture, or a part."""
        return self._picture[part.y:part.y + part.height, part.x:part.x + part.width]

    def close(self) -> None:
        """Nothing to do."""


class TestSource:
    """A picture that moves and says by its code how many were taken (`rtp.codecs.chart`). who: the number in the code."""

    __test__ = False

    def __init__(self, who: int = 200) -> None:
        self.count = 0
        self._who = who
        self._chart = Picture.create(*TEST_SIZE)
        self._picture: Pixels = np.zeros((TEST_SIZE[1], TEST_SIZE[0]), np.uint32)

    def size(self) -> tuple[int, int]:
        """TEST_SIZE."""
        return TEST_SIZE

    def take(self) -> Area | None:
        """All of it, each time."""
        self.count += 1
        chart.draw(self._chart, self._who, self.count)
        planes = np.concatenate([plane.reshape(-1) for plane in (self._chart.y, self._chart.u, self._chart.v)])
        rows = planes.reshape(TEST_SIZE[1] * 3 // 2, TEST_SIZE[0])
        self._picture = cv2.cvtColor(rows, cv2.COLOR_YUV2BGRA_I420).view("<u4")[..., 0]
        return Area(0, 0, *TEST_SIZE)

    def grab(self, part: Area) -> Pixels | None:
        """The picture, or a part."""
        return self._picture[part.y:part.y + part.height, part.x:part.x + part.width]

    def close(self) -> None:
        """Nothing to do."""
