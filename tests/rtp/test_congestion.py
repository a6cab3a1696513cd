"""Estimates on links that the test draws: they find what fits, follow a change within seconds, and no peer drives them away."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.congestion import MAX_BPS, MIN_BPS, BandwidthEstimate, DelayTrend, RateMeter

MS = 1_000_000
PACKET = 1200


class Link:
    """A link of some capacity with a queue of so many ms; a packet that finds it full is lost."""

    def __init__(self, capacity_bps: int, queue_ms: int = 400) -> None:
        self.capacity_bps, self.queue_ms = capacity_bps, queue_ms
        self._free_us = 0

    def carry(self, sent_us: int) -> int | None:
        """When a packet arrives, in µs."""
        begins = max(sent_us, self._free_us)
        if begins - sent_us > self.queue_ms * 1000:
            return None
        self._free_us = begins + PACKET * 8_000_000 // self.capacity_bps
        return self._free_us + 20_000


def use(estimate: BandwidthEstimate, link: Link, seconds: float, start_s: float = 0.0, most_bps: int = MAX_BPS) -> list[int]:
    """Send as much as the estimate says, with feedback each 100 ms; the estimate after each."""
    dice = random.Random(1)
    found: list[int] = []
    owed = 0.0
    for step in range(round(seconds * 10)):
        begin_us = round(start_s * 1e6) + step * 100_000
        rate = min(estimate.bitrate_bps, most_bps)
        owed += rate / 80
        count = max(1, int(owed // PACKET))
        owed -= count * PACKET
        pairs, lost = [], 0
        for number in range(count):
            sent_us = begin_us + number * 100_000 // count
            arrival = link.carry(sent_us)
            if arrival is None:
                lost += 1
            else:
                pairs.append((sent_us, arrival + dice.randrange(1500)))
        now_ns = (begin_us + 120_000) * 1000
        sent_bps = count * PACKET * 80
        received_bps = sent_bps * len(pairs) // count
        if pairs and pairs[-1][1] - pairs[0][1] > 100_000:
            received_bps = len(pairs) * PACKET * 8_000_000 // (pairs[-1][1] - pairs[0][1])
        estimate.on_arrivals(pairs, received_bps, now_ns)
        estimate.on_loss(lost / count, sent_bps, now_ns)
        found.append(estimate.bitrate_bps)
    return found


@pytest.mark.parametrize("capacity_bps", [300_000, 1_000_000, 2_500_000])
def test_estimate_finds_what_the_link_takes(capacity_bps: int) -> None:
    found = use(BandwidthEstimate(), Link(capacity_bps), 60)
    late = sorted(found[200:])
    assert 0.5 * capacity_bps <= late[len(late) // 2] <= 1.15 * capacity_bps


def test_link_that_becomes_narrow_is_noticed_within_three_seconds() -> None:
    estimate, link = BandwidthEstimate(), Link(3_000_000)
    use(estimate, link, 20)
    assert estimate.bitrate_bps > 1_500_000
    link.capacity_bps = 300_000
    assert min(use(estimate, link, 3, 20)) <= 400_000


def test_random_loss_below_two_percent_is_no_reason_to_send_less() -> None:
    estimate = BandwidthEstimate()
    for second in range(30):
        estimate.on_loss(0.015, 2_000_000, second * 1000 * MS)
    assert estimate.bitrate_bps >= 1_500_000


def test_rate_grows_only_as_far_as_it_is_used() -> None:
    found = use(BandwidthEstimate(500_000), Link(20_000_000), 60, most_bps=400_000)
    assert 500_000 <= found[-1] <= 800_000


def test_constant_delay_with_jitter_is_no_overuse() -> None:
    trend, dice = DelayTrend(), random.Random(2)
    states = set()
    for step in range(2000):
        trend.on_packet(step * 10_000, step * 10_000 + 30_000 + dice.randrange(5000))
        states.add(trend.state)
    assert states <= {"normal", "underuse"}


def test_clock_that_steps_back_begins_anew() -> None:
    trend = DelayTrend()
    for step in range(50):
        trend.on_packet(step * 10_000, step * 12_000)
    trend.on_packet(0, 700_000)
    for step in range(1, 200):
        trend.on_packet(step * 10_000, 700_000 + step * 10_000)
    assert trend.state in ("normal", "underuse")


@given(st.lists(st.tuples(st.integers(0, 1 << 45), st.floats(0, 1), st.integers(0, 1 << 45)), max_size=40))
def test_no_report_drives_the_estimate_out_of_its_bounds(reports: list[tuple[int, float, int]]) -> None:
    estimate = BandwidthEstimate()
    for number, (bitrate_bps, loss, time) in enumerate(reports):
        estimate.on_remote_estimate(bitrate_bps)
        estimate.on_loss(loss, bitrate_bps, number * 1000 * MS)
        estimate.on_arrivals([(number * 7000, time)], bitrate_bps, number * 1000 * MS)
        assert MIN_BPS <= estimate.bitrate_bps <= MAX_BPS


def test_meter_follows_the_last_half_second() -> None:
    meter = RateMeter()
    assert meter.bitrate_bps(0) == 0
    for step in range(200):
        meter.add(1250, step * 10 * MS)
    assert meter.bitrate_bps(1990 * MS) == pytest.approx(1_000_000, rel=0.05)
    assert meter.bitrate_bps(2300 * MS) == pytest.approx(400_000, rel=0.15)
    assert meter.bitrate_bps(4000 * MS) == 0


def test_meter_that_nobody_reads_does_not_grow() -> None:
    meter = RateMeter()
    tracemalloc.start()
    try:
        for step in range(20_000):
            meter.add(1250, step * 10 * MS)
        assert tracemalloc.get_traced_memory()[0] < 50_000
    finally:
        tracemalloc.stop()
