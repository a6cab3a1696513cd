"""The samples in the repository are what their script makes, small, and hold what their page says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pcap.pcapng import PcapngWriter
from pcap.reader import read_packets
from pcap.samples.__main__ import frames_of
from pcap.samples.scenes import SCENES
from pcap.survey import Survey

FOLDER = Path(__file__).resolve().parent.parent.parent / "pcap" / "samples"
HEADERS = 40
"""Bytes of IP, UDP and RTP headers: sound is computed with floats, which other machines may round otherwise."""


@pytest.mark.parametrize("name", SCENES)
def test_file_is_what_its_script_makes(name: str) -> None:
    kept, made = list(read_packets(FOLDER / f"{name}.pcapng")), frames_of(name)
    heads = [[(one.time_ns, one.comment, len(one.data)) for one in packets] for packets in (kept, made)]
    assert heads[0] == heads[1]
    same = [(a.data, b.data) for a, b in zip(kept, made, strict=True) if b"SIP/2.0" in b.data]
    assert all(a == b for a, b in same) and same
    assert all(a.data[28:HEADERS] == b.data[28:HEADERS] for a, b in zip(kept, made, strict=True))


def test_all_of_them_are_small_and_each_has_its_place_on_the_page() -> None:
    files = sorted(FOLDER.glob("*.pcapng"))
    assert [file.stem for file in files] == sorted(SCENES) and sum(file.stat().st_size for file in files) < 1_000_000
    page = (FOLDER / "README.md").read_text("utf-8")
    assert all(f"## {name}.pcapng" in page for name in SCENES)


def test_each_scene_shows_what_it_is_about() -> None:
    surveys = {name: Survey(FOLDER / f"{name}.pcapng") for name in SCENES}
    statuses = {name: [getattr(one.message, "status", 0) for one in survey.messages] for name, survey in surveys.items()}
    assert 401 in statuses["a-call"] and {404, 488} <= set(statuses["refused"])
    assert statuses["blocked"] == [0] * 7
    assert {stream.name[2][0] for stream in surveys["one-way"].streams} == {"192.0.2.1", "192.168.1.20"}
    bad = next(stream.figures for stream in surveys["bad-network"].streams if stream.name[0] == 0x0A11CE03)
    assert bad.lost > 12 and bad.duplicated and bad.reordered and bad.max_jitter_ms > 5
    assert any(101 in stream.types for stream in surveys["keys"].streams)
    assert sum(b"a=sendonly" in one.message.body for one in surveys["hold"].messages) == 1
    assert {csrc for stream in surveys["meeting"].streams for csrc in stream.figures.csrcs} == {101, 102}
    assert all(surveys["protected"].media.is_protected(*stream.name[1:]) for stream in surveys["protected"].streams)


@pytest.mark.interop
def test_tshark_reads_them_without_complaint(tmp_path: Path) -> None:
    with (tmp_path / "all.pcapng").open("wb") as file:
        writer = PcapngWriter(file)
        for name in SCENES:
            for packet in read_packets(FOLDER / f"{name}.pcapng"):
                writer.packet(packet.time_ns, packet.data, link_type=packet.link_type)
    command = ["tshark", "-r", str(tmp_path / "all.pcapng"), "-Y", "_ws.malformed || _ws.expert.severity == 8388608"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == ""
