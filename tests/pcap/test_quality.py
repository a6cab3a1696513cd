"""The E-model: what ITU-T G.107 and G.113 give for known cases."""

from __future__ import annotations

from pcap.quality import BEST_R, mos, rating


def test_clean_g711_without_delay_is_the_best_that_a_telephone_has() -> None:
    assert rating("pcmu", 0, 0) == BEST_R and mos("pcmu", 0, 0) == 4.41


def test_g729_costs_eleven_points_as_g113_says() -> None:
    assert rating("pcmu", 0, 100) - rating("G729", 0, 100) == 11.0


def test_loss_in_bursts_is_worse_than_the_same_spread_out() -> None:
    assert rating("pcmu", 5, 50, burst_ratio=4) < rating("pcmu", 5, 50) < rating("pcmu", 1, 50)


def test_score_never_leaves_its_scale() -> None:
    assert all(1.0 <= mos(codec, loss, delay) <= 4.41 for codec in ("pcmu", "opus", "gsm", "?")
               for loss in (-1, 0, 3, 50, 100, 900) for delay in (0, 150, 400, 5000))
