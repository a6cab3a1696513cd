"""What a server says between its pictures (RFC 6143 §7.6), and the head of a rectangle (§7.6.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from rtp.rfb.messages import pack_cut_text
from rtp.rfb.pixels import Rectangle

FRAMEBUFFER_UPDATE, SET_COLOUR_MAP_ENTRIES, BELL, SERVER_CUT_TEXT, END_OF_CONTINUOUS_UPDATES, FENCE = 0, 1, 2, 3, 150, 248
RECTANGLE_HEAD = struct.Struct("!HHHHi")


@dataclass(frozen=True, slots=True)
class SetColourMapEntries:
    """§7.6.2: colours of a map, red, green and blue of 16 bits each, from entry `first` on."""

    first: int
    colours: tuple[tuple[int, int, int], ...]

    def __bytes__(self) -> bytes:
        return (struct.pack("!BxHH", SET_COLOUR_MAP_ENTRIES, self.first, len(self.colours))
                + b"".join(struct.pack("!HHH", *colour) for colour in self.colours))


@dataclass(frozen=True, slots=True)
class Bell:
    """§7.6.3: ring the bell."""

    def __bytes__(self) -> bytes:
        return bytes([BELL])


@dataclass(frozen=True, slots=True)
class ServerCutText:
    """§7.6.4: the server's clipboard, as `ClientCutText`."""

    data: bytes
    is_extended: bool = False

    def __bytes__(self) -> bytes:
        return pack_cut_text(SERVER_CUT_TEXT, self.data, self.is_extended)


@dataclass(frozen=True, slots=True)
class EndOfContinuousUpdates:
    """No more updates without requests; sent once unasked, it tells that there may be such."""

    def __bytes__(self) -> bytes:
        return bytes([END_OF_CONTINUOUS_UPDATES])


def rectangle_head(area: Rectangle, encoding: int) -> bytes:
    """What stands before the bytes of each rectangle."""
    return RECTANGLE_HEAD.pack(area.x, area.y, area.width, area.height, encoding)


def update_head(rectangles: int) -> bytes:
    """What stands before the rectangles of an update."""
    return struct.pack("!BxH", FRAMEBUFFER_UPDATE, rectangles)
