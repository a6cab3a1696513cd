"""What a test that fails leaves behind: the capture of each server that it started, its report, and the servers' logs.

A pytest plugin. Servers capture when $CONFERO_TEST_PCAP is set, as it is when `tests.run` tries once more what has failed:

    CONFERO_TEST_PCAP=1 python -m pytest tests/loopback/test_rooms.py

The files are in out/failures/NAME-OF-THE-TEST/; the text of the failure says so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from confero.testing import CAPTURE, CAPTURE_VARIABLE, Server

FOLDER = Path(__file__).resolve().parents[1] / "out" / "failures"
REPORT_LIMIT_S = 60
_failed = pytest.StashKey[list[Path]]()
_kept: list[str] = []


def folder_of(node_id: str) -> Path:
    """Where the files of a test are."""
    return FOLDER / re.sub(r"[^A-Za-z0-9_.-]+", "-", node_id).strip("-")[:120]


def data_folders(item: pytest.Item) -> list[Path]:
    """Where the servers of a test keep their files: of its fixtures, and in its temporary folder."""
    values = getattr(item, "funcargs", {}).values()
    found = [value.data for value in values if isinstance(value, Server)]
    found += [log.parent for value in values if isinstance(value, Path) and value.is_dir() for log in value.rglob("serve.log")]
    return list(dict.fromkeys(found))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]
                              ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say where the files will be when a test fails; put them there when its servers have ended."""
    report = yield
    if not os.environ.get(CAPTURE_VARIABLE):
        return report
    if call.when == "call" and report.failed:
        item.stash[_failed] = data_folders(item)
        if item.stash[_failed]:
            report.sections.append(("left behind", f"captures, reports and logs of the servers: {folder_of(item.nodeid)}"))
    if call.when == "teardown":
        for number, data in enumerate(item.stash.get(_failed, list[Path]())):
            keep(data, folder_of(item.nodeid), f"server{number or ''}")
    return report


def keep(data: Path, folder: Path, name: str) -> None:
    """Copy the log and the captures of a server, and make their reports."""
    folder.mkdir(parents=True, exist_ok=True)
    if (data / "serve.log").exists():
        shutil.copy(data / "serve.log", folder / f"{name}.log")
    for number, capture in enumerate(sorted(data.glob(f"{CAPTURE}*"))):
        copied = folder / f"{name}{f'-{number}' if number else ''}.pcapng"
        shutil.copy(capture, copied)
        command = [sys.executable, "-m", "pcap", "report", str(copied)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=REPORT_LIMIT_S)
        _kept.append(str(copied.with_suffix(".html") if done.returncode == 0 else copied))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the files at the end, too."""
    if _kept:
        terminalreporter.section("left behind by what failed")
        for path in _kept:
            terminalreporter.write_line(path)
