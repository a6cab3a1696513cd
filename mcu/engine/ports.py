"""The range of media ports: pairs of UDP sockets, RTP on the even port and RTCP on the next (RFC 3550 §11)."""

from __future__ import annotations

import errno
import functools
import ipaddress
import random
import socket
from dataclasses import dataclass

from mcu.addresses import MAX_KNOWN
from rtp.kernel.sockets import VIDEO, prepare

MAX_TRIES = 64
LOCAL_BUFFER = 1 << 20
"""Bytes that wait for a process of ours which is busy with a picture."""


@dataclass(frozen=True, slots=True)
class PortPair:
    """Two bound sockets. port: the even one."""

    rtp: socket.socket
    rtcp: socket.socket
    port: int

    def close(self) -> None:
        """Give both back."""
        self.rtp.close()
        self.rtcp.close()


class PortRange:
    """first, last: the range, both included. Pairs are handed out in turn, so a port rests before it is used again.

    Raises ValueError for a range without a pair.
    """

    def __init__(self, first: int, last: int) -> None:
        self._first = first + first % 2
        self._pairs = (last - self._first + 1) // 2
        if self._pairs < 1:
            raise ValueError(f"there is no pair of ports between {first} and {last}")
        self._next = random.randrange(self._pairs)

    def some(self, count: int = MAX_TRIES) -> list[int]:
        """Ports of the range for what is no pair, in turn with those of pairs; they may be taken."""
        ports = [self._first + 2 * ((self._next + number) % self._pairs) for number in range(min(count, self._pairs))]
        self._next = (self._next + 1) % self._pairs
        return ports

    def open(self, host: str) -> PortPair:
        """The next free pair on an address of this machine, IPv4 or IPv6. Raises OSError when there is none."""
        error: OSError | None = None
        for _ in range(self._pairs):
            port = self._first + 2 * self._next
            self._next = (self._next + 1) % self._pairs
            try:
                return _bind(host, port)
            except OSError as caught:
                error = caught
                if not _is_taken(caught):
                    break
        assert error is not None
        raise error


def _is_taken(error: OSError) -> bool:
    return error.errno in (errno.EADDRINUSE, errno.EACCES)


def _bind(host: str, port: int) -> PortPair:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened: list[socket.socket] = []
    try:
        for number in (port, port + 1):
            opened.append(socket.socket(family, socket.SOCK_DGRAM))
            opened[-1].bind((host, number))
            prepare(opened[-1])
    except OSError:
        for sock in opened:
            sock.close()
        raise
    return PortPair(opened[0], opened[1], port)


def local_pair() -> tuple[socket.socket, socket.socket]:
    """Two UDP sockets on loopback, each connected to the other, so that nobody else gets in. Raises OSError."""
    opened: list[socket.socket] = []
    try:
        for _ in range(2):
            opened.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            opened[-1].bind(("127.0.0.1", 0))
            prepare(opened[-1], VIDEO)
            opened[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LOCAL_BUFFER)
        one, other = opened
        one.connect(other.getsockname())
        other.connect(one.getsockname())
    except OSError:
        for sock in opened:
            sock.close()
        raise
    return one, other


@functools.lru_cache(MAX_KNOWN)
def plain_host(host: str) -> str:
    """An address without the wrapping that IPv6 sockets give to IPv4 (RFC 4291 §2.5.5.2)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def own_address(local_host: str, peer_host: str) -> str:
    """The address to receive at: `local_host`, or for a wildcard the one that leads to the peer."""
    local_host, peer_host = plain_host(local_host), plain_host(peer_host)
    if local_host not in ("0.0.0.0", "::"):
        return local_host
    family = socket.AF_INET6 if ":" in peer_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer_host, 9))               # sends nothing: it only asks for the route
        except OSError:
            return local_host
        return str(probe.getsockname()[0])
