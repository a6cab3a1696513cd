"""IP packets in fragments (RFC 791 §3.2, RFC 8200 §4.5) and behind extension headers, for tests of what reads them."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def fragments_of(packet: bytes, size: int) -> list[bytes]:
    """The packet in pieces of `size` bytes of payload, a multiple of 8."""
    head, payload = (packet[:20], packet[20:]) if packet[0] >> 4 == 4 else (packet[:40], packet[40:])
    pieces = []
    for start in range(0, len(payload), size):
        piece, is_last = payload[start:start + size], start + size >= len(payload)
        if len(head) == 20:
            place = struct.pack("!HH", 77, start // 8 | (0 if is_last else 0x2000))
            pieces.append(head[:2] + struct.pack("!H", 20 + len(piece)) + place + head[8:] + piece)
        else:
            extra = struct.pack("!BBHI", head[6], 0, start | (not is_last), 77)
            pieces.append(head[:4] + struct.pack("!HB", 8 + len(piece), 44) + head[7:] + extra + piece)
    return pieces


def with_extensions(packet: bytes, kinds: Sequence[int]) -> bytes:
    """An IPv6 packet with extension headers of these kinds, 16 bytes each, before its payload."""
    following = [*kinds[1:], packet[6]]
    sizes = (2 if kind == 51 else 1 for kind in kinds)
    headers = b"".join(struct.pack("!BB14x", after, size) for after, size in zip(following, sizes, strict=True))
    length = struct.pack("!H", len(packet) - 40 + len(headers))
    return packet[:4] + length + bytes([kinds[0]]) + packet[7:40] + headers + packet[40:]
