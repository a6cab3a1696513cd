"""Figures of a call."""

from __future__ import annotations

import json

import pytest

from softphone.stats import CallReport, MediaFigures, mos


def test_the_score_falls_with_loss_and_delay_and_stays_in_its_range() -> None:
    clean = mos("opus", 0, 20)
    assert 4.3 < clean <= 4.5
    assert clean > mos("opus", 3, 20) > mos("opus", 20, 20) > 1
    assert mos("opus", 0, 100) > mos("opus", 0, 400)
    assert mos("pcmu", 5, 20) < mos("opus", 5, 20)
    assert mos("opus", 500, 9000) == 1.0 and mos("speex", 0, 0) > 3.5


@pytest.mark.parametrize(("received", "lost", "late", "percent"), [(0, 0, 0, 0.0), (90, 10, 0, 10.0), (95, 5, 5, 10.0)])
def test_loss_counts_what_came_too_late(received: int, lost: int, late: int, percent: float) -> None:
    figures = MediaFigures("opus", packets_received=received, lost=lost, late=late)
    assert figures.loss_percent == percent
    assert (figures.mos is None) == (received == 0)


def test_a_report_is_one_flat_table_of_json() -> None:
    figures = MediaFigures("opus", 1, 2, rtt_ms=1.23456, level_dbov=-20)
    report = CallReport("sip:x@h", figures, True, 12.34, 3.0, ["Ann"], [7], "us")
    facts = json.loads(json.dumps(report.as_dict()))
    assert facts["rtt_ms"] == 1.23 and facts["level"] == -20 and facts["setup_ms"] == 12.3 and facts["csrcs"] == [7]
    assert not any(isinstance(value, dict) for value in facts.values())
