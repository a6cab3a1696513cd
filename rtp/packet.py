"""RTP packets (RFC 3550 §5.1, §5.3.1) with one-byte and two-byte header extensions (RFC 8285)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from rtp.errors import ParseError

HEADER = struct.Struct("!BBHII")
ONE_BYTE = 0xBEDE
"""Profile of one-byte extension headers (RFC 8285 §4.2)."""
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""Level of the sender's audio (RFC 6464)."""
MIXER_LEVEL = "urn:ietf:params:rtp-hdrext:csrc-audio-level"
"""Levels of those who are in a mix (RFC 6465)."""


def is_rtcp(data: bytes) -> bool:
    """Whether a packet on a shared port is RTCP (RFC 5761 §4: packet types 192 to 223)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


@dataclass(slots=True)
class RtpPacket:
    """A packet. `extensions`: by local id, as the SDP's extmap gives it; `marker` begins a talk spurt (RFC 3551 §4.1)."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extensions: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read a packet. Raises ParseError for wrong versions, lengths and padding."""
        payload_type, marker, sequence, timestamp, ssrc, offset = parse_header(data)
        count = data[0] & 0x0F
        csrcs = struct.unpack_from(f"!{count}I", data, 12)
        extensions = parse_extensions(data, 12 + 4 * count) if data[0] & 0x10 else {}
        end = len(data) - data[-1] if data[0] & 0x20 else len(data)
        if end < offset or (data[0] & 0x20 and data[-1] == 0):
            raise ParseError(f"RTP padding of {data[-1]} bytes in {len(data)}")
        return cls(payload_type, sequence, timestamp, ssrc, data[offset:end], marker, csrcs, extensions)

    def __bytes__(self) -> bytes:
        first = 0x80 | len(self.csrcs) | (0x10 if self.extensions else 0)
        second = self.payload_type | (0x80 if self.marker else 0)
        head = HEADER.pack(first, second, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
        csrcs = struct.pack(f"!{len(self.csrcs)}I", *self.csrcs)
        return head + csrcs + write_extensions(self.extensions) + self.payload


def parse_header(data: bytes) -> tuple[int, bool, int, int, int, int]:
    """(payload type, marker, sequence, timestamp, SSRC, offset of the payload). Raises ParseError."""
    size = len(data)
    if size < 12 or data[0] & 0xC0 != 0x80:
        raise ParseError(f"no RTP header in {size} bytes")
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    offset = 12 + 4 * (first & 0x0F)
    if first & 0x10:
        if size < offset + 4:
            raise ParseError("an RTP extension that breaks off")
        offset += 4 + 4 * (data[offset + 2] << 8 | data[offset + 3])
    if offset > size:
        raise ParseError(f"an RTP header of {offset} bytes in {size}")
    return second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, offset


def parse_extensions(data: bytes, start: int) -> dict[int, bytes]:
    """Header extensions by id (RFC 8285 §4.2, §4.3); unknown profiles give none. Raises ParseError."""
    profile, words = struct.unpack_from("!HH", data, start)
    position, end = start + 4, start + 4 + 4 * words
    if end > len(data):
        raise ParseError("an RTP extension that breaks off")
    found: dict[int, bytes] = {}
    is_one_byte = profile == ONE_BYTE
    if not is_one_byte and profile & 0xFFF0 != 0x1000:
        return found
    while position < end:
        head = data[position]
        if head == 0:
            position += 1
            continue
        if is_one_byte:
            number, length, position = head >> 4, (head & 0x0F) + 1, position + 1
            if number == 15:
                break
        else:
            if position + 1 >= end:
                break
            number, length, position = head, data[position + 1], position + 2
        if position + length > end:
            raise ParseError("an RTP extension element that breaks off")
        found[number] = data[position:position + length]
        position += length
    return found


def write_extensions(extensions: dict[int, bytes]) -> bytes:
    """The extension part of a header: one-byte form where all fit, else two-byte form; empty for none."""
    if not extensions:
        return b""
    if all(1 <= number <= 14 and 1 <= len(value) <= 16 for number, value in extensions.items()):
        profile = ONE_BYTE
        body = b"".join(bytes([number << 4 | len(value) - 1]) + value for number, value in extensions.items())
    else:
        profile = 0x1000
        body = b"".join(bytes([number, len(value)]) + value for number, value in extensions.items())
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", profile, len(body) // 4) + body
