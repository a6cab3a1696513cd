"""Video of an RTP stream as a file: H.264 (RFC 6184) as an Annex B byte stream, VP8 (RFC 7741) in IVF.

Just enough of both payload formats for a file: single NAL units, STAP-A and FU-A; the VP8 descriptor and whole frames.
What lost a piece is left out. `depacketizer` is the one place that knows the formats.
"""

from __future__ import annotations

import binascii
import struct
from base64 import b64decode
from typing import Protocol

from pcap.ordering import Ordered

START_CODE = b"\0\0\0\1"
MAX_FRAME = 8 * 1024 * 1024
_STAP_A, _FU_A = 24, 28


class Depacketizer(Protocol):
    """Packets in order in; pieces of a file out."""

    suffix: str
    units: int
    broken: int

    def add(self, one: Ordered) -> bytes:
        """What a packet completes, as bytes of the file."""


def depacketizer(codec: str, fmtp: str = "") -> Depacketizer:
    """For `h264` or `vp8`; fmtp: the format parameters of the SDP, which may hold H.264's parameter sets."""
    return AnnexB(fmtp) if codec.lower() == "h264" else Ivf()


class AnnexB:
    """H.264 NAL units behind start codes."""

    suffix = ".h264"

    def __init__(self, fmtp: str = "") -> None:
        self.units = 0
        self.broken = 0
        self._head = _parameter_sets(fmtp)
        self._fragment: bytearray | None = None

    def add(self, one: Ordered) -> bytes:
        """NAL units that a packet brings or completes (RFC 6184 §5.6, §5.7.1, §5.8)."""
        payload = one.packet.payload
        if one.lost and self._fragment is not None:
            self._drop()
        kind = payload[0] & 0x1F if payload else 0
        if kind == _FU_A and len(payload) > 2:
            units = self._fragmented(payload)
        elif kind == _STAP_A:
            units = _aggregated(payload)
        elif 1 <= kind <= 23:
            units = [payload]
        else:
            self.broken += 1
            return b""
        self.units += len(units)
        out = b"".join(START_CODE + unit for unit in units)
        if out:
            out, self._head = self._head + out, b""
        return out

    def _fragmented(self, payload: bytes) -> list[bytes]:
        indicator, header = payload[0], payload[1]
        if header & 0x80:
            self._fragment = bytearray([indicator & 0xE0 | header & 0x1F])
        if self._fragment is None:
            return []
        self._fragment += payload[2:]
        if len(self._fragment) > MAX_FRAME:
            self._drop()
            return []
        if not header & 0x40:
            return []
        whole, self._fragment = bytes(self._fragment), None
        return [whole]

    def _drop(self) -> None:
        self._fragment = None
        self.broken += 1


class Ivf:
    """VP8 frames in an IVF file, times in units of the RTP clock; its header comes before the first key frame."""

    suffix = ".ivf"

    def __init__(self) -> None:
        self.units = 0
        self.broken = 0
        self._has_header = False
        self._frame = bytearray()
        self._timestamp: int | None = None
        self._first = 0
        self._is_whole = False

    def add(self, one: Ordered) -> bytes:
        """The frame that a packet completes; the marker bit is on a frame's last packet (RFC 7741 §4.1)."""
        packet = one.packet
        piece, begins = _vp8_payload(packet.payload)
        if packet.timestamp != self._timestamp:
            self.broken += bool(self._frame)
            self._timestamp, self._is_whole = packet.timestamp, begins
            self._frame.clear()
        elif one.lost:
            self._is_whole = False
        if not piece or len(self._frame) > MAX_FRAME:
            self._is_whole = False
        self._frame += piece
        if not packet.marker:
            return b""
        frame = bytes(self._frame)
        self._frame.clear()
        if not self._is_whole:
            self.broken += 1
            return b""
        return self._written(frame, packet.timestamp)

    def _written(self, frame: bytes, timestamp: int) -> bytes:
        head = b""
        if not self._has_header:
            size = _vp8_size(frame)
            if size is None:
                self.broken += 1
                return b""
            head = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"VP80", *size, 90000, 1, 0, 0)
            self._has_header, self._first = True, timestamp
        self.units += 1
        return head + struct.pack("<IQ", len(frame), (timestamp - self._first) & 0xFFFFFFFF) + frame


def _aggregated(payload: bytes) -> list[bytes]:
    """The NAL units of a STAP-A (RFC 6184 §5.7.1)."""
    units, position = [], 1
    while position + 2 < len(payload):
        end = position + 2 + int.from_bytes(payload[position:position + 2])
        if end > len(payload):
            break
        units.append(payload[position + 2:end])
        position = end
    return [unit for unit in units if unit]


def _parameter_sets(fmtp: str) -> bytes:
    """SPS and PPS of `sprop-parameter-sets` (RFC 6184 §8.1)."""
    for parameter in fmtp.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "sprop-parameter-sets":
            try:
                return b"".join(START_CODE + b64decode(one, validate=True) for one in value.split(",")[:8] if one)
            except (ValueError, binascii.Error):
                return b""
    return b""


def _vp8_payload(payload: bytes) -> tuple[bytes, bool]:
    """What stands behind the descriptor, and whether a frame begins with it (RFC 7741 §4.2); empty when it breaks off."""
    if not payload:
        return b"", False
    begins, position = payload[0] & 0x17 == 0x10, 1
    if payload[0] & 0x80:
        extension = payload[1] if len(payload) > 1 else 0
        position = 2
        if extension & 0x80:
            is_long = len(payload) > position and payload[position] & 0x80
            position += 2 if is_long else 1
        position += bool(extension & 0x40) + bool(extension & 0x30)
    return payload[position:], begins


def _vp8_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height of a key frame (RFC 6386 §9.1), None for other frames."""
    if len(frame) < 10 or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    return int.from_bytes(frame[6:8], "little") & 0x3FFF, int.from_bytes(frame[8:10], "little") & 0x3FFF
