"""The floors of a meeting, and the BFCP line of each member's call (RFC 8856): joins `mcu.floor_control`, doors and SDP.

A member's door is opened when their line is answered, for the answer names its port, and lets them in when the answer holds.
Who has no such line is a member all the same: commands reach their floors by other ways.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from mcu.conference import Done, Refused
from mcu.floor import Command, Event, FloorId, Floors, FloorSettings, Requested
from mcu.floor_control import FloorControl
from mcu.participant import Identity, ParticipantId
from mcu.surroundings import FloorTransport, Surroundings
from rtp.errors import NegotiationFailed
from rtp.sdp.floor_control import (
    UDP,
    Floor,
    LocalFloors,
    NegotiatedFloors,
    answer_line,
    apply_answer,
    is_floor_stream,
    offer_line,
)
from rtp.sdp.model import MediaDescription, SessionDescription
from rtp.sdp.video import SLIDES

FLOORS = (Floor(FloorId.SCREEN, (SLIDES,)), Floor(FloorId.CONTROL))
"""As SDP names them; the holder of the screen sends the line with that label."""


class MeetingFloors:
    """The floors of one meeting. control: their rules and sessions; on_event: called with each event of the rules."""

    def __init__(self, server: Surroundings, is_host: Callable[[ParticipantId], bool], on_event: Callable[[Event], None],
                 settings: FloorSettings | None = None) -> None:
        self.control = FloorControl(server.new_id(), Floors(settings or FloorSettings()), is_host)
        self._doors: FloorTransport = server.open_floors(self.control, on_event)

    def line(self, participant: ParticipantId, identity: Identity) -> FloorLine:
        """What answers the BFCP line of a member's call."""
        return FloorLine(self.control, self._doors, participant, identity)

    def join(self, participant: ParticipantId, identity: Identity) -> None:
        """A member is in."""
        self.control.join(participant, identity.display_name, identity.entity)

    def leave(self, participant: ParticipantId) -> None:
        """A member is out, or was not let in; one who never was a member is no error."""
        self._doors.leave(participant)

    def execute(self, command: Command, actor: ParticipantId | None) -> Requested | Done | Refused:
        """Carry out a command that came by another way than BFCP. actor: None for the operator."""
        return self._doors.execute(command, actor)

    def close(self) -> None:
        """The meeting is over."""
        self._doors.close()


class FloorLine:
    """The BFCP line of one member's call (`mcu.application_line.ApplicationLine`)."""

    def __init__(self, control: FloorControl, doors: FloorTransport, participant: ParticipantId, identity: Identity) -> None:
        self._control = control
        self._doors = doors
        self._participant = participant
        self._identity = identity
        self._local: LocalFloors | None = None
        self._agreed: NegotiatedFloors | None = None
        self._offered: MediaDescription | None = None
        self._hosts: frozenset[str] = frozenset()

    def answer(self, session: SessionDescription, index: int, host: str, told_host: str) -> MediaDescription | None:
        """See ApplicationLine."""
        if not is_floor_stream(session.media[index]):
            return None
        user_id = self._control.join(self._participant, self._identity.display_name, self._identity.entity)
        local = LocalFloors(told_host, 1 if self._local is None else self._local.port, self._control.conference_id, user_id,
                            FLOORS, self._doors.fingerprint())
        try:
            line, agreed = answer_line(session, index, local)
            if self._local is None or self._agreed is None or agreed.protocol != self._agreed.protocol:
                port = self._doors.open(self._participant, agreed.protocol, host)[1]
                local = LocalFloors(told_host, port, local.conference_id, user_id, FLOORS, local.fingerprint)
                line, agreed = answer_line(session, index, local)
        except (NegotiationFailed, OSError):
            return None
        self._local, self._agreed = local, agreed
        return line

    def confirm(self, hosts: Collection[str]) -> None:
        """See ApplicationLine."""
        self._hosts = frozenset(hosts)
        if self._agreed is not None:
            self._doors.admit(self._participant, self._agreed, self._hosts)

    def again(self) -> MediaDescription | None:
        """See ApplicationLine."""
        if self._local is None or self._agreed is None:
            return None
        self._offered = offer_line(self._local, self._agreed.protocol, is_new=self._agreed.protocol == UDP)
        return self._offered

    def apply(self, session: SessionDescription, index: int) -> None:
        """See ApplicationLine."""
        if self._offered is None:
            return
        try:
            agreed = apply_answer(self._offered, index, session)
        except NegotiationFailed:
            self.end()
            return
        self._agreed = agreed
        if agreed.is_new:
            self.confirm(self._hosts)

    def end(self) -> None:
        """See ApplicationLine."""
        if self._local is not None:
            self._local = self._agreed = self._offered = None
            self._doors.shut(self._participant)
