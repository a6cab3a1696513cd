"""The clock of a sender, seen through jitter; and what is late beside the fastest packets."""

from __future__ import annotations

import random

import pytest

from pcap.skew import LATE_MS, MAX_STEPS, SkewMeter


def meter(seconds: float, ppm: float, jitter_ms: float = 0.0, start: int = 0xFFFFF000) -> SkewMeter:
    """20 ms of PCMU a packet, from a clock that is fast by `ppm`."""
    chance, found = random.Random(5), SkewMeter(8000)
    for number in range(int(seconds * 50)):
        at_s = number * 0.02 / (1 + ppm / 1e6) + chance.expovariate(1) * jitter_ms / 1000
        found.add(round(at_s * 1e9), (start + 160 * number) & 0xFFFFFFFF)
    return found


@pytest.mark.parametrize("ppm", [-900.0, 0.0, 250.0])
def test_skew_is_found_through_jitter(ppm: float) -> None:
    skew = meter(60, ppm, jitter_ms=3).skew()
    assert skew is not None and abs(skew.ppm - ppm) < 15


def test_long_stream_keeps_its_steps_few() -> None:
    found = meter(1000, 100)
    skew = found.skew()
    assert len(found._least) <= MAX_STEPS and skew is not None and abs(skew.ppm - 100) < 2 and abs(skew.drift_ms + 100) < 2


def test_short_streams_and_jumping_timestamps_have_no_skew() -> None:
    assert meter(2, 500).skew() is None
    jumping = meter(20, 0)
    for number in range(1000):
        jumping.add(round((25 + number * 0.02) * 1e9), 160 * (1000 + number))
    assert jumping.skew() is None


def test_timestamps_of_another_clock_run_away() -> None:
    found = SkewMeter(8000)
    for number in range(500):
        found.add(number * 20_000_000, 320 * number)
    pace = found.pace()
    assert pace is not None and abs(pace.ppm - 1e6) < 1000 and found.skew() is None


def test_packets_that_wait_longer_than_a_buffer_are_late() -> None:
    found = SkewMeter(8000)
    for number in range(1000):
        late_ms = LATE_MS + 20 if number % 10 == 9 else 0
        found.add(round((number * 20 + late_ms) * 1e6), 160 * number)
    assert (found.packets, found.late) == (1000, 100)
