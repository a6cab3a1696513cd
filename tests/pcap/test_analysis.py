"""The analysis as a whole: broken and damaged files, memory, RTP that no SDP announces and what only looks like it."""

from __future__ import annotations

import json
import random
import tracemalloc
from pathlib import Path

import pytest

from pcap.analysis import analyse
from pcap.analysis_text import as_text
from pcap.columns import HEADINGS
from pcap.finding_words import ERROR, INFO, KINDS, WARNING
from pcap.pcapng import PcapngWriter
from pcap.reader import read_packets
from pcap.synthesis import udp_packet
from rtp.packet import RtpPacket
from tests.helpers.planted import plant

A, B = ("192.0.2.1", 4000), ("192.0.2.2", 5000)
DAMAGES_EACH = 12


def write(path: Path, payloads: list[bytes]) -> Path:
    """Datagrams from A to B, 20 ms apart."""
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        for number, payload in enumerate(payloads):
            writer.packet(number * 20_000_000, udp_packet(A, B, payload))
    return path


def packets(count: int) -> list[bytes]:
    """RTP as it should be."""
    return [bytes(RtpPacket(0, number & 0xFFFF, 160 * number, 7, bytes(20))) for number in range(count)]


def test_rtp_without_an_sdp_is_found_and_noise_that_begins_like_it_is_not(tmp_path: Path) -> None:
    chance = random.Random(1)
    noise = [b"\x80\x00" + chance.randbytes(2) + bytes(4) + b"NOIS" + bytes(9) for _ in range(200)]
    same = [b"\x80\x00\x00\x01" + bytes(4) + b"SAME" + bytes(9)] * 200
    mixed = [one for three in zip(packets(200), noise, same, strict=True) for one in three]
    analysis = analyse(write(tmp_path / "a.pcapng", mixed))
    assert [one.survey.figures.ssrc for one in analysis.streams] == [7]


def test_broken_file_is_analysed_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcapng", packets(100))
    path.write_bytes(path.read_bytes()[:-50])
    analysis = analyse(path)
    assert "breaks off at byte" in analysis.broken and analysis.streams[0].survey.figures.packets == 99


def test_memory_does_not_grow_with_the_length_of_a_call(tmp_path: Path) -> None:
    path = write(tmp_path / "long.pcapng", packets(12_000))
    tracemalloc.start()
    try:
        assert analyse(path).streams[0].survey.figures.packets == 12_000
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["auth_loop", "hold_forgotten", "port_closed", "too_big"])
def test_damaged_messages_are_no_end_of_the_analysis(tmp_path: Path, kind: str) -> None:
    path, chance = tmp_path / "a.pcapng", random.Random(kind)
    plant(kind, 1, path)
    frames = [one for number, one in enumerate(read_packets(path)) if len(one.data) > 250 or number % 40 == 0]
    for _ in range(DAMAGES_EACH):
        with path.open("wb") as file:
            writer = PcapngWriter(file)
            for frame in frames:
                data = bytearray(frame.data)
                for _ in range(chance.randrange(6)):
                    at = chance.randrange(28, len(data))
                    data[at:at + chance.randrange(9)] = chance.choice((b"", b"\r\n", b"\xff", b"=;:", b"<"))
                writer.packet(frame.time_ns, bytes(data))
        analysis = analyse(path)
        assert json.loads(json.dumps(analysis.summary("zh")))["packets"] == analysis.survey.packets > 0
        assert "\x1b" not in as_text(analysis)


def test_table_has_the_columns_of_tshark_first(tmp_path: Path) -> None:
    head, row, *_ = as_text(analyse(write(tmp_path / "a.pcapng", packets(10)))).splitlines()
    assert head.split("  ")[0] and [name for name in HEADINGS if name not in head] == []
    assert row.split()[:9] == ["0.000000", "0.180000", A[0], "4000", B[0], "5000", "0x00000007", "g711U", "10"]


def test_every_kind_has_its_words_in_both_languages() -> None:
    for kind, words in KINDS.items():
        assert words.severity in (ERROR, WARNING, INFO), kind
        for english, chinese in (words.text, words.remedy):
            assert not any("\u4e00" <= sign <= "\u9fff" for sign in english), kind
            assert any("\u4e00" <= sign <= "\u9fff" for sign in chinese), kind
        places = [{part.split("}")[0].split(":")[0] for part in text.split("{")[1:]} for text in words.text]
        assert places[1] <= places[0], kind
