"""The IP packet inside a captured frame (RFC 791, RFC 8200), whole ones only; fragments and extension headers give none."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from pcap.frames import network_layer
from pcap.reader import Packet


@dataclass(frozen=True, slots=True)
class IpPacket:
    """Who sent it to whom, the protocol's number, and what it carries."""

    source: str
    destination: str
    protocol: int
    payload: bytes


def ip_packet(packet: Packet) -> IpPacket | None:
    """The IP packet of a frame, None for other frames and for fragments."""
    network = network_layer(packet)
    if len(network) >= 20 and network[0] >> 4 == 4:
        head, total = (network[0] & 15) * 4, int.from_bytes(network[2:4]) or len(network)
        if head < 20 or int.from_bytes(network[6:8]) & 0x3FFF:
            return None
        return IpPacket(_text(network[12:16]), _text(network[16:20]), network[9], network[head:total])
    if len(network) >= 40 and network[0] >> 4 == 6:
        size = int.from_bytes(network[4:6])
        return IpPacket(_text(network[8:24]), _text(network[24:40]), network[6], network[40:40 + size])
    return None


def _text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))
