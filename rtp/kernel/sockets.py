"""Media sockets: read with the time of arrival that the system noted (SO_TIMESTAMPNS), for RFC 3550's jitter; a second one that
hears a single peer alone, so that what strangers send to the port (RFC 3550 §9, RFC 3711 §9.5) is sorted out by the system."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Sequence

SO_TIMESTAMPNS = 35
"""The same number on all of Linux's common processors; Python's socket module does not name it."""
MAX_DATAGRAM = 2048
VOICE, VIDEO = 0xB8, 0x88
"""Expedited forwarding, and AF41 (RFC 8837 §5), as values of the traffic class byte."""
SOL_UDP, UDP_SEGMENT = 17, 103
"""Segmentation offload of Linux 4.18: many datagrams of one size to one receiver in one call."""
MAX_SEGMENTS, MAX_BURST = 64, 65_000
"""What one call may carry (UDP_MAX_SEGMENTS; a datagram's 64 KiB)."""
_REFUSED, _MISSING = (errno.EINVAL, errno.EMSGSIZE), (errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP)
"""What the system says to a run that it can't cut (too large for the path), and where it can't cut at all (a device without
checksums of its own, an old kernel)."""
MAX_REFUSALS = 8
_TIME = struct.Struct("qq")


def prepare(sock: socket.socket, traffic_class: int = VOICE) -> None:
    """Make a media socket ready: non-blocking, arrival times, the class that routers may prefer it by."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(*_traffic_class(sock), traffic_class)


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


class BurstSender:
    """Sends several datagrams to one receiver in few calls. `has_offload`: whether the system segments for us, till it refuses.

    `lost`: datagrams that the system did not take (a full buffer, an unreachable host): lost, as on any network.
    """

    __slots__ = ("_refusals", "has_offload", "lost")

    def __init__(self, has_offload: bool = True) -> None:
        self.has_offload = has_offload
        self.lost = 0
        self._refusals = 0

    def send(self, sock: socket.socket, remote: tuple[str, int], datagrams: Sequence[bytes]) -> None:
        """Send them in order: runs of one size, of which the last may be shorter, go out in one call each."""
        start, count = 0, len(datagrams)
        while start < count:
            size = len(datagrams[start])
            end, total = start + 1, size
            if self.has_offload:
                most = min(count, start + MAX_SEGMENTS)
                while end < most and len(datagrams[end]) <= size and total + size <= MAX_BURST:
                    total += size
                    end += 1
                    if len(datagrams[end - 1]) < size:
                        break
            if end - start == 1 or not self._send_run(sock, remote, datagrams[start:end], size):
                self._send_singly(sock, remote, datagrams[start:end])
            start = end

    def _send_run(self, sock: socket.socket, remote: tuple[str, int], run: Sequence[bytes], size: int) -> bool:
        """False when the system doesn't do it, and each has to be sent by itself."""
        try:
            sock.sendmsg(run, ((SOL_UDP, UDP_SEGMENT, size.to_bytes(2, sys.byteorder)),), 0, remote)
        except OSError as error:
            if error.errno in _REFUSED + _MISSING:
                self._refusals += 1
                self.has_offload = error.errno in _REFUSED and self._refusals < MAX_REFUSALS
                return False
            self.lost += len(run)
        return True

    def _send_singly(self, sock: socket.socket, remote: tuple[str, int], datagrams: Sequence[bytes]) -> None:
        for datagram in datagrams:
            try:
                sock.sendto(datagram, remote)
            except OSError:
                self.lost += 1
