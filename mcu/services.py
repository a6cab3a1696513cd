"""The names that answer by themselves: `echo` gives the caller's own sound and picture back, `tone` plays a tone and
shows a test picture, `music` plays."""

from __future__ import annotations

import logging

from mcu.leg import CallLeg, answer_call
from mcu.participant import Identity
from mcu.surroundings import MediaRoom, Surroundings
from sip import events
from sip.invite import Call
from sip.media_backend import MediaRefused

log = logging.getLogger(__name__)

MAX_CALLS = 500
"""Calls to one service at once."""
PICTURED = ("echo", "tone")
"""Kinds of service that show something: the caller, or a test picture."""


class ServiceRole:
    """One service with all its calls, in one media room of `kind`."""

    def __init__(self, name: str, kind: str, server: Surroundings) -> None:
        self.name = name
        self._kind = kind
        self._server = server
        self._room: MediaRoom | None = None
        self.legs: list[CallLeg] = []

    @property
    def room_id(self) -> int | None:
        """The media room's id while anybody is in it."""
        return self._room.room_id if self._room is not None else None

    def receive_call(self, event: events.CallReceived, identity: Identity) -> None:
        """Answer an INVITE."""
        call, server = event.call, self._server
        if len(self.legs) >= MAX_CALLS:
            call.reject(486, f"{self.name} is busy", now=server.now())
            return
        try:
            if self._room is None:
                self._room = server.open_media_room(self._kind)
            leg = answer_call(event, self._room, server.new_id(), identity, server, self.name, is_focus=False,
                              has_pictures=self._kind in PICTURED)
        except MediaRefused as error:
            call.reject(error.status, error.reason, now=server.now())
            self._close_if_empty()
            return
        leg.media.let_pass("main", True)
        call.data = self
        self.legs.append(leg)
        server.keep_record(leg.record)

    def receive_event(self, event: events.Event) -> None:
        """An event of one of our calls."""
        now = self._server.now()
        match event:
            case events.CallTerminated(call, cause, status, reason, _):
                self._ended(call, cause, status, reason)
            case events.OfferReceived(call, offer, _):
                found = self._find(call)
                if found is not None:
                    found.receive_offer(offer, now)
            case events.AnswerReceived(call, answer):
                found = self._find(call)
                if found is not None:
                    found.receive_answer(answer, now)
            case events.DialogRequestReceived(_, transaction_id, request):
                self._server.respond(transaction_id, 200 if request.method in ("OPTIONS", "INFO") else 405)

    def _ended(self, call: Call, cause: str, status: int, reason: str) -> None:
        found = self._find(call)
        if found is None:
            return
        self.legs.remove(found)
        self._server.keep_record(found.end(cause, status, reason, self._server.wallclock()))
        self._close_if_empty()

    def _close_if_empty(self) -> None:
        if not self.legs and self._room is not None:
            self._room.close()
            self._room = None

    def _find(self, call: Call) -> CallLeg | None:
        return next((found for found in self.legs if found.call is call), None)

    def shut_down(self, reason: str) -> None:
        """Hang up on everybody: the server stops, or the media worker is gone."""
        now = self._server.now()
        for found in list(self.legs):
            found.call.hang_up(now, reason)
            self._server.keep_record(found.end("closed", 200, reason, self._server.wallclock()))
        self.legs.clear()
        self._close_if_empty()
