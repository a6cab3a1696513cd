"""RTCP packets (RFC 3550 §6): SR, RR, SDES, BYE; APP and feedback (RFC 4585) are passed through as they are."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from rtp.errors import ParseError

SR, RR, SDES, BYE, APP, RTPFB, PSFB, XR = 200, 201, 202, 203, 204, 205, 206, 207
CNAME = 1
MAX_PACKETS = 64
"""Packets in one compound; a datagram can't hold many more sensible ones."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source. `fraction_lost` in 1/256, `jitter` in timestamp units, `lsr` and `dlsr` in
    1/65536 s."""

    ssrc: int
    fraction_lost: int
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    lsr: int
    dlsr: int

    def __bytes__(self) -> bytes:
        lost = max(-0x800000, min(0x7FFFFF, self.cumulative_lost)) & 0xFFFFFF
        return struct.pack("!IIIIII", self.ssrc, self.fraction_lost << 24 | lost, self.highest_sequence & 0xFFFFFFFF,
                           min(self.jitter, 0xFFFFFFFF), self.lsr, self.dlsr)


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a sender says of itself, and of those it hears (§6.4.1)."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        body = struct.pack("!IQIII", self.ssrc, self.ntp, self.timestamp & 0xFFFFFFFF, self.packets & 0xFFFFFFFF,
                           self.octets & 0xFFFFFFFF)
        return _packet(SR, len(self.blocks), body + b"".join(map(bytes, self.blocks)))


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """What a mere receiver says (§6.4.2)."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        return _packet(RR, len(self.blocks), struct.pack("!I", self.ssrc) + b"".join(map(bytes, self.blocks)))


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """CNAMEs by SSRC (§6.5.1); other items are passed over."""

    cnames: dict[int, str]

    def __bytes__(self) -> bytes:
        chunks = b""
        for ssrc, cname in self.cnames.items():
            text = _clip(cname)
            chunk = struct.pack("!IBB", ssrc, CNAME, len(text)) + text + b"\0"
            chunks += chunk + bytes(-len(chunk) % 4)
        return _packet(SDES, len(self.cnames), chunks)


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Sources that leave (§6.6)."""

    ssrcs: tuple[int, ...]
    reason: str = ""

    def __bytes__(self) -> bytes:
        body = struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs)
        if self.reason:
            text = _clip(self.reason)
            body += bytes([len(text)]) + text
        return _packet(BYE, len(self.ssrcs), body + bytes(-len(body) % 4))


@dataclass(frozen=True, slots=True)
class OtherPacket:
    """APP, feedback, extended reports: `count` is the field after version and padding, `body` follows the header."""

    kind: int
    count: int
    body: bytes

    def __bytes__(self) -> bytes:
        return _packet(self.kind, self.count, self.body)


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | OtherPacket


def _clip(text: str) -> bytes:
    """At most 255 bytes of UTF-8, no character cut in two."""
    return text.encode()[:255].decode("utf-8", "ignore").encode()


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def build_compound(packets: Iterable[RtcpPacket]) -> bytes:
    """One datagram of several packets; a report comes first (§6.1)."""
    return b"".join(map(bytes, packets))


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """The packets of a datagram. Raises ParseError for lengths, versions and padding that break the rules of RFC 3550 A.2.

    A compound need not begin with a report: feedback comes alone from those who took RFC 5506 for granted.
    """
    packets: list[RtcpPacket] = []
    position = 0
    while position < len(data):
        if len(data) - position < 4 or data[position] & 0xC0 != 0x80 or len(packets) >= MAX_PACKETS:
            raise ParseError(f"no RTCP header at byte {position}")
        kind, words = data[position + 1], data[position + 2] << 8 | data[position + 3]
        end = position + 4 + 4 * words
        if end > len(data) or not 192 <= kind <= 223:
            raise ParseError(f"an RTCP packet of {4 + 4 * words} bytes at byte {position}")
        body, count = data[position + 4:end], data[position] & 0x1F
        if data[position] & 0x20:
            if end != len(data) or not body or not 0 < body[-1] <= len(body):
                raise ParseError("RTCP padding that does not fit")
            body = body[:-body[-1]]
        packets.append(_parse_body(kind, count, body))
        position = end
    if not packets:
        raise ParseError("no RTCP packet")
    return packets


def _parse_body(kind: int, count: int, body: bytes) -> RtcpPacket:
    if kind == SR:
        _need(body, 24 + 24 * count, "SR")
        ssrc, ntp, timestamp, sent, octets = struct.unpack_from("!IQIII", body)
        return SenderReport(ssrc, ntp, timestamp, sent, octets, _blocks(body, 24, count))
    if kind == RR:
        _need(body, 4 + 24 * count, "RR")
        return ReceiverReport(struct.unpack_from("!I", body)[0], _blocks(body, 4, count))
    if kind == SDES:
        return _parse_sdes(count, body)
    if kind == BYE:
        _need(body, 4 * count, "BYE")
        ssrcs = struct.unpack_from(f"!{count}I", body)
        tail = body[4 * count:]
        reason = tail[1:1 + tail[0]].decode("utf-8", "replace") if tail else ""
        return Goodbye(ssrcs, reason)
    return OtherPacket(kind, count, body)


def _need(body: bytes, size: int, what: str) -> None:
    if len(body) < size:
        raise ParseError(f"{what}: {size} bytes expected, {len(body)} there")


def _blocks(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    found = []
    for index in range(count):
        ssrc, loss, highest, jitter, lsr, dlsr = struct.unpack_from("!IIIIII", body, offset + 24 * index)
        lost = loss & 0xFFFFFF
        found.append(ReportBlock(ssrc, loss >> 24, lost - (1 << 24) if lost & 0x800000 else lost, highest, jitter, lsr, dlsr))
    return tuple(found)


def _parse_sdes(count: int, body: bytes) -> SourceDescription:
    cnames: dict[int, str] = {}
    position = 0
    for _ in range(count):
        _need(body, position + 4, "SDES")
        ssrc = struct.unpack_from("!I", body, position)[0]
        position += 4
        while True:
            _need(body, position + 1, "SDES")
            if body[position] == 0:
                position += 4 - position % 4
                break
            _need(body, position + 2, "SDES")
            length = body[position + 1]
            _need(body, position + 2 + length, "SDES")
            if body[position] == CNAME:
                cnames[ssrc] = body[position + 2:position + 2 + length].decode("utf-8", "replace")
            position += 2 + length
    return SourceDescription(cnames)
