"""The pages that promise a test for each row keep it: the tests exist, and so do the modules that they name."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEFINED = re.compile(r"^(?:async )?def (test_\w+)", re.M)
FILES = sorted((ROOT / "tests").rglob("test_*.py"))
TESTS = {name for path in FILES for name in DEFINED.findall(path.read_text("utf-8"))} | {path.stem for path in FILES}
PAGES = ("threats.md", "unknown-phone.md")
WANTED = [*range(1, 5), *range(6, 12), *range(14, 23), 26, 27, 32]
"""The threats that concern what exists."""


def rows(page: str) -> list[str]:
    """The rows of the tables whose last column names tests."""
    text = (ROOT / "docs/explanation" / page).read_text("utf-8")
    tables = re.findall(r"^\|.*\| tests? \|\n\|[ |-]+\|\n((?:\|.*\n)+)", text, re.M)
    return [row for table in tables for row in table.splitlines()]


@pytest.mark.parametrize("page", PAGES)
def test_each_row_names_tests_that_exist(page: str) -> None:
    assert len(rows(page)) > 15
    for row in rows(page):
        named = re.findall(r"`(test_\w+)`", row.rstrip("| ").rpartition(" | ")[2])
        assert named, row
        assert [name for name in named if name not in TESTS] == []


def test_every_threat_that_concerns_us_has_its_row() -> None:
    found = {int(number) for row in rows("threats.md") for number in re.findall(r"^\| T(\d+) ", row)}
    assert found == set(WANTED)


def test_every_module_that_is_named_exists() -> None:
    for row in rows("unknown-phone.md"):
        for name in re.findall(r"`((?:sip|rtp|mcu)\.[\w.]+)`", row):
            module, _, function = name.rpartition(".")
            assert (ROOT / f"{name.replace('.', '/')}.py").exists() or hasattr(importlib.import_module(module), function), name
