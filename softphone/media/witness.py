"""What a phone without a window says of the pictures that came: who was shown, how late, how smoothly; and writes them down.

Test pictures tell their sender's number and time (`rtp.codecs.chart`); on one machine, whose clock both share, that gives the
delay from picture to picture.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from rtp.codecs import chart
from rtp.codecs.i420 import Picture, to_frame
from softphone.media.encoding import fitted
from softphone.media.pictures import Shown

MAX_DELAYS = 4096
MAX_DELAY_MS = 20_000
WAITING = 64
"""Pictures that may wait to be written; more are left out and counted."""
WIDTH, HEIGHT = 640, 360
_WRAP = 1 << 16


@dataclass(slots=True)
class Sight:
    """What was read from the pictures of one line: pictures by number of the sender, delays in ms."""

    seen: dict[int, int] = field(default_factory=dict)
    delays_ms: list[int] = field(default_factory=list)

    @property
    def delay_ms(self) -> float | None:
        """The median delay; None where no picture told its time."""
        return float(np.median(self.delays_ms)) if self.delays_ms else None


class Witness:
    """Reads what is shown; `writer` gets all of it, too. Called by the thread that shows."""

    def __init__(self, writer: VideoWriter | None = None) -> None:
        self.sights: dict[int, Sight] = {}
        self.writer = writer

    def show(self, shown: Shown) -> None:
        """A picture came."""
        sight = self.sights.setdefault(shown.key, Sight())
        code = chart.read(shown.picture.y)
        if code is not None:
            who, time_ms = code
            sight.seen[who] = sight.seen.get(who, 0) + 1
            delay_ms = (time.monotonic_ns() // 1_000_000 - time_ms) % _WRAP
            if delay_ms < MAX_DELAY_MS and len(sight.delays_ms) < MAX_DELAYS:
                sight.delays_ms.append(delay_ms)
        if self.writer is not None:
            self.writer.write(shown)


class VideoWriter:
    """Writes pictures into a Matroska file, a stream for each line, at their times of showing. lines: (key, name) of those that
    may show something. dropped: pictures that could not be written in time. Raises OSError."""

    def __init__(self, path: Path, lines: list[tuple[int, str]]) -> None:
        self.dropped = 0
        self._begun_ns = time.monotonic_ns()
        try:
            self._container: Any = av.open(str(path), "w", format="matroska", options={"max_interleave_delta": "1"})
        except FFmpegError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        self._container.metadata["COMMENT"] = f"monotonic clock at time zero: {self._begun_ns} ns"
        self._streams: dict[int, Any] = {}
        for key, name in lines:
            stream: Any = self._container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            stream.codec_context.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "20", "g": "50"}
            stream.codec_context.thread_count = 1
            stream.metadata["title"] = name
            self._streams[key] = stream
        self._last: dict[int, int] = {}
        self._queue: queue.Queue[Shown | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="writes pictures", daemon=True)
        self._thread.start()

    def write(self, shown: Shown) -> None:
        """Write a picture; returns at once."""
        try:
            self._queue.put_nowait(shown)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Finish the file."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (shown := self._queue.get()) is not None:
            stream = self._streams.get(shown.key)
            if stream is not None:
                self._encode(stream, shown)
        for stream in self._streams.values():
            self._container.mux(stream.encode(None))
        self._container.close()

    def _encode(self, stream: Any, shown: Shown) -> None:
        frame = to_frame(_whole(shown.picture))
        at_ms = max((shown.at_ns - self._begun_ns) // 1_000_000, self._last.get(shown.key, -1) + 1)
        self._last[shown.key] = at_ms
        frame.pts, frame.time_base = at_ms, Fraction(1, 1000)
        try:
            self._container.mux(stream.encode(frame))
        except FFmpegError:
            self.dropped += 1


def _whole(picture: Picture) -> Picture:
    return fitted(picture, WIDTH, HEIGHT)
