"""The E-model: what ITU-T G.107 and G.113 give for known cases."""

from __future__ import annotations

import pytest

from pcap.emodel import Connection, effective_impairment, mos_of
from pcap.emodel import rating as e_model
from pcap.quality import BEST_R, mos, rating


def test_clean_g711_without_delay_is_the_best_that_a_telephone_has() -> None:
    assert rating("pcmu", 0, 0) == BEST_R and mos("pcmu", 0, 0) == 4.41


def test_g729_costs_eleven_points_as_g113_says() -> None:
    assert rating("pcmu", 0, 100) - rating("G729", 0, 100) == pytest.approx(11.0)


def test_loss_in_bursts_is_worse_than_the_same_spread_out() -> None:
    assert rating("pcmu", 5, 50, burst_ratio=4) < rating("pcmu", 5, 50) < rating("pcmu", 1, 50)


def test_score_never_leaves_its_scale() -> None:
    assert all(1.0 <= mos(codec, loss, delay) <= 4.41 for codec in ("pcmu", "opus", "gsm", "?")
               for loss in (-1, 0, 3, 50, 100, 900) for delay in (0, 150, 400, 5000))


def test_default_values_of_g107_give_its_reference_rating() -> None:
    assert e_model(Connection()) == pytest.approx(93.2, abs=0.05) and mos_of(93.2) == pytest.approx(4.41, abs=0.005)


def test_delay_costs_little_up_to_150_ms_and_much_beyond() -> None:
    r = {delay: e_model(Connection(delay)) for delay in (0, 100, 150, 300, 400, 500)}
    assert r[0] - r[150] < 4 < 15 < r[150] - r[300] and list(r.values()) == sorted(r.values(), reverse=True)
    x = 2.0        # G.107 §7.4 by hand: Idd of 400 ms, without echo
    late = 25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
    assert e_model(Connection(0, echo_db=130)) - e_model(Connection(400, echo_db=130)) == pytest.approx(late, abs=1.0)


def test_echo_is_worse_the_later_it_comes() -> None:
    cost = [e_model(Connection(delay, echo_db=65)) - e_model(Connection(delay, echo_db=40)) for delay in (5, 30, 100)]
    assert cost == sorted(cost) and cost[-1] > 20


def test_loss_follows_the_formula_of_g107() -> None:
    assert effective_impairment(Connection(loss_percent=5, robustness=25.1)) == pytest.approx(95 * 5 / 30.1)
    assert effective_impairment(Connection(loss_percent=5, impairment=11, robustness=19, burst_ratio=2)) == \
        pytest.approx(11 + 84 * 5 / 21.5)


def test_mos_has_the_scale_of_annex_b() -> None:
    assert (mos_of(-1), mos_of(0), mos_of(100)) == (1.0, 1.0, 4.5) and mos_of(60) == pytest.approx(3.1)
