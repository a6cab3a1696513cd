"""ladder, extract, decrypt and report as they are typed: what they print, write, and exit with."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pcap.__main__ import app
from tests.pcap.test_samples import FOLDER

CALL, PROTECTED, REFUSED = (str(FOLDER / f"{name}.pcapng") for name in ("a-call", "protected", "refused"))


def typed(*arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors of a command."""
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr


def test_ladder_prints_each_call_and_can_be_asked_for_one() -> None:
    status, out, _ = typed("ladder", REFUSED, "--width", "90")
    assert status == 0 and out.count("INVITE") == 2 and "404 Not Found" in out and "488 Not Acceptable Here" in out
    call_id = out.split("(Call-ID ")[2].split(")")[0]
    status, out, _ = typed("ladder", REFUSED, "--call", call_id[:10])
    assert status == 0 and "488" in out and "404" not in out
    assert typed("ladder", REFUSED, "--call", "nobody")[::2] == (1, "error: no call begins with nobody\n")


def test_ladder_writes_a_picture_for_each_call(tmp_path: Path) -> None:
    status, out, _ = typed("ladder", REFUSED, "--svg", str(tmp_path / "r.svg"))
    assert status == 0 and out.split() == [str(tmp_path / "r.svg"), str(tmp_path / "r-2.svg")]
    assert all(Path(name).read_text("utf-8").startswith("<svg ") for name in out.split())


def test_protected_call_is_decrypted_then_extracted_and_reported(tmp_path: Path) -> None:
    status, out, _ = typed("decrypt", PROTECTED, str(tmp_path / "clear.pcapng"))
    assert status == 0 and "2 keys, 2 streams opened, 250 packets" in out
    status, out, _ = typed("extract", str(tmp_path / "clear.pcapng"), "--to", str(tmp_path / "clear"))
    assert status == 0 and len(out.splitlines()) == 2 == len(list((tmp_path / "clear").glob("*.wav")))
    status, out, _ = typed("report", str(tmp_path / "clear.pcapng"))
    assert status == 0 and out.startswith(str(tmp_path / "clear.html"))
    assert "data:audio/ogg" in (tmp_path / "clear.html").read_text("utf-8")


@pytest.mark.parametrize(("arguments", "words"), [
    (("ladder", "/nowhere.pcap"), "/nowhere.pcap: no such file"),
    (("extract", "/nowhere.pcap", "--to", "/tmp/x"), "/nowhere.pcap: no such file"),
    (("extract", CALL, "--to", "/tmp/x", "--codec", "200=opus"), "expected a payload type and one of"),
    (("extract", CALL, "--to", "/tmp/x", "--codec", "111=mp3"), "expected a payload type and one of"),
    (("decrypt", CALL, "/tmp/x.pcapng", "--keys", "/nowhere.log"), "/nowhere.log: no such file"),
    (("decrypt", CALL, CALL), "can't be written over"), (("report", "/nowhere.pcap"), "/nowhere.pcap: no such file"),
], ids=["ladder", "extract", "type", "codec", "keys", "over", "report"])
def test_wrong_input_exits_2_with_one_line(arguments: tuple[str, ...], words: str) -> None:
    status, out, error = typed(*arguments)
    assert (status, out) == (2, "") and error.startswith("error: ") and words in error and len(error.splitlines()) == 1


@pytest.mark.parametrize("command", ["ladder", "extract", "decrypt", "report"])
def test_what_is_no_capture_and_what_cannot_be_written_exit_1(command: str, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("hello")
    target = {"ladder": ["--svg"], "extract": ["--to"], "decrypt": [], "report": ["--to"]}[command]
    status, _, error = typed(command, str(notes), *target, str(tmp_path / "out"))
    assert status == 1 and "neither pcap nor pcapng" in error and len(error.splitlines()) == 1
    status, _, error = typed(command, CALL, *target, str(notes / "below"))
    assert status == 1 and error.startswith(f"error: {notes / 'below'}: ") and len(error.splitlines()) == 1


@pytest.mark.parametrize("command", ["ladder", "extract", "report"])
def test_file_that_breaks_off_gives_what_there_is_and_exits_1(command: str, tmp_path: Path) -> None:
    broken = tmp_path / "b.pcapng"
    broken.write_bytes(Path(CALL).read_bytes()[:-3000])
    arguments = {"ladder": [], "extract": ["--to", str(tmp_path / "x")], "report": ["--to", str(tmp_path / "x.html")]}[command]
    status, out, error = typed(command, str(broken), *arguments)
    assert status == 1 and out and "breaks off at byte" in error


@pytest.mark.parametrize("command", ["ladder", "extract", "decrypt", "report"])
def test_help_has_an_example(command: str) -> None:
    assert f"Example: confero-pcap {command}" in " ".join(typed(command, "--help")[1].split())
