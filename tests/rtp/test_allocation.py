"""What is sent when not all fits: the important stays, the rest pauses and comes back, patience grows with failures."""

from __future__ import annotations

from rtp.allocation import Allocation, Wish, wanted_rates

MS = 1_000_000
THREE = [Wish(1, 1_000_000), Wish(2, 1_000_000), Wish(3, 300_000)]


def updated(allocation: Allocation, wishes: list[Wish], estimate_bps: int, start_s: float, end_s: float) -> list[float]:
    """Update ten times a second; when something changed."""
    return [step / 10 for step in range(round(start_s * 10), round(end_s * 10))
            if allocation.update(wishes, estimate_bps, step * 100 * MS)]


def test_what_fits_is_kept_from_the_most_important_on() -> None:
    allocation = Allocation()
    assert updated(allocation, THREE, 1_400_000, 0, 2) == [0.5]
    assert allocation.paused == {2}


def test_short_excess_pauses_nobody() -> None:
    allocation = Allocation()
    assert updated(allocation, THREE, 1_400_000, 0, 0.4) == []
    assert updated(allocation, THREE, 3_000_000, 0.4, 2) == []
    assert updated(allocation, THREE, 1_400_000, 2, 2.4) == []


def test_pause_is_tried_again_after_four_seconds_and_ever_later() -> None:
    allocation = Allocation()
    tries = updated(allocation, THREE, 1_400_000, 0, 60)
    assert tries[:6] == [0.5, 4.5, 5.1, 13.1, 13.7, 29.7]
    assert allocation.paused <= {2}


def test_try_that_succeeds_is_forgiven() -> None:
    allocation = Allocation()
    updated(allocation, THREE, 1_400_000, 0, 1)
    assert updated(allocation, THREE, 3_000_000, 1, 20) == [4.5]
    assert updated(allocation, THREE, 1_400_000, 20, 25) == [20.5, 24.5]


def test_try_that_needs_more_than_the_estimate_says_so() -> None:
    allocation = Allocation()
    updated(allocation, THREE, 1_400_000, 0, 1)
    assert allocation.probing_bps == 0
    updated(allocation, THREE, 1_400_000, 1, 4.6)
    assert allocation.probing_bps == 2_300_000


def test_source_that_adapts_is_waited_for() -> None:
    allocation = Allocation()
    assert updated(allocation, [Wish(1, 1_000_000, can_shrink=True)], 300_000, 0, 5) == []
    assert updated(allocation, [Wish(1, 1_000_000)], 300_000, 5, 6) == [5.5]
    assert allocation.paused == {1}


def test_slot_that_is_gone_is_not_paused_any_more() -> None:
    allocation = Allocation()
    updated(allocation, THREE, 1_400_000, 0, 1)
    allocation.update(THREE[:1], 1_400_000, 1100 * MS)
    assert allocation.paused == frozenset()


def test_source_is_wanted_as_its_best_receiver_can_take_it() -> None:
    shown = {1: [(10, 900_000), (11, 100_000)], 2: [(10, 900_000)]}
    assert wanted_rates({1: 500_000, 2: 800_000}, shown) == {10: 800_000, 11: 50_000}
    assert wanted_rates({1: 500_000}, {1: [(10, 0)]})[10] == 500_000
    assert wanted_rates({}, {}) == {}
