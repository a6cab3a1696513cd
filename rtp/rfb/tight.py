"""Tight, of the community's list beside RFC 6143 §7.7: fills, palettes and copies through four zlib streams, and JPEG.

We write fills, palettes, copies and, when the viewer asked for a quality and a codec is given, JPEG for what has many colours;
all are read, gradients too. JPEG is another's subject: it comes as a `JpegCodec`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from rtp.errors import ParseError
from rtp.rfb.inflate import Inflator
from rtp.rfb.pixels import PixelFormat, Pixels, Rectangle, join_colours
from rtp.rfb.stream import Reading
from rtp.rfb.zrle import pack_indices, unpack_indices

MAX_SIDE = 256
"""We cut larger rectangles, so that each part gets the way that suits it."""
MAX_JPEG = 1 << 24
"""Bytes of one rectangle's JPEG."""
PLAIN_BELOW = 12
"""Shorter data are not compressed."""
MIN_JPEG_AREA = 1024
"""Below it a JPEG's own head costs more than it saves."""
SAMPLES = 1024
_FILL, _JPEG, _EXPLICIT_FILTER = 8, 9, 4
_COPY, _PALETTE, _GRADIENT = 0, 1, 2


class JpegCodec(Protocol):
    """JPEG of somebody else."""

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """A picture as JPEG. quality: 0 (coarse) to 9."""

    def decode(self, data: bytes, width: int, height: int) -> Pixels:
        """The picture. Raises ParseError when it is none, or has another size; before it is unpacked."""


