"""What is in the packets of a capture: SIP over UDP and TCP, RTP, RTCP, complaints of ICMP, and other datagrams.

A UDP payload is sorted by its first byte (RFC 7983 §7, RFC 5761 §4) and then has to parse; what doesn't is a `Datagram`.
Whether RTP really is RTP shows only in its stream (`pcap.streams`). ICMP: RFC 792, RFC 4443 §3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pcap.keylog import Address, KeyLog
from pcap.network import IpPacket, IpReader
from pcap.reader import Packet, read_packets
from pcap.sip_ladder import SeenMessage
from pcap.synthesis import TCP, UDP
from pcap.tcp import Segment
from pcap.tcp_streams import Framers, TcpStreams
from rtp.demux import DatagramKind, sort_datagram
from rtp.errors import ParseError
from rtp.packet import RtpPacket
from rtp.rtcp import RtcpPacket, parse_compound
from sip.errors import ParseError as SipParseError
from sip.parser import parse_message

UNREACHABLE, TOO_BIG, TIME_EXCEEDED = "unreachable", "too big", "time exceeded"
_ICMP, _ICMP6 = 1, 58
_COMPLAINTS = {(_ICMP, 3): UNREACHABLE, (_ICMP, 11): TIME_EXCEEDED, (_ICMP6, 1): UNREACHABLE, (_ICMP6, 2): TOO_BIG,
               (_ICMP6, 3): TIME_EXCEEDED}
_FRAGMENTATION_NEEDED = 4


@dataclass(frozen=True, slots=True)
class SeenPacket:
    """An RTP packet. size: bytes of UDP payload."""

    number: int
    time_ns: int
    source: Address
    destination: Address
    packet: RtpPacket
    size: int

    @property
    def stream(self) -> tuple[int, Address, Address]:
        """The stream that it belongs to: SSRC, source, destination."""
        return self.packet.ssrc, self.source, self.destination


@dataclass(frozen=True, slots=True)
class SeenControl:
    """A compound RTCP packet."""

    number: int
    time_ns: int
    source: Address
    destination: Address
    packets: tuple[RtcpPacket, ...]


@dataclass(frozen=True, slots=True)
class SeenComplaint:
    """ICMP about a datagram: `reporter` says that it did not get from source to destination. kind: UNREACHABLE, …"""

    number: int
    time_ns: int
    reporter: str
    kind: str
    source: Address
    destination: Address


@dataclass(frozen=True, slots=True)
class Datagram:
    """Any other datagram over UDP. kind: what its first byte says; comment and direction: of its frame."""

    number: int
    time_ns: int
    source: Address
    destination: Address
    payload: bytes
    kind: DatagramKind
    comment: str = ""
    direction: str = ""


Seen = SeenMessage | SeenPacket | SeenControl | SeenComplaint | Datagram


def dissect(path: Path) -> Iterator[Seen]:
    """All that is in a capture, in order. Raises CaptureError where the file breaks off, after all that could be read."""
    reader, streams, framers = IpReader(), TcpStreams(KeyLog()), Framers()
    for number, frame in enumerate(read_packets(path), 1):
        ip = reader.receive(frame)
        if ip is None:
            continue
        if ip.protocol == UDP:
            if len(ip.payload) > 8:
                yield _datagram(number, frame, ip)
        elif ip.protocol == TCP:
            if (segment := Segment.parse(ip.source, ip.destination, ip.payload)) is not None:
                yield from _said(number, frame, segment, streams, framers)
        elif ip.protocol in (_ICMP, _ICMP6) and (complaint := _complaint(number, frame.time_ns, ip)) is not None:
            yield complaint


def _datagram(number: int, frame: Packet, ip: IpPacket) -> Seen:
    head = ip.payload
    source, destination = (ip.source, int.from_bytes(head[:2])), (ip.destination, int.from_bytes(head[2:4]))
    data = head[8:int.from_bytes(head[4:6])] if head[4] or head[5] > 8 else head[8:]
    kind = sort_datagram(data)
    try:
        match kind:
            case DatagramKind.RTP:
                return SeenPacket(number, frame.time_ns, source, destination, RtpPacket.parse(data), len(data))
            case DatagramKind.RTCP:
                return SeenControl(number, frame.time_ns, source, destination, tuple(parse_compound(data)))
            case DatagramKind.UNKNOWN | DatagramKind.TURN:
                return SeenMessage(number, frame.time_ns, source, destination, parse_message(data), frame.comment)
    except (ParseError, SipParseError):
        pass
    return Datagram(number, frame.time_ns, source, destination, data, kind, frame.comment, frame.direction)


def _said(number: int, frame: Packet, segment: Segment, streams: TcpStreams, framers: Framers) -> Iterator[SeenMessage]:
    for said in streams.receive(segment):
        for data in framers.feed(said):
            try:
                message = parse_message(data)
            except SipParseError:
                continue
            yield SeenMessage(number, frame.time_ns, segment.source, segment.destination, message, frame.comment)


def _complaint(number: int, time_ns: int, ip: IpPacket) -> SeenComplaint | None:
    if len(ip.payload) < 8 + 28:
        return None
    kind = _COMPLAINTS.get((ip.protocol, ip.payload[0]))
    if kind is None:
        return None
    if ip.protocol == _ICMP and (ip.payload[0], ip.payload[1]) == (3, _FRAGMENTATION_NEEDED):
        kind = TOO_BIG
    inner = IpReader().receive(Packet(0, 101, ip.payload[8:]))
    if inner is None or inner.protocol not in (UDP, TCP) or len(inner.payload) < 4:
        return None
    ports = struct.unpack_from("!HH", inner.payload)
    return SeenComplaint(number, time_ns, ip.source, kind, (inner.source, ports[0]), (inner.destination, ports[1]))
