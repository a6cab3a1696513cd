"""IP packets behind extension headers and out of fragments, in whatever order these come."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.network import MAX_WAITING, IpReader, ip_packet
from pcap.reader import Packet
from pcap.synthesis import udp_packet
from tests.helpers.fragments import fragments_of, with_extensions

PAYLOAD = bytes(range(256)) * 12
V4 = udp_packet(("192.0.2.1", 5060), ("192.0.2.2", 5061), PAYLOAD)
V6 = udp_packet(("2001:db8::1", 5060), ("2001:db8::2", 5061), PAYLOAD)


@pytest.mark.parametrize("whole", [V4, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_fragments_in_any_order_make_the_packet(whole: bytes, order: tuple[int, ...]) -> None:
    pieces, reader = fragments_of(whole, 1200), IpReader()
    assert len(pieces) == 3 and all(ip_packet(Packet(0, 101, piece)) is None for piece in pieces)
    found = [reader.receive(Packet(0, 101, pieces[number])) for number in order]
    assert found[:2] == [None, None]
    assert found[2] is not None and found[2].payload[8:] == PAYLOAD and found[2].fragments == 3


def test_a_missing_fragment_is_waited_for_and_a_doubled_one_does_no_harm() -> None:
    pieces, reader = fragments_of(V4, 1200), IpReader()
    for piece in (pieces[0], pieces[2], pieces[2], pieces[0]):
        assert reader.receive(Packet(0, 101, piece)) is None
    assert reader.receive(Packet(0, 101, pieces[1])) is not None


def test_fragments_that_never_end_are_forgotten() -> None:
    reader = IpReader()
    for number in range(3 * MAX_WAITING):
        piece = bytearray(fragments_of(V4, 1200)[0])
        piece[4:6] = struct.pack("!H", number)
        reader.receive(Packet(0, 101, bytes(piece)))
    assert len(reader._waiting) == MAX_WAITING


@pytest.mark.parametrize("kinds", [(0,), (0, 43, 60), (51,), (60, 51)], ids=str)
def test_payload_is_found_behind_extension_headers(kinds: tuple[int, ...]) -> None:
    found = ip_packet(Packet(0, 101, with_extensions(V6, kinds)))
    assert found is not None and found.protocol == 17 and found.payload[8:] == PAYLOAD and found.ttl == 64


@given(st.sampled_from([V4[:60], V6[:80]]), st.integers(0, 59), st.integers(0, 255), st.integers(0, 80))
def test_no_damage_raises_an_error(whole: bytes, at: int, value: int, size: int) -> None:
    data = bytearray(whole)
    data[at] = value
    reader = IpReader()
    for _ in range(2):
        reader.receive(Packet(0, 101, bytes(data[:size])))
