"""Losses in bursts and gaps (RFC 3611 §4.7.2), counted by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.loss import GMIN, WINDOW, Losses


def heard(numbers: list[int]) -> Losses:
    losses = Losses()
    for number in numbers:
        losses.add(number & 0xFFFF)
    losses.finish()
    return losses


def without(count: int, lost: set[int], start: int = 65400) -> list[int]:
    return [start + number for number in range(count) if number not in lost]


def test_two_losses_close_together_are_a_burst_and_a_single_one_lies_in_the_gap() -> None:
    losses = heard(without(400, {100, 104, 105, 300}))
    assert (losses.judged, losses.lost, losses.runs, losses.worst) == (400, 4, 3, 2)
    assert (losses.bursts, losses.burst_packets, losses.burst_lost) == (1, 6, 3)
    assert losses.burst_density == 0.5 and losses.gap_density == 1 / 394
    assert (losses.mean_burst, losses.mean_gap) == (6, 197)


@pytest.mark.parametrize(("between", "bursts"), [(GMIN - 1, 1), (GMIN, 0)])
def test_sixteen_packets_that_came_end_a_burst(between: int, bursts: int) -> None:
    assert heard(without(300, {100, 100 + between + 1})).bursts == bursts


def test_late_and_doubled_packets_are_not_lost() -> None:
    numbers = list(range(500))
    numbers[100], numbers[140] = numbers[140], numbers[100]
    numbers[200:200] = [199, 199]
    losses = heard(numbers)
    assert (losses.judged, losses.lost, losses.restarts) == (500, 0, 0)


def test_a_new_beginning_is_no_loss() -> None:
    losses = heard([*range(100), *range(40000, 40100)])
    assert (losses.judged, losses.lost, losses.restarts) == (200, 0, 1)


def test_random_loss_has_a_burst_ratio_near_one_and_runs_of_ten_a_higher_one() -> None:
    chance = random.Random(1)
    scattered = heard(without(20000, {n for n in range(20000) if chance.random() < 0.05}))
    runs = heard(without(20000, {n for n in range(20000) if 100 <= n % 200 < 110}))
    assert 1.0 <= scattered.burst_ratio < 1.1 and 8 < runs.burst_ratio < 11 and runs.loss_percent == 5.0


@given(st.integers(0, 65535), st.sets(st.integers(1, 398), max_size=60), st.randoms())
def test_counts_are_those_of_the_set_in_whatever_order(start: int, lost: set[int], chance: random.Random) -> None:
    numbers = without(400, lost, start)
    for at in range(0, len(numbers) - 40, 40):
        part = numbers[at + 1:at + 40]
        chance.shuffle(part)
        numbers[at + 1:at + 40] = part
    losses = heard(numbers)
    assert (losses.judged, losses.lost) == (400, len(lost))
    assert losses.burst_lost <= losses.lost and losses.worst <= losses.lost and len(losses._seen) <= WINDOW
