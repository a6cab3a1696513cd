"""Signals for the tests of codecs: tones cut into frames, and levels and noise measured in what comes back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from rtp.codecs.resample import RATE, Samples

FRAME = 960
"""20 ms at 48 kHz."""


def tone(hz: float, frames: int = 50, peak: float = 8000) -> Samples:
    """A sine at 48 kHz."""
    values: Samples = np.rint(peak * np.sin(2 * np.pi * hz * np.arange(frames * FRAME) / RATE)).astype(np.int16)
    return values


def frames_of(samples: Samples, size: int = FRAME) -> Iterator[Samples]:
    """The signal in pieces of `size` samples."""
    for start in range(0, len(samples) - size + 1, size):
        yield samples[start:start + size]


def level_db(samples: npt.NDArray[np.generic], hz: float, rate: int = RATE) -> float:
    """The amplitude of the tone at `hz` in dB over one step of int16, by least squares."""
    fitted, _ = _fit(samples, hz, rate)
    return float(20 * np.log10(np.sqrt(2 * np.mean(fitted ** 2)) + 1e-9))


def snr_db(samples: npt.NDArray[np.generic], hz: float, rate: int = RATE) -> float:
    """How far all that is not the tone lies below it, in dB."""
    fitted, rest = _fit(samples, hz, rate)
    return float(10 * np.log10(np.mean(fitted ** 2) / (np.mean(rest ** 2) + 1e-9)))


def _fit(samples: npt.NDArray[np.generic], hz: float, rate: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    values = samples.astype(np.float64)
    phase = 2 * np.pi * hz * np.arange(len(values)) / rate
    basis = np.stack((np.sin(phase), np.cos(phase)), axis=1)
    fitted = basis @ np.linalg.lstsq(basis, values, rcond=None)[0]
    return fitted, values - fitted


def delay_samples(reference: Samples, later: Samples) -> int:
    """By how many samples `later` lags behind: the peak of the correlation."""
    size = 1 << (len(reference) + len(later)).bit_length()
    spectrum = np.fft.rfft(later.astype(float), size) * np.conj(np.fft.rfft(reference.astype(float), size))
    return int(np.argmax(np.fft.irfft(spectrum)[:RATE // 10]))
