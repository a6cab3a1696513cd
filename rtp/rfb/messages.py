"""What a viewer says (RFC 6143 §7.5), with fences, continuous updates, key codes and new desktop sizes of the community's list.

`read_client_message()` is a script for `rtp.rfb.stream` that returns the next message; `bytes(message)` writes it. The server's
gate, its doors and the softphone read with the same script. A message of an unknown kind has an unknown length, so it ends
the session: ParseError.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from rtp.errors import ParseError
from rtp.rfb.pixels import PixelFormat, Rectangle
from rtp.rfb.stream import Reading

MAX_ENCODINGS = 256
"""Viewers send twenty or so."""
MAX_CUT_TEXT = 1 << 20
"""Bytes of a clipboard, either way."""
MAX_FENCE = 64
MAX_SCREENS = 16
FENCE_BLOCK_BEFORE, FENCE_BLOCK_AFTER, FENCE_SYNC_NEXT, FENCE_REQUEST = 1, 2, 4, 1 << 31
FENCE_KNOWN = FENCE_BLOCK_BEFORE | FENCE_BLOCK_AFTER | FENCE_SYNC_NEXT
MAX_KEYSYM = 0x1FFFFFFF
"""X's numbers of keys have 29 bits."""

_FENCE = struct.Struct("!B3xIB")
_RECTANGLE = struct.Struct("!HHHH")
_SCREEN = struct.Struct("!IHHHHI")


@dataclass(frozen=True, slots=True)
class SetPixelFormat:
    """§7.5.1: how pixels are to be written from now on."""

    pixel_format: PixelFormat

    def __bytes__(self) -> bytes:
        return b"\0\0\0\0" + bytes(self.pixel_format)


@dataclass(frozen=True, slots=True)
class SetEncodings:
    """§7.5.2: what the viewer can read, the dearest first."""

    encodings: tuple[int, ...]

    def __bytes__(self) -> bytes:
        return struct.pack(f"!BxH{len(self.encodings)}i", 2, len(self.encodings), *self.encodings)


@dataclass(frozen=True, slots=True)
class FramebufferUpdateRequest:
    """§7.5.3: a part of the picture is wanted; what has changed of it, or all."""

    is_incremental: bool
    area: Rectangle

    def __bytes__(self) -> bytes:
        return struct.pack("!BB", 3, self.is_incremental) + pack_rectangle(self.area)


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """§7.5.4: a key by its X keysym. keycode: its place on the keyboard (XT set 1), as QEMU's message has it, or None."""

    keysym: int
    is_down: bool
    keycode: int | None = None

    def __bytes__(self) -> bytes:
        if self.keycode is None:
            return struct.pack("!BBxxI", 4, self.is_down, self.keysym)
        return struct.pack("!BBHII", 255, 0, self.is_down, self.keysym, self.keycode)


@dataclass(frozen=True, slots=True)
class PointerEvent:
    """§7.5.5: where the pointer is and which buttons are down, bit 0 the left one; bits 3 and 4 are the wheel."""

    buttons: int
    x: int
    y: int

    def __bytes__(self) -> bytes:
        return struct.pack("!BBHH", 5, self.buttons, self.x, self.y)


@dataclass(frozen=True, slots=True)
class ClientCutText:
    """§7.5.6: the viewer's clipboard, Latin-1; or a message of the extended clipboard (`rtp.rfb.clipboard`)."""

    data: bytes
    is_extended: bool = False

    def __bytes__(self) -> bytes:
        return pack_cut_text(6, self.data, self.is_extended)


@dataclass(frozen=True, slots=True)
class EnableContinuousUpdates:
    """Updates without requests, of a part of the picture, from now on or no longer."""

    is_on: bool
    area: Rectangle

    def __bytes__(self) -> bytes:
        return struct.pack("!BB", 150, self.is_on) + pack_rectangle(self.area)


