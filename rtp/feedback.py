"""RTCP feedback for pictures: NACK and PLI (RFC 4585 §6.2.1, §6.3.1), FIR and TMMBR (RFC 5104 §4.3.1, §4.2.1), REMB.

`rtp.rtcp` gives feedback as `OtherPacket`; `parse_feedback` tells what it means. It may travel alone (RFC 5506). Transport-wide
feedback has a module of its own. What we don't know is None, what breaks off or lies is a ParseError that costs that packet.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from rtp.errors import ParseError
from rtp.rtcp import PSFB, RTPFB, OtherPacket
from rtp.transport_feedback import TransportFeedback

NACK, TMMBR, TRANSPORT = 1, 3, 15
"""Formats of RTPFB."""
PLI, FIR, APPLICATION = 1, 4, 15
"""Formats of PSFB; REMB is an application layer message (RFC 4585 §6.4)."""
MAX_NACKS = 253
"""Packets that one NACK may name; a compound of more than 15 words of it is a flood."""
MAX_ENTRIES = 64
MAX_ESTIMATE_BPS = 1 << 40


@dataclass(frozen=True, slots=True)
class Nack:
    """Packets that a receiver misses. sender: who says it; source: whose packets; lost: sequence numbers in order."""

    sender: int
    source: int
    lost: tuple[int, ...]

    def __bytes__(self) -> bytes:
        words = b"".join(struct.pack("!HH", *pair) for pair in _pairs(self.lost))
        return bytes(OtherPacket(RTPFB, NACK, struct.pack("!II", self.sender, self.source) + words))


def _pairs(lost: Iterable[int]) -> list[tuple[int, int]]:
    """Packet ids with the bitmask of the 16 that follow each (§6.2.1)."""
    pairs: list[tuple[int, int]] = []
    for number in lost:
        behind = (number - pairs[-1][0]) & 0xFFFF if pairs else 17
        if 1 <= behind <= 16:
            pairs[-1] = pairs[-1][0], pairs[-1][1] | 1 << behind - 1
        elif behind:
            pairs.append((number & 0xFFFF, 0))
    return pairs


@dataclass(frozen=True, slots=True)
class PictureLossIndication:
    """Wants a key frame of `source`, since a picture was lost."""

    sender: int
    source: int

    def __bytes__(self) -> bytes:
        return bytes(OtherPacket(PSFB, PLI, struct.pack("!II", self.sender, self.source)))


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    """Wants a key frame of each source, as somebody has come new. entries: (SSRC, number of the command)."""

    sender: int
    entries: tuple[tuple[int, int], ...]

    def __bytes__(self) -> bytes:
        body = b"".join(struct.pack("!IB3x", *entry) for entry in self.entries)
        return bytes(OtherPacket(PSFB, FIR, struct.pack("!II", self.sender, 0) + body))


@dataclass(frozen=True, slots=True)
class BitrateLimit:
    """TMMBR: no more than so much of each source, please. entries: (SSRC, bit/s, overhead per packet in bytes)."""

    sender: int
    entries: tuple[tuple[int, int, int], ...]

    def __bytes__(self) -> bytes:
        body = b"".join(struct.pack("!II", ssrc, _exponential(bitrate, 17) << 9 | overhead & 0x1FF)
                        for ssrc, bitrate, overhead in self.entries)
        return bytes(OtherPacket(RTPFB, TMMBR, struct.pack("!II", self.sender, 0) + body))


@dataclass(frozen=True, slots=True)
class ReceiverEstimate:
    """REMB (draft-alvestrand-rmcat-remb-03): what a receiver believes that it can get of all `sources` together."""

    sender: int
    bitrate_bps: int
    sources: tuple[int, ...]

    def __bytes__(self) -> bytes:
        count = len(self.sources)
        word = count << 24 | _exponential(self.bitrate_bps, 18)
        body = struct.pack(f"!II4sI{count}I", self.sender, 0, b"REMB", word, *self.sources)
        return bytes(OtherPacket(PSFB, APPLICATION, body))


Feedback = Nack | PictureLossIndication | FullIntraRequest | BitrateLimit | ReceiverEstimate | TransportFeedback


def _exponential(value: int, bits: int) -> int:
    """Six bits of exponent and a mantissa of so many bits, rounded down."""
    exponent = max(0, value.bit_length() - bits)
    return exponent << bits | value >> exponent


def _from_exponential(word: int, bits: int) -> int:
    """A bit rate that a peer gave; the field could name 2^80."""
    return min((word & (1 << bits) - 1) << (word >> bits & 0x3F), MAX_ESTIMATE_BPS)


def parse_feedback(packet: OtherPacket) -> Feedback | None:
    """What a feedback packet says, None for one that we don't know. Raises ParseError."""
    if packet.kind not in (RTPFB, PSFB):
        return None
    body = packet.body
    if len(body) < 8:
        raise ParseError(f"RTCP feedback of {len(body)} bytes")
    sender, source = struct.unpack_from("!II", body)
    match packet.kind, packet.count:
        case (205, 1):
            return Nack(sender, source, _read_lost(body))
        case (205, 3):
            return BitrateLimit(sender, tuple((ssrc, _from_exponential(word >> 9, 17), word & 0x1FF)
                                              for ssrc, word in _entries(body)))
        case (205, 15):
            return TransportFeedback.parse(body)
        case (206, 1):
            return PictureLossIndication(sender, source)
        case (206, 4):
            return FullIntraRequest(sender, tuple((ssrc, word >> 24) for ssrc, word in _entries(body)))
        case (206, 15) if body[8:12] == b"REMB":
            return _read_estimate(sender, body)
    return None


def _entries(body: bytes) -> list[tuple[int, int]]:
    count = (len(body) - 8) // 8
    if not 0 < count <= MAX_ENTRIES:
        raise ParseError(f"RTCP feedback with {count} entries")
    return [struct.unpack_from("!II", body, 8 + 8 * index) for index in range(count)]


def _read_lost(body: bytes) -> tuple[int, ...]:
    lost: list[int] = []
    for position in range(8, len(body) - 3, 4):
        first, mask = struct.unpack_from("!HH", body, position)
        lost.append(first)
        lost += [(first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1]
        if len(lost) > MAX_NACKS:
            break
    if not lost:
        raise ParseError("an empty NACK")
    return tuple(lost[:MAX_NACKS])


def _read_estimate(sender: int, body: bytes) -> ReceiverEstimate:
    if len(body) < 16 or len(body) < 16 + 4 * body[12]:
        raise ParseError("a REMB that breaks off")
    word = int.from_bytes(body[13:16])
    return ReceiverEstimate(sender, _from_exponential(word, 18), struct.unpack_from(f"!{body[12]}I", body, 16))
