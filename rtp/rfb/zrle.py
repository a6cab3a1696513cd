"""ZRLE (RFC 6143 §7.7.6): tiles of 64 × 64, each in the way that suits it, all through one zlib stream.

We write solid tiles, palettes of up to 16 colours and raw tiles, and leave runs to zlib; all are read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtp.errors import ParseError
from rtp.rfb.inflate import Inflator
from rtp.rfb.pixels import PixelFormat, Pixels, Rectangle

TILE = 64
MAX_PACKED, MAX_PALETTE = 16, 127
_RAW, _SOLID, _PLAIN_RLE, _PALETTE_RLE = 0, 1, 128, 130


def tiles(width: int, height: int) -> Iterator[Rectangle]:
    """The tiles of a rectangle, row by row."""
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            yield Rectangle(x, y, min(TILE, width - x), min(TILE, height - y))


class ZrleEncoder:
    """One zlib stream. level: of compression, 1 to 9."""

    def __init__(self, level: int = 3) -> None:
        self._stream = zlib.compressobj(level)

    def encode(self, pixels: Pixels, pixel_format: PixelFormat) -> bytes:
        """The bytes of a rectangle, after its head."""
        height, width = pixels.shape
        plain = b"".join(_write_tile(tile.of(pixels), pixel_format) for tile in tiles(width, height))
        data = self._stream.compress(plain) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return len(data).to_bytes(4) + data


class ZrleDecoder:
    """One zlib stream."""

    def __init__(self) -> None:
        self._inflator = Inflator()

    def decode(self, data: bytes, target: Pixels, pixel_format: PixelFormat) -> None:
        """Draw the bytes of a rectangle (without their length) into `target`, its part of the picture. Raises ParseError."""
        height, width = target.shape
        plain = self._inflator.inflate(data, longest_plain(width, height))
        reader = _Tiles(plain, pixel_format)
        for tile in tiles(width, height):
            tile.of(target)[...] = reader.read(tile).reshape(tile.height, tile.width)
        if reader.position != len(plain):
            raise ParseError(f"RFB ZRLE: {len(plain) - reader.position} bytes too many")


def longest_plain(width: int, height: int) -> int:
    """The most bytes that the tiles of a rectangle may have: a run for each pixel, and a palette for each tile."""
    count = -(-width // TILE) * -(-height // TILE)
    return width * height * 5 + count * (1 + 4 * MAX_PALETTE)


def longest_data(width: int, height: int) -> int:
    """The most bytes that these may be compressed to: zlib adds less than a hundredth and its head."""
    plain = longest_plain(width, height)
    return plain + plain // 100 + 64


def _write_tile(pixels: Pixels, pixel_format: PixelFormat) -> bytes:
    if (pixels == pixels[0, 0]).all():
        return bytes([_SOLID]) + pixel_format.pack_compact(pixels[:1, :1])
    colours, indices = np.unique(pixels, return_inverse=True)
    if len(colours) > MAX_PACKED:
        return bytes([_RAW]) + pixel_format.pack_compact(pixels)
    packed = pack_indices(indices.reshape(pixels.shape), index_bits(len(colours)))
    return bytes([len(colours)]) + pixel_format.pack_compact(colours) + packed


def index_bits(colours: int) -> int:
    """Bits of an index into a palette."""
    return 1 if colours == 2 else 2 if colours <= 4 else 4


def pack_indices(indices: NDArray[np.intp], bits: int) -> bytes:
    """Indices of so many bits, the leftmost in the high bits, each row filled up to whole bytes."""
    per_byte = 8 // bits
    height, width = indices.shape
    padded = np.zeros((height, -(-width // per_byte) * per_byte), np.uint8)
    padded[:, :width] = indices
    groups = padded.reshape(height, -1, per_byte)
    total = np.zeros(groups.shape[:2], np.uint8)
    for place in range(per_byte):
        total |= groups[:, :, place] << np.uint8(8 - bits * (place + 1))
    return total.tobytes()


def unpack_indices(data: bytes, width: int, height: int, bits: int) -> NDArray[np.uint8]:
    """The inverse of `pack_indices`; data: exactly the bytes of these rows."""
    per_byte = 8 // bits
    rows = np.frombuffer(data, np.uint8).reshape(height, -1)
    parts = [rows >> np.uint8(8 - bits * (place + 1)) & np.uint8((1 << bits) - 1) for place in range(per_byte)]
    return np.stack(parts, axis=2).reshape(height, -1)[:, :width]


class _Tiles:
    """Reads one tile after the other."""

    def __init__(self, data: bytes, pixel_format: PixelFormat) -> None:
        self.position = 0
        self._data = data
        self._format = pixel_format

    def read(self, tile: Rectangle) -> Pixels:
        kind = self._take(1)[0]
        if kind == _RAW:
            return self._pixels(tile.area)
        if kind == _SOLID:
            return np.full(tile.area, self._pixels(1)[0], np.uint32)
        if kind <= MAX_PACKED:
            return self._read_packed(tile, kind)
        if kind == _PLAIN_RLE:
            return self._read_runs(tile.area)
        if kind >= _PALETTE_RLE:
            return self._read_palette_runs(tile.area, kind - 128)
        raise ParseError(f"RFB ZRLE: a tile of kind {kind}")

    def _take(self, size: int) -> bytes:
        if self.position + size > len(self._data):
            raise ParseError("RFB ZRLE: the tiles break off")
        self.position += size
        return self._data[self.position - size:self.position]

    def _pixels(self, count: int) -> Pixels:
        return self._format.unpack_compact(self._take(count * self._format.compact_size))

    def _read_packed(self, tile: Rectangle, size: int) -> Pixels:
        palette, bits = self._pixels(size), index_bits(size)
        indices = unpack_indices(self._take(-(-tile.width * bits // 8) * tile.height), tile.width, tile.height, bits)
        return _look_up(palette, indices)

    def _read_runs(self, area: int) -> Pixels:
        size, colours, lengths = self._format.compact_size, bytearray(), []
        left = area
        while left:
            colours += self._take(size)
            lengths.append(self._run_length(left))
            left -= lengths[-1]
        return np.repeat(self._format.unpack_compact(bytes(colours)), lengths)

    def _read_palette_runs(self, area: int, size: int) -> Pixels:
        palette = self._pixels(size)
        indices, lengths = bytearray(), []
        left = area
        while left:
            index = self._take(1)[0]
            indices.append(index & 127)
            lengths.append(self._run_length(left) if index & 128 else 1)
            left -= lengths[-1]
        return np.repeat(_look_up(palette, np.frombuffer(bytes(indices), np.uint8)), lengths)

    def _run_length(self, left: int) -> int:
        length = 1
        while (part := self._take(1)[0]) == 255:
            length += 255
            if length > left:
                break
        length += part if part != 255 else 0
        if length > left:
            raise ParseError(f"RFB ZRLE: a run of {length} pixels where {left} are left")
        return length


def _look_up(palette: Pixels, indices: NDArray[np.uint8]) -> Pixels:
    if indices.size and int(indices.max()) >= len(palette):
        raise ParseError(f"RFB: colour {indices.max()} of a palette of {len(palette)}")
    return palette[indices]
