"""The extended clipboard of the community's list beside RFC 6143 §7.5.6: text in UTF-8, given only when it is asked for.

One side tells what it can (caps), then that it has something (notify); the other asks (request) and is given it (provide),
compressed. Of the formats text alone is spoken here. Line ends are CR LF on the wire and LF here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from rtp.errors import ParseError
from rtp.rfb.inflate import inflate_all
from rtp.rfb.messages import MAX_CUT_TEXT

TEXT = 1
FORMATS = 0xFFFF
CAPS, REQUEST, PEEK, NOTIFY, PROVIDE = 1 << 24, 1 << 25, 1 << 26, 1 << 27, 1 << 28
ACTIONS = CAPS | REQUEST | PEEK | NOTIFY | PROVIDE
OURS = TEXT | CAPS | REQUEST | PEEK | NOTIFY | PROVIDE


@dataclass(frozen=True, slots=True)
class ClipboardMessage:
    """flags: one action with the formats that it is about (caps: all actions that are known). text: of a PROVIDE, else None."""

    flags: int
    text: str | None = None

    @classmethod
    def parse(cls, data: bytes) -> ClipboardMessage:
        """Read the content of an extended message. Raises ParseError."""
        if len(data) < 4:
            raise ParseError(f"RFB: an extended clipboard message of {len(data)} bytes")
        flags = int.from_bytes(data[:4])
        if flags & (CAPS | PROVIDE) == PROVIDE and flags & TEXT:
            return cls(flags, _read_text(data[4:]))
        return cls(flags)

    def __bytes__(self) -> bytes:
        head = self.flags.to_bytes(4)
        if self.flags & CAPS:
            return head + MAX_CUT_TEXT.to_bytes(4) * (self.flags & FORMATS).bit_count()
        if self.text is None:
            return head
        text = self.text.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "replace") + b"\0"
        return head + zlib.compress(struct.pack("!I", len(text)) + text)


class Clipboard:
    """One side's end of the shared clipboard, the same at server and viewer.

    send: sends a clipboard message, given its content and whether it is extended. is_allowed: whether text goes either way.
    """

    def __init__(self, send: Callable[[bytes, bool], None], *, is_allowed: bool) -> None:
        self.is_allowed = is_allowed
        self._send = send
        self._theirs = 0
        self._has_announced = False
        self._text: str | None = None

    def announce(self) -> None:
        """Tell what we can, once; the other side said that it knows the extended clipboard."""
        if self.is_allowed and not self._has_announced:
            self._has_announced = True
            self._send(bytes(ClipboardMessage(OURS)), True)

    def offer(self, text: str) -> None:
        """We have a new text: offer it to who can ask for it, give it to who can't. One that is too long is kept back."""
        if not self.is_allowed or len(text.encode("utf-8", "replace")) > MAX_CUT_TEXT // 2:
            return
        self._text = text
        if self._theirs & NOTIFY:
            self._send(bytes(ClipboardMessage(NOTIFY | TEXT)), True)
        else:
            self._send(latin(text), False)

    def receive(self, data: bytes, is_extended: bool) -> str | None:
        """A message of the other side; the text that it brings, if any and if allowed. Raises ParseError."""
        if not is_extended:
            return data.decode("latin-1") if self.is_allowed else None
        message = ClipboardMessage.parse(data)
        if not self.is_allowed:
            return None
        if message.flags & CAPS:
            self._theirs = message.flags
            self.announce()
        elif message.flags & REQUEST and message.flags & TEXT and self._text is not None:
            self._send(bytes(ClipboardMessage(PROVIDE | TEXT, self._text)), True)
        elif message.flags & PEEK and self._text is not None:
            self._send(bytes(ClipboardMessage(NOTIFY | TEXT)), True)
        elif message.flags & NOTIFY and message.flags & TEXT:
            self._send(bytes(ClipboardMessage(REQUEST | TEXT)), True)
        return message.text


def latin(text: str) -> bytes:
    """A text for who knows the plain clipboard only; what Latin-1 lacks becomes a question mark."""
    return text.replace("\r\n", "\n").encode("latin-1", "replace")[:MAX_CUT_TEXT]


def _read_text(data: bytes) -> str:
    plain = inflate_all(data, MAX_CUT_TEXT + 5)
    if len(plain) < 4:
        raise ParseError("RFB: a clipboard without a length")
    size = int.from_bytes(plain[:4])
    if size > len(plain) - 4:
        raise ParseError(f"RFB: a clipboard of {size} bytes with {len(plain) - 4}")
    return plain[4:4 + size].rstrip(b"\0").decode("utf-8", "replace").replace("\r\n", "\n")
