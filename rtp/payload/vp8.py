"""VP8 in RTP (RFC 7741): the payload descriptor with PictureID, TL0PICIDX, TID and KEYIDX; a key frame's size (RFC 6386).

A server that switches between sources renumbers PictureID and TL0PICIDX, so that a receiver sees one stream.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtp.errors import ParseError
from rtp.payload.assembly import EncodedPicture
from rtp.payload.h264_parameters import MAX_HEIGHT, MAX_PIXELS, MAX_WIDTH

MAX_PAYLOAD = 1188
KEY_HEADER = 10
"""Bytes of a key frame before its first partition: frame tag, start code, width, height (RFC 6386 §9.1)."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The payload descriptor (RFC 7741 §4.2); None where a field isn't there. `is_long`: PictureID has 15 bits, not 7."""

    is_start: bool
    partition: int = 0
    is_discardable: bool = False
    picture_id: int | None = None
    is_long: bool = True
    base_index: int | None = None
    layer: int | None = None
    is_synchronised: bool = False
    key_index: int | None = None

    @classmethod
    def parse(cls, payload: bytes) -> tuple[Descriptor, int]:
        """The descriptor of a payload and its size in bytes. Raises ParseError."""
        try:
            return _parse(payload)
        except IndexError:
            raise ParseError(f"VP8: a descriptor that breaks off after {len(payload)} bytes") from None

    def __bytes__(self) -> bytes:
        has_layer = self.layer is not None or self.key_index is not None
        flags = (0x80 * (self.picture_id is not None) | 0x40 * (self.base_index is not None)
                 | 0x20 * (self.layer is not None) | 0x10 * (self.key_index is not None))
        first = 0x80 * bool(flags) | 0x20 * self.is_discardable | 0x10 * self.is_start | self.partition
        out = bytearray((first, flags) if flags else (first,))
        if self.picture_id is not None:
            out += (0x8000 | self.picture_id).to_bytes(2) if self.is_long else bytes((self.picture_id & 0x7F,))
        if self.base_index is not None:
            out.append(self.base_index)
        if has_layer:
            out.append((self.layer or 0) << 6 | 0x20 * self.is_synchronised | (self.key_index or 0))
        return bytes(out)


def _parse(payload: bytes) -> tuple[Descriptor, int]:
    first = payload[0]
    flags, position = (payload[1], 2) if first & 0x80 else (0, 1)
    picture_id = base_index = layer = key_index = None
    is_long = is_synchronised = False
    if flags & 0x80:
        picture_id, is_long = payload[position], payload[position] >= 0x80
        if is_long:
            picture_id = (picture_id & 0x7F) << 8 | payload[position + 1]
        position += 2 if is_long else 1
    if flags & 0x40:
        base_index = payload[position]
        position += 1
    if flags & 0x30:
        byte = payload[position]
        layer = byte >> 6 if flags & 0x20 else None
        is_synchronised = flags & 0x20 != 0 and byte & 0x20 != 0
        key_index = byte & 0x1F if flags & 0x10 else None
        position += 1
    if position > len(payload):
        raise IndexError
    return Descriptor(first & 0x10 != 0, first & 0x07, first & 0x20 != 0, picture_id, is_long or picture_id is None,
                      base_index, layer, is_synchronised, key_index), position


