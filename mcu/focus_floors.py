"""What a focus has of floors and desktops: nothing, until somebody's phone speaks of them; then `mcu.room_floors`.

The answers of the rules, who is a host and what may pass, are the conference's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from mcu.application_line import ApplicationLine
from mcu.conference import Conference
from mcu.floor_lines import DesktopLine, FloorLine
from mcu.participant import Identity, ParticipantId, Role
from mcu.room_floors import RoomFloors
from mcu.surroundings import Surroundings
from mcu.transmission import Medium

log = logging.getLogger(__name__)


class FocusFloors:
    """The floors of one focus; a `mcu.room_floors.Room`. changed: called when the conference has something to carry out."""

    def __init__(self, conference: Conference, server: Surroundings, changed: Callable[[], None]) -> None:
        self._conference, self._server, self._changed = conference, server, changed
        self._floors: RoomFloors | None = None

    @property
    def room(self) -> RoomFloors | None:
        """The floors, once there are any."""
        return self._floors

    def lines_of(self, participant: ParticipantId, who: Identity) -> tuple[ApplicationLine, ...]:
        """What answers the `m=application` lines of a member's offers."""
        return FloorLine(self._wanted, participant, who), DesktopLine(self._wanted, participant)

    def leave(self, participant: ParticipantId) -> None:
        """A member is gone: their gates close at once."""
        if self._floors is not None:
            self._floors.leave(participant)

    def close(self) -> None:
        """The conference is over."""
        if self._floors is not None:
            self._floors.close()

    def _wanted(self) -> RoomFloors:
        if self._floors is None:
            self._floors = RoomFloors(self, self._server.media_certificate, self._server.relay)
        return self._floors

    # ---- mcu.room_floors.Room

    @property
    def name(self) -> str:
        """The conference's name."""
        return self._conference.name

    def is_host(self, participant: ParticipantId) -> bool:
        """Whether a member is a host."""
        found = self._conference.participants.get(participant)
        return found is not None and found.role is Role.HOST

    def let_pass(self, participant: ParticipantId, medium: Medium, may_pass: bool, reason: str) -> None:
        """What the floors say of a member's media."""
        if participant in self._conference.participants:
            self._conference.let_pass(participant, medium, may_pass, reason)
            self._changed()

    def note(self, actor: ParticipantId | None, verb: str, target: ParticipantId | None, detail: str) -> None:
        """A line for the audit."""
        log.info(verb, extra={"room": self.name, "actor": self._who(actor), "target": self._who(target), "detail": detail})

    def _who(self, participant: ParticipantId | None) -> str:
        found = None if participant is None else self._conference.participants.get(participant)
        return found.identity.entity if found is not None else str(participant or "")
