"""Capture files: both formats, both byte orders, and files that break off."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.errors import CaptureError
from pcap.reader import Packet, read_packets


def classic(order: str, magic: int, packets: list[tuple[int, int, bytes]], link_type: int = 101) -> bytes:
    """A classic pcap file: (seconds, fraction, data) each."""
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    return head + b"".join(struct.pack(order + "IIII", s, f, len(d), len(d)) + d for s, f, d in packets)


def block(order: str, kind: int, body: bytes) -> bytes:
    """A pcapng block around a body."""
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def pcapng(order: str, packets: list[tuple[int, bytes]], nanoseconds: bool) -> bytes:
    """A pcapng file with one interface: (ticks, data) each."""
    options = struct.pack(order + "HHB3x", 9, 1, 9) + struct.pack(order + "HH", 0, 0) if nanoseconds else b""
    out = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(order, 1, struct.pack(order + "HHI", 101, 0, 0) + options)
    for ticks, data in packets:
        head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        out += block(order, 6, head + data)
    return out


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "tick_ns"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_classic_capture_is_read_in_both_byte_orders(tmp_path: Path, order: str, magic: int, tick_ns: int) -> None:
    file = tmp_path / "c.pcap"
    file.write_bytes(classic(order, magic, [(7, 5, b"abc"), (8, 6, b"")]))
    assert list(read_packets(file)) == [
        Packet(7_000_000_000 + 5 * tick_ns, 101, b"abc"), Packet(8_000_000_000 + 6 * tick_ns, 101, b""),
    ]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcapng_is_read_with_its_resolution(tmp_path: Path, order: str, nanoseconds: bool) -> None:
    file = tmp_path / "c.pcapng"
    file.write_bytes(pcapng(order, [(5_000_000_001, b"abcde")], nanoseconds))
    assert list(read_packets(file)) == [Packet(5_000_000_001 * (1 if nanoseconds else 1000), 101, b"abcde")]


def test_a_file_that_breaks_off_gives_what_can_be_read_and_says_where(tmp_path: Path) -> None:
    file = tmp_path / "c.pcap"
    file.write_bytes(classic("<", 0xA1B2C3D4, [(1, 0, b"whole"), (2, 0, b"broken")])[:-3])
    packets = []
    with pytest.raises(CaptureError, match="breaks off at byte"):
        for packet in read_packets(file):
            packets.append(packet)
    assert [packet.data for packet in packets] == [b"whole"]


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x0a\x0d\x0d\x0a\xff\xff\xff\xff\x4d\x3c\x2b\x1a"])
def test_what_is_no_capture_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "c"
    file.write_bytes(content)
    with pytest.raises(CaptureError):
        list(read_packets(file))


def test_packet_of_an_interface_that_was_not_described_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "c.pcapng"
    head = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    file.write_bytes(head + block("<", 6, struct.pack("<IIIII", 3, 0, 0, 0, 0)))
    with pytest.raises(CaptureError, match="interface 3"):
        list(read_packets(file))


def test_further_sections_simple_packets_and_unknown_blocks_are_read_or_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "c.pcapng"
    simple = block("<", 3, struct.pack("<I", 4) + b"abcd")
    first, second = pcapng(">", [(1, b"one")], False), pcapng("<", [(2, b"two")], False)
    file.write_bytes(first + block(">", 0xBAD, b"1234") + second + simple)
    assert [packet.data for packet in read_packets(file)] == [b"one", b"two", b"abcd"]


@pytest.mark.parametrize("exponent", [0x80 | 10, 6, 9, 3])
def test_resolution_may_be_a_power_of_two_or_ten(tmp_path: Path, exponent: int) -> None:
    file = tmp_path / "c.pcapng"
    options = struct.pack("<HHB3x", 9, 1, exponent)
    head = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    head += block("<", 1, struct.pack("<HHI", 1, 0, 0) + options)
    file.write_bytes(head + block("<", 6, struct.pack("<IIIII", 0, 0, 2000, 0, 0)))
    per_second = 1 << 10 if exponent & 0x80 else 10 ** exponent
    assert next(read_packets(file)).time_ns == 2000 * 10**9 // per_second


heads = st.sampled_from([
    b"", classic("<", 0xA1B2C3D4, [(1, 0, b"x")]), pcapng("<", [(1, b"x")], True), pcapng(">", [(1, b"x")], False),
    block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block("<", 1, struct.pack("<HHIHH", 1, 0, 0, 9, 1)),
])


@given(heads, st.binary(max_size=120), st.integers(0, 40))
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, head: bytes, tail: bytes, cut: int) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz"
    file.write_bytes(head[:len(head) - cut] + tail)
    try:
        list(read_packets(file))
    except CaptureError:
        return
