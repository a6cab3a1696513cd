"""A stream's sound made small enough to travel inside a page: Opus in Ogg (RFC 7845), mono, 16 kHz, as a `data:` URI."""

from __future__ import annotations

import io
from base64 import b64encode
from typing import Any

import av
import numpy as np

from rtp.codecs.resample import Samples

RATE = 16000
BITRATE_BPS = 20000
MAX_SECONDS = 600
"""Longer streams are cut: ten minutes take 1.5 MB, and as text a third more."""


class Clip:
    """Takes samples piece by piece. rate: of these samples, in Hz."""

    def __init__(self, rate: int, max_seconds: float = MAX_SECONDS) -> None:
        self.is_cut = False
        self._rate = rate
        self._left = int(max_seconds * rate)
        self._file = io.BytesIO()
        self._container: Any = av.open(self._file, "w", format="ogg")
        self._stream: Any = self._container.add_stream("libopus", rate=RATE, layout="mono")
        self._stream.bit_rate = BITRATE_BPS
        self._resampler: Any = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        self._loudest = 0
        self._waiting: list[Samples] = []
        self._waiting_length = 0

    @property
    def is_silent(self) -> bool:
        """Whether there was nothing to hear."""
        return self._loudest < 8

    def add(self, samples: Samples) -> None:
        """samples: int16, mono, what comes next."""
        if len(samples) > self._left:
            self.is_cut = True
            samples = samples[:self._left]
        if not len(samples):
            return
        self._left -= len(samples)
        self._waiting.append(samples)
        self._waiting_length += len(samples)
        if self._waiting_length >= self._rate:
            self._encode()

    def _encode(self) -> None:
        """Encode what waits: a second at a time costs less than packet by packet."""
        samples: Samples = np.concatenate(self._waiting)
        self._waiting, self._waiting_length = [], 0
        self._loudest = max(self._loudest, int(np.abs(samples.astype(np.int32)).max()))
        frame: Any = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate
        for resampled in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(resampled))

    def data_uri(self) -> str:
        """The whole clip; empty for one in which there is nothing to hear. Nothing can be added after this."""
        if self._waiting:
            self._encode()
        for resampled in self._resampler.resample(None):
            self._container.mux(self._stream.encode(resampled))
        self._container.mux(self._stream.encode(None))
        self._container.close()
        data = self._file.getvalue()
        return "data:audio/ogg;codecs=opus;base64," + b64encode(data).decode() if not self.is_silent else ""
