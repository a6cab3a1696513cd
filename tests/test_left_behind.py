"""What failed leaves its capture, the report of it and the server's log where it said it would."""

from __future__ import annotations

import shutil
from pathlib import Path

from confero.testing import CAPTURE
from tests import left_behind
from tests.left_behind import FOLDER, data_folders, folder_of, keep

SAMPLES = Path(__file__).resolve().parents[1] / "pcap" / "samples"


def test_a_capture_is_kept_with_its_report_and_the_log(tmp_path: Path) -> None:
    data, kept = tmp_path / "server", tmp_path / "kept"
    data.mkdir()
    (data / "serve.log").write_text("what it said")
    shutil.copy(min(SAMPLES.glob("*.pcapng"), key=lambda path: path.stat().st_size), data / CAPTURE)
    before = list(left_behind._kept)
    try:
        keep(data, kept, "server")
        assert left_behind._kept[len(before):] == [str(kept / "server.html")]
    finally:
        left_behind._kept[:] = before
    assert (kept / "server.log").read_text() == "what it said"
    assert "<html" in (kept / "server.html").read_text("utf-8")
    assert (kept / "server.pcapng").read_bytes() == (data / CAPTURE).read_bytes()


def test_a_name_of_a_test_is_the_name_of_a_folder() -> None:
    folder = folder_of("tests/loopback/test_rooms.py::test_a_room[sip:a/../b]")
    assert folder.parent == FOLDER and "/" not in folder.name and folder.name.startswith("tests-loopback-test_rooms.py")


def test_servers_are_found_by_their_logs(tmp_path: Path) -> None:
    class Item:
        funcargs = {"tmp_path": tmp_path, "number": 3}                      # noqa: RUF012

    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "serve.log").touch()
    assert data_folders(Item()) == [tmp_path / "a" / "b"]                   # type: ignore[arg-type]