@dataclass(frozen=True, slots=True)
class Fence:
    """A mark in the stream that comes back when all before it is done with; the same layout both ways."""

    flags: int
    payload: bytes = b""

    def __bytes__(self) -> bytes:
        return _FENCE.pack(248, self.flags, len(self.payload)) + self.payload

    def answer(self) -> Fence:
        """What goes back to who asked."""
        return Fence(self.flags & FENCE_KNOWN, self.payload)


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen of a desktop."""

    screen_id: int
    area: Rectangle
    flags: int = 0

    def __bytes__(self) -> bytes:
        area = self.area
        return _SCREEN.pack(self.screen_id, area.x, area.y, area.width, area.height, self.flags)

    @classmethod
    def parse(cls, data: bytes) -> Screen:
        """Read the 16 bytes."""
        number, x, y, width, height, flags = _SCREEN.unpack(data)
        return cls(number, Rectangle(x, y, width, height), flags)


@dataclass(frozen=True, slots=True)
class SetDesktopSize:
    """The viewer would like another size."""

    width: int
    height: int
    screens: tuple[Screen, ...]

    def __bytes__(self) -> bytes:
        return struct.pack("!BxHHBx", 251, self.width, self.height, len(self.screens)) + b"".join(map(bytes, self.screens))


ClientMessage = (SetPixelFormat | SetEncodings | FramebufferUpdateRequest | KeyEvent | PointerEvent | ClientCutText
                 | EnableContinuousUpdates | Fence | SetDesktopSize)


def read_client_message() -> Reading[ClientMessage]:
    """The next message of a viewer. Raises ParseError."""
    kind = (yield 1)[0]
    reader = _READERS.get(kind)
    if reader is None:
        raise ParseError(f"RFB: a viewer's message of kind {kind} is not known")
    return (yield from reader())


def pack_rectangle(area: Rectangle) -> bytes:
    """Position and size, 16 bits each."""
    return _RECTANGLE.pack(area.x, area.y, area.width, area.height)


def pack_cut_text(kind: int, data: bytes, is_extended: bool) -> bytes:
    """A clipboard message; a negative length tells the extended one."""
    return struct.pack("!Bxxxi", kind, -len(data) if is_extended else len(data)) + data


def read_cut_text() -> Reading[tuple[bytes, bool]]:
    """Content and whether it is extended. Raises ParseError when it is too long."""
    length: int = struct.unpack("!xxxi", (yield 7))[0]
    if abs(length) > MAX_CUT_TEXT:
        raise ParseError(f"RFB: a clipboard of {abs(length)} bytes; {MAX_CUT_TEXT} are allowed")
    return (yield abs(length)), length < 0


def read_fence() -> Reading[Fence]:
    """The rest of a fence. Raises ParseError when its payload is too long."""
    flags, length = struct.unpack("!3xIB", (yield 8))
    if length > MAX_FENCE:
        raise ParseError(f"RFB: a fence with {length} bytes; {MAX_FENCE} are allowed")
    return Fence(flags, (yield length))


def read_screens(count: int) -> Reading[tuple[Screen, ...]]:
    """So many screens. Raises ParseError when there are too many."""
    if count > MAX_SCREENS:
        raise ParseError(f"RFB: {count} screens; {MAX_SCREENS} are allowed")
    data = yield 16 * count
    return tuple(Screen.parse(data[start:start + 16]) for start in range(0, len(data), 16))


def _rectangle(data: bytes) -> Rectangle:
    return Rectangle(*_RECTANGLE.unpack(data))


def _read_pixel_format() -> Reading[ClientMessage]:
    return SetPixelFormat(PixelFormat.parse((yield 19)[3:]))


def _read_encodings() -> Reading[ClientMessage]:
    count: int = struct.unpack("!xH", (yield 3))[0]
    if count > MAX_ENCODINGS:
        raise ParseError(f"RFB: {count} encodings; {MAX_ENCODINGS} are allowed")
    return SetEncodings(struct.unpack(f"!{count}i", (yield 4 * count)))


def _read_request() -> Reading[ClientMessage]:
    data = yield 9
    return FramebufferUpdateRequest(bool(data[0]), _rectangle(data[1:]))


def _read_key() -> Reading[ClientMessage]:
    is_down, keysym = struct.unpack("!BxxI", (yield 7))
    return KeyEvent(_checked_keysym(keysym), bool(is_down))


def _read_qemu() -> Reading[ClientMessage]:
    kind, is_down, keysym, keycode = struct.unpack("!BHII", (yield 11))
    if kind != 0:
        raise ParseError(f"RFB: a message of QEMU's of kind {kind} is not known")
    if keycode > 0xFFFF:
        raise ParseError(f"RFB: a key code of {keycode}")
    return KeyEvent(_checked_keysym(keysym), bool(is_down), keycode)


def _checked_keysym(keysym: int) -> int:
    if keysym > MAX_KEYSYM:
        raise ParseError(f"RFB: a keysym of {keysym:#x}")
    return keysym


def _read_pointer() -> Reading[ClientMessage]:
    return PointerEvent(*struct.unpack("!BHH", (yield 5)))


def _read_cut_text() -> Reading[ClientMessage]:
    data, is_extended = yield from read_cut_text()
    return ClientCutText(data, is_extended)


def _read_continuous() -> Reading[ClientMessage]:
    data = yield 9
    return EnableContinuousUpdates(bool(data[0]), _rectangle(data[1:]))


def _read_desktop_size() -> Reading[ClientMessage]:
    width, height, count = struct.unpack("!xHHBx", (yield 7))
    return SetDesktopSize(width, height, (yield from read_screens(count)))


_READERS: dict[int, Callable[[], Reading[ClientMessage]]] = {
    0: _read_pixel_format, 2: _read_encodings, 3: _read_request, 4: _read_key, 5: _read_pointer, 6: _read_cut_text,
    150: _read_continuous, 248: read_fence, 251: _read_desktop_size, 255: _read_qemu,
}
