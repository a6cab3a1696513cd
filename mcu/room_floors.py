"""Floors and desktops of one conference as its focus has them (RFC 8855 on one side, the desktop relay on the other).

Members come by the lines of their SDP (`mcu.floor_lines`). The events of the floors open and close gates here, before anybody
hears of them: media by `let_pass`, input at the relay. What the relay reports goes into the audit, and keeps the controller's
time running.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from mcu.conference import Done, Refused
from mcu.desktops import Guest, RoomDesktops
from mcu.floor import (
    MEDIA,
    ChairAsked,
    Command,
    Event,
    FloorEnded,
    FloorGranted,
    FloorId,
    Floors,
    FloorSettings,
    RequestChanged,
    Requested,
    RequestFloor,
    RevokeFloor,
)
from mcu.floor_control import FloorControl
from mcu.floor_door import FloorDoors
from mcu.participant import ParticipantId
from mcu.relay.messages import (
    DesktopEnded,
    DesktopFigures,
    DesktopJoined,
    GatePassed,
    GateStep,
    OpenDesktop,
    RelayReport,
)
from mcu.relay.service import RelayService
from mcu.transmission import Medium
from rtp.keying.certificate import Certificate
from sip.bfcp.attributes import Status

VIEW_ONLY = "view only"
"""The reason of a denial by which the owner lets somebody look all the same."""
log = logging.getLogger(__name__)


class Room(Protocol):
    """What the floors ask of their conference."""

    @property
    def name(self) -> str:
        """The conference's name."""

    def is_host(self, participant: ParticipantId) -> bool:
        """Whether a member is a host."""

    def let_pass(self, participant: ParticipantId, medium: Medium, may_pass: bool, reason: str) -> None:
        """What the floors say of a member's media."""

    def note(self, actor: ParticipantId | None, verb: str, target: ParticipantId | None, detail: str) -> None:
        """A line for the audit."""


