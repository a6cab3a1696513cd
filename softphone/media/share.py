"""Encodes a shared screen: only when it changed, and sharper and sharper while it rests (H.264, RFC 6184; VP8, RFC 7741).

    sharing = Sharing(lambda: open_source(choice), ShareSettings("h264"), line, on_ended)
    sharing.start()                               # a thread of its own

`Slides` is the work without thread and clock. The line's methods and `on_ended` are called in the thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from rtp.codecs.i420 import Picture
from rtp.codecs.video import CLOCK_RATE, VideoEncoder, create_video_encoder
from rtp.errors import CodecError
from rtp.rfb.pixels import Pixels
from softphone.errors import PhoneError
from softphone.media.screen import ShareSource, as_bgra
from softphone.remote.injector import Area
from softphone.shares import DEFAULT_RATE

START_BPS, MAX_BPS = 2_500_000, 6_000_000
MACROBLOCKS = 8160
"""Of 1920 × 1080: larger screens are sent smaller."""
SETTLED_BYTES, SETTLED_TURNS = 1500, 10
"""When so many pictures at rest in turn brought no more than this, it is as sharp as it can be. An encoder lowers its step size
from picture to picture, and the first few may find nothing to add."""
MAX_REFINEMENTS_S = 4.0
"""So long a picture that rests is sent again at most."""
FEW_BPS, SLOW_RATE = 300_000, 5
"""With less than this the pictures are few and readable, rather than many and blurred."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShareSettings:
    """codec: h264 or vp8, mode: packetization mode, max_macroblocks: what the other side takes; 0 for our own limit."""

    codec: str
    mode: int = 1
    frame_rate: int = DEFAULT_RATE
    bitrate_bps: int = START_BPS
    max_macroblocks: int = 0


@dataclass(frozen=True, slots=True)
class CodedSlide:
    """A coded picture. taken_ns: monotonic; timestamp: RTP, 90 kHz, from the beginning of the share."""

    data: bytes
    taken_ns: int
    timestamp: int
    width: int
    height: int
    is_key: bool


class SlidesLine(Protocol):
    """Where coded pictures go."""

    def takes_key_frame(self) -> bool:
        """Whether the next picture is to be a key frame; asking counts as making it."""

    def bitrate_bps(self) -> int:
        """What the path and the receivers take, 0 when it is unknown."""

    def send(self, slide: CodedSlide) -> None:
        """Send a picture."""


class Slides:
    """What is to be sent of a source, `frame_rate` times a second."""

    def __init__(self, source: ShareSource, settings: ShareSettings) -> None:
        self.bitrate_bps = settings.bitrate_bps
        self.coded = self.grabbed = 0
        self._source, self._settings = source, settings
        self._limit = min(MACROBLOCKS, settings.max_macroblocks or MACROBLOCKS)
        self._source_size = (0, 0)
        self._picture = Picture.create(2, 2)
        self._encoder: VideoEncoder | None = None
        self._is_key_wanted = True
        self._begun = self._changed_at = 0.0
        self._small = 0
        self._unseen: Area | None = None

    @property
    def frame_rate(self) -> int:
        """Pictures a second just now: less when the way is narrow."""
        return min(self._settings.frame_rate, SLOW_RATE) if self.bitrate_bps < FEW_BPS else self._settings.frame_rate

    def want_key_frame(self) -> None:
        """The next picture is to be a key frame; one comes even if nothing changes."""
        self._is_key_wanted = True

    def turn(self, now: float) -> CodedSlide | None:
        """The next picture to be sent; None when there is nothing new to see. now: monotonic seconds.

        Raises PhoneError when the source is gone, CodecError.
        """
        changed = self._source.take()
        if (size := self._source.size()) != self._source_size:
            self._begin(size, now)
            changed = Area(0, 0, *size)
        if self._look_at(changed):
            self._changed_at, self._small = now, 0
        is_resting = self._small >= SETTLED_TURNS or now - self._changed_at > MAX_REFINEMENTS_S
        if (is_resting and not self._is_key_wanted) or self._encoder is None:
            return None
        return self._encode(self._encoder, now)

    def _begin(self, size: tuple[int, int], now: float) -> None:
        """Another size: another picture and another encoder."""
        width, height = fitted(*size, self._limit)
        self._source_size, self._is_key_wanted = size, True
        self._picture = Picture.create(width, height)
        self._encoder = create_video_encoder(self._settings.codec, width, height, self.bitrate_bps,
                                             frame_rate=self._settings.frame_rate, mode=self._settings.mode, is_screen=True)
        self._begun = self._begun or now

    def _look_at(self, changed: Area | None) -> bool:
        """Take what changed into the picture; whether there was something."""
        if changed is None and self._unseen is None:
            return False
        area = self._wanted(changed or self._unseen or Area(0, 0, *self._source_size))
        pixels = self._source.grab(area)
        if pixels is None:
            self._unseen = Area(0, 0, *self._source_size)
            return False
        self._unseen = None
        self.grabbed += 1
        put(pixels, self._picture, area, self._source_size)
        return True

    def _wanted(self, changed: Area) -> Area:
        """The area to grab: even in all four, or everything when it is sent smaller than it is."""
        width, height = self._source_size
        if self._unseen is not None or (self._picture.width, self._picture.height) != (width & ~1, height & ~1):
            return Area(0, 0, width, height)
        left, top = max(0, changed.x) & ~1, max(0, changed.y) & ~1
        right = min(width & ~1, changed.x + changed.width + 1 & ~1)
        bottom = min(height & ~1, changed.y + changed.height + 1 & ~1)
        return Area(left, top, max(2, right - left), max(2, bottom - top)) if left < width - 1 and top < height - 1 else (
            Area(0, 0, 2, 2))

    def _encode(self, encoder: VideoEncoder, now: float) -> CodedSlide | None:
        is_key, self._is_key_wanted = self._is_key_wanted, False
        encoder.bitrate_bps = self.bitrate_bps
        timestamp = round((now - self._begun) * CLOCK_RATE)
        data = encoder.encode(self._picture, timestamp, is_key=is_key)
        if is_key:
            self._changed_at = now
        self._small = self._small + 1 if len(data) <= SETTLED_BYTES and now > self._changed_at else 0
        if not data:
            self._is_key_wanted = is_key
            return None
        self.coded += 1
        return CodedSlide(data, round(now * 1e9), timestamp, self._picture.width, self._picture.height, is_key)


