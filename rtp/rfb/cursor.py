"""The shape of the pointer (RFC 6143 §7.8.1), drawn by the viewer, so that it follows the hand without delay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtp.errors import ParseError
from rtp.rfb.pixels import PixelFormat, Pixels

MAX_SIDE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Cursor:
    """pixels: its colours; mask: bool of the same shape, where it is to be seen; hot_x, hot_y: the place that points."""

    pixels: Pixels
    mask: NDArray[np.bool_]
    hot_x: int
    hot_y: int

    def encode(self, pixel_format: PixelFormat) -> bytes:
        """The bytes after the head of the rectangle, whose position is the hot spot."""
        return pixel_format.pack(self.pixels) + np.packbits(self.mask, axis=1).tobytes()


def cursor_size(width: int, height: int, pixel_format: PixelFormat) -> int:
    """Bytes of a cursor. Raises ParseError for one that is too large."""
    if width > MAX_SIDE or height > MAX_SIDE:
        raise ParseError(f"RFB: a pointer of {width} × {height}; {MAX_SIDE} each way are allowed")
    return width * height * pixel_format.pixel_size + -(-width // 8) * height


def decode_cursor(data: bytes, width: int, height: int, hot: tuple[int, int], pixel_format: PixelFormat) -> Cursor:
    """Read a cursor; data: exactly its bytes."""
    split = width * height * pixel_format.pixel_size
    pixels = pixel_format.unpack(data[:split]).reshape(height, width)
    rows = np.frombuffer(data[split:], np.uint8).reshape(height, -(-width // 8))
    return Cursor(pixels, np.unpackbits(rows, axis=1)[:, :width].astype(np.bool_), *hot)
