"""pcapng: what is written is read again, by us and by tshark's tools, in either byte order, and where it breaks is told."""

from __future__ import annotations

import io
import struct
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.errors import CaptureError
from pcap.pcapng import LINK_TYPE_RAW, PcapngWriter
from pcap.reader import INBOUND, OUTBOUND, TLS_KEY_LOG, Names, Packet, Secrets, read_blocks, read_packets, read_secrets

IP_UDP = bytes.fromhex("4500001d00010000401100007f0000017f000001") + struct.pack("!HHHH", 5060, 5062, 9, 0) + b"x"


def written(path: Path) -> PcapngWriter:
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        writer.secrets(b"CLIENT_RANDOM 00 11\n")
        writer.names({"127.0.0.1": ["alice", "daily"], "2001:db8::1": ["bob"]})
        writer.packet(1_700_000_000_123_456_789, IP_UDP, comment="INVITE offers opus – 你好", direction=OUTBOUND)
        writer.packet(1_700_000_001_000_000_001, IP_UDP, direction=INBOUND, length=900)
        writer.packet(1_700_000_002_000_000_000, b"\0" * 15, link_type=1, interface="eth0")
        writer.statistics(1_700_000_003_000_000_000, 10, 3)
    return writer


def test_what_is_written_is_read_again_with_names_secrets_comments_and_directions(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    writer = written(path)
    assert writer.size == path.stat().st_size
    assert list(read_blocks(path)) == [
        Secrets(TLS_KEY_LOG, b"CLIENT_RANDOM 00 11\n"),
        Names("127.0.0.1", ("alice", "daily")), Names("2001:db8::1", ("bob",)),
        Packet(1_700_000_000_123_456_789, LINK_TYPE_RAW, IP_UDP, "INVITE offers opus – 你好", OUTBOUND),
        Packet(1_700_000_001_000_000_001, LINK_TYPE_RAW, IP_UDP, "", INBOUND, 900),
        Packet(1_700_000_002_000_000_000, 1, b"\0" * 15),
    ]
    assert read_secrets(path) == b"CLIENT_RANDOM 00 11\n"


@pytest.mark.interop
def test_tshark_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    written(path)
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.comment", "-e", "udp.dstport",
               "-e", "frame.len", "-e", "frame.packet_flags_direction"]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert rows[0].split("\t") == ["1700000000.123456789", "INVITE offers opus – 你好", "5062", str(len(IP_UDP)), "0x00000002"]
    assert rows[1].split("\t")[3:] == ["900", "0x00000001"]
    resolved = subprocess.run(["tshark", "-r", path, "-N", "n", "-c", "1", "-T", "fields", "-e", "ip.src_host"],
                              capture_output=True, text=True, check=True).stdout
    assert resolved.strip() in ("alice", "daily")


def test_big_endian_with_another_resolution_and_offset_is_read(tmp_path: Path) -> None:
    def block(kind: int, body: bytes) -> bytes:
        length = struct.pack(">I", len(body) + 12)
        return struct.pack(">I", kind) + length + body + length

    options = struct.pack(">HHB3x", 9, 1, 3) + struct.pack(">HHq", 14, 8, 100) + struct.pack(">HH", 0, 0)
    data = (block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(99, b"unknown!") +
            block(1, struct.pack(">HHI", 101, 0, 4) + options) +
            block(6, struct.pack(">IIIII", 0, 0, 1500, 4, 4) + b"abcd") + block(3, struct.pack(">I", 9) + b"efgh"))
    path = tmp_path / "big.pcapng"
    path.write_bytes(data)
    assert list(read_packets(path)) == [Packet(101_500_000_000, 101, b"abcd"), Packet(0, 101, b"efgh", length=9)]


def test_file_that_breaks_off_gives_what_can_be_read_and_the_place(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    written(path)
    whole = path.read_bytes()
    packets = list(read_packets(path))
    for size in range(1, len(whole), 7):
        path.write_bytes(whole[:size])
        got = []
        try:
            for packet in read_packets(path):
                got.append(packet)
        except CaptureError as error:
            assert "byte" in str(error) or "neither" in str(error)
        assert got == packets[:len(got)]


@pytest.mark.parametrize("at", range(0, 420, 3))
def test_a_damaged_byte_raises_nothing_but_capture_error(tmp_path: Path, at: int) -> None:
    path = tmp_path / "a.pcapng"
    written(path)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0xFF
    path.write_bytes(data)
    try:
        list(read_blocks(path))
    except CaptureError as error:
        assert str(error)


@given(st.lists(st.tuples(st.integers(0, 2**63), st.binary(max_size=70), st.text(max_size=20),
                          st.sampled_from(["", INBOUND, OUTBOUND])), max_size=5))
def test_writing_and_reading_are_inverse(tmp_path_factory: pytest.TempPathFactory,
                                         packets: list[tuple[int, bytes, str, str]]) -> None:
    file = io.BytesIO()
    writer = PcapngWriter(file)
    for time_ns, data, comment, direction in packets:
        writer.packet(time_ns, data, comment=comment, direction=direction)
    path = tmp_path_factory.getbasetemp() / "inverse.pcapng"
    path.write_bytes(file.getvalue())
    read = [(packet.time_ns, packet.data, packet.comment, packet.direction) for packet in read_packets(path)]
    assert read == packets


def test_a_hundred_thousand_packets_cost_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "many.pcapng"
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        for number in range(100_000):
            writer.packet(number, IP_UDP)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_packets(path)) == 100_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
