"""Reads capture files: classic pcap (µs and ns, both byte orders) and pcapng.

Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng (blocks: SHB, IDB, EPB, SPB, NRB, DSB; options: resolution and
offset of an interface's time, comment and direction of a packet). Other blocks are passed over. The whole file is never in
memory. A file that breaks off gives what can be read, then `CaptureError` with the place.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pcap.errors import CaptureError

MAX_BLOCK = 16 * 1024 * 1024
"""A longer block is a damaged length field, not a packet."""
TLS_KEY_LOG = 0x544C534B
"""Type of secrets in the form of NSS's key log."""
INBOUND, OUTBOUND = "in", "out"
"""Direction of a packet as an interface saw it."""

_CLASSIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1),
}
_SECTION_HEADER = b"\x0a\x0d\x0d\x0a"
_NAMES_IPV4, _NAMES_IPV6 = 1, 2
_DIRECTIONS = {1: INBOUND, 2: OUTBOUND}


@dataclass(frozen=True, slots=True)
class Packet:
    """One captured frame: `time_ns` since 1970, `link_type` as registered (1 Ethernet, 101 raw IP, 113 and 276 SLL).

    direction: INBOUND, OUTBOUND or empty; comment: of the packet; length: on the wire, 0 when `data` is all of it.
    """

    time_ns: int
    link_type: int
    data: bytes
    comment: str = ""
    direction: str = ""
    length: int = 0


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys that came with the capture. kind: TLS_KEY_LOG or another registered type."""

    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Names:
    """Names of an address."""

    address: str
    names: tuple[str, ...]


Block = Packet | Secrets | Names


@dataclass(slots=True)
class _Interface:
    link_type: int
    snap_length: int
    per_second: int = 1_000_000
    offset_ns: int = 0


def read_packets(path: Path) -> Iterator[Packet]:
    """Packets of a capture file in file order. Raises CaptureError for what is no capture, or where the file breaks."""
    for block in read_blocks(path):
        if isinstance(block, Packet):
            yield block


def read_secrets(path: Path) -> bytes:
    """The TLS key log that came with the capture, as far as it can be read; empty when there is none."""
    found = []
    try:
        for block in read_blocks(path):
            if isinstance(block, Secrets) and block.kind == TLS_KEY_LOG:
                found.append(block.data)
    except CaptureError:
        pass
    return b"\n".join(found)


def read_blocks(path: Path) -> Iterator[Block]:
    """Packets, secrets and names of a capture file in file order. Raises CaptureError as `read_packets` does."""
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
    record_header = struct.Struct(order + "IIII")
    while record := file.read(16):
        if len(record) < 16:
            raise CaptureError(f"the file breaks off at byte {file.tell()}, inside a packet header")
        seconds, fraction, captured, length = record_header.unpack(record)
        if captured > MAX_BLOCK:
            raise CaptureError(f"a packet of {captured} bytes before byte {file.tell()}: the file is damaged there")
        data = _read_exactly(file, captured)
        yield Packet(seconds * 1_000_000_000 + fraction * tick_ns, link_type, data, length=length if length > captured else 0)


def _read_pcapng(file: BinaryIO) -> Iterator[Block]:
    order = "<"
    interfaces: list[_Interface] = []
    while head := file.read(8):
        if len(head) < 8:
            raise CaptureError(f"the file breaks off at byte {file.tell()}, inside a block header")
        is_header = head[:4] == _SECTION_HEADER
        if is_header:
            order = _byte_order(file)
            interfaces.clear()
        kind, length = struct.unpack(order + "II", head)
        consumed = 12 if is_header else 8
        if length < consumed + 4 or length > MAX_BLOCK or length % 4:
            raise CaptureError(f"a block of {length} bytes before byte {file.tell()}: the file is damaged there")
        body = _read_exactly(file, length - consumed)
        if struct.unpack(order + "I", body[-4:])[0] != length:
            raise CaptureError(f"a block of {length} bytes whose end, before byte {file.tell()}, says another length")
        yield from _block(kind, body[:-4], order, interfaces)


def _byte_order(file: BinaryIO) -> str:
    mark = _read_exactly(file, 4)
    order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(mark)
    if order is None:
        raise CaptureError(f"a section without its byte-order mark before byte {file.tell()}: the file is damaged there")
    return order


def _block(kind: int, body: bytes, order: str, interfaces: list[_Interface]) -> Iterator[Block]:
    if kind == 6 and len(body) >= 20:
        yield _packet(body, order, interfaces)
    elif kind == 1 and len(body) >= 8:
        interfaces.append(_interface(body, order))
    elif kind == 3 and interfaces and len(body) >= 4:
        length, first = struct.unpack(order + "I", body[:4])[0], interfaces[0]
        size = min(length, first.snap_length or length, len(body) - 4)
        yield Packet(0, first.link_type, body[4:4 + size], length=length if length > size else 0)
    elif kind == 4:
        yield from _names(body, order)
    elif kind == 10 and len(body) >= 8:
        secret_kind, size = struct.unpack(order + "II", body[:8])
        yield Secrets(secret_kind, body[8:8 + size])


def _packet(body: bytes, order: str, interfaces: list[_Interface]) -> Packet:
    number, high, low, captured, length = struct.unpack(order + "IIIII", body[:20])
    if number >= len(interfaces):
        raise CaptureError(f"a packet of interface {number}, which the file does not describe")
    interface, end = interfaces[number], 20 + captured
    if end > len(body):
        raise CaptureError(f"a packet of {captured} bytes in a block of {len(body)}: the file is damaged there")
    time_ns = (high << 32 | low) * 1_000_000_000 // interface.per_second + interface.offset_ns
    comment = direction = ""
    for code, value in _options(body[end + -captured % 4:], order):
        if code == 1:
            comment = value.decode("utf-8", "replace")
        elif code == 2 and len(value) == 4:
            direction = _DIRECTIONS.get(struct.unpack(order + "I", value)[0] & 3, "")
    return Packet(time_ns, interface.link_type, body[20:end], comment, direction, length if length > captured else 0)


def _interface(body: bytes, order: str) -> _Interface:
    link_type, _, snap_length = struct.unpack(order + "HHI", body[:8])
    interface = _Interface(link_type, snap_length)
    for code, value in _options(body[8:], order):
        if code == 9 and value:
            interface.per_second = 1 << (value[0] & 0x7F) if value[0] & 0x80 else 10 ** (value[0] & 0x7F)
        elif code == 14 and len(value) == 8:
            interface.offset_ns = struct.unpack(order + "q", value)[0] * 1_000_000_000
    return interface


def _names(body: bytes, order: str) -> Iterator[Names]:
    for kind, value in _options(body, order):
        size = {_NAMES_IPV4: 4, _NAMES_IPV6: 16}.get(kind)
        if size is not None and len(value) > size:
            names = [name.decode("utf-8", "replace") for name in value[size:].split(b"\0") if name]
            yield Names(str(ipaddress.ip_address(value[:size])), tuple(names))


def _options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(code, value) of each option up to the end of options; one that breaks off ends them."""
    position = 0
    while position + 4 <= len(data):
        code, length = struct.unpack_from(order + "HH", data, position)
        if code == 0 or position + 4 + length > len(data):
            return
        yield code, data[position + 4:position + 4 + length]
        position += 4 + length + -length % 4
