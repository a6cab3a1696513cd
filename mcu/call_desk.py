"""What two people in a call have of floors and desktops (RFC 8855, RFC 6143): as in a meeting, without a host.

A `CallDesk` belongs to one call (`mcu.b2bua`). It answers the `m=application` lines of both legs until the call is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from mcu.application_line import ApplicationLine
from mcu.floor import Event, FloorEnded, FloorGranted, FloorId, Grant
from mcu.floor_line import MeetingFloors
from mcu.meeting_desktops import MeetingDesktops
from mcu.participant import Identity, ParticipantId
from mcu.storage.base import AuditRecord
from mcu.surroundings import Surroundings
from rtp.sdp.model import MediaDescription, SessionDescription

log = logging.getLogger(__name__)


class CallDesk:
    """The floors and desktops of one call. name: of the call in the audit; share: called with who may have their slides shown
    from now on, or not any more; is_over: its lines answer nothing any more."""

    def __init__(self, server: Surroundings, name: str,
                 share: Callable[[ParticipantId, bool], None] = lambda who, may_pass: None) -> None:
        self._server, self._name, self._share = server, name, share
        self.is_over = False
        self._who: dict[ParticipantId, Identity] = {}
        self.floors = MeetingFloors(server, lambda _: False, self._on_floor)
        self.desktops = MeetingDesktops(self.floors, server, self._note)

    def lines(self, leg_id: int, identity: Identity) -> tuple[ApplicationLine, ...]:
        """What answers the lines of a leg."""
        participant = ParticipantId(leg_id)
        self._who[participant] = identity
        lines = self.floors.line(participant, identity), self.desktops.line(participant)
        return tuple(_WhileItLasts(line, self) for line in lines)

    def close(self) -> None:
        """The call is over, or its legs are elsewhere; twice is once."""
        if not self.is_over:
            self.is_over = True
            self.desktops.close()
            self.floors.close()

    def _on_floor(self, event: Event) -> None:
        match event:
            case FloorGranted(Grant(FloorId.SCREEN, holder=holder)):
                self._share(holder, True)
            case FloorEnded(Grant(FloorId.SCREEN, holder=holder)):
                self._share(holder, False)
        self.desktops.on_floor(event)

    def _note(self, actor: ParticipantId | None, verb: str, target: ParticipantId | None, detail: str) -> None:
        row = AuditRecord(self._server.wallclock(), self._name, self._entity_of(actor), verb, self._entity_of(target), detail)
        log.info(verb, extra={"call": self._name, "actor": row.actor, "target": row.target, "detail": detail})
        self._server.keep_audit(row)

    def _entity_of(self, participant: ParticipantId | None) -> str:
        known = None if participant is None else self._who.get(participant)
        return "" if known is None else known.entity


class _WhileItLasts:
    """A line of the desk, for as long as there is one: a leg may live on in a meeting, which has lines of its own."""

    def __init__(self, line: ApplicationLine, desk: CallDesk) -> None:
        self._line, self._desk = line, desk

    def answer(self, session: SessionDescription, index: int, host: str, told_host: str) -> MediaDescription | None:
        return None if self._desk.is_over else self._line.answer(session, index, host, told_host)

    def confirm(self, hosts: Collection[str]) -> None:
        if not self._desk.is_over:
            self._line.confirm(hosts)

    def again(self) -> MediaDescription | None:
        return None if self._desk.is_over else self._line.again()

    def apply(self, session: SessionDescription, index: int) -> None:
        if not self._desk.is_over:
            self._line.apply(session, index)

    def end(self) -> None:
        if not self._desk.is_over:
            self._line.end()
