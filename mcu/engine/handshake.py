"""DTLS-SRTP of one leg (RFC 5763, RFC 5764): control makes the handshake, the worker hands it what RFC 7983 sorts as DTLS.

Our side answers over its own copy of the leg's sockets. Without rtcp-mux RTCP has an association of its own (RFC 5764 §4.2).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from rtp.keying.certificate import Certificate
from rtp.keying.description import DtlsDescription
from rtp.keying.dtls import DtlsConnected, DtlsEndpoint, DtlsFailed, Role
from rtp.srtp import SessionKeys

Address = tuple[str, int]


class Handshake:
    """keys: by component (RTP, then RTCP where it has a port of its own), None until they are there; failure: why there won't
    be any. sockets: one for each component; remotes: where the peer is, for a client's first word."""

    def __init__(self, certificate: Certificate, theirs: DtlsDescription, role: Role, sockets: Sequence[socket.socket],
                 remotes: Sequence[Address | None], now: float) -> None:
        self.theirs = theirs
        self.failure = ""
        self.keys: list[SessionKeys | None] = [None] * len(sockets)
        self._sockets = sockets
        self._ends = [DtlsEndpoint(role, certificate, now=now, fingerprints=theirs.fingerprints) for _ in sockets]
        if role is Role.CLIENT:
            for end, remote in zip(self._ends, remotes, strict=True):
                if remote is not None:
                    end.start(remote, now)
        self._drain()

    @property
    def components(self) -> int:
        """How many associations there are."""
        return len(self._ends)

    def receive(self, data: bytes, source: Address, component: int, now: float) -> bool:
        """Take a datagram (component: 0 RTP, 1 RTCP); whether keys, or a failure, came of it."""
        if component >= len(self._ends):
            return False
        self._ends[component].receive_datagram(data, source, now)
        return self._drain()

    def handle_timer(self, now: float) -> bool:
        """Repeat what was not answered; whether a failure came of it."""
        is_due = False
        for end in self._ends:
            timer = end.next_timer()
            if timer is not None and timer <= now:
                end.handle_timer(now)
                is_due = True
        return is_due and self._drain()

    def close(self) -> None:
        """Say goodbye."""
        for end in self._ends:
            end.close()
        self._drain()

    def _drain(self) -> bool:
        """Send what waits, see what happened; whether anything came of it."""
        has_news = False
        for number, (end, sock) in enumerate(zip(self._ends, self._sockets, strict=True)):
            for data, destination in end.datagrams_to_send():
                try:
                    sock.sendto(data, destination)
                except OSError:
                    pass                    # a full buffer or an ICMP error: it is lost, and repeated
            while (event := end.next_event()) is not None:
                match event:
                    case DtlsConnected(keys):
                        self.keys[number], has_news = keys, True
                    case DtlsFailed(reason) if self.keys[number] is None:
                        self.failure, has_news = reason, True
        return has_news
