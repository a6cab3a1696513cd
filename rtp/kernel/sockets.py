"""Reading a media socket with the time of arrival that the system noted (SO_TIMESTAMPNS), for RFC 3550's jitter."""

from __future__ import annotations

import socket
import struct

SO_TIMESTAMPNS = 35
"""The same number on all of Linux's common processors; Python's socket module does not name it."""
MAX_DATAGRAM = 2048
_TIME = struct.Struct("qq")


def prepare(sock: socket.socket) -> None:
    """Make a media socket ready: non-blocking, arrival times, expedited forwarding (RFC 3246)."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0xB8)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xB8)


def receive(sock: socket.socket, offset_ns: int, now_ns: int) -> tuple[bytes, tuple[str, int], int] | None:
    """(datagram, source, arrival in monotonic ns) or None when there is none.

    offset_ns: the system's clock less the monotonic one; now_ns: taken where the system noted no time.
    """
    try:
        data, ancillary, _, source = sock.recvmsg(MAX_DATAGRAM, 64)
    except OSError:
        return None
    if ancillary:
        seconds, nanoseconds = _TIME.unpack_from(ancillary[0][2])
        return data, source[:2], seconds * 1_000_000_000 + nanoseconds - offset_ns
    return data, source[:2], now_ns
