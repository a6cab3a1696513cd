"""Pixels and how RFB writes them (RFC 6143 §7.4): the pixel format, CPIXEL of ZRLE (§7.7.6), TPIXEL of Tight.

A picture is an array of numbers 0x00RRGGBB, uint32, shape (height, width), whatever the byte order of the machine. Formats
with a colour map (§7.6.2) are served with a fixed map of 256 colours, three bits of red and green and two of blue.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtp.errors import ParseError

Pixels = NDArray[np.uint32]
"""A picture: 0x00RRGGBB, shape (height, width)."""
MAX_SIDE = 16384
MAX_PIXELS = 1 << 26
"""The largest framebuffer; two screens of 8K side by side. Its pixels take 256 MiB."""
_FORMAT = struct.Struct("!BBBBHHHBBB3x")
_MAXES, _SHIFTS = (7, 7, 3), (0, 3, 6)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of a framebuffer, in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def area(self) -> int:
        """How many pixels it has."""
        return self.width * self.height

    def of(self, pixels: Pixels) -> Pixels:
        """The view of a picture that it cuts out."""
        return pixels[self.y:self.y + self.height, self.x:self.x + self.width]

    def common(self, other: Rectangle) -> Rectangle:
        """What lies within both; its area may be 0."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.x + self.width, other.x + other.width), min(self.y + self.height, other.y + other.height)
        return Rectangle(x, y, max(0, right - x), max(0, bottom - y))


