"""The `m=application` lines of a conference's members: BFCP by a door of their own (RFC 8856), RFB by the server's relay.

Both are an `mcu.application_line.ApplicationLine` of the member's leg; what they serve is the conference's (`mcu.room_floors`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from mcu.floor import FloorId
from mcu.participant import Identity, ParticipantId
from mcu.relay.messages import Door
from mcu.relay.tickets import OWNER, VIEWER
from rtp.errors import NegotiationFailed, ParseError
from rtp.sdp import desktop
from rtp.sdp.floor_control import DISCARD_PORT, Floor, LocalFloors, NegotiatedFloors, answer_line, is_floor_stream
from rtp.sdp.model import MediaDescription, SessionDescription

if TYPE_CHECKING:
    from mcu.room_floors import RoomFloors

SLIDES = "slides"
"""The label of the stream that the holder of the screen sends (RFC 4574)."""
log = logging.getLogger(__name__)


class FloorLine:
    """BFCP of one member. floors: those of the conference, made when they are first wanted."""

    def __init__(self, floors: Callable[[], RoomFloors], participant: ParticipantId, who: Identity) -> None:
        self._floors, self._participant, self._who = floors, participant, who
        self._address: tuple[str, int] | None = None
        self._protocol = ""
        self._agreed: NegotiatedFloors | None = None
        self._line: MediaDescription | None = None

    def answer(self, session: SessionDescription, index: int, host: str, told_host: str) -> MediaDescription | None:
        """See ApplicationLine."""
        if not is_floor_stream(session.media[index]):
            return None
        try:
            return self._answer(session, index, host, told_host)
        except (NegotiationFailed, OSError) as error:
            log.info("no floor control", extra={"who": self._who.entity, "reason": str(error)})
            return None

    def _answer(self, session: SessionDescription, index: int, host: str, told_host: str) -> MediaDescription:
        floors, protocol = self._floors(), session.media[index].protocol.upper()
        certificate = floors.doors.certificate
        local = LocalFloors(told_host, DISCARD_PORT, floors.control.conference_id, 0,
                            (Floor(FloorId.SCREEN, (SLIDES,)), Floor(FloorId.CONTROL)),
                            None if certificate is None else certificate.fingerprint())
        answer_line(session, index, local)
        user_id = floors.control.join(self._participant, self._who.display_name, self._who.entity)
        if self._address is None or self._protocol != protocol:
            self._address, self._protocol = floors.doors.open_now(self._participant, protocol, host), protocol
        self._line, self._agreed = answer_line(session, index, replace(local, port=self._address[1], user_id=user_id))
        return self._line

    def confirm(self, hosts: Collection[str]) -> None:
        """See ApplicationLine."""
        agreed, self._agreed = self._agreed, None
        if agreed is not None:
            self._floors().doors.admit(self._participant, agreed, hosts)

    def again(self) -> MediaDescription | None:
        """See ApplicationLine."""
        if self._line is None:
            return None
        kept = tuple((name, "existing" if name == "connection" else value) for name, value in self._line.attributes)
        return replace(self._line, attributes=kept)

    def apply(self, session: SessionDescription, index: int) -> None:
        """See ApplicationLine."""
        if index >= len(session.media) or not session.media[index].port:
            self.end()

    def end(self) -> None:
        """See ApplicationLine."""
        if self._line is not None:
            self._line = self._agreed = None
            self._floors().leave(self._participant)


class DesktopLine:
    """RFB of one member: the relay's door, and a ticket where one waits. floors: as in FloorLine."""

    def __init__(self, floors: Callable[[], RoomFloors], participant: ParticipantId) -> None:
        self._floors, self._participant = floors, participant
        self._line: MediaDescription | None = None

    def answer(self, session: SessionDescription, index: int, host: str, told_host: str) -> MediaDescription | None:
        """See ApplicationLine."""
        if not desktop.is_desktop(session.media[index]):
            return None
        try:
            return self._answer(desktop.read(session, session.media[index]), host, told_host)
        except (ParseError, NegotiationFailed, OSError) as error:
            log.info("no desktops", extra={"participant": self._participant, "reason": str(error)})
            return None

    def _answer(self, peer: desktop.DesktopLine, host: str, told_host: str) -> MediaDescription:
        known = next((each for each in peer.fingerprints if each.algorithm == "sha-256"), None)
        if known is None:
            raise NegotiationFailed("a fingerprint by sha-256 is needed")
        desktops, relay = self._floors().desktops, self._floors().relay
        fingerprint, port, word = relay.fingerprint, relay.port(Door.PHONES, host), ""
        desktops.present(self._participant, known.digest)
        if fingerprint is not None and peer.direction in ("sendonly", "recvonly"):
            word = desktops.take_word(self._participant, OWNER if peer.direction == "sendonly" else VIEWER)
        self._line = desktop.answer(peer, told_host, port, fingerprint)
        return desktop.answer(peer, told_host, port, fingerprint, word)

    def confirm(self, hosts: Collection[str]) -> None:
        """See ApplicationLine. Who comes is known by certificate and ticket, not by address."""

    def again(self) -> MediaDescription | None:
        """See ApplicationLine."""
        return self._line

    def apply(self, session: SessionDescription, index: int) -> None:
        """See ApplicationLine."""
        if index >= len(session.media) or not session.media[index].port:
            self.end()

    def end(self) -> None:
        """See ApplicationLine."""
        if self._line is not None:
            self._line = None
            self._floors().desktops.leave(self._participant)
