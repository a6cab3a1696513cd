"""DTLS-SRTP of one leg (RFC 5763, RFC 5764), without a socket: an association for each component.

    keying = LegKeying(certificate, theirs, role, (remote, remote_rtcp), now)
    keying.receive(data, source, component, now)               # component: 0 RTP, 1 RTCP; True: look at keys and failure
    for component, data, destination in keying.datagrams_to_send(): ...

Without rtcp-mux RTCP has a port and an association of its own (RFC 5764 §4.2).
"""

from __future__ import annotations

from collections.abc import Sequence

from rtp.keying.certificate import Certificate
from rtp.keying.description import DtlsDescription
from rtp.keying.dtls import Address, DtlsConnected, DtlsEndpoint, DtlsFailed, DtlsRefused, Role
from rtp.keying.handshake import KeyLog
from rtp.srtp.suites import SUITES, SessionKeys, Suite


class LegKeying:
    """keys: by component, None until they are there; failure: why there won't be any. theirs: the peer's description; remotes:
    where each component of the peer is, for a client's first word; key_log: gets the secrets (`DtlsEndpoint`)."""

    def __init__(self, certificate: Certificate, theirs: DtlsDescription, role: Role, remotes: Sequence[Address | None],
                 now: float, suites: Sequence[Suite] = SUITES, *, key_log: KeyLog | None = None) -> None:
        self.theirs = theirs
        self.failure = ""
        self.keys: list[SessionKeys | None] = [None] * len(remotes)
        self._refusal = ""
        self._ends = [DtlsEndpoint(role, certificate, now=now, fingerprints=theirs.fingerprints, suites=suites, key_log=key_log)
                      for _ in remotes]
        if role is Role.CLIENT:
            for end, remote in zip(self._ends, remotes, strict=True):
                if remote is not None:
                    end.start(remote, now)

    @property
    def components(self) -> int:
        """How many associations there are."""
        return len(self._ends)

    def receive(self, data: bytes, source: Address, component: int, now: float) -> bool:
        """Take a datagram; whether keys, or a failure, came of it."""
        if component >= len(self._ends):
            return False
        self._ends[component].receive_datagram(data, source, now)
        return self._look()

    def move(self, component: int, address: Address) -> None:
        """The peer of a component is elsewhere than its SDP says: a client goes on with it there."""
        self._ends[component].move(address)

    def next_timer(self) -> float | None:
        """When to call `handle_timer`, None for never."""
        return min((timer for end in self._ends if (timer := end.next_timer()) is not None), default=None)

    def handle_timer(self, now: float) -> bool:
        """Repeat what was not answered; whether a failure came of it."""
        for end in self._ends:
            timer = end.next_timer()
            if timer is not None and timer <= now:
                end.handle_timer(now)
        return self._look()

    def close(self) -> None:
        """Say goodbye."""
        for end in self._ends:
            end.close()

    def datagrams_to_send(self) -> list[tuple[int, bytes, Address]]:
        """(component, datagram, where it goes)."""
        return [(number, *each) for number, end in enumerate(self._ends) for each in end.datagrams_to_send()]

    def _look(self) -> bool:
        has_news = False
        for number, end in enumerate(self._ends):
            while (event := end.next_event()) is not None:
                match event:
                    case DtlsConnected(keys):
                        self.keys[number], has_news = keys, True
                    case DtlsRefused(_, reason):
                        self._refusal = f"; somebody was turned away: {reason}"
                    case DtlsFailed(reason) if self.keys[number] is None:
                        self.failure, has_news = reason + self._refusal, True
        return has_news
