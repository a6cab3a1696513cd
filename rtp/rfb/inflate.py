"""Decompression with an end (RFC 1950 in RFC 6143 §7.7.6): a stream that gives more than it may is refused, not kept."""

from __future__ import annotations

import zlib

from rtp.errors import ParseError


class Inflator:
    """One zlib stream for the life of a connection."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()

    def inflate(self, data: bytes, limit: int) -> bytes:
        """What these bytes give. Raises ParseError when it is more than `limit`, or no zlib stream, or one that ended."""
        try:
            plain = self._stream.decompress(data, limit + 1)
        except zlib.error as error:
            raise ParseError(f"RFB: {error}") from error
        if len(plain) > limit:
            raise ParseError(f"RFB: compressed data that give more than {limit} bytes")
        if self._stream.unused_data:
            raise ParseError("RFB: bytes after the end of a compressed stream")
        return plain

    def inflate_exactly(self, data: bytes, size: int) -> bytes:
        """As `inflate`, and fewer bytes are refused, too."""
        plain = self.inflate(data, size)
        if len(plain) != size:
            raise ParseError(f"RFB: compressed data that give {len(plain)} bytes, {size} expected")
        return plain


def inflate_all(data: bytes, limit: int) -> bytes:
    """A zlib stream that stands by itself. Raises ParseError as `Inflator.inflate` does."""
    return Inflator().inflate(data, limit)
