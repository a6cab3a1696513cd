"""From a captured frame to the UDP datagram inside: Ethernet, VLAN, Linux cooked, BSD loopback, IPv4, IPv6."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from pcap.reader import Packet

_ETHERNET, _RAW, _SLL, _SLL2, _NULL, _LOOP = 1, 101, 113, 276, 0, 108
_IPV4, _IPV6, _VLAN = 0x0800, 0x86DD, (0x8100, 0x88A8)


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram: who sent it when to whom, and its payload."""

    time_ns: int
    source: tuple[str, int]
    destination: tuple[str, int]
    payload: bytes


def udp_datagram(packet: Packet) -> Datagram | None:
    """The UDP datagram of a frame, or None when it carries none (or only a fragment of one)."""
    network = network_layer(packet)
    if not network:
        return None
    version = network[0] >> 4
    if version == 4 and len(network) >= 20:
        return _from_ipv4(packet.time_ns, network)
    if version == 6 and len(network) >= 48 and network[6] == 17:
        source, destination = network[8:24], network[24:40]
        return _from_udp(packet.time_ns, source, destination, network[40:])
    return None


def network_layer(packet: Packet) -> bytes:
    """The frame from its IP header on; empty for other frames."""
    data = packet.data
    if packet.link_type == _ETHERNET and len(data) >= 14:
        kind, start = struct.unpack_from("!H", data, 12)[0], 14
        while kind in _VLAN and len(data) >= start + 4:
            kind, start = struct.unpack_from("!H", data, start + 2)[0], start + 4
        return data[start:] if kind in (_IPV4, _IPV6) else b""
    offset = {_RAW: 0, 228: 0, 229: 0, _SLL: 16, _SLL2: 20, _NULL: 4, _LOOP: 4}.get(packet.link_type)
    return b"" if offset is None else data[offset:]


def _from_ipv4(time_ns: int, network: bytes) -> Datagram | None:
    header = (network[0] & 0x0F) * 4
    fragment = struct.unpack_from("!H", network, 6)[0]
    if network[9] != 17 or fragment & 0x3FFF or header < 20:
        return None
    total = struct.unpack_from("!H", network, 2)[0] or len(network)
    return _from_udp(time_ns, network[12:16], network[16:20], network[header:total])


def _from_udp(time_ns: int, source: bytes, destination: bytes, segment: bytes) -> Datagram | None:
    if len(segment) < 8:
        return None
    source_port, destination_port, length = struct.unpack_from("!HHH", segment)
    return Datagram(
        time_ns,
        (str(ipaddress.ip_address(source)), source_port),
        (str(ipaddress.ip_address(destination)), destination_port),
        segment[8:length] if length >= 8 else segment[8:],
    )
