"""Losses of a stream in bursts and gaps (RFC 3611 §4.7.2), from sequence numbers as they came, in bounded memory.

A burst begins and ends with a lost packet, holds at least two, and has fewer than GMIN packets in a row that came. All else
is gap. Packets that are late by up to WINDOW numbers count as come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GMIN = 16
"""RFC 3611 §4.7.2 recommends it."""
WINDOW = 128
RESTART = 3000
"""A jump of more numbers is a new beginning, not loss (MAX_DROPOUT of RFC 3550 A.1)."""


@dataclass(slots=True)
class Losses:
    """Counts in packets: those judged, lost ones, runs of lost ones, bursts and what lies in them. worst: the longest run."""

    judged: int = 0
    lost: int = 0
    runs: int = 0
    worst: int = 0
    bursts: int = 0
    burst_packets: int = 0
    burst_lost: int = 0
    restarts: int = 0
    _highest: int | None = None
    _next: int = 0
    _seen: set[int] = field(default_factory=set)
    _first: int = -1
    _last: int = -1
    _count: int = 0
    _run: int = 0

    @property
    def loss_percent(self) -> float:
        """Lost ones of all that were sent."""
        return 100 * self.lost / self.judged if self.judged else 0.0

    @property
    def burst_density(self) -> float:
        """Lost share of what lies in bursts, 0 to 1."""
        return self.burst_lost / self.burst_packets if self.burst_packets else 0.0

    @property
    def gap_density(self) -> float:
        """Lost share of what lies in gaps, 0 to 1."""
        packets = self.judged - self.burst_packets
        return (self.lost - self.burst_lost) / packets if packets > 0 else 0.0

    @property
    def mean_burst(self) -> float:
        """Packets from the first to the last lost one of a burst, on average."""
        return self.burst_packets / self.bursts if self.bursts else 0.0

    @property
    def mean_gap(self) -> float:
        """Packets between bursts, before the first and after the last one, on average."""
        return (self.judged - self.burst_packets) / (self.bursts + 1)

    @property
    def burst_ratio(self) -> float:
        """Mean run of losses over that of random loss (ITU-T G.107 §3.5); 1 where nothing was lost."""
        if not self.runs or self.lost == self.judged:
            return 1.0
        return max(1.0, self.lost / self.runs * (1 - self.lost / self.judged))

    def add(self, sequence: int) -> None:
        """A packet came."""
        if self._highest is None:
            self._highest = self._next = sequence + 0x10000
        number = self._highest + ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if abs(number - self._highest) > RESTART:
            self.finish()
            self.restarts += 1
            self._highest = self._next = number = sequence + 0x10000
        if number >= self._next:
            self._seen.add(number)
        self._highest = max(self._highest, number)
        while self._highest - self._next >= WINDOW:
            self._judge()

    def finish(self) -> None:
        """Judge what waits for late packets, at the end of the stream."""
        while self._highest is not None and self._next <= self._highest:
            self._judge()
        self._close()

    def _judge(self) -> None:
        number, self._next = self._next, self._next + 1
        self.judged += 1
        if number in self._seen:
            self._seen.discard(number)
            self._run = 0
            return
        self.lost += 1
        self.runs += not self._run
        self._run += 1
        self.worst = max(self.worst, self._run)
        if self._count and number - self._last - 1 >= GMIN:
            self._close()
        if not self._count:
            self._first = number
        self._last, self._count = number, self._count + 1

    def _close(self) -> None:
        """The losses so far are followed by GMIN packets that came, or by the end."""
        if self._count > 1:
            self.bursts += 1
            self.burst_packets += self._last - self._first + 1
            self.burst_lost += self._count
        self._count = 0
