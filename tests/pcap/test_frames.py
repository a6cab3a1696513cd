"""Link layers and IP versions: the same datagram is found behind each."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.frames import Datagram, udp_datagram
from pcap.reader import Packet
from tests.pcap.test_streams import ipv4_udp

V4 = ipv4_udp(b"hello")
UDP = struct.pack("!HHHH", 4000, 5000, 13, 0) + b"hello"
V6 = struct.pack("!IHBB", 0x60000000, len(UDP), 17, 64) + bytes(15) + b"\1" + bytes(15) + b"\2" + UDP
EXPECTED = {
    4: Datagram(7, ("10.0.0.1", 4000), ("10.0.0.2", 5000), b"hello"), 6: Datagram(7, ("::1", 4000), ("::2", 5000), b"hello"),
}


@pytest.mark.parametrize(("link_type", "head"), [
    (1, bytes(12) + b"{type}"), (1, bytes(12) + b"\x88\xa8\0\1\x81\0\0\2{type}"), (101, b""), (228, b""), (229, b""),
    (113, bytes(14) + b"{type}"), (276, b"{type}" + bytes(18)), (0, b"\2\0\0\0"), (108, b"\0\0\0\2"),
])
@pytest.mark.parametrize("version", [4, 6])
def test_datagram_is_found_behind_each_link_layer(link_type: int, head: bytes, version: int) -> None:
    frame = head.replace(b"{type}", b"\x08\x00" if version == 4 else b"\x86\xdd") + (V4 if version == 4 else V6)
    assert udp_datagram(Packet(7, link_type, frame)) == EXPECTED[version]


def test_padding_of_ethernet_is_no_payload() -> None:
    assert udp_datagram(Packet(7, 1, bytes(12) + b"\x08\x00" + V4 + bytes(18))) == EXPECTED[4]


@pytest.mark.parametrize("packet", [
    Packet(7, 9999, V4), Packet(7, 1, bytes(12) + b"\x08\x06" + V4), Packet(7, 101, V4[:24]), Packet(7, 101, V6[:44]),
    Packet(7, 101, V4[:9] + b"\6" + V4[10:]), Packet(7, 101, V6[:6] + b"\6" + V6[7:]), Packet(7, 101, b"\x41" + V4[1:]),
])
def test_what_is_no_whole_udp_datagram_gives_none(packet: Packet) -> None:
    assert udp_datagram(packet) is None


@given(st.sampled_from([0, 1, 101, 113, 276]),
       st.binary(max_size=100) | st.binary(max_size=60).map(lambda tail: V4[:20] + tail))
def test_no_bytes_crash_it(link_type: int, data: bytes) -> None:
    datagram = udp_datagram(Packet(7, link_type, data))
    assert datagram is None or len(datagram.payload) <= len(data)
