"""What a path takes, estimated from loss and from delay that grows (RFC 8888 §1 for the why; the rules are those of
draft-ietf-rmcat-gcc-02): by who sends, from transport-wide feedback, reports and REMB, and by who receives, for REMB.

Time is a number; bit rates are bit/s. An estimate never leaves MIN_BPS to MAX_BPS, whatever a peer says.
"""

from __future__ import annotations

from collections import deque

MIN_BPS, MAX_BPS = 50_000, 20_000_000
START_BPS = 1_500_000
GROUP_US = 5_000
"""Packets sent within so long are one burst; what is measured is the delay between bursts."""
WINDOW = 20
"""Bursts of the line that is fitted to the delay."""
GAIN = 4.0
THRESHOLD_MS, MAX_THRESHOLD_MS = 12.5, 600.0
OVERUSE_US = 10_000
DECREASE = 0.85
INCREASE_A_SECOND = 0.08
RATE_WINDOW_NS = 500_000_000


class RateMeter:
    """Bits per second over the last half second."""

    __slots__ = ("_bytes", "_counts", "_first_ns")

    def __init__(self) -> None:
        self._counts: deque[list[int]] = deque()
        self._bytes = 0
        self._first_ns = -1

    def add(self, size: int, now_ns: int) -> None:
        """Count a packet of so many bytes."""
        if self._first_ns < 0:
            self._first_ns = now_ns
        counts = self._counts
        slot = now_ns // 10_000_000
        if counts and counts[-1][0] == slot:
            counts[-1][1] += size
        else:
            counts.append([slot, size])
            self._forget(now_ns)
        self._bytes += size

    def bitrate_bps(self, now_ns: int) -> int:
        """The rate now."""
        self._forget(now_ns)
        if self._first_ns < 0:
            return 0
        return self._bytes * 8_000_000_000 // max(100_000_000, min(RATE_WINDOW_NS, now_ns - self._first_ns))

    def _forget(self, now_ns: int) -> None:
        oldest = (now_ns - RATE_WINDOW_NS) // 10_000_000
        while self._counts and self._counts[0][0] < oldest:
            self._bytes -= self._counts.popleft()[1]


class DelayTrend:
    """Whether the delay of a path grows: a line through the last bursts, against a threshold that adapts (§5.3, §5.4).

    `state`: `normal`, `overuse` or `underuse`.
    """

    __slots__ = ("_arrival_us", "_count", "_delay_ms", "_group_arrival_us", "_group_sent_us", "_over_us", "_points", "_sent_us",
                 "_slope", "_smooth_ms", "_threshold_ms", "_updated_us", "state")

    def __init__(self) -> None:
        self.state = "normal"
        self._group_sent_us = self._sent_us = self._group_arrival_us = self._arrival_us = -1
        self._points: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._delay_ms = self._smooth_ms = self._slope = 0.0
        self._threshold_ms = THRESHOLD_MS
        self._over_us = self._updated_us = -1
        self._count = 0

    def on_packet(self, sent_us: int, arrival_us: int) -> None:
        """A packet by both clocks, in the order of sending. A step back in time begins anew."""
        if self._group_sent_us < 0 or sent_us < self._group_sent_us or arrival_us - self._arrival_us > 2_000_000:
            self._begin(sent_us, arrival_us)
            return
        if sent_us - self._group_sent_us <= GROUP_US:
            self._sent_us, self._arrival_us = sent_us, max(arrival_us, self._arrival_us)
            return
        if self._group_arrival_us >= 0:
            between_sent, between_arrivals = sent_us - self._group_sent_us, arrival_us - self._group_arrival_us
            self._on_burst((between_arrivals - between_sent) / 1000, arrival_us)
        self._group_sent_us = self._sent_us = sent_us
        self._group_arrival_us = self._arrival_us = arrival_us

    def _begin(self, sent_us: int, arrival_us: int) -> None:
        self._group_sent_us = self._sent_us = sent_us
        self._group_arrival_us = self._arrival_us = arrival_us
        self._points.clear()

    def _on_burst(self, gradient_ms: float, now_us: int) -> None:
        self._count = min(self._count + 1, 60)
        self._delay_ms += gradient_ms
        self._smooth_ms = 0.9 * self._smooth_ms + 0.1 * self._delay_ms
        self._points.append((now_us / 1000, self._smooth_ms))
        if len(self._points) < WINDOW // 2:
            return
        slope = _slope(self._points)
        trend_ms = self._count * slope * GAIN
        if trend_ms > self._threshold_ms:
            self._over_us = now_us if self._over_us < 0 else self._over_us
            if now_us - self._over_us > OVERUSE_US and slope >= self._slope:
                self.state = "overuse"
        else:
            self._over_us = -1
            self.state = "underuse" if trend_ms < -self._threshold_ms else "normal"
        self._slope = slope
        self._adapt(abs(trend_ms), now_us)

    def _adapt(self, trend_ms: float, now_us: int) -> None:
        elapsed_ms = min((now_us - self._updated_us) / 1000, 100.0) if self._updated_us >= 0 else 0.0
        self._updated_us = now_us
        if trend_ms <= self._threshold_ms + 15.0:
            rate = 0.039 if trend_ms < self._threshold_ms else 0.0087
            moved = self._threshold_ms + rate * (trend_ms - self._threshold_ms) * elapsed_ms
            self._threshold_ms = max(6.0, min(MAX_THRESHOLD_MS, moved))


