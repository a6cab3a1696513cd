"""Damaged captures: whatever was changed in a file, each command says what can be read or where it breaks off."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from pcap.analysis import analyse
from pcap.call_ladders import call_ladder
from pcap.decrypt import decrypt
from pcap.errors import CaptureError
from pcap.extract import extract
from pcap.ladder_svg import as_svg
from pcap.ladder_text import as_text
from pcap.pcapng import PcapngWriter
from pcap.reader import read_packets
from pcap.report import report
from pcap.report_page import as_html
from pcap.samples.scenes import SCENES
from pcap.survey import title_of
from tests.pcap.test_samples import FOLDER

PIECES = (b"\r\n", b"\xff" * 4, b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:", "你".encode(), b"\0",
          b"Content-Length: 99999\r\n")
FILES = 40
SIZE = 16_000


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Bytes changed, taken out and put in, most of them near the beginning, where the SIP is."""
    out = bytearray(data[:SIZE])
    for _ in range(chance.randrange(1, 40)):
        at = chance.randrange(min(len(out), chance.choice((3000, SIZE))))
        match chance.randrange(4):
            case 0 | 1:
                out[at] = chance.randrange(256)
            case 2:
                del out[at:at + chance.randrange(30)]
            case 3:
                out[at:at] = chance.choice(PIECES)
    return bytes(out)


def read_all(path: Path, folder: Path) -> int:
    """Every command's work on a file; how many calls were drawn."""
    for work in (lambda: decrypt(path, folder / "plain.pcapng"), lambda: as_html(report(path)),
                 lambda: extract(path, folder / "sound")):
        try:
            work()
        except CaptureError as error:
            assert str(error)
    analysis = analyse(path)
    for call in analysis.survey.calls():
        ladder = call_ladder(analysis, call, title_of(call))
        assert as_text(ladder, 80)
        ElementTree.fromstring(as_svg(ladder))
    return len(analysis.survey.calls())


def test_no_damage_makes_a_command_fail_otherwise_than_in_words(tmp_path: Path) -> None:
    chance, calls = random.Random(11), 0
    samples = [(FOLDER / f"{name}.pcapng").read_bytes() for name in SCENES]
    for _ in range(FILES):
        path = tmp_path / "damaged.pcapng"
        path.write_bytes(damaged(chance.choice(samples), chance))
        calls += read_all(path, tmp_path)
    assert calls > FILES // 4


def test_packet_of_a_year_that_no_calendar_has_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "late.pcapng"
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        for packet in read_packets(FOLDER / "a-call.pcapng"):
            writer.packet(2**64 - 1, packet.data)
    assert read_all(path, tmp_path) == 1
