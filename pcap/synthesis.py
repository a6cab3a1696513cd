"""Makes IP packets around payloads (RFC 791, RFC 8200, RFC 768, RFC 9293), lengths and checksums right: raw IP, link type 101.

`TcpWriter` makes a connection of which nothing is known but what the two sides said: a handshake, then data in segments
with sequence numbers that fit, so that a reader puts the streams together again.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

LINK_TYPE_RAW = 101
UDP, TCP = 17, 6
MAX_SEGMENT = 16384
"""Bytes of data in a segment, as many as a TLS record has; no link carries it, and readers don't mind."""
_FIN, _SYN, _PSH, _ACK = 0x01, 0x02, 0x08, 0x10

Address = tuple[str, int]


def udp_packet(source: Address, destination: Address, payload: bytes) -> bytes:
    """A UDP datagram in an IP packet. Addresses are of one family; payload: at most 65,507 bytes."""
    head = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0)
    return _ip_packet(UDP, source[0], destination[0], head + payload, checksum_at=6)


def tcp_packet(source: Address, destination: Address, sequence: int, acknowledged: int, flags: int, payload: bytes) -> bytes:
    """A TCP segment in an IP packet."""
    head = struct.pack("!HHIIBBHHH", source[1], destination[1], sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF,
                       5 << 4, flags, 65535, 0, 0)
    return _ip_packet(TCP, source[0], destination[0], head + payload, checksum_at=16)


@dataclass(slots=True)
class TcpWriter:
    """A connection that is told anew. client: who opened it; next: the next sequence number of client and server."""

    client: Address
    server: Address
    client_next: int = 1
    server_next: int = 1
    is_open: bool = False

    def say(self, is_client: bool, data: bytes) -> list[bytes]:
        """The packets in which one side says something; before the first of all, the three of the handshake."""
        packets = [] if self.is_open else self._handshake()
        self.is_open = True
        source, destination = (self.client, self.server) if is_client else (self.server, self.client)
        for start in range(0, len(data), MAX_SEGMENT):
            piece = data[start:start + MAX_SEGMENT]
            sequence, acknowledged = (self.client_next, self.server_next) if is_client else (self.server_next, self.client_next)
            packets.append(tcp_packet(source, destination, sequence, acknowledged, _PSH | _ACK, piece))
            if is_client:
                self.client_next += len(piece)
            else:
                self.server_next += len(piece)
        return packets

    def close(self) -> list[bytes]:
        """The packet with which the client says that it is done."""
        if not self.is_open:
            return []
        self.is_open = False
        return [tcp_packet(self.client, self.server, self.client_next, self.server_next, _FIN | _ACK, b"")]

    def _handshake(self) -> list[bytes]:
        return [
            tcp_packet(self.client, self.server, 0, 0, _SYN, b""),
            tcp_packet(self.server, self.client, 0, 1, _SYN | _ACK, b""),
            tcp_packet(self.client, self.server, 1, 1, _ACK, b""),
        ]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071): the complement of the sum of 16-bit words."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ip_packet(protocol: int, source: str, destination: str, segment: bytes, checksum_at: int) -> bytes:
    packed = ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed
    if len(packed[0]) != len(packed[1]):
        raise ValueError(f"{source} and {destination} are of different families")
    pseudo = b"".join(packed)
    if len(packed[0]) == 4:
        pseudo += struct.pack("!HH", protocol, len(segment))
    else:
        pseudo += struct.pack("!II", len(segment), protocol)
    total = checksum(pseudo + segment)
    if protocol == UDP and not total:
        total = 0xFFFF
    segment = segment[:checksum_at] + total.to_bytes(2) + segment[checksum_at + 2:]
    if len(packed[0]) == 16:
        return struct.pack("!IHBB", 6 << 28, len(segment), protocol, 64) + b"".join(packed) + segment
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, protocol, 0) + b"".join(packed)
    return head[:10] + checksum(head).to_bytes(2) + head[12:] + segment
