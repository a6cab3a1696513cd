"""How fast a sender's media clock runs beside the capture's clock, from timestamps and times of arrival.

Delay varies, but its least value in a while does not where clocks agree; where they don't, it drifts (RFC 3550 §6.4.4 and
A.8 take the same difference for jitter). A line through the least values of up to 256 steps of time gives parts per million.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

MAX_STEPS = 256
FIRST_STEP_NS = 500_000_000
MIN_STEPS = 8
LATE_MS = 60.0
"""What a usual jitter buffer waits; a packet that is later than that beside the fastest of the last second is not heard."""
JUMP_MS = 500.0
"""A delay does not change that much from packet to packet; timestamps that begin anew do."""
PACE_PPM = 50_000.0
"""No clock is so wrong; the timestamps count another one."""
MAX_NOISE_MS = 20.0
"""Where the least delays lie further from the line than that, they jump, and no clock does."""


@dataclass(frozen=True, slots=True)
class Skew:
    """ppm: above 0 for a sender whose clock is fast. drift_ms: over the whole stream; noise_ms: how far steps lie from it."""

    ppm: float
    drift_ms: float
    noise_ms: float


@dataclass(slots=True)
class SkewMeter:
    """Takes packets of one stream with one clock. late: how many of `packets` came more than LATE_MS late."""

    clock: int
    packets: int = 0
    late: int = 0
    _step_ns: int = FIRST_STEP_NS
    _first_ns: int | None = None
    _timestamp: int = 0
    _extended: int = 0
    _least: dict[int, float] = field(default_factory=dict)
    _now: tuple[int, float] = (-1, 0.0)
    _before: float | None = None
    _last_ms: float = 0.0

    def add(self, time_ns: int, timestamp: int) -> None:
        """A packet came."""
        if self._first_ns is None:
            self._first_ns, self._timestamp = time_ns, timestamp
        self._extended += ((timestamp - self._timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        self._timestamp = timestamp
        since_ns = time_ns - self._first_ns
        delay_ms = since_ns / 1e6 - self._extended * 1000 / self.clock
        step = since_ns // self._step_ns
        self._least[step] = min(delay_ms, self._least.get(step, delay_ms))
        if len(self._least) > MAX_STEPS:
            self._join()
        self._judge(since_ns // FIRST_STEP_NS, delay_ms)

    def skew(self) -> Skew | None:
        """The skew, None for a stream that is too short or whose timestamps jump."""
        found = self._line()
        return found if found is not None and found.noise_ms <= MAX_NOISE_MS and abs(found.ppm) < PACE_PPM else None

    def pace(self) -> Skew | None:
        """The skew of timestamps that run away altogether: None where they lie too far from any line."""
        found = self._line()
        is_pace = found is not None and abs(found.ppm) >= PACE_PPM and found.noise_ms * 10 <= abs(found.drift_ms)
        return found if is_pace else None

    def _judge(self, step: int, delay_ms: float) -> None:
        """Whether a packet is late beside the fastest of this step and the one before."""
        at, least = self._now
        if abs(delay_ms - self._last_ms) > JUMP_MS or step > at + 1:
            self._now, self._before = (step, delay_ms), None
        elif step > at:
            self._now, self._before = (step, delay_ms), least
        else:
            self._now = (at, min(least, delay_ms))
        self.packets += 1
        least = self._now[1] if self._before is None else min(self._now[1], self._before)
        self.late += delay_ms - least > LATE_MS
        self._last_ms = delay_ms

    def _line(self) -> Skew | None:
        if len(self._least) < MIN_STEPS:
            return None
        steps = np.array(sorted(self._least))
        at_ms = steps * (self._step_ns / 1e6)
        delays = np.array([self._least[int(step)] for step in steps])
        slope, start = np.polyfit(at_ms, delays, 1)
        noise = float(np.max(np.abs(delays - slope * at_ms - start)))
        return Skew(round(float(-slope) * 1e6, 1) + 0.0, round(float(slope * (at_ms[-1] - at_ms[0])), 3), round(noise, 3))

    def _join(self) -> None:
        self._step_ns *= 2
        joined: dict[int, float] = {}
        for step, delay_ms in self._least.items():
            joined[step // 2] = min(delay_ms, joined.get(step // 2, delay_ms))
        self._least = joined
