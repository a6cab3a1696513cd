"""ICE of one leg, the lite side (RFC 8445 §2.5, RFC 8839): for phones that bring it, what the answer says and where media goes.

The worker hands on what RFC 7983 sorts as STUN; replies go out over our own copy of the leg's sockets.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence
from dataclasses import replace

from rtp.ice import Candidate, IceLite, PairSelected, RemoteIce
from rtp.sdp.model import SessionDescription

Address = tuple[str, int]


class Connectivity:
    """The checks of a leg's components. sockets: RTP's, and RTCP's where it has a port of its own."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = sockets
        self._ice = IceLite(secrets.token_bytes, components=tuple(range(1, len(sockets) + 1)))

    @property
    def components(self) -> int:
        """How many there are."""
        return len(self._sockets)

    def described_by(self, remote: RemoteIce, *, is_answer: bool = False) -> None:
        """The peer's description; other credentials than before are a restart, and in an offer bring new ones of ours."""
        self._ice.set_remote(remote, is_answer=is_answer)

    def described(self, ours: SessionDescription, index: int, host: str, port: int) -> SessionDescription:
        """Our description with what it says of ICE (RFC 8839 §4.2). index: of the stream; host, port: where RTP is received."""
        candidates = [Candidate.local(host, port + number, number + 1) for number in range(len(self._sockets))]
        lines = self._ice.attributes(candidates)
        media = tuple(replace(each, attributes=each.attributes + lines) if number == index else each
                      for number, each in enumerate(ours.media))
        lite = () if ("ice-lite", None) in ours.attributes else (("ice-lite", None),)
        return replace(ours, media=media, attributes=lite + ours.attributes)

    def receive(self, data: bytes, source: Address, component: int, now: float) -> dict[int, Address]:
        """Take a STUN message (component: 0 RTP, 1 RTCP), answer it; the components whose media goes elsewhere from now on."""
        if component >= len(self._sockets):
            return {}
        reply = self._ice.receive(data, source, component + 1, now)
        if reply is not None:
            try:
                self._sockets[component].sendto(reply, source)
            except OSError:
                pass                        # a full buffer or an ICMP error: the check is repeated
        selected: dict[int, Address] = {}
        while (event := self._ice.next_event()) is not None:
            if isinstance(event, PairSelected):
                selected[event.component - 1] = event.address
        return selected
