"""Changing the sampling rate by a whole factor between the mixer's 48 kHz and a codec's 8 or 16 kHz (RFC 3551 §4.5).

Polyphase filters with 24 taps a phase and their history: the delay is 12 samples of the low rate (1.5 ms at 8 kHz).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
"""int16, one channel."""

RATE = 48000
TAPS = 24
"""Taps for each phase."""
_BETA = 7.0
_CUTOFF = 0.92
"""Pass band as a share of the low rate's half."""


def _prototype(factor: int) -> npt.NDArray[np.float32]:
    count = TAPS * factor
    position = np.arange(count) - (count - 1) / 2
    taps = np.sinc(position * _CUTOFF / factor) * np.kaiser(count, _BETA)
    return (taps / taps.sum()).astype(np.float32)


class Upsampler:
    """From 48000/factor Hz to 48 kHz. factor: 3 or 6."""

    def __init__(self, factor: int) -> None:
        self._factor = factor
        phases = _prototype(factor).reshape(TAPS, factor)[::-1] * factor
        self._phases = np.ascontiguousarray(phases)
        self._history = np.zeros(TAPS - 1, np.float32)

    def process(self, samples: Samples) -> Samples:
        """samples: int16, shape (n,); the result has n × factor samples at 48 kHz."""
        line = np.concatenate((self._history, samples))
        self._history = line[len(line) - TAPS + 1:]
        windows = np.lib.stride_tricks.sliding_window_view(line, TAPS)
        out = (windows @ self._phases).reshape(-1)
        return np.clip(np.rint(out, out), -32768, 32767).astype(np.int16)


class Downsampler:
    """From 48 kHz to 48000/factor Hz. factor: 3 or 6."""

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._taps = _prototype(factor)
        self._history = np.zeros(TAPS * factor - 1, np.float32)

    def process(self, samples: Samples) -> Samples:
        """samples: int16, shape (n,) with n a multiple of the factor, 48 kHz; the result has n / factor samples."""
        size = TAPS * self._factor
        line = np.concatenate((self._history, samples)).astype(np.float32, copy=False)
        self._history = line[len(line) - size + 1:]
        windows = np.lib.stride_tricks.sliding_window_view(line, size)[self._factor - 1::self._factor]
        out = windows @ self._taps
        return np.clip(np.rint(out, out), -32768, 32767).astype(np.int16)

    def copy(self) -> Downsampler:
        """Another one that goes on from the same history."""
        other = Downsampler.__new__(Downsampler)
        other._factor, other._taps, other._history = self._factor, self._taps, self._history.copy()
        return other
