"""Reads a byte stream by a script that asks for so many bytes at a time, as RFC 6143 §7 writes its messages down.

    def script():
        kind, = yield 1
        ...
    incoming = Incoming(script())
    incoming.receive(data)

The script is a generator: it yields how many bytes it wants next and is sent exactly these, whatever the pieces in which they
came. So what is kept of a peer is never more than the script asked for and one piece. HOLD stops it where the stream changes
its nature (TLS begins).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from rtp.errors import ParseError

T = TypeVar("T")
Reading = Generator[int, bytes, T]
"""A part of a script: yields sizes, is sent bytes, returns a value."""
HOLD = -1
"""Yielded where no byte belongs to the script until `resume`."""
MAX_WANTED = 1 << 28
"""No single field is longer: a frame of 8192 × 8192 pixels, uncompressed."""


class Incoming:
    """Feeds a script. What the script raises comes out of `receive`, and it is over then."""

    def __init__(self, script: Reading[None]) -> None:
        self._script = script
        self._buffer = bytearray()
        self._wanted = 0
        self._is_over = False
        self._advance(None)

    @property
    def waiting(self) -> int:
        """Bytes that came and are not used yet."""
        return len(self._buffer)

    def receive(self, data: bytes) -> None:
        """Bytes of the peer, in any pieces. Raises what the script raises."""
        if self._is_over:
            return
        self._buffer += data
        position = 0
        try:
            while not self._is_over and 0 <= self._wanted <= len(self._buffer) - position:
                piece = bytes(memoryview(self._buffer)[position:position + self._wanted])
                position += self._wanted
                self._advance(piece)
        finally:
            del self._buffer[:position]

    def take_rest(self) -> bytes:
        """At a HOLD: the bytes that came after it; they belong to what begins there."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def resume(self) -> None:
        """Go on after a HOLD."""
        if self._wanted == HOLD:
            self._advance(b"")

    def _advance(self, piece: bytes | None) -> None:
        try:
            self._wanted = next(self._script) if piece is None else self._script.send(piece)
        except StopIteration:
            self._is_over = True
        except Exception:
            self._is_over = True
            raise
        if self._wanted > MAX_WANTED:
            self._is_over = True
            raise ParseError(f"RFB: a field of {self._wanted} bytes; {MAX_WANTED} are allowed")
