"""Video of an RTP stream as a file: H.264 (RFC 6184) as an Annex B byte stream, VP8 (RFC 7741) in IVF.

Pictures are put together by `rtp.payload`; one that lost a piece is left out. The file begins with the first key frame, of
H.264 also earlier when the SDP has its parameter sets.
"""

from __future__ import annotations

import binascii
import struct
from base64 import b64decode

from pcap.ordering import Ordered
from rtp.payload.assembly import EncodedPicture, PictureAssembler
from rtp.payload.h264 import H264Unpacker, join_units
from rtp.payload.vp8 import Vp8Unpacker

SUFFIXES = {"h264": ".h264", "vp8": ".ivf"}
"""Codecs that can be written, and what their files are called."""
MAX_PARAMETER_SETS = 8


class VideoFile:
    """Packets in order in, bytes of a file out. codec: `h264` or `vp8`; fmtp: format parameters of the SDP.

    pictures: those written; damaged: those given up for loss or for headers that lie.
    """

    def __init__(self, codec: str, fmtp: str = "") -> None:
        self.suffix = SUFFIXES[codec.lower()]
        self.pictures = 0
        self._is_h264 = codec.lower() == "h264"
        self._head = _parameter_sets(fmtp) if self._is_h264 else b""
        self._first: int | None = None
        self._damaged_before = 0
        self._assembler = self._new()

    @property
    def damaged(self) -> int:
        """Pictures that are not in the file."""
        return self._damaged_before + self._assembler.damaged

    def add(self, one: Ordered) -> bytes:
        """What a packet completes."""
        packet = one.packet
        if one.is_restart:
            self._damaged_before = self.damaged
            self._assembler = self._new()
        pictures = self._assembler.receive(packet.sequence, packet.timestamp, packet.marker, packet.payload)
        return b"".join(self._written(picture) for picture in pictures)

    def _new(self) -> PictureAssembler:
        return PictureAssembler(H264Unpacker() if self._is_h264 else Vp8Unpacker())

    def _written(self, picture: EncodedPicture) -> bytes:
        if self._first is None and not picture.is_key and not self._head:
            return b""
        self.pictures += 1
        head = b""
        if self._first is None:
            self._first = picture.timestamp
            head = self._head if self._is_h264 else _ivf_header(picture)
        if self._is_h264:
            return head + picture.data
        return head + struct.pack("<IQ", len(picture.data), (picture.timestamp - self._first) & 0xFFFFFFFF) + picture.data


def _ivf_header(picture: EncodedPicture) -> bytes:
    """The head of an IVF file, whose times count in units of the RTP clock."""
    return struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"VP80", picture.width, picture.height, 90000, 1, 0, 0)


def _parameter_sets(fmtp: str) -> bytes:
    """SPS and PPS of `sprop-parameter-sets` (RFC 6184 §8.1)."""
    for parameter in fmtp.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "sprop-parameter-sets":
            try:
                return join_units(b64decode(one, validate=True) for one in value.split(",")[:MAX_PARAMETER_SETS] if one)
            except (ValueError, binascii.Error):
                return b""
    return b""
