"""From a capture with TLS and SRTP to a plain one that Wireshark reads and plays: finds the keys, opens, writes anew.

The file is read twice. The first time all keys are gathered: key log, decryption secrets, SDP in plain SIP and in SIP over TLS
(RFC 4568), DTLS handshakes (RFC 5764). The second time what opens is replaced by packets made anew, and the rest is copied.
Memory does not grow with the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pcap.dtls import DtlsKeys
from pcap.errors import CaptureError
from pcap.keylog import Address, KeyLog
from pcap.network import IpPacket, IpReader, fragment_protocol
from pcap.pcapng import PcapngWriter
from pcap.reader import Names, Packet, Secrets, read_blocks, read_secrets
from pcap.sdes import media_addresses, plain_message, sdes_keys
from pcap.srtp import SrtpOpener, StreamName
from pcap.synthesis import LINK_TYPE_RAW, TCP, UDP, TcpWriter, udp_packet
from pcap.tcp import Segment
from pcap.tcp_streams import ConnectionName, Framers, Said, TcpStreams
from rtp.demux import DatagramKind, sort_datagram

LATEST_NS = 2**64 - 1
"""What a pcapng file can say; a damaged time may be later."""
Frame = tuple[int, bytes, str]
"""Link type, bytes and comment of what is written."""
_CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]{1,256})\r$", re.M | re.I)
_TEXT = (DatagramKind.UNKNOWN, DatagramKind.TURN)
"""What RFC 7983 makes of the first letter of a SIP message, which comes on sockets of its own."""
COMMENT_TLS, COMMENT_SRTP, COMMENT_SDP = "was TLS", "was SRTP", "RTP/SAVP and keys were taken out of the SDP"
COMMENT_WHOLE = "came in fragments"


@dataclass(slots=True)
class Decrypted:
    """What was done. closed: streams of RTP that no key opened; fragments: those of datagrams that never became whole, which
    are left out; broken: where the file breaks off.
    """

    packets: int = 0
    tls_connections: int = 0
    tls_unknown: int = 0
    tls_records_unread: int = 0
    dtls_handshakes: int = 0
    dtls_unknown: int = 0
    srtp_keys: int = 0
    srtp_packets: int = 0
    srtcp_packets: int = 0
    opened: int = 0
    fragments: int = 0
    closed: list[StreamName] = field(default_factory=list)
    broken: str = ""


def decrypt(source: Path, target: Path, keys: bytes = b"") -> Decrypted:
    """Write `target`, a plain capture of `source`. keys: the text of a key log or key file.

    Raises CaptureError for what is no capture, OSError where a file can't be read or written.
    """
    log = KeyLog(keys)
    log.add(read_secrets(source))
    gathered = _Gatherer(log)
    done = Decrypted()
    for block in _readable(source, done):
        if isinstance(block, Packet):
            gathered.receive(block)
    if done.broken and not gathered.packets:
        raise CaptureError(done.broken)
    gathered.sum_up(done)
    translator = _Translator(log, gathered, done)
    with open(target, "wb", opener=_private) as file:
        writer, last = PcapngWriter(file, "Confero decrypt"), Packet(0, LINK_TYPE_RAW, b"")
        for block in _readable(source, done):
            if isinstance(block, Names):
                writer.names({block.address: block.names})
            elif isinstance(block, Packet):
                last = block
                _write(writer, block, translator.receive(block), done)
        _write(writer, last, translator.finish(), done)
    done.opened, done.closed = len(translator.opener.opened_streams()), translator.opener.closed_streams()
    return done


def _private(path: str, flags: int) -> int:
    """Opens a file that is its owner's alone: what is in it was protected."""
    return os.open(path, flags, 0o600)


def _readable(source: Path, done: Decrypted) -> Iterator[Packet | Names | Secrets]:
    """What can be read of a file; where it breaks off is noted."""
    try:
        yield from read_blocks(source)
    except CaptureError as error:
        done.broken = str(error)


def _write(writer: PcapngWriter, packet: Packet, frames: Iterator[Frame], done: Decrypted) -> None:
    """Write what takes a packet's place, with its time, direction and comment."""
    for link_type, data, comment in frames:
        words = "; ".join(filter(None, (packet.comment, comment)))
        is_copy = data is packet.data
        time_ns, length = min(max(0, packet.time_ns), LATEST_NS), packet.length if is_copy else 0
        writer.packet(time_ns, data, link_type=link_type, comment=words, direction=packet.direction, length=length)
        done.packets += 1


