"""Every MUST has its row: as many as the RFCs say, each with code and tests that exist, or with a reason."""

from __future__ import annotations

import importlib
import re
from collections import Counter

import pytest

from docs import musts
from tests.test_threats import TESTS

COUNTED = {
    "rfc3261.txt": (
        "8.1.1 1, 8.1.1.1 1, 8.1.1.2 3, 8.1.1.3 1, 8.1.1.4 2, 8.1.1.5 3, 8.1.1.6 1, 8.1.1.7 5, 8.1.1.8 3, 8.1.1.9 "
        "4, 8.1.2 4, 8.1.3.1 2, 8.1.3.2 4, 8.1.3.4 3, 8.2 2, 8.2.1 4, 8.2.2 1, 8.2.2.2 1, 8.2.2.3 5, 8.2.3 4, "
        "8.2.4 4, 8.2.6.1 2, 8.2.6.2 9, 8.2.7 5, 8.3 2, 9.1 8, 10.1 2, 10.2 7, 10.2.2 1, 10.3 28, 11 1, 11.2 1, "
        "12.1 1, 12.1.1 17, 12.1.2 14, 12.2.1.1 19, 12.2.1.2 1, 12.2.2 5, 13.1 1, 13.2.1 9, 13.2.2.3 1, 13.2.2.4 "
        "11, 13.3.1 1, 13.3.1.1 2, 13.3.1.4 2, 14.1 4, 14.2 6, 15 3, 15.1.1 2, 15.1.2 4, 17.1.1.2 22, 17.1.1.3 8, "
        "17.1.2.2 14, 17.2.1 14, 17.2.2 11, 18 2, 18.1.1 11, 18.1.2 3, 18.2.1 4, 18.2.2 5, 18.3 3"
    ),
    "rfc3264.txt": (
        "4 2, 5 4, 5.1 12, 6 8, 6.1 18, 6.2 4, 7 1, 8 8, 8.1 1, 8.2 1, 8.3.1 4, 8.3.2 6, 8.3.3 1, 8.3.4 1, 8.4 2, "
        "9 6, 11 2"
    ),
    "rfc3550.txt": (
        "5.1 4, 5.3.1 1, 6 1, 6.1 10, 6.2 2, 6.3 1, 6.3.5 2, 6.3.7 2, 6.4.1 4, 6.4.2 1, 6.5 2, 6.5.1 1, 6.6 1, 6.7 "
        "1, 7.1 7, 7.2 10, 7.3 5, 8.2 5"
    ),
}
"""How often each section says MUST or MUST NOT, counted in the text of the RFCs."""


@pytest.mark.parametrize("name", musts.FILES)
def test_each_must_of_each_section_has_its_row(name: str) -> None:
    found: Counter[str] = Counter()
    for row in musts.read(name)[1]:
        found[row.section] += row.count
    assert found == {section: int(count) for section, count in (pair.split() for pair in COUNTED[name].split(", "))}


@pytest.mark.parametrize("name", musts.FILES)
def test_each_row_names_code_and_tests_that_exist_or_a_reason(name: str) -> None:
    for row in musts.read(name)[1]:
        assert row.reason or (row.code and row.tests), row
        assert [test for test in row.tests if test not in TESTS] == [], row
        for place in row.code:
            assert re.fullmatch(r"(?:sip|rtp|mcu)(?:\.\w+)+:\w+(?:\.\w+)*", place), place
            module, _, path = place.partition(":")
            found: object = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
