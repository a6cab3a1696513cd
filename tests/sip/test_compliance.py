"""The table of what SIP rules we claim (docs/rfc-compliance.md) names code and tests that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PAGE = (HERE.parent.parent / "docs/rfc-compliance.md").read_text("utf-8")
DEFINED = re.compile(r"^(?:async )?def (test_\w+)", re.M)
TESTS = {name for path in HERE.rglob("test_*.py") for name in DEFINED.findall(path.read_text("utf-8"))}
TESTS |= {path.stem for path in HERE.rglob("test_*.py")}
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| section")]


@pytest.mark.parametrize("place", sorted(set(re.findall(r"`(sip[\w.]*:[\w.]+)`", PAGE))))
def test_the_code_that_is_named_exists(place: str) -> None:
    module, _, path = place.partition(":")
    found: object = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)


def test_the_tests_that_are_named_exist() -> None:
    assert set(re.findall(r"`(test_\w+)`", PAGE)) <= TESTS


def test_each_row_names_code_and_a_test() -> None:
    assert len(ROWS) > 60
    for row in ROWS:
        cells = row.strip("| ").split(" | ")
        assert len(cells) == 4 and "`sip" in cells[2] and "`test_" in cells[3], row
