"""A capture as what it is about: SIP messages over UDP and TCP, and RTP packets, in order. It is read afresh at each walk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pcap.keylog import Address, KeyLog
from pcap.network import ip_packet
from pcap.reader import read_packets
from pcap.sip_ladder import SeenMessage
from pcap.synthesis import TCP, UDP
from pcap.tcp import Segment
from pcap.tcp_streams import Framers, TcpStreams
from rtp.demux import DatagramKind, sort_datagram
from rtp.errors import ParseError
from rtp.packet import RtpPacket
from sip.errors import ParseError as SipParseError
from sip.parser import parse_message


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


def walk(path: Path) -> Iterator[SeenMessage | SeenPacket]:
    """Messages and packets of a capture. Raises CaptureError where the file breaks off."""
    streams, framers = TcpStreams(KeyLog()), Framers()
    for number, packet in enumerate(read_packets(path), 1):
        ip = ip_packet(packet)
        if ip is None:
            continue
        if ip.protocol == UDP and len(ip.payload) > 8:
            source = (ip.source, int.from_bytes(ip.payload[:2]))
            destination = (ip.destination, int.from_bytes(ip.payload[2:4]))
            one = _datagram(number, packet.time_ns, source, destination, ip.payload[8:])
            if one is not None:
                yield one
        elif ip.protocol == TCP and (segment := Segment.parse(ip.source, ip.destination, ip.payload)) is not None:
            for said in streams.receive(segment):
                for data in framers.feed(said):
                    message = _message(number, packet.time_ns, segment.source, segment.destination, data)
                    if message is not None:
                        yield message


def _datagram(number: int, time_ns: int, source: Address, destination: Address,
              data: bytes) -> SeenMessage | SeenPacket | None:
    match sort_datagram(data):
        case DatagramKind.RTP:
            try:
                return SeenPacket(number, time_ns, source, destination, RtpPacket.parse(data), len(data))
            except ParseError:
                return None
        case DatagramKind.UNKNOWN | DatagramKind.TURN:
            return _message(number, time_ns, source, destination, data)
    return None


def _message(number: int, time_ns: int, source: Address, destination: Address, data: bytes) -> SeenMessage | None:
    try:
        return SeenMessage(number, time_ns, source, destination, parse_message(data))
    except SipParseError:
        return None