class TightEncoder:
    """Zlib streams 0 (copies), 1 (two colours) and 2 (palettes). jpeg: None to stay without loss; level: of compression."""

    def __init__(self, jpeg: JpegCodec | None = None, level: int = 3) -> None:
        self.quality: int | None = None
        self._jpeg = jpeg
        self._streams = [zlib.compressobj(level) for _ in range(3)]

    def encode(self, pixels: Pixels, pixel_format: PixelFormat) -> bytes:
        """The bytes of a rectangle of at most MAX_SIDE each way, after its head."""
        if (pixels == pixels[0, 0]).all():
            return bytes([_FILL << 4]) + pixel_format.pack_tight(pixels[:1, :1])
        if self._is_photograph(pixels):
            return self._many(pixels, pixel_format)
        colours, indices = np.unique(pixels, return_inverse=True)
        if len(colours) > 256:
            return self._many(pixels, pixel_format)
        head = bytes([_PALETTE, len(colours) - 1]) + pixel_format.pack_tight(colours)
        indices = indices.reshape(pixels.shape)
        if len(colours) == 2:
            return bytes([(_EXPLICIT_FILTER | 1) << 4]) + head + self._compressed(1, pack_indices(indices, 1))
        return bytes([(_EXPLICIT_FILTER | 2) << 4]) + head + self._compressed(2, indices.astype(np.uint8).tobytes())

    def _is_photograph(self, pixels: Pixels) -> bool:
        """A glance at some pixels spares the sorting of all."""
        step = max(1, pixels.size // SAMPLES)
        return len(np.unique(pixels.ravel()[::step])) > 256

    def _many(self, pixels: Pixels, pixel_format: PixelFormat) -> bytes:
        if self._jpeg is not None and self.quality is not None and pixels.size >= MIN_JPEG_AREA and pixel_format.pixel_size > 1:
            data = self._jpeg.encode(pixels, self.quality)
            return bytes([_JPEG << 4]) + compact_length(len(data)) + data
        return b"\0" + self._compressed(0, pixel_format.pack_tight(pixels))

    def _compressed(self, stream: int, plain: bytes) -> bytes:
        if len(plain) < PLAIN_BELOW:
            return plain
        data = self._streams[stream].compress(plain) + self._streams[stream].flush(zlib.Z_SYNC_FLUSH)
        return compact_length(len(data)) + data


class TightDecoder:
    """Four zlib streams."""

    def __init__(self, jpeg: JpegCodec | None = None) -> None:
        self._jpeg = jpeg
        self._inflators = [Inflator() for _ in range(4)]

    def read(self, target: Pixels, pixel_format: PixelFormat) -> Reading[None]:
        """Read the bytes of a rectangle and draw it into `target`, its part of the picture. Raises ParseError."""
        control = (yield 1)[0]
        for number in range(4):
            if control >> number & 1:
                self._inflators[number] = Inflator()
        kind = control >> 4
        if kind == _FILL:
            target[...] = pixel_format.unpack_tight((yield pixel_format.tight_size))[0]
        elif kind == _JPEG:
            yield from self._read_jpeg(target)
        elif kind < _FILL:
            yield from self._read_basic(target, pixel_format, kind)
        else:
            raise ParseError(f"RFB Tight: a rectangle of kind {kind}")

    def _read_jpeg(self, target: Pixels) -> Reading[None]:
        length = yield from read_compact_length()
        if self._jpeg is None or not 0 < length <= MAX_JPEG:
            raise ParseError(f"RFB Tight: a JPEG of {length} bytes that was not asked for")
        height, width = target.shape
        target[...] = self._jpeg.decode((yield length), width, height)

    def _read_basic(self, target: Pixels, pixel_format: PixelFormat, kind: int) -> Reading[None]:
        chosen = (yield 1)[0] if kind & _EXPLICIT_FILTER else _COPY
        if chosen == _PALETTE:
            yield from self._read_palette(target, pixel_format, kind & 3)
        elif chosen in (_COPY, _GRADIENT):
            data = yield from self._read_data(kind & 3, target.size * pixel_format.tight_size)
            pixels = pixel_format.unpack_tight(data).reshape(target.shape)
            target[...] = pixels if chosen == _COPY else _without_gradient(pixels, pixel_format)
        else:
            raise ParseError(f"RFB Tight: filter {chosen}")

    def _read_palette(self, target: Pixels, pixel_format: PixelFormat, stream: int) -> Reading[None]:
        size = (yield 1)[0] + 1
        palette = pixel_format.unpack_tight((yield size * pixel_format.tight_size))
        height, width = target.shape
        if size <= 2:
            data = yield from self._read_data(stream, -(-width // 8) * height)
            indices = unpack_indices(data, width, height, 1)
        else:
            data = yield from self._read_data(stream, width * height)
            indices = np.frombuffer(data, np.uint8).reshape(height, width)
        if int(indices.max()) >= size:
            raise ParseError(f"RFB Tight: colour {indices.max()} of a palette of {size}")
        target[...] = palette[indices]

    def _read_data(self, stream: int, size: int) -> Reading[bytes]:
        if size < PLAIN_BELOW:
            return (yield size)
        length = yield from read_compact_length()
        if length > size + size // 100 + 64:
            raise ParseError(f"RFB Tight: {length} bytes for {size}")
        return self._inflators[stream].inflate_exactly((yield length), size)


def parts(area: Rectangle) -> Iterator[Rectangle]:
    """A rectangle in parts of at most MAX_SIDE each way."""
    for y in range(area.y, area.y + area.height, MAX_SIDE):
        for x in range(area.x, area.x + area.width, MAX_SIDE):
            yield Rectangle(x, y, min(MAX_SIDE, area.x + area.width - x), min(MAX_SIDE, area.y + area.height - y))


def compact_length(length: int) -> bytes:
    """A length in one to three bytes, the low bits first."""
    if length < 1 << 7:
        return bytes([length])
    if length < 1 << 14:
        return bytes([length & 127 | 128, length >> 7])
    return bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14])


def read_compact_length() -> Reading[int]:
    """The inverse of `compact_length`."""
    length = 0
    for shift in (0, 7):
        byte = (yield 1)[0]
        length |= (byte & 127) << shift
        if byte < 128:
            return length
    return length | (yield 1)[0] << 14


def _without_gradient(pixels: Pixels, pixel_format: PixelFormat) -> Pixels:
    """Each pixel is the difference to what left, upper and upper left neighbour let expect, for each colour by itself."""
    if not pixel_format.has_tight_pixels:
        raise ParseError("RFB Tight: a gradient in a format of few colours")
    width = pixels.shape[1]
    differences = np.stack([pixels >> shift & 255 for shift in (16, 8, 0)], axis=2).astype(np.int64).tolist()
    above = [(0, 0, 0)] * (width + 1)
    rows = []
    for row in differences:
        here = [(0, 0, 0)]
        for x, (red, green, blue) in enumerate(row):
            left, upper, corner = here[x], above[x + 1], above[x]
            here.append(((red + _expected(left[0], upper[0], corner[0])) & 255,
                         (green + _expected(left[1], upper[1], corner[1])) & 255,
                         (blue + _expected(left[2], upper[2], corner[2])) & 255))
        rows.append(here[1:])
        above = here
    return join_colours(np.array(rows, np.uint32))


def _expected(left: int, upper: int, corner: int) -> int:
    return min(255, max(0, left + upper - corner))
