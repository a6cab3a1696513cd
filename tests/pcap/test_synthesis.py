"""Packets made around payloads: checksums that add up, and streams that a reader can put together again."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.synthesis import MAX_SEGMENT, Address, TcpWriter, checksum, udp_packet

V4: tuple[Address, Address] = (("192.0.2.1", 5060), ("192.0.2.2", 40000))
V6: tuple[Address, Address] = (("2001:db8::1", 5060), ("2001:db8::2", 40000))


def segment_of(packet: bytes) -> tuple[bytes, bytes]:
    """(pseudo header, transport segment) of an IP packet, after its own header was checked."""
    if packet[0] >> 4 == 4:
        assert checksum(packet[:20]) == 0 and int.from_bytes(packet[2:4]) == len(packet)
        return packet[12:20] + struct.pack("!HH", packet[9], len(packet) - 20), packet[20:]
    assert int.from_bytes(packet[4:6]) == len(packet) - 40
    return packet[8:40] + struct.pack("!II", len(packet) - 40, packet[6]), packet[40:]


@pytest.mark.parametrize("ends", [V4, V6], ids=["v4", "v6"])
@given(payload=st.binary(max_size=300))
def test_checksums_of_a_datagram_add_up(ends: tuple[Address, Address], payload: bytes) -> None:
    packet = udp_packet(*ends, payload)
    pseudo, segment = segment_of(packet)
    assert checksum(pseudo + segment) == 0 and segment[8:] == payload
    assert struct.unpack("!HHH", segment[:6]) == (5060, 40000, 8 + len(payload))
    size = 4 if packet[0] >> 4 == 4 else 16
    assert ipaddress.ip_address(pseudo[:size]) == ipaddress.ip_address(ends[0][0])


def test_connection_begins_with_a_handshake_and_its_numbers_go_on() -> None:
    writer = TcpWriter(*V4)
    said = [(True, b"x" * (MAX_SEGMENT + 5)), (False, b"answer"), (True, b"more")]
    packets = [packet for is_client, data in said for packet in writer.say(is_client, data)] + writer.close()
    seen = []
    for packet in packets:
        pseudo, segment = segment_of(packet)
        assert checksum(pseudo + segment) == 0
        port, _, sequence, acknowledged, _, flags = struct.unpack("!HHIIBB", segment[:14])
        seen.append((port == 5060, sequence, acknowledged, flags, len(segment) - 20))
    end = MAX_SEGMENT + 6
    assert seen == [
        (True, 0, 0, 2, 0), (False, 0, 1, 18, 0), (True, 1, 1, 16, 0), (True, 1, 1, 24, MAX_SEGMENT),
        (True, MAX_SEGMENT + 1, 1, 24, 5), (False, 1, end, 24, 6), (True, end, 7, 24, 4), (True, end + 4, 7, 17, 0),
    ]


def test_addresses_of_two_families_are_refused() -> None:
    with pytest.raises(ValueError, match="different families"):
        udp_packet(V4[0], V6[1], b"")
