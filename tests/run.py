"""Runs the tests in the order in which a fault is found soonest: lint, core, loopback, interop, what must run alone, windows.

    python -m tests.run [--long] [pytest arguments]

Each stage is its own pytest run; the first one that fails ends the run with its exit status. Nothing is skipped: a
skipped test fails its stage. Up to three tests that fail beside others on a busy machine are run once more, alone: what
fails then fails the stage, what passes is named as unsteady at the end.
"""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

from confero.testing import CAPTURE_VARIABLE
from tests import lint

TWO, THREE, FOUR = (("-n", number, "--dist", "loadfile") for number in "234")
"""So many files at a time: they mostly wait for real time to pass."""
STAGES = (
    ("core", "not loopback and not interop and not window and not long", TWO),
    ("loopback", "loopback and not alone and not long", FOUR),
    ("interop", "interop and not alone and not long", THREE),
    ("alone", "alone and not long", ()),
    ("windows", "window and not long", TWO),
)
LONG = (("long", "long", ()),)
STAGE_LIMIT_S = 1500
"""A stage that hangs is ended, with the stacks of all its threads, long before anybody's patience is."""
unsteady: list[str] = []
"""What failed beside others and passed alone."""
SECOND_TRIES = 3
"""More failures than so many in a stage are no accident of the machine."""


class Watcher:
    """A pytest plugin that notes skips, so that a stage with one fails, and failures."""

    def __init__(self) -> None:
        self.skipped: list[str] = []
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what was skipped, and what failed."""
        if report.skipped:
            self.skipped.append(report.nodeid)
        if report.failed and report.nodeid not in self.failed:
            self.failed.append(report.nodeid)


def run_stage(name: str, marker: str, arguments: Sequence[str], *, is_selection: bool) -> int:
    """One pytest run; its exit status, or 1 when a test was skipped."""
    watcher = Watcher()
    started = time.monotonic()
    faulthandler.dump_traceback_later(STAGE_LIMIT_S, exit=True)
    print(f"\n=== {name}", flush=True)
    status = int(pytest.main(["-q", "-m", marker, "--durations=5", *arguments], plugins=[watcher]))
    if status == pytest.ExitCode.TESTS_FAILED and 0 < len(watcher.failed) <= SECOND_TRIES:
        status = _try_alone(watcher.failed)
    faulthandler.cancel_dump_traceback_later()
    print(f"=== {name}: {time.monotonic() - started:.0f} s", flush=True)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED and is_selection:
        return 0                        # a selection of one's own need not touch every stage
    if watcher.skipped:
        print("skipped, and nothing may be: " + ", ".join(watcher.skipped))
        return status or 1
    return status


def _try_alone(failed: list[str]) -> int:
    """Run tests once more, with nothing beside them; the exit status."""
    print("\n=== once more, alone: " + ", ".join(failed), flush=True)
    command = [sys.executable, "-m", "pytest", "-q", *failed]
    environment = {**os.environ, CAPTURE_VARIABLE: "1"}                # what fails again leaves its captures behind
    status = subprocess.run(command, check=False, env=environment).returncode      # modules that failed stay as they are here
    if status == 0:
        unsteady.extend(failed)
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
    if unsteady:
        print("\nunsteady, passed alone: " + ", ".join(unsteady))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
