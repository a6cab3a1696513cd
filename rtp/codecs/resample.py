"""Changing the sampling rate by a whole factor between the mixer's 48 kHz and a codec's 8 or 16 kHz (RFC 3551 §4.5).

Polyphase filters with 28 taps a phase and their history: the delay is 14 samples of the low rate (1.75 ms at 8 kHz). At 8 kHz
the pass band is flat within 0.01 dB to 3.4 kHz, and what lies above 4.6 kHz, so would fold back below 3.4 kHz, is 66 dB down.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
"""int16, one channel."""

RATE = 48000
TAPS = 28
"""Taps for each phase."""
BLOCK = 16
"""Results of the low rate that one row of the matrix product gives: several times faster than a row for each."""
_BETA = 6.5

Floats = npt.NDArray[np.float32]


@functools.cache
def _kernel(factor: int, is_up: bool) -> Floats:
    """What one step of the low rate takes and gives: shape (TAPS, factor) upwards, (TAPS × factor, 1) downwards."""
    count = TAPS * factor
    position = np.arange(count) - (count - 1) / 2
    shape = np.sinc(position / factor) * np.kaiser(count, _BETA)
    taps: Floats = (shape / shape.sum()).astype(np.float32)
    kernel: Floats = taps.reshape(TAPS, factor)[::-1] * factor if is_up else taps.reshape(count, 1)
    return kernel


@functools.cache
def _matrix(factor: int, is_up: bool, block: int) -> Floats:
    """`block` steps at once: the kernel along the diagonal."""
    kernel, step = _kernel(factor, is_up), 1 if is_up else factor
    width, results = kernel.shape
    matrix = np.zeros((width + (block - 1) * step, block * results), np.float32)
    for row in range(block):
        matrix[row * step:row * step + width, row * results:(row + 1) * results] = kernel
    return matrix


class _Filter:
    """A filter with the samples before; buffer and views are kept while the frames have one size."""

    __slots__ = ("_factor", "_history", "_is_up", "_line", "_matrix", "_step", "_windows")

    def __init__(self, factor: int, is_up: bool) -> None:
        self._factor, self._is_up = factor, is_up
        self._step = 1 if is_up else factor
        self._history = len(_kernel(factor, is_up)) - 1
        self._line: Floats = np.zeros(self._history, np.float32)
        self._matrix = self._windows = self._line

    def process(self, samples: Samples) -> Samples:
        history, line = self._history, self._line
        if len(line) == history + len(samples):
            line[:history] = line[len(samples):]
        else:
            line = self._resize(len(samples))
        line[history:] = samples
        out = np.ascontiguousarray(self._windows) @ self._matrix
        np.rint(out, out)
        np.clip(out, -32768, 32767, out)
        return out.reshape(-1).astype(np.int16)

    def _resize(self, count: int) -> Floats:
        line = np.zeros(self._history + count, np.float32)
        line[:self._history] = self._line[len(self._line) - self._history:]
        steps = count // self._step
        block = BLOCK if steps % BLOCK == 0 else 1
        self._matrix = _matrix(self._factor, self._is_up, block)
        item = line.strides[0]
        shape, strides = (steps // block, len(self._matrix)), (item * self._step * block, item)
        self._windows = np.lib.stride_tricks.as_strided(line[self._step - 1:], shape, strides)
        self._line = line
        return line

    def copy(self) -> _Filter:
        other = _Filter(self._factor, self._is_up)
        other._line = self._line[len(self._line) - self._history:].copy()
        return other


class Upsampler:
    """From 48000/factor Hz to 48 kHz. factor: 3 or 6."""

    def __init__(self, factor: int) -> None:
        self._filter = _Filter(factor, True)

    def process(self, samples: Samples) -> Samples:
        """samples: int16, shape (n,); the result has n × factor samples at 48 kHz."""
        return self._filter.process(samples)


class Downsampler:
    """From 48 kHz to 48000/factor Hz. factor: 3 or 6."""

    def __init__(self, factor: int) -> None:
        self._filter = _Filter(factor, False)

    def process(self, samples: Samples) -> Samples:
        """samples: int16, shape (n,) with n a multiple of the factor, 48 kHz; the result has n / factor samples."""
        return self._filter.process(samples)

    def copy(self) -> Downsampler:
        """Another one that goes on from the same history."""
        other = Downsampler.__new__(Downsampler)
        other._filter = self._filter.copy()
        return other
