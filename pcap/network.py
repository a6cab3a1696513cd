"""The IP packet inside a captured frame (RFC 791, RFC 8200), behind extension headers and put together from its fragments.

`ip_packet` reads one frame by itself; `IpReader` keeps fragments until the last one has come (RFC 791 §3.2, RFC 8200 §4.5).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from functools import lru_cache

from pcap.frames import network_layer
from pcap.reader import Packet

MAX_WAITING = 1024
"""Packets whose fragments wait for each other; a new one pushes the oldest out."""
MAX_PACKET = 65535
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_MAX_HEADERS = 8
"""Extension headers in a row; more is no honest packet."""


@dataclass(frozen=True, slots=True)
class IpPacket:
    """Who sent it to whom, the protocol's number, and what it carries. ttl: hops that are left; fragments: it came in."""

    source: str
    destination: str
    protocol: int
    payload: bytes
    ttl: int = 0
    fragments: int = 1


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A piece of a packet. offset: of its payload, in bytes."""

    packet: IpPacket
    identification: int
    offset: int
    is_last: bool


def ip_packet(packet: Packet) -> IpPacket | None:
    """The IP packet of a frame, None for other frames and for fragments."""
    found = _read(packet)
    return found if isinstance(found, IpPacket) else None


def fragment_protocol(packet: Packet) -> int | None:
    """The protocol of which a frame holds a fragment; None for whole packets and other frames."""
    found = _read(packet)
    return found.packet.protocol if isinstance(found, _Fragment) else None


class IpReader:
    """Reads frame after frame."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, int, int], dict[int, _Fragment]] = {}

    def receive(self, packet: Packet) -> IpPacket | None:
        """The IP packet of a frame, or the one that this fragment completes."""
        found = _read(packet)
        return self._gather(found) if isinstance(found, _Fragment) else found

    def _gather(self, fragment: _Fragment) -> IpPacket | None:
        head = fragment.packet
        key = (head.source, head.destination, head.protocol, fragment.identification)
        if key not in self._waiting and len(self._waiting) >= MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        pieces = self._waiting.setdefault(key, {})
        pieces.setdefault(fragment.offset, fragment)
        whole = bytearray()
        for offset in sorted(pieces):
            piece = pieces[offset]
            if offset > len(whole) or offset + len(piece.packet.payload) > MAX_PACKET:
                return None
            whole[offset:] = piece.packet.payload
            if piece.is_last:
                del self._waiting[key]
                return replace(pieces[0].packet, payload=bytes(whole), fragments=len(pieces))
        return None


def _read(packet: Packet) -> IpPacket | _Fragment | None:
    network = network_layer(packet)
    if len(network) >= 20 and network[0] >> 4 == 4:
        return _version_4(network)
    if len(network) >= 40 and network[0] >> 4 == 6:
        return _version_6(network)
    return None


def _version_4(network: bytes) -> IpPacket | _Fragment | None:
    head, total = (network[0] & 15) * 4, int.from_bytes(network[2:4]) or len(network)
    if head < 20:
        return None
    found = IpPacket(_text(network[12:16]), _text(network[16:20]), network[9], network[head:total], network[8])
    place = int.from_bytes(network[6:8])
    if not place & 0x3FFF:
        return found
    return _Fragment(found, int.from_bytes(network[4:6]), (place & 0x1FFF) * 8, not place & 0x2000)


def _version_6(network: bytes) -> IpPacket | _Fragment | None:
    end = min(len(network), 40 + (int.from_bytes(network[4:6]) or len(network)))
    kind, at, fragment = network[6], 40, None
    for _ in range(_MAX_HEADERS):
        if kind in (_HOP_BY_HOP, _ROUTING, _DESTINATION) and at + 8 <= end:
            kind, at = network[at], at + 8 + 8 * network[at + 1]
        elif kind == _AUTHENTICATION and at + 8 <= end:
            kind, at = network[at], at + 8 + 4 * network[at + 1]
        elif kind == _FRAGMENT and at + 8 <= end and fragment is None:
            fragment, kind, at = network[at:at + 8], network[at], at + 8
            if int.from_bytes(fragment[2:4]) >> 3:
                break
        else:
            break
    found = IpPacket(_text(network[8:24]), _text(network[24:40]), kind, network[at:end], network[7])
    if fragment is None:
        return found
    place = int.from_bytes(fragment[2:4])
    if not place & 0xFFF9:
        return found
    return _Fragment(found, int.from_bytes(fragment[4:8]), place & 0xFFF8, not place & 1)


@lru_cache(4096)
def _text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))
