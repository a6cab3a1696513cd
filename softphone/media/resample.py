"""From any rate and any number of channels to the phone's 48 kHz mono, and small corrections between two clocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

from rtp.codecs.resample import RATE, Samples

FRAME = 960
"""Samples of 20 ms at 48 kHz: the piece in which the phone moves sound."""
MAX_CORRECTION = 2
"""Samples added to or taken from a frame (0.2 % of pitch, which nobody hears)."""


class Resampler:
    """A stream of int16 mono at `rate` Hz made one at 48 kHz, or at `to_rate`."""

    def __init__(self, rate: int, to_rate: int = RATE) -> None:
        self._stream = soxr.ResampleStream(rate, to_rate, 1, dtype="int16") if rate != to_rate else None

    def process(self, samples: Samples, *, is_last: bool = False) -> Samples:
        """samples: int16, shape (n,). The result is what can be given out so far; all of it with `is_last`."""
        if self._stream is None:
            return samples
        out: Samples = np.asarray(self._stream.resample_chunk(samples, last=is_last), np.int16).reshape(-1)
        return out


def to_mono(samples: npt.NDArray[np.int16], channels: int) -> Samples:
    """The mean of interleaved channels; samples: int16, shape (frames × channels,)."""
    if channels == 1:
        return samples
    mean: Samples = np.rint(samples.reshape(-1, channels).mean(axis=1, dtype=np.float64)).astype(np.int16)
    return mean


def stretched(samples: Samples, count: int) -> Samples:
    """The same sound in `count` samples: linear interpolation, meant for differences of a few samples."""
    if len(samples) == count:
        return samples
    positions = np.linspace(0, len(samples) - 1, count)
    out: Samples = np.rint(np.interp(positions, np.arange(len(samples)), samples)).astype(np.int16)
    return out


def correction(fill: float, target: int, tolerance: int) -> int:
    """How many samples more (or less) than a frame to take from a buffer so that its fill tends to the target."""
    if abs(fill - target) <= tolerance:
        return 0
    return max(-MAX_CORRECTION, min(MAX_CORRECTION, round((fill - target) / tolerance)))
