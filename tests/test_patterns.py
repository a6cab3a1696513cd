"""No regular expression of ours can be made to run for ages by what it is given: doubling the text at most doubles the time."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

PACKAGES = ("sip", "rtp", "mcu", "softphone", "pcap")
SIGNS = "aA0 \t\",;:=<>@\\%.-[(/'"
"""What our texts are made of; runs of one, and of two in turn, are what patterns get lost in."""
SHORT, LONG = 24, 4000
"""An exponential pattern hangs at the first length already (2^24 steps), a cubic one at the second."""
MOST_S = 0.1


def modules() -> Iterator[str]:
    """Every module that can be imported without a screen."""
    for package in PACKAGES:
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not found.name.endswith("__main__") and ".ui" not in found.name:
                yield found.name


def patterns() -> dict[str, re.Pattern[Any]]:
    """All compiled patterns that stand in modules, by module and name."""
    return {f"{name}.{key}": value for name in modules() for key, value in vars(importlib.import_module(name)).items()
            if isinstance(value, re.Pattern)}


def slowest_s(pattern: re.Pattern[Any], length: int) -> float:
    """The longest time that one match takes, s."""
    runs = {(one + other) * (length // 2) for one, other in itertools.product(SIGNS, SIGNS)}
    worst = 0.0
    for run in sorted(runs):
        for text in (run + "\x00", '"' + run, "<" + run):
            subject = text.encode() if isinstance(pattern.pattern, bytes) else text
            begun = time.thread_time()
            pattern.fullmatch(subject)
            pattern.match(subject)
            worst = max(worst, time.thread_time() - begun)
            if worst > 10 * MOST_S:
                return worst
    return worst


PATTERNS = patterns()


def test_there_are_patterns_to_look_at() -> None:
    assert len(PATTERNS) > 30 and "sip.uri._SIP_URI" in PATTERNS


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_pattern_takes_no_longer_than_its_text(name: str) -> None:
    for length in (SHORT, LONG):
        assert slowest_s(PATTERNS[name], length) < MOST_S


def test_a_pattern_that_does_would_be_found() -> None:
    assert slowest_s(re.compile(r"(?:\w+\s?)*;"), SHORT) > MOST_S
