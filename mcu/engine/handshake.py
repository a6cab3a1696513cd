"""DTLS-SRTP of one leg (RFC 5763, RFC 5764): control makes the handshake, the worker hands it what RFC 7983 sorts as DTLS.

Our side answers over its own copy of the leg's sockets.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from rtp.keying.certificate import Certificate
from rtp.keying.components import LegKeying
from rtp.keying.description import DtlsDescription
from rtp.keying.dtls import Address, Role
from rtp.srtp import SessionKeys
from sip.aio.tls import key_log


class Handshake:
    """sockets: one for each component; remotes: where the peer is, for a client's first word."""

    def __init__(self, certificate: Certificate, theirs: DtlsDescription, role: Role, sockets: Sequence[socket.socket],
                 remotes: Sequence[Address | None], now: float) -> None:
        self._sockets = sockets
        self._keying = LegKeying(certificate, theirs, role, remotes, now, key_log=key_log())
        self._send()

    @property
    def theirs(self) -> DtlsDescription:
        """What the peer's SDP says of it."""
        return self._keying.theirs

    @property
    def keys(self) -> Sequence[SessionKeys | None]:
        """By component (RTP, then RTCP where it has a port of its own), None until they are there."""
        return self._keying.keys

    @property
    def failure(self) -> str:
        """Why there won't be any keys, empty while there may."""
        return self._keying.failure

    @property
    def components(self) -> int:
        """How many associations there are."""
        return self._keying.components

    def receive(self, data: bytes, source: Address, component: int, now: float) -> bool:
        """Take a datagram (component: 0 RTP, 1 RTCP); whether keys, or a failure, came of it."""
        has_news = self._keying.receive(data, source, component, now)
        self._send()
        return has_news

    def handle_timer(self, now: float) -> bool:
        """Repeat what was not answered; whether a failure came of it."""
        has_news = self._keying.handle_timer(now)
        self._send()
        return has_news

    def close(self) -> None:
        """Say goodbye."""
        self._keying.close()
        self._send()

    def _send(self) -> None:
        for component, data, destination in self._keying.datagrams_to_send():
            try:
                self._sockets[component].sendto(data, destination)
            except OSError:
                pass                    # a full buffer or an ICMP error: it is lost, and repeated
