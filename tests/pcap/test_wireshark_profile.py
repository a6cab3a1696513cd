"""The Wireshark profile as tshark takes it: every preference, filter and colour is known to it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.pcap.test_samples import FOLDER

PROFILE = Path(__file__).resolve().parent.parent.parent / "pcap" / "wireshark" / "Confero"


def fields(path: Path) -> list[list[str]]:
    """The quoted fields of each line of a table of Wireshark's."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith('"')]
    return [[field.replace("\\x22", '"') for field in line.strip('"').split('","')] for line in lines]


def filters() -> list[str]:
    """The filters of buttons and colours."""
    lines = (PROFILE / "colorfilters").read_text("utf-8").splitlines()
    colours = [line.split("@")[2] for line in lines if line.startswith("@")]
    return [row[2] for row in fields(PROFILE / "dfilter_buttons")] + colours


def test_buttons_and_colours_are_complete_lines() -> None:
    assert all(len(row) == 4 and row[0] == "TRUE" and all(row) for row in fields(PROFILE / "dfilter_buttons"))
    assert len(filters()) > 20
    for line in (PROFILE / "colorfilters").read_text("utf-8").splitlines():
        assert line.startswith("#") or (line.count("@") == 3 and line.count("[") == 2)


@pytest.mark.interop
def test_tshark_takes_the_profile_without_a_warning_and_shows_its_columns(tmp_path: Path) -> None:
    shutil.copytree(PROFILE, tmp_path / "profiles" / "Confero")
    def tshark(name: str, *arguments: str) -> str:
        command = ["tshark", "-C", "Confero", "-r", str(FOLDER / f"{name}.pcapng"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True,
                              env={**os.environ, "WIRESHARK_CONFIG_DIR": str(tmp_path)})
        assert [line for line in done.stderr.splitlines() if line.strip() and "Running as user" not in line] == []
        return done.stdout

    columns = tshark("meeting")
    assert "0x0a11ce10" in columns and "101" in columns
    colours = Counter(tshark("blocked", "--color", "-T", "fields", "-e", "frame.coloring_rule.name").splitlines())
    assert colours == {"Commented by the capture": 7}
    colours = Counter(tshark("refused", "--color", "-T", "fields", "-e", "frame.coloring_rule.name").splitlines())
    assert colours == {"SIP refusal": 2, "SIP": 6}
    assert len(tshark("blocked", "-Y", "sip.resend == 1").splitlines()) == 6 and tshark("a-call", "-Y", "sip.resend == 1") == ""


@pytest.mark.interop
def test_tshark_knows_every_filter() -> None:
    whole = " || ".join(f"({one})" for one in filters())
    subprocess.run(["tshark", "-r", str(FOLDER / "refused.pcapng"), "-Y", whole], capture_output=True, timeout=60, check=True)
