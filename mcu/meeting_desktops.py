"""The desktops of a conference as its focus has them: floor control (RFC 8855) on one side, the relay (RFC 6143) on the other.

Members come by a line of their SDP (`rtp.sdp.desktop`), stock viewers by a ticket. The floor's events open and close gates here
before anybody hears of them. What the relay reports goes into the audit, and keeps the controller's time running.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol

from mcu.conference import Done, Refused
from mcu.desktops import Guest, RoomDesktops
from mcu.floor import (
    ChairAsked,
    Command,
    Event,
    FloorEnded,
    FloorGranted,
    FloorId,
    RequestChanged,
    Requested,
    RequestFloor,
    RevokeFloor,
)
from mcu.floor_control import FloorControl
from mcu.participant import ParticipantId
from mcu.relay.messages import (
    DesktopEnded,
    DesktopFigures,
    DesktopJoined,
    Door,
    GatePassed,
    GateStep,
    OpenDesktop,
    RelayReport,
)
from mcu.relay.tickets import OWNER, VIEWER
from rtp.errors import NegotiationFailed, ParseError
from rtp.sdp import desktop
from rtp.sdp.model import MediaDescription, SessionDescription
from sip.bfcp.attributes import Status

if TYPE_CHECKING:
    from mcu.relay.service import RelayService

VIEW_ONLY = "view only"
"""The reason of a denial by which the owner lets somebody look all the same."""
NO_WAY = "one of the two phones can't reach desktops"
"""Why a grant is taken away at once: that of a phone without a line for RFB, which may have asked by BFCP all the same."""
Note = Callable[["ParticipantId | None", str, "ParticipantId | None", str], None]
"""Takes a line of the audit: who, what, about whom, and more."""
_STEPS = {GateStep.OPENED: "input passes", GateStep.CLOSED: "input stopped", GateStep.REFUSED: "input refused",
          GateStep.FLOODED: "input flooded"}
log = logging.getLogger(__name__)


class Floors(Protocol):
    """The floors of the conference (`mcu.floor_line.MeetingFloors`)."""

    control: FloorControl

    def execute(self, command: Command, actor: ParticipantId | None) -> Requested | Done | Refused:
        """Carry out a command that came by another way than BFCP."""

    def leave(self, participant: ParticipantId) -> None:
        """A member is out."""


class Relays(Protocol):
    """Who has the relay: the server."""

    relay: RelayService


class MeetingDesktops:
    """The desktops of one conference. note: takes the lines of the audit."""

    def __init__(self, floors: Floors, server: Relays, note: Note) -> None:
        self.rules = RoomDesktops(self, secrets.token_bytes)
        self._floors, self._server, self._note = floors, server, note
        self._guests: set[ParticipantId] = set()

    @property
    def relay(self) -> RelayService:
        """The relay of the server."""
        return self._server.relay

    @property
    def sharer(self) -> ParticipantId | None:
        """Whose screen is shared."""
        grant = self._floors.control.floors.grant_of(FloorId.SCREEN)
        return None if grant is None else grant.holder

    def line(self, participant: ParticipantId) -> DesktopLine:
        """What answers the RFB line of a member's call."""
        return DesktopLine(self, participant)

    def invite_viewer(self, participant: ParticipantId, name: str) -> Guest | Refused:
        """A ticket to the shared desktop for a stock viewer, as a participant of that id; its owner is asked, as by anybody."""
        self._floors.control.join(participant, name)
        self._guests.add(participant)
        guest = self.rules.invite(participant)
        verdict = self._floors.execute(RequestFloor(FloorId.CONTROL, "by a VNC viewer"), participant)
        if isinstance(verdict, Refused):
            self._dismiss(participant)
            return verdict
        return guest

    def is_guest(self, participant: ParticipantId) -> bool:
        """Whether that is a stock viewer."""
        return participant in self._guests

    def name_of(self, participant: ParticipantId) -> str:
        """How floor control calls somebody."""
        user = self._floors.control.users.get(participant)
        return "" if user is None else user.display_name

    def _dismiss(self, participant: ParticipantId) -> None:
        """A stock viewer is done; nothing happens for others."""
        if participant in self._guests:
            self._guests.discard(participant)
            self.leave(participant)
            self._floors.leave(participant)

    def leave(self, participant: ParticipantId) -> None:
        """A member is gone: what they show and see ends at once."""
        self.rules.leave(participant)

    def close(self) -> None:
        """The conference is over."""
        for session_id in list(self.rules.sessions):
            self.rules.close(session_id)

    # ---- what the floors decide

    def on_floor(self, event: Event) -> None:
        """A floor was granted or has ended, or somebody asked for one: gates first."""
        match event:
            case FloorGranted(grant) if grant.floor is FloorId.CONTROL and grant.desktop is not None:
                self._note(grant.desktop, "control granted", grant.holder, "")
                if self.rules.open(grant.desktop, grant.holder) is None:
                    asyncio.get_running_loop().call_soon(self._revoke, grant.request_id, NO_WAY)
                self.rules.set_holder(grant.desktop, grant.holder)
            case FloorEnded(grant, reason) if grant.floor is FloorId.CONTROL and grant.desktop is not None:
                self.rules.set_holder(grant.desktop, None)
                self._note(grant.desktop, "control ended", grant.holder, reason)
            case FloorGranted(grant):
                self._note(grant.holder, "share begun", None, "")
            case FloorEnded(grant, reason):
                self.rules.close_of(grant.holder, as_owner_only=True)
                self._note(grant.holder, "share ended", None, reason)
            case ChairAsked(request, chair, _):
                self.relay.begin()
                self._note(request.participant, "control asked", chair, request.info)
            case RequestChanged(request) if request.floor is FloorId.CONTROL and request.status is Status.DENIED:
                self._denied(request.participant, request.reason)

    def _revoke(self, request_id: int, reason: str) -> None:
        self._floors.execute(RevokeFloor(request_id, reason), None)

    def _denied(self, participant: ParticipantId, reason: str) -> None:
        owner = self.sharer
        if reason == VIEW_ONLY and owner is not None:
            self.rules.open(owner, participant)
            self._note(owner, "view allowed", participant, "")
        else:
            self._note(owner, "control denied", participant, reason)
            self._dismiss(participant)

    # ---- mcu.desktops.Relay

    def new_session(self) -> int:
        """See Relay."""
        return self.relay.new_session(self._on_report)

    def open_desktop(self, opened: OpenDesktop) -> None:
        """See Relay."""
        self.relay.open_desktop(opened)

    def set_holder(self, session_id: int, participant_id: int) -> None:
        """See Relay."""
        self.relay.set_holder(session_id, participant_id)

    def close_desktop(self, session_id: int) -> None:
        """See Relay."""
        self.relay.close_desktop(session_id)

    # ---- what the relay reports

    def _on_report(self, report: RelayReport) -> None:
        match report:
            case DesktopJoined(session_id) if session_id in self.rules.sessions:
                session = self.rules.sessions[session_id]
                session.is_joined = True
                self._note(session.viewer, "desktop seen", session.owner, "")
            case DesktopFigures(session_id, passed) if session_id in self.rules.sessions:
                session = self.rules.sessions[session_id]
                if passed > session.passed:
                    session.passed = passed
                    self._floors.control.floors.touch(asyncio.get_running_loop().time())
            case GatePassed(session_id, step, who, count):
                known = self.rules.sessions.get(session_id)
                self._note(ParticipantId(who), _STEPS[step], None if known is None else known.owner,
                           f"{count} keys released" if count else "")
            case DesktopEnded(session_id, reason):
                self._on_ended(session_id, reason)

    def _on_ended(self, session_id: int, reason: str) -> None:
        session = self.rules.ended(session_id)
        if session is None:
            return
        self._note(session.viewer, "desktop closed", session.owner, reason)
        grant = self._floors.control.floors.grant_of(FloorId.CONTROL)
        if grant is not None and (grant.holder, grant.desktop) == (session.viewer, session.owner):
            self._revoke(grant.request_id, reason)
        self._dismiss(session.viewer)


class DesktopLine:
    """RFB of one member (an `mcu.application_line.ApplicationLine`): the relay's door, and a ticket where one waits."""

    def __init__(self, desktops: MeetingDesktops, participant: ParticipantId) -> None:
        self._desktops, self._participant = desktops, participant
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
        rules, relay = self._desktops.rules, self._desktops.relay
        fingerprint, port, word = relay.fingerprint, relay.port(Door.PHONES, host), ""
        rules.present(self._participant, known.digest)
        if fingerprint is not None and peer.direction in ("sendonly", "recvonly"):
            word = rules.take_word(self._participant, OWNER if peer.direction == "sendonly" else VIEWER)
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
            self._desktops.leave(self._participant)
