"""Media sockets: read with the time of arrival that the system noted (SO_TIMESTAMPNS), for RFC 3550's jitter; a second one that
hears a single peer alone, so that what strangers send to the port (RFC 3550 §9, RFC 3711 §9.5) is sorted out by the system."""

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
    sock.setsockopt(*_traffic_class(sock), 0xB8)


def _traffic_class(sock: socket.socket) -> tuple[int, int]:
    if sock.family == socket.AF_INET6:
        return socket.IPPROTO_IPV6, socket.IPV6_TCLASS
    return socket.IPPROTO_IP, socket.IP_TOS


def connect(sock: socket.socket, remote: tuple[str, int]) -> socket.socket:
    """Another socket like `sock` on its port, connected to `remote`: it gets what comes from there, `sock` all the rest.

    Raises OSError. Both must allow the port to be shared; `sock` does so only meanwhile, so that nobody else can bind it.
    """
    connected = socket.socket(sock.family, socket.SOCK_DGRAM)
    try:
        for one in (sock, connected):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connected.bind(sock.getsockname())
        connected.connect(remote)
        connected.setblocking(False)
        for level, option in (_traffic_class(sock), (socket.SOL_SOCKET, SO_TIMESTAMPNS)):
            connected.setsockopt(level, option, sock.getsockopt(level, option))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        connected.close()
        raise
    return connected


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
