"""Reads packets from capture files: classic pcap (µs and ns, both byte orders) and pcapng.

Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng (blocks: SHB, IDB, EPB, SPB). Other blocks are passed
over. The whole file is never in memory. A file that breaks off gives what can be read, then `CaptureError`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pcap.errors import CaptureError

MAX_BLOCK = 16 * 1024 * 1024
"""A longer block is a damaged length field, not a packet."""

_CLASSIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1),
}
_SECTION_HEADER = b"\x0a\x0d\x0d\x0a"


@dataclass(frozen=True, slots=True)
class Packet:
    """One captured frame: `time_ns` since 1970, `link_type` as registered (1 Ethernet, 101 raw IP, 113 and 276 SLL)."""

    time_ns: int
    link_type: int
    data: bytes


def read_packets(path: Path) -> Iterator[Packet]:
    """Packets of a capture file in file order. Raises CaptureError for what is no capture, or where the file breaks."""
    with path.open("rb") as file:
        magic = file.read(4)
        if magic in _CLASSIC:
            yield from _read_classic(file, *_CLASSIC[magic])
        elif magic == _SECTION_HEADER:
            file.seek(0)
            yield from _read_pcapng(file)
        else:
            raise CaptureError(f"{path.name}: neither pcap nor pcapng (it begins with {magic.hex() or 'nothing'})")


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise CaptureError(f"the file breaks off at byte {file.tell()}: {size} bytes expected, {len(data)} there")
    return data


def _read_classic(file: BinaryIO, order: str, tick_ns: int) -> Iterator[Packet]:
    header = _read_exactly(file, 20)
    link_type = struct.unpack(order + "I", header[16:20])[0] & 0xFFFF
    while record := file.read(16):
        if len(record) < 16:
            raise CaptureError(f"the file breaks off at byte {file.tell()}, inside a packet header")
        seconds, fraction, captured, _ = struct.unpack(order + "IIII", record)
        if captured > MAX_BLOCK:
            raise CaptureError(f"a packet of {captured} bytes before byte {file.tell()}: the file is damaged there")
        yield Packet(seconds * 1_000_000_000 + fraction * tick_ns, link_type, _read_exactly(file, captured))


def _read_pcapng(file: BinaryIO) -> Iterator[Packet]:
    order = "<"
    interfaces: list[tuple[int, int]] = []
    while head := file.read(8):
        if len(head) < 8:
            raise CaptureError(f"the file breaks off at byte {file.tell()}, inside a block header")
        if head[:4] == _SECTION_HEADER:
            mark = _read_exactly(file, 4)
            order = "<" if mark == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces.clear()
        kind, length = struct.unpack(order + "II", head)
        consumed = 12 if head[:4] == _SECTION_HEADER else 8
        if length < consumed + 4 or length > MAX_BLOCK or length % 4:
            raise CaptureError(f"a block of {length} bytes before byte {file.tell()}: the file is damaged there")
        body = _read_exactly(file, length - consumed)[:-4]
        if kind == 1 and len(body) >= 8:
            interfaces.append((struct.unpack(order + "H", body[:2])[0], _resolution_ns(order, body[8:])))
        elif kind == 6 and len(body) >= 20:
            number, high, low, captured = struct.unpack(order + "IIII", body[:16])
            if number >= len(interfaces):
                raise CaptureError(f"a packet of interface {number}, which the file does not describe")
            link_type, per_second = interfaces[number]
            ticks = high << 32 | low
            yield Packet(ticks * 1_000_000_000 // per_second, link_type, body[20:20 + captured])
        elif kind == 3 and interfaces:
            yield Packet(0, interfaces[0][0], body[4:])


def _resolution_ns(order: str, options: bytes) -> int:
    """Ticks per second of an interface (option if_tsresol; default µs)."""
    position = 0
    while position + 4 <= len(options):
        code, length = struct.unpack(order + "HH", options[position:position + 4])
        if code == 0:
            break
        if code == 9 and length >= 1 and position + 4 < len(options):
            value = options[position + 4]
            return int(1 << (value & 0x7F)) if value & 0x80 else int(10**value)
        position += 4 + length + (-length % 4)
    return 1_000_000
