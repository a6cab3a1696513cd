"""Runs the tests in the order in which a fault is found soonest: lint, core, loopback, interop, what must run alone, windows.

    python -m tests.run [--long] [pytest arguments]

Each stage is its own pytest run; the first one that fails ends the run with its exit status. Nothing is skipped: a
skipped test fails its stage.
"""

from __future__ import annotations

import faulthandler
import sys
import time
from collections.abc import Sequence

import pytest

from tests import lint

TWO = ("-n", "2", "--dist", "loadfile")
THREE = ("-n", "3", "--dist", "loadfile")
"""So many files at a time: they mostly wait for real time to pass."""
STAGES = (
    ("core", "not loopback and not interop and not window and not long", TWO),
    ("loopback", "loopback and not alone and not long", THREE),
    ("interop", "interop and not alone and not long", THREE),
    ("alone", "alone and not long", ()),
    ("windows", "window and not long", TWO),
)
LONG = (("long", "long", ()),)
STAGE_LIMIT_S = 1500
"""A stage that hangs is ended, with the stacks of all its threads, long before anybody's patience is."""


class NothingSkipped:
    """A pytest plugin that counts skips, so that a stage with one fails."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what was skipped."""
        if report.skipped:
            self.skipped.append(report.nodeid)


def run_stage(name: str, marker: str, arguments: Sequence[str], *, is_selection: bool) -> int:
    """One pytest run; its exit status, or 1 when a test was skipped."""
    watcher = NothingSkipped()
    started = time.monotonic()
    faulthandler.dump_traceback_later(STAGE_LIMIT_S, exit=True)
    print(f"\n=== {name}", flush=True)
    status = int(pytest.main(["-q", "-m", marker, "--durations=5", *arguments], plugins=[watcher]))
    faulthandler.cancel_dump_traceback_later()
    print(f"=== {name}: {time.monotonic() - started:.0f} s", flush=True)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED and is_selection:
        return 0                        # a selection of one's own need not touch every stage
    if watcher.skipped:
        print("skipped, and nothing may be: " + ", ".join(watcher.skipped))
        return status or 1
    return status


def main(arguments: list[str]) -> int:
    """Lint and every stage, or the long stage alone."""
    if "--long" in arguments:
        arguments.remove("--long")
        stages = LONG
    else:
        stages = STAGES
        if lint.main() != 0:
            return 1
    for name, marker, options in stages:
        status = run_stage(name, marker, (*options, *arguments), is_selection=bool(arguments))
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