def _slope(points: deque[tuple[float, float]]) -> float:
    """Of the straight line that fits best, ms of delay a ms."""
    count = len(points)
    middle_x = sum(x for x, _ in points) / count
    middle_y = sum(y for _, y in points) / count
    square = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / square if square else 0.0


class BandwidthEstimate:
    """What can go to one receiver. `bitrate_bps`: the least of what loss, delay and the receiver's own estimate allow.

    The rate grows only while it is used: what isn't sent can't be known to fit.
    """

    __slots__ = ("_by_delay_bps", "_by_loss_bps", "_delayed_ns", "_loss_ns", "_remote_bps", "trend")

    def __init__(self, start_bps: int = START_BPS) -> None:
        self.trend = DelayTrend()
        self._by_loss_bps = self._by_delay_bps = start_bps
        self._remote_bps = 0
        self._loss_ns = self._delayed_ns = 0

    @property
    def bitrate_bps(self) -> int:
        """The estimate."""
        least = min(self._by_loss_bps, self._by_delay_bps)
        if self._remote_bps:
            least = min(least, self._remote_bps)
        return max(MIN_BPS, min(MAX_BPS, least))

    def on_remote_estimate(self, bitrate_bps: int) -> None:
        """A REMB or TMMBR of the receiver; an estimate of next to nothing stops no one, one of terabits frees no one."""
        self._remote_bps = max(MIN_BPS, min(MAX_BPS, bitrate_bps))

    def on_loss(self, fraction: float, sent_bps: int, now_ns: int) -> None:
        """A report's share of lost packets since the one before (§6)."""
        elapsed_s = min((now_ns - self._loss_ns) / 1e9, 1.0)
        self._loss_ns = now_ns
        if fraction > 0.10:
            self._by_loss_bps = max(MIN_BPS, round(min(self._by_loss_bps, max(sent_bps, MIN_BPS) * 2) * (1 - 0.5 * fraction)))
        elif fraction < 0.02:
            grown = round(self._by_loss_bps * (1 + INCREASE_A_SECOND * elapsed_s)) + 1000
            self._by_loss_bps = max(self._by_loss_bps, min(grown, sent_bps * 3 // 2 + 10_000, MAX_BPS))

    def on_arrivals(self, pairs: list[tuple[int, int]], received_bps: int, now_ns: int) -> None:
        """(sent, arrived) in µs of packets that came, by transport-wide feedback or at a receiver; received_bps: their rate."""
        for sent_us, arrival_us in pairs:
            self.trend.on_packet(sent_us, arrival_us)
        elapsed_s = min((now_ns - self._delayed_ns) / 1e9, 1.0)
        if self.trend.state == "overuse":
            if now_ns - self._delayed_ns > 200_000_000 or received_bps < self._by_delay_bps // 2:
                self._by_delay_bps = max(MIN_BPS, min(self._by_delay_bps, round(DECREASE * received_bps)))
                self._delayed_ns = now_ns
        elif self.trend.state == "normal":
            self._delayed_ns = now_ns
            grown = round(self._by_delay_bps * (1 + INCREASE_A_SECOND * elapsed_s)) + round(4000 * elapsed_s)
            self._by_delay_bps = max(self._by_delay_bps, min(grown, received_bps * 3 // 2 + 10_000, MAX_BPS))

    def probe(self, bitrate_bps: int) -> None:
        """Believe in more for once, to try out whether it fits."""
        bitrate_bps = min(bitrate_bps, MAX_BPS)
        self._by_loss_bps = max(self._by_loss_bps, bitrate_bps)
        self._by_delay_bps = max(self._by_delay_bps, bitrate_bps)
        if self._remote_bps:
            self._remote_bps = max(self._remote_bps, bitrate_bps)
