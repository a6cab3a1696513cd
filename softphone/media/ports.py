"""A pair of UDP sockets for a call's media: RTP on an even port, RTCP on the next (RFC 3550 §11); others' addresses."""

from __future__ import annotations

import random
import socket
from ipaddress import ip_address
from typing import Protocol

from rtp.errors import NegotiationFailed
from rtp.kernel.sockets import prepare

Address = tuple[str, int]
TRIES = 100
FIRST_PORT, LAST_PORT = 16384, 32766


class Placed(Protocol):
    """What sends and takes packets of one transport."""

    def places(self) -> tuple[Address, Address, Address, Address] | None:
        """Where RTP goes from and to, and RTCP; None before it is agreed."""


class Observer(Protocol):
    """Sees what a transport sends and takes, in clear. It must not wait; pictures come from a thread of theirs."""

    def __call__(self, session: Placed, is_out: bool, is_rtcp: bool, time_ns: int, packet: bytes) -> None:
        """A packet of RTP or RTCP. time_ns: monotonic, of its arrival or of now."""


def open_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """(RTP, RTCP) bound to `host` and non-blocking. Raises OSError when no pair is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    error = OSError("no free pair of UDP ports")
    for _ in range(TRIES):
        port = random.randrange(FIRST_PORT, LAST_PORT, 2)
        rtp = socket.socket(family, socket.SOCK_DGRAM)
        rtcp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            rtp.bind((host, port))
            rtcp.bind((host, port + 1))
            prepare(rtp)
            prepare(rtcp)
            return rtp, rtcp
        except OSError as caught:
            error = caught
            rtp.close()
            rtcp.close()
    raise error


def plain_address(address: tuple[str, int] | None) -> tuple[str, int] | None:
    """The address as the system writes it, so that it compares with where packets come from. Raises NegotiationFailed."""
    if address is None:
        return None
    try:
        return str(ip_address(address[0])), address[1]
    except ValueError:
        raise NegotiationFailed(f"the media address {address[0]!r} is no IP address") from None
