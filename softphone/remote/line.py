"""The line of a call's SDP by which desktops come and go (`rtp.sdp.desktop`; RFC 4145, RFC 8122), as the phone uses it.

It says `inactive` as a rule. For a while it asks, `sendonly` to show a desktop and `recvonly` to look at one, and what comes
back may have a ticket: where to connect, whom to expect there, and the word.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from rtp.errors import NegotiationFailed, ParseError
from rtp.keying.certificate import Certificate, Fingerprint
from rtp.sdp import desktop
from rtp.sdp.model import MediaDescription, SessionDescription

log = logging.getLogger(__name__)
Direction = Literal["sendonly", "recvonly"]


@dataclass(frozen=True, slots=True)
class Invitation:
    """A seat at the relay. remote: its address; fingerprints: of the certificate that it has to show; ticket: the word."""

    remote: tuple[str, int]
    fingerprints: tuple[Fingerprint, ...]
    ticket: str


class DesktopLine:
    """An `ApplicationLine`. is_there: whether the other side carries desktops at all."""

    def __init__(self, host: str, certificate: Certificate | None) -> None:
        self.is_there = False
        self.certificate = certificate
        self._host = host
        self._wanted = "inactive"
        self._told: desktop.DesktopLine | None = None

    async def ask(self, direction: Direction, offer_again: Callable[[], Awaitable[int]]) -> Invitation | None:
        """Ask for a seat by an offer of ours; None when there is none for us (yet)."""
        self._wanted, self._told = direction, None
        try:
            await offer_again()
        finally:
            self._wanted = "inactive"
        told = self._told
        if told is None or not told.ticket or told.remote is None or not told.fingerprints:
            return None
        if told.direction != desktop.MIRRORED[direction]:
            return None
        return Invitation(told.remote, told.fingerprints, told.ticket)

    # ---- softphone.media.lines.ApplicationLine

    def is_mine(self, media: MediaDescription) -> bool:
        """See ApplicationLine."""
        return desktop.is_desktop(media)

    def offer(self, previous: MediaDescription | None) -> MediaDescription | None:
        """See ApplicationLine."""
        if self.certificate is None or (previous is not None and not previous.port):
            return None
        return desktop.offer(self._host, self.certificate.fingerprint(), self._wanted)

    def answer(self, session: SessionDescription, index: int) -> MediaDescription | None:
        """See ApplicationLine. A server's own offers bring no ticket; the line stays as it is."""
        try:
            theirs = desktop.read(session, session.media[index])
        except (ParseError, NegotiationFailed):
            return None
        self.is_there = theirs.setup != "active" and self.certificate is not None
        return self.offer(None) if self.is_there else None

    def apply(self, session: SessionDescription, index: int) -> None:
        """See ApplicationLine."""
        self.is_there = False
        try:
            self._told = desktop.apply_answer(session, index)
        except (ParseError, NegotiationFailed) as error:
            log.info("no desktops in this call", extra={"reason": str(error)})
            return
        self.is_there = True