class _Gatherer:
    """The first reading: all keys, and which TCP connections are written anew: those read, and plain ones with keys."""

    def __init__(self, log: KeyLog) -> None:
        self.opener = SrtpOpener()
        self.rewritten: set[ConnectionName] = set()
        self.opened: set[Address] = set()
        self.handshakes: set[frozenset[Address]] = set()
        self.packets = 0
        self._ip = IpReader()
        self._dtls = DtlsKeys(log)
        self._tcp = TcpStreams(log)
        self._framers = Framers()
        for key in log.srtp:
            self.opener.add(key)

    def receive(self, packet: Packet) -> None:
        """Take the keys of a packet."""
        self.packets += 1
        ip = self._ip.receive(packet)
        if ip is None:
            return
        if ip.protocol == UDP and len(ip.payload) > 8:
            self._datagram(*_udp(ip))
        elif ip.protocol == TCP and (segment := Segment.parse(ip.source, ip.destination, ip.payload)) is not None:
            for said in self._tcp.receive(segment):
                for message in self._framers.feed(said):
                    if self._text(message):
                        self.rewritten.add(said.name)

    def sum_up(self, done: Decrypted) -> None:
        """Tell what is known when all is read."""
        self.rewritten |= self._tcp.readable
        done.tls_connections, done.tls_unknown = len(self._tcp.readable), len(self._tcp.unreadable)
        done.dtls_handshakes, done.dtls_unknown = self._dtls.handshakes, self._dtls.unknown
        done.srtp_keys = self.opener.keys

    def _datagram(self, source: Address, destination: Address, payload: bytes) -> None:
        kind = sort_datagram(payload)
        if kind is DatagramKind.DTLS:
            for key in self._dtls.receive(source, destination, payload):
                self.opener.add(key)
                self.handshakes.add(frozenset((source, destination)))
        elif kind is DatagramKind.RTP:
            if self.opener.keys and not self.opener.is_opened(int.from_bytes(payload[8:12]), source, destination) \
                    and self.opener.rtp(payload, source, destination) is not None:
                self.opened |= {source, destination}
        elif kind in _TEXT:
            self._text(payload)

    def _text(self, data: bytes) -> bool:
        """Take the keys in the SDP of a SIP message; whether it has lines that may have to be taken out."""
        at = data.find(b"\r\n\r\nv=0")
        if at < 0:
            return False
        name = _CALL_ID.search(data, 0, at + 2)
        call = name[1].decode("utf-8", "replace") if name else ""
        for key in sdes_keys(data[at + 4:]):
            self.opener.add(key, call)
        self.opener.relate(call, media_addresses(data[at + 4:]))
        return b"\na=crypto:" in data or b"\na=fingerprint:" in data


class _Translator:
    """The second reading: each packet becomes what is written for it."""

    def __init__(self, log: KeyLog, gathered: _Gatherer, done: Decrypted) -> None:
        self.opener = gathered.opener.again()
        self._opened = gathered.opened
        self._handshakes = gathered.handshakes
        self._rewritten = gathered.rewritten
        self._done = done
        self._ip = IpReader()
        self._tcp = TcpStreams(log)
        self._framers = Framers()
        self._writers: dict[ConnectionName, TcpWriter] = {}

    def receive(self, packet: Packet) -> Iterator[Frame]:
        """What takes the packet's place; nothing for a segment that completes no message, or a fragment of a datagram."""
        ip = self._ip.receive(packet)
        if ip is None and fragment_protocol(packet) == UDP:
            self._done.fragments += 1
            return
        if ip is not None and ip.protocol == UDP and len(ip.payload) > 8:
            self._done.fragments -= ip.fragments - 1
            if self._is_handshake(*_udp(ip)):
                return
            made = self._datagram(*_udp(ip), is_whole=ip.fragments == 1)
            if made is not None:
                yield made
                return
        segment = Segment.parse(ip.source, ip.destination, ip.payload) if ip is not None and ip.protocol == TCP else None
        if segment is None or frozenset((segment.source, segment.destination)) not in self._rewritten:
            yield packet.link_type, packet.data, ""
            return
        for said in self._tcp.receive(segment):
            for message in self._framers.feed(said):
                yield from self._written(said, message)
        self._done.tls_records_unread = self._tcp.unread_records

    def finish(self) -> Iterator[Frame]:
        """What was said and waits for the rest of its message, at the end of the file."""
        for said, message in self._framers.finish():
            yield from self._written(said, message)

    def _is_handshake(self, source: Address, destination: Address, payload: bytes) -> bool:
        """Whether it is DTLS whose keys are known: Wireshark would take the media on these addresses for SRTP after it."""
        return frozenset((source, destination)) in self._handshakes and sort_datagram(payload) is DatagramKind.DTLS

    def _datagram(self, source: Address, destination: Address, payload: bytes, is_whole: bool) -> Frame | None:
        """The datagram as it is written, None to copy its frame; one that came in fragments is always made anew."""
        kind = sort_datagram(payload)
        plain, comment = None, COMMENT_SRTP
        if kind is DatagramKind.RTP:
            plain = self.opener.rtp(payload, source, destination)
            self._done.srtp_packets += plain is not None
        elif kind is DatagramKind.RTCP:
            plain = self.opener.rtcp(payload, source, destination)
            self._done.srtcp_packets += plain is not None
        elif kind in _TEXT:
            changed, comment = plain_message(payload, self._opened), COMMENT_SDP
            plain = None if changed == payload else changed
        if plain is None:
            return None if is_whole else (LINK_TYPE_RAW, udp_packet(source, destination, payload), COMMENT_WHOLE)
        return LINK_TYPE_RAW, udp_packet(source, destination, plain), comment

    def _written(self, said: Said, message: bytes) -> Iterator[Frame]:
        writer = self._writers.get(said.name)
        if writer is None or writer.client != said.client:
            writer = self._writers[said.name] = TcpWriter(said.client, said.server)
        comment = COMMENT_TLS if said.is_tls else COMMENT_SDP
        for data in writer.say(said.is_client, plain_message(message, self._opened)):
            yield LINK_TYPE_RAW, data, comment


def _udp(ip: IpPacket) -> tuple[Address, Address, bytes]:
    """Source, destination and payload of a UDP datagram in an IP packet."""
    ports = int.from_bytes(ip.payload[:2]), int.from_bytes(ip.payload[2:4])
    return (ip.source, ports[0]), (ip.destination, ports[1]), ip.payload[8:]
