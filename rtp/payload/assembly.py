"""Pictures out of packets (RFC 3550 §5.1: one timestamp a picture, the marker on its last packet), whatever the payload format.

Packets come in the order of their numbers, as `rtp.playout` gives them; a gap costs the picture it lies in and is told with the
next whole one. What a payload format says is left to an `Unpacker`, whose refusal costs one picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rtp.errors import ParseError

MAX_PICTURE_BYTES = 4 << 20
"""More than any key frame of the largest picture that is taken; a sender without an end is cut off here."""


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One coded picture. timestamp: RTP, 90 kHz; data: as the decoder takes it (H.264 as Annex B, VP8 as a frame).

    is_decodable: nothing that it may refer to was lost since the last key frame; width and height are 0 where it names none.
    """

    timestamp: int
    data: bytes
    is_key: bool
    is_decodable: bool = True
    width: int = 0
    height: int = 0


class Unpacker(Protocol):
    """A payload format's part: collects the payloads of one picture."""

    def begins_picture(self, payload: bytes) -> bool:
        """Whether nothing of its picture comes before this payload, as far as it tells."""

    def add(self, payload: bytes) -> None:
        """Take the next payload of the picture. Raises ParseError."""

    def finish(self, timestamp: int) -> EncodedPicture | None:
        """The picture of what was added, and begin a new one; None when it holds nothing to show. Raises ParseError."""

    def reset(self) -> None:
        """Forget what was added since the last picture."""


class PictureAssembler:
    """The pictures of one source. `damaged`: pictures given up for loss or for headers that lie; `refused` counts the latter.

    `needs_key_frame`: what comes now can't be shown before a key frame.
    """

    __slots__ = ("_is_damaged", "_next", "_size", "_timestamp", "_unpacker", "damaged", "needs_key_frame", "refused")

    def __init__(self, unpacker: Unpacker) -> None:
        self.damaged = self.refused = 0
        self.needs_key_frame = True
        self._unpacker = unpacker
        self._next = -1
        self._timestamp = -1
        self._size = 0
        self._is_damaged = False

    def receive(self, sequence: int, timestamp: int, marker: bool, payload: bytes) -> list[EncodedPicture]:
        """The pictures that are complete with this packet: mostly none or one, two where a marker was left out."""
        is_gap = self._next >= 0 and sequence != self._next
        if is_gap and (self._next - sequence) & 0xFFFF < 0x8000:
            return []                                   # late: its picture is over
        self._next = (sequence + 1) & 0xFFFF
        pictures: list[EncodedPicture] = []
        if timestamp != self._timestamp:
            if self._size and not is_gap:
                pictures += self._end()                 # its marker was left out
            elif self._size:
                self._give_up()
            self._timestamp = timestamp
            self._is_damaged = is_gap and not self._unpacker.begins_picture(payload)
        elif is_gap:
            self._is_damaged = True
        if is_gap:
            self.needs_key_frame = True
        if payload:
            self._add(payload)
        if marker:
            pictures += self._end()
        return pictures

    def _add(self, payload: bytes) -> None:
        self._size += len(payload)
        try:
            if self._size > MAX_PICTURE_BYTES:
                raise ParseError(f"a picture of more than {MAX_PICTURE_BYTES} bytes")
            self._unpacker.add(payload)
        except ParseError:
            self.refused += 1
            self._is_damaged = True

    def _end(self) -> list[EncodedPicture]:
        if self._is_damaged:
            self._give_up()
            return []
        self._size = 0
        try:
            picture = self._unpacker.finish(self._timestamp)
        except ParseError:
            self.refused += 1
            self._give_up()
            return []
        if picture is None:
            return []
        if picture.is_key:
            self.needs_key_frame = False
        if self.needs_key_frame:
            picture = EncodedPicture(picture.timestamp, picture.data, False, False, picture.width, picture.height)
        return [picture]

    def _give_up(self) -> None:
        self.damaged += 1
        self.needs_key_frame = True
        self._size = 0
        self._is_damaged = False
        self._unpacker.reset()