def packetize(frame: bytes, picture_id: int, *, max_size: int = MAX_PAYLOAD) -> list[bytes]:
    """The payloads of one frame, of nearly equal sizes, with a PictureID of 15 bits; the last one gets the marker."""
    heads = (bytes(Descriptor(True, picture_id=picture_id & 0x7FFF)), bytes(Descriptor(False, picture_id=picture_id & 0x7FFF)))
    count = -(-len(frame) // (max_size - len(heads[0])))
    size = -(-len(frame) // max(1, count))
    return [heads[start > 0] + frame[start:start + size] for start in range(0, len(frame), max(1, size))]


def begins_key_frame(payload: bytes) -> bool:
    """Whether a payload holds the first bytes of a key frame: where a switch may happen."""
    try:
        descriptor, size = Descriptor.parse(payload)
    except ParseError:
        return False
    return descriptor.is_start and descriptor.partition == 0 and size < len(payload) and payload[size] & 1 == 0


def key_frame_size(frame: bytes) -> tuple[int, int]:
    """Width and height that a key frame names. Raises ParseError, also for pictures larger than we take."""
    if len(frame) < KEY_HEADER or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        raise ParseError("VP8: no key frame")
    width, height = int.from_bytes(frame[6:8], "little") & 0x3FFF, int.from_bytes(frame[8:10], "little") & 0x3FFF
    if not (0 < width <= MAX_WIDTH and 0 < height <= MAX_HEIGHT and width * height <= MAX_PIXELS):
        raise ParseError(f"VP8: a picture of {width}×{height}")
    return width, height


class Vp8Unpacker:
    """Collects the partitions of one frame, for a `PictureAssembler`."""

    __slots__ = ("_picture_id", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._picture_id: int | None = None

    def reset(self) -> None:
        """Forget an unfinished frame."""
        self._pieces = []

    def begins_picture(self, payload: bytes) -> bool:
        """Whether it is the start of the first partition."""
        try:
            descriptor, _ = Descriptor.parse(payload)
        except ParseError:
            return False
        return descriptor.is_start and descriptor.partition == 0

    def add(self, payload: bytes) -> None:
        """Take a payload. Raises ParseError for one that does not belong to the frame."""
        descriptor, size = Descriptor.parse(payload)
        if size == len(payload):
            raise ParseError("VP8: a payload without a frame")
        if not self._pieces:
            if not descriptor.is_start or descriptor.partition:
                raise ParseError("VP8: a frame without a beginning")
            self._picture_id = descriptor.picture_id
        elif descriptor.picture_id != self._picture_id or (descriptor.is_start and descriptor.partition == 0):
            raise ParseError("VP8: two frames of one timestamp")
        self._pieces.append(payload[size:])

    def finish(self, timestamp: int) -> EncodedPicture | None:
        """The frame; None for an empty one. Raises ParseError for a key frame whose size isn't taken."""
        frame, self._pieces = b"".join(self._pieces), []
        if not frame:
            return None
        if frame[0] & 1:
            return EncodedPicture(timestamp, frame, False)
        width, height = key_frame_size(frame)
        return EncodedPicture(timestamp, frame, True, True, width, height)


class Renumbering:
    """PictureID and TL0PICIDX of one stream out that is made of several in, one after the other (RFC 7667 §3.6.2).

    At a switch the numbers go on where they stood; inside one source its own distances are kept, with loss and reordering.
    """

    __slots__ = ("_base_shift", "_last_base", "_last_picture", "_picture_shift", "_starts")

    def __init__(self) -> None:
        self._last_picture = self._last_base = 0
        self._picture_shift = self._base_shift = 0
        self._starts = True

    def switch(self) -> None:
        """Another source begins with the next payload."""
        self._starts = True

    def rewrite(self, payload: bytes) -> bytes:
        """A payload of the source, numbered for the stream out. Raises ParseError for a descriptor that breaks off."""
        if not payload or not payload[0] & 0x80:
            return payload
        descriptor, _ = Descriptor.parse(payload)
        picture, base = descriptor.picture_id, descriptor.base_index
        if self._starts:
            self._starts = False
            self._picture_shift = self._last_picture + 1 - (picture or 0)
            self._base_shift = self._last_base + 1 - (base or 0)
        out = bytearray(payload)
        position = 2
        if picture is not None:
            number = _nearest(picture + self._picture_shift, self._last_picture, 0x8000 if descriptor.is_long else 0x80)
            self._last_picture = max(self._last_picture, number)
            if descriptor.is_long:
                out[2], out[3] = 0x80 | number >> 8 & 0x7F, number & 0xFF
            else:
                out[2] = number & 0x7F
            position += 2 if descriptor.is_long else 1
        if base is not None:
            number = _nearest(base + self._base_shift, self._last_base, 0x100)
            self._last_base = max(self._last_base, number)
            out[position] = number & 0xFF
        return bytes(out)


def _nearest(value: int, reference: int, modulus: int) -> int:
    """The number nearest to a reference that is `value` in a counter of that modulus."""
    half = modulus // 2
    return reference + (value - reference + half) % modulus - half
