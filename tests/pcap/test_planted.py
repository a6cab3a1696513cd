"""Each kind of fault, planted at a place that a seed draws, is found there; nothing else is, and nothing in what is clean."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcap.analysis import analyse
from pcap.finding_words import KINDS
from tests.helpers.planted import FAULTS, plant

SEED = 20260105


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_planted_fault_is_named_in_its_place_and_no_other_is_found(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "planted.pcapng"
    planted = plant(kind, SEED, path)
    analysis = analyse(path)
    callers = {call.call_id: call.messages[0].message.from_.uri.user for call in analysis.survey.calls()}
    callers[""] = planted.victim                # what is said of the whole capture
    assert [(one.kind, callers[one.call_id]) for one in analysis.findings] == [(kind, planted.victim)]
    if planted.source is not None:
        (found,) = analysis.findings
        assert (found.source, found.destination) == (planted.source, planted.destination)


@pytest.mark.parametrize("seed", range(3))
def test_calls_without_a_fault_have_no_findings(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "clean.pcapng"
    plant("", seed, path)
    analysis = analyse(path)
    assert analysis.findings == () and len(analysis.calls) == 2 and len(analysis.streams) == 4


def test_every_kind_of_finding_is_planted() -> None:
    assert set(FAULTS) == set(KINDS)


def test_seed_draws_the_place(tmp_path: Path) -> None:
    places = {plant("loss", seed, tmp_path / "x.pcapng") for seed in range(8)}
    assert len({(one.victim, one.source == max(one.source, one.destination)) for one in places if one.source}) > 1