class RoomFloors:
    """The floors of one conference. certificate: for BFCP over TLS; relay: carries desktops."""

    def __init__(self, room: Room, certificate: Certificate | None, relay: RelayService,
                 settings: FloorSettings | None = None) -> None:
        self.control = FloorControl(secrets.randbits(32), Floors(settings or FloorSettings()), room.is_host)
        self.doors = FloorDoors(self.control, self._on_event, certificate)
        self.desktops = RoomDesktops(_Sessions(relay, self._on_report), secrets.token_bytes)
        self.relay = relay
        self._room = room
        self._tasks: set[asyncio.Task[None]] = set()

    def execute(self, command: Command, actor: ParticipantId | None) -> Requested | Done | Refused:
        """Carry out a command that came by another way than BFCP."""
        return self.doors.execute(command, actor)

    def invite_viewer(self, participant: ParticipantId, name: str) -> Guest | Refused:
        """A ticket to the shared desktop for a stock viewer; its owner is asked, as by anybody."""
        self.control.join(participant, name)
        guest = self.desktops.invite(participant)
        verdict = self.execute(RequestFloor(FloorId.CONTROL, "by a VNC viewer"), participant)
        if isinstance(verdict, Refused):
            self.leave(participant)
            return verdict
        self.relay.begin()
        return guest

    @property
    def sharer(self) -> ParticipantId | None:
        """Whose screen is shared."""
        grant = self.control.floors.grant_of(FloorId.SCREEN)
        return None if grant is None else grant.holder

    def leave(self, participant: ParticipantId) -> None:
        """A member is gone: gates close at once, doors soon."""
        self.desktops.leave(participant)
        self.control.leave(participant, asyncio.get_running_loop().time())
        self.doors.pump()
        self._start(self.doors.leave(participant))

    def close(self) -> None:
        """The conference is over."""
        for session_id in list(self.desktops.sessions):
            self.desktops.close(session_id)
        self._start(self.doors.close())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- what the rules decided

    def _on_event(self, event: Event) -> None:
        match event:
            case FloorGranted(grant) if grant.floor is FloorId.CONTROL and grant.desktop is not None:
                self.desktops.open(grant.desktop, grant.holder)
                self.desktops.set_holder(grant.desktop, grant.holder)
                self._room.note(grant.desktop, "control granted", grant.holder, f"until {grant.expires_at or 0:.0f}")
            case FloorEnded(grant, reason) if grant.floor is FloorId.CONTROL and grant.desktop is not None:
                self.desktops.set_holder(grant.desktop, None)
                self._room.note(grant.desktop, "control ended", grant.holder, reason)
            case FloorGranted(grant):
                self._room.let_pass(grant.holder, MEDIA[grant.floor], True, "")
                self._room.note(grant.holder, "share begun", None, "")
            case FloorEnded(grant, reason):
                self.desktops.close_of(grant.holder, as_owner_only=True)
                self._room.let_pass(grant.holder, MEDIA[grant.floor], False, reason)
                self._room.note(grant.holder, "share ended", None, reason)
            case ChairAsked(request, chair, _):
                self.relay.begin()
                self._room.note(request.participant, "control asked", chair, request.info)
            case RequestChanged(request) if request.floor is FloorId.CONTROL and request.status is Status.DENIED:
                self._denied(request.participant, request.reason)

    def _denied(self, participant: ParticipantId, reason: str) -> None:
        owner = self.sharer
        if reason == VIEW_ONLY and owner is not None:
            self.desktops.open(owner, participant)
            self._room.note(owner, "view allowed", participant, "")
        else:
            self._room.note(owner, "control denied", participant, reason)

    # ---- what the relay reports

    def _on_report(self, report: RelayReport) -> None:
        match report:
            case DesktopJoined(session_id) if session_id in self.desktops.sessions:
                session = self.desktops.sessions[session_id]
                session.is_joined = True
                self._room.note(session.viewer, "desktop seen", session.owner, "")
            case DesktopFigures(session_id, passed) if session_id in self.desktops.sessions:
                session = self.desktops.sessions[session_id]
                if passed > session.passed:
                    session.passed = passed
                    self.control.floors.touch(asyncio.get_running_loop().time())
            case GatePassed(session_id, step, who, count):
                self._on_gate(session_id, step, ParticipantId(who), count)
            case DesktopEnded(session_id, reason):
                self._on_ended(session_id, reason)

    def _on_gate(self, session_id: int, step: GateStep, who: ParticipantId, count: int) -> None:
        session = self.desktops.sessions.get(session_id)
        owner = None if session is None else session.owner
        words = {GateStep.OPENED: "input passes", GateStep.CLOSED: "input stopped", GateStep.REFUSED: "input refused",
                 GateStep.FLOODED: "input flooded"}
        self._room.note(who, words[step], owner, f"{count} keys released" if count else "")

    def _on_ended(self, session_id: int, reason: str) -> None:
        session = self.desktops.ended(session_id)
        if session is None:
            return
        self._room.note(session.viewer, "desktop closed", session.owner, reason)
        grant = self.control.floors.grant_of(FloorId.CONTROL)
        if grant is not None and (grant.holder, grant.desktop) == (session.viewer, session.owner):
            self.execute(RevokeFloor(grant.request_id, reason), None)


class _Sessions:
    """The relay for one room: its reports come back here."""

    def __init__(self, relay: RelayService, listener: Callable[[RelayReport], None]) -> None:
        self.relay, self._listener = relay, listener

    def new_session(self) -> int:
        return self.relay.new_session(self._listener)

    def open_desktop(self, opened: OpenDesktop) -> None:
        self.relay.open_desktop(opened)

    def set_holder(self, session_id: int, participant_id: int) -> None:
        self.relay.set_holder(session_id, participant_id)

    def close_desktop(self, session_id: int) -> None:
        self.relay.close_desktop(session_id)