def fitted(width: int, height: int, macroblocks: int) -> tuple[int, int]:
    """The size in which a picture is sent: its own, or smaller in the same shape so that it has no more macroblocks; even."""
    width, height = max(16, width & ~1), max(16, height & ~1)
    if -(-width // 16) * -(-height // 16) <= macroblocks:
        return width, height
    shape = height / width
    width = round((macroblocks * 256 / shape) ** 0.5) & ~1
    while -(-width // 16) * -(-(height := max(16, round(width * shape) & ~1)) // 16) > macroblocks:
        width -= 2
    return width, height


def put(pixels: Pixels, picture: Picture, area: Area, source_size: tuple[int, int]) -> None:
    """Put pixels of a source's area into a picture, scaled when the picture is smaller than the source."""
    bgra = as_bgra(pixels)
    if (picture.width, picture.height) != (source_size[0] & ~1, source_size[1] & ~1):
        bgra, area = _scaled(bgra, picture), Area(0, 0, picture.width, picture.height)
    width, height = area.width & ~1, area.height & ~1
    rows = cv2.cvtColor(bgra[:height, :width], cv2.COLOR_BGRA2YUV_I420)
    target = picture.region(area.x, area.y, width, height)
    quarter = width * height // 4
    target.y[:] = rows[:height]
    colours = rows[height:].reshape(-1)
    target.u[:] = colours[:quarter].reshape(height // 2, width // 2)
    target.v[:] = colours[quarter:].reshape(height // 2, width // 2)


def _scaled(bgra: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
            picture: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """As large as the picture; one smaller than a picture can be gets a black edge."""
    height, width = bgra.shape[:2]
    if width < picture.width or height < picture.height:
        whole = np.zeros((picture.height, picture.width, 4), np.uint8)
        part = bgra[:picture.height, :picture.width]
        whole[:part.shape[0], :part.shape[1]] = part
        return whole
    return np.asarray(cv2.resize(bgra, (picture.width, picture.height), interpolation=cv2.INTER_AREA), np.uint8)


class Sharing:
    """A share in a thread of its own. open_it: opens the source, in the thread. `figures`: pictures grabbed and coded.

    on_ended: the end, with the reason in words, empty after `stop`.
    """

    def __init__(self, open_it: Callable[[], ShareSource], settings: ShareSettings, line: SlidesLine,
                 on_ended: Callable[[str], None]) -> None:
        self._open_it, self._settings = open_it, settings
        self._line, self._on_ended = line, on_ended
        self._is_stopping = threading.Event()
        self._slides: Slides | None = None
        self._thread = threading.Thread(target=self._run, name="share", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, wait_s: float = 2.0) -> None:
        """End it, and wait for the end; from any thread but its own."""
        self._is_stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(wait_s)

    @property
    def is_running(self) -> bool:
        """Whether pictures may still come."""
        return self._thread.is_alive()

    @property
    def figures(self) -> tuple[int, int]:
        """Pictures grabbed, pictures coded."""
        return (0, 0) if self._slides is None else (self._slides.grabbed, self._slides.coded)

    def _run(self) -> None:
        reason = ""
        try:
            source = self._open_it()
            try:
                self._share(source)
            finally:
                source.close()
        except (PhoneError, CodecError) as error:
            reason = str(error)
        except Exception:
            log.exception("a share has ended by an error")
            reason = "The share has ended by a fault inside the phone; the log has the details."
        self._on_ended(reason)

    def _share(self, source: ShareSource) -> None:
        slides = self._slides = Slides(source, self._settings)
        due = time.monotonic()
        while not self._is_stopping.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            due = max(due + 1.0 / slides.frame_rate, now)
            slides.bitrate_bps = min(MAX_BPS, self._line.bitrate_bps() or self._settings.bitrate_bps)
            if self._line.takes_key_frame():
                slides.want_key_frame()
            coded = slides.turn(now)
            if coded is not None:
                self._line.send(coded)
