"""The table of what rules of BFCP we claim (docs/rfc-compliance-bfcp.md) names code and tests that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/rfc-compliance-bfcp.md").read_text("utf-8")
PLACES = ("tests/sip/bfcp/test_*.py", "tests/mcu/test_floor*.py", "tests/rtp/sdp/test_floor_*.py")
TESTS = {name for place in PLACES for path in ROOT.glob(place)
         for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.M)}
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| section")]


@pytest.mark.parametrize("place", sorted(set(re.findall(r"`((?:sip|rtp|mcu)[\w.]*:[\w.]+)`", PAGE))))
def test_the_code_that_is_named_exists(place: str) -> None:
    module, _, path = place.partition(":")
    found: object = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)


def test_the_tests_that_are_named_exist() -> None:
    assert set(re.findall(r"`(test_\w+)`", PAGE)) <= TESTS


def test_each_row_names_code_and_a_test() -> None:
    assert len(ROWS) > 25
    for row in ROWS:
        cells = row.strip("| ").split(" | ")
        assert len(cells) == 4 and ":" in cells[2] and "`test_" in cells[3], row
