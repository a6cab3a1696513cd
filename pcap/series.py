"""What a stream was like over time, for plots: packets, bytes, losses, deltas, jitter and a score, in at most 600 steps.

The steps begin small and are joined in pairs when they become too many, so a capture of any length takes the same memory.
Jitter is that of RFC 3550 §6.4.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from pcap.quality import mos

MAX_STEPS = 600
FIRST_STEP_NS = 250_000_000
MAX_HOURS_AHEAD = 30 * 86400 * 10**9
"""A packet that is a month later than the stream's first has a broken time, and is put at the end."""


@dataclass(slots=True)
class Step:
    """What came in one step of time. jitter_ms: the highest in it."""

    packets: int = 0
    octets: int = 0
    lost: int = 0
    max_delta_ms: float = 0.0
    jitter_ms: float = 0.0

    def join(self, other: Step) -> None:
        """Take the following step into this one."""
        self.packets += other.packets
        self.octets += other.octets
        self.lost += other.lost
        self.max_delta_ms = max(self.max_delta_ms, other.max_delta_ms)
        self.jitter_ms = max(self.jitter_ms, other.jitter_ms)


@dataclass(frozen=True, slots=True)
class Point:
    """A step as it is drawn: time in s from the stream's beginning, kbit/s of IP payload, MOS (None without packets)."""

    at_s: float
    delta_ms: float
    jitter_ms: float
    loss_percent: float
    rate_kbps: float
    mos: float | None


class Series:
    """Steps of one stream. clock: its RTP clock in Hz."""

    def __init__(self, clock: int) -> None:
        self.step_ns = FIRST_STEP_NS
        self.steps: list[Step] = []
        self._clock = clock
        self._first_ns = self._last_ns = 0
        self._highest: int | None = None
        self._last_timestamp = 0
        self._jitter = 0.0

    def add(self, time_ns: int, size: int, sequence: int, timestamp: int) -> None:
        """Count a packet of `size` bytes of UDP payload."""
        if self._highest is None:
            self._first_ns = self._last_ns = time_ns
        step = self._at(time_ns)
        delta_ms = (time_ns - self._last_ns) / 1e6
        step.packets += 1
        step.octets += size
        step.max_delta_ms = max(step.max_delta_ms, delta_ms)
        if self._highest is not None:
            self._take_jitter(delta_ms, timestamp)
            ahead = ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
            if 1 < ahead < 3000:
                step.lost += ahead - 1
            elif ahead < 0 and step.lost:
                step.lost -= 1
            self._highest = sequence if ahead > 0 or ahead < -3000 else self._highest
        else:
            self._highest = sequence
        step.jitter_ms = max(step.jitter_ms, self._jitter)
        self._last_ns, self._last_timestamp = time_ns, timestamp

    def points(self, codec: str) -> list[Point]:
        """The steps for drawing. The score counts loss, and a buffer of twice the jitter as delay."""
        seconds = self.step_ns / 1e9
        out = []
        for number, step in enumerate(self.steps):
            expected = step.packets + step.lost
            loss = 100 * step.lost / expected if expected else 0.0
            score = mos(codec, loss, 20 + 2 * step.jitter_ms) if expected else None
            out.append(Point(round(number * seconds, 3), round(step.max_delta_ms, 2), round(step.jitter_ms, 3), round(loss, 2),
                             round(step.octets * 8 / 1000 / seconds, 2), score))
        return out

    def _at(self, time_ns: int) -> Step:
        offset = min(max(0, time_ns - self._first_ns), MAX_HOURS_AHEAD)
        while offset // self.step_ns >= MAX_STEPS:
            self._join()
        number = offset // self.step_ns
        while len(self.steps) <= number:
            self.steps.append(Step())
        return self.steps[number]

    def _join(self) -> None:
        self.step_ns *= 2
        for number in range(0, len(self.steps) - 1, 2):
            self.steps[number].join(self.steps[number + 1])
        self.steps = self.steps[::2]

    def _take_jitter(self, delta_ms: float, timestamp: int) -> None:
        step = ((timestamp - self._last_timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        difference = abs(delta_ms - step * 1000 / self._clock)
        if difference < 10_000:
            self._jitter += (difference - self._jitter) / 16