def check_size(width: int, height: int) -> None:
    """Raises ParseError for a framebuffer without pixels or with too many."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise ParseError(f"RFB: a framebuffer of {width} × {height}; at most {MAX_PIXELS} pixels")


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """PIXEL_FORMAT (RFC 6143 §7.4). maxes, shifts: of red, green, blue."""

    bits_per_pixel: int = 32
    depth: int = 24
    is_big_endian: bool = False
    is_true_colour: bool = True
    maxes: tuple[int, int, int] = (255, 255, 255)
    shifts: tuple[int, int, int] = (16, 8, 0)

    @classmethod
    def parse(cls, data: bytes) -> PixelFormat:
        """Read the 16 bytes. Raises ParseError for a format in which no colour can be written."""
        bits, depth, big, true, *colours = _FORMAT.unpack(data)
        maxes, shifts = (colours[0], colours[1], colours[2]), (colours[3], colours[4], colours[5])
        if bits not in (8, 16, 32) or not 0 < depth <= 32:
            raise ParseError(f"RFB: {bits} bits a pixel, depth {depth}")
        if not true:
            if bits != 8:
                raise ParseError(f"RFB: a colour map with {bits} bits a pixel; 8 are known")
            return cls(8, 8, bool(big), False, _MAXES, _SHIFTS)
        for highest, shift in zip(maxes, shifts, strict=True):
            if highest & highest + 1 or highest << shift >= 1 << bits:
                raise ParseError(f"RFB: a colour up to {highest}, shifted by {shift}, in {bits} bits")
        return cls(bits, depth, bool(big), True, maxes, shifts)

    def __bytes__(self) -> bytes:
        return _FORMAT.pack(self.bits_per_pixel, self.depth, self.is_big_endian, self.is_true_colour, *self.maxes, *self.shifts)

    @property
    def pixel_size(self) -> int:
        """Bytes of a PIXEL."""
        return self.bits_per_pixel // 8

    @property
    def compact_size(self) -> int:
        """Bytes of a CPIXEL (RFC 6143 §7.7.6): 3 where one of four would always be zero."""
        return 3 if self._compact_bytes is not None else self.pixel_size

    @property
    def has_tight_pixels(self) -> bool:
        """Whether a TPIXEL has three bytes, red first, instead of a PIXEL's."""
        return self.bits_per_pixel == 32 and self.depth == 24 and self.is_true_colour and self.maxes == (255, 255, 255)

    @property
    def tight_size(self) -> int:
        """Bytes of a TPIXEL."""
        return 3 if self.has_tight_pixels else self.pixel_size

    @property
    def _compact_bytes(self) -> slice | None:
        """Which bytes of a PIXEL are its CPIXEL, None for all."""
        if self.bits_per_pixel != 32 or self.depth > 24 or not self.is_true_colour:
            return None
        ends = [shift + highest.bit_length() for highest, shift in zip(self.maxes, self.shifts, strict=True)]
        if max(ends) <= 24:
            return slice(1, 4) if self.is_big_endian else slice(0, 3)
        if min(self.shifts) >= 8:
            return slice(0, 3) if self.is_big_endian else slice(1, 4)
        return None

    @property
    def _type(self) -> np.dtype[np.unsignedinteger]:
        return np.dtype(f"{'>' if self.is_big_endian else '<'}u{self.pixel_size}")

    @property
    def _is_native(self) -> bool:
        return self.bits_per_pixel == 32 and self.maxes == (255, 255, 255) and self.shifts == (16, 8, 0)

    def values(self, pixels: Pixels) -> NDArray[np.unsignedinteger]:
        """The same pixels as numbers of this format, in its byte order."""
        if self._is_native:
            return pixels.astype(self._type)
        total = np.zeros(pixels.shape, np.uint32)
        for position, highest, shift in zip((16, 8, 0), self.maxes, self.shifts, strict=True):
            total |= ((pixels >> position & 255) * highest + 127) // 255 << shift
        return total.astype(self._type)

    def pack(self, pixels: Pixels) -> bytes:
        """As PIXELs."""
        return self.values(pixels).tobytes()

    def pack_compact(self, pixels: Pixels) -> bytes:
        """As CPIXELs."""
        part, values = self._compact_bytes, self.values(pixels)
        return values.tobytes() if part is None else _octets(values, 4)[:, part].tobytes()

    def pack_tight(self, pixels: Pixels) -> bytes:
        """As TPIXELs."""
        return _octets(pixels.astype(">u4"), 4)[:, 1:].tobytes() if self.has_tight_pixels else self.pack(pixels)

    def unpack(self, data: bytes) -> Pixels:
        """PIXELs as a row of pixels. The bytes must be whole pixels."""
        return self._colours(np.frombuffer(data, self._type))

    def unpack_compact(self, data: bytes) -> Pixels:
        """CPIXELs as a row of pixels."""
        part = self._compact_bytes
        if part is None:
            return self.unpack(data)
        octets = np.zeros((len(data) // 3, 4), np.uint8)
        octets[:, part] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return self._colours(octets.view(self._type)[:, 0])

    def unpack_tight(self, data: bytes) -> Pixels:
        """TPIXELs as a row of pixels."""
        if not self.has_tight_pixels:
            return self.unpack(data)
        octets = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.uint32)
        return join_colours(octets)

    def _colours(self, values: NDArray[np.unsignedinteger]) -> Pixels:
        if self._is_native:
            return values.astype(np.uint32) & np.uint32(0xFFFFFF)
        values = values.astype(np.uint32)
        total = np.zeros(values.shape, np.uint32)
        for position, highest, shift in zip((16, 8, 0), self.maxes, self.shifts, strict=True):
            if highest:
                total |= (((values >> shift & highest) * 255 + highest // 2) // highest << position).astype(np.uint32)
        return total


def join_colours(octets: NDArray[np.uint32]) -> Pixels:
    """Pixels from red, green and blue, 0 to 255 each, on the last axis."""
    red, green, blue = (octets[..., place] for place in range(3))
    return (red << np.uint32(16) | green << np.uint32(8) | blue).astype(np.uint32)


def _octets(values: NDArray[np.unsignedinteger], size: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1, size)


def colour_map() -> tuple[tuple[int, int, int], ...]:
    """The fixed map of 256 colours, 16 bits each, for a viewer without true colour (RFC 6143 §7.6.2)."""
    def part(index: int, which: int) -> int:
        return (index >> _SHIFTS[which] & _MAXES[which]) * 65535 // _MAXES[which]
    return tuple((part(index, 0), part(index, 1), part(index, 2)) for index in range(256))
