"""What is played in place of lost G.711 and G.722 packets: the last pitch period goes on and fades (after ITU-T G.711
Appendix I).

Unlike the appendix it adds no delay: nothing that was played is touched again, and the seam lies inside the period itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtp.codecs.resample import Samples

LOWEST_HZ, HIGHEST_HZ = 60, 400
"""Where the pitch of a voice is looked for."""
HOLD_MS, FADE_MS = 10, 80
"""At full level first, then down to nothing."""
SEAM_MS = 4
"""The cross-fade from what was made up to the next real packet."""

Floats = npt.NDArray[np.float32]
_NOTHING: Samples = np.zeros(0, np.int16)


class Concealer:
    """Follows a decoder's output at one rate and makes up what is missing. rate: Hz."""

    __slots__ = ("_before", "_last", "_made", "_period", "_rate")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._before = self._last = _NOTHING
        self._period: Floats | None = None
        self._made = 0

    def hear(self, samples: Samples) -> Samples:
        """Take a decoded packet; the same, with its first 4 ms blended in after a loss. samples: int16, shape (n,)."""
        if self._period is not None and len(samples):
            size = min(len(samples), self._rate * SEAM_MS // 1000)
            rising = np.arange(1, size + 1, dtype=np.float32) / size
            samples = samples.copy()
            samples[:size] = np.rint(samples[:size] * rising + self._next(size) * (1 - rising))
            self._period = None
        self._before, self._last = self._last, samples
        return samples

    def make(self, count: int) -> Samples:
        """`count` samples in place of a lost packet: int16, shape (count,)."""
        if self._period is None:
            self._period, self._made = self._find_period(), 0
        made: Samples = np.rint(self._next(count)).astype(np.int16)
        return made

    def _next(self, count: int) -> Floats:
        assert self._period is not None
        position = np.arange(self._made, self._made + count)
        self._made += count
        if not len(self._period):
            return np.zeros(count, np.float32)
        gain = 1 - (position * 1000 / self._rate - HOLD_MS) / FADE_MS
        out: Floats = (self._period[position % len(self._period)] * np.clip(gain, 0, 1)).astype(np.float32)
        return out

    def _find_period(self) -> Floats:
        """The last period of what was heard; its end leads over to its beginning."""
        heard = np.concatenate((self._before, self._last)).astype(np.float32)
        shortest = self._rate // HIGHEST_HZ
        longest = min(self._rate // LOWEST_HZ, len(heard) // 2)
        if longest <= shortest:
            return heard[:0]
        template = heard[-longest:]
        candidates = np.lib.stride_tricks.sliding_window_view(heard[-2 * longest:-shortest], longest)
        likeness = candidates @ template / np.sqrt(np.sum(candidates ** 2, axis=1) + 1)
        lag = longest - int(np.argmax(likeness))
        seam = min(lag // 4, len(heard) - lag)
        period = heard[-lag:].copy()
        rising = np.arange(1, seam + 1, dtype=np.float32) / (seam + 1)
        period[-seam:] = period[-seam:] * (1 - rising) + heard[-lag - seam:-lag] * rising
        return period
