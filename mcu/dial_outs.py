"""Calls out of rooms, and what has become of each: one entry for each person who is called, on however many phones.

States, after the endpoint's of RFC 4575 §5.7.2 as far as it has one: looking-up → dialing-out → alerting → answered; or busy,
declined, no-answer, failed, cancelled. Of a person with several phones the first that answers counts, and the others stop
ringing; when none does, the most telling refusal does. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sip.invite import Call

LOOKING_UP, DIALING, ALERTING, ANSWERED = "looking-up", "dialing-out", "alerting", "answered"
BUSY, DECLINED, NO_ANSWER, FAILED, CANCELLED = "busy", "declined", "no-answer", "failed", "cancelled"
PENDING = (LOOKING_UP, DIALING, ALERTING)
RING_S = 60.0
"""How long a phone may ring; then nobody is there."""
MAX_PENDING = 20
"""People whom one room calls at once."""
MAX_KEPT = 200
"""Entries that are over and can still be asked about."""
_TELLING = {DECLINED: 4, BUSY: 3, NO_ANSWER: 2, CANCELLED: 1, FAILED: 0}
_BY_STATUS = {486: BUSY, 600: BUSY, 603: DECLINED, 403: DECLINED, 607: DECLINED, 408: NO_ANSWER, 480: NO_ANSWER, 487: NO_ANSWER}

Facts = dict[str, Any]


def outcome_of(status: int) -> str:
    """What a refusal of our INVITE means for who asked for the call."""
    return _BY_STATUS.get(status, FAILED)


@dataclass(slots=True)
class DialOut:
    """Somebody who is called into a room. by: who wants it; calls: those that are not over; status, reason: of the outcome,
    which is the most telling one so far while others ring; told: called at each change."""

    id: int
    room: str
    target: str
    by: str = ""
    state: str = LOOKING_UP
    status: int = 0
    reason: str = ""
    phones: int = 0
    calls: set[Call] = field(default_factory=set)
    outcome: str = ""
    told: Callable[[DialOut], None] | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it may still be answered."""
        return self.state in PENDING

    def facts(self) -> Facts:
        """For whoever asks."""
        return {"dial": self.id, "room": self.room, "target": self.target, "by": self.by, "state": self.state,
                "status": self.status, "reason": self.reason, "phones": self.phones}


class DialOuts:
    """All calls out of the rooms of a server. changed: told of each change."""

    def __init__(self, changed: Callable[[DialOut], None] = lambda _: None) -> None:
        self._changed = changed
        self._pending: dict[int, DialOut] = {}
        self._over: deque[DialOut] = deque(maxlen=MAX_KEPT)
        self._last_id = 0

    def begin(self, room: str, target: str, by: str = "") -> DialOut:
        """Somebody is to be called. Raises ValueError, in words, when the room calls too many already."""
        if sum(one.room == room for one in self._pending.values()) >= MAX_PENDING:
            raise ValueError(f"room {room!r} is calling {MAX_PENDING} people already; wait for their answers")
        self._last_id += 1
        entry = self._pending[self._last_id] = DialOut(self._last_id, room, target, by)
        return entry

    def get(self, room: str, dial_id: int) -> DialOut | None:
        """An entry of a room, pending or not long over."""
        return next((one for one in self.of(room) if one.id == dial_id), None)

    @property
    def last_id(self) -> int:
        """Of the entry that was begun last."""
        return self._last_id

    def of(self, room: str) -> Iterator[DialOut]:
        """All that is known of a room's calls, the oldest first."""
        yield from (one for one in (*self._over, *list(self._pending.values())) if one.room == room)

    def calling(self, entry: DialOut, call: Call) -> None:
        """A phone is called."""
        entry.calls.add(call)
        entry.phones += 1
        self._go(entry, DIALING if entry.state == LOOKING_UP else entry.state)

    def ringing(self, entry: DialOut) -> None:
        """A phone rings."""
        if entry.state in (LOOKING_UP, DIALING):
            self._go(entry, ALERTING)

    def answered(self, entry: DialOut, call: Call) -> set[Call]:
        """A phone has answered: the calls to the others, which are to be ended."""
        entry.calls.discard(call)
        others = set(entry.calls)
        if entry.is_pending:
            entry.status, entry.reason = 200, ""
            self._go(entry, ANSWERED)
        return others

    def ended(self, entry: DialOut, call: Call, status: int, reason: str, outcome: str = "") -> None:
        """A phone was not reached, or refused. outcome: where the status doesn't tell."""
        entry.calls.discard(call)
        self._note(entry, outcome or outcome_of(status), status, reason)

    def failed(self, entry: DialOut, status: int, reason: str) -> None:
        """Nobody could be called."""
        self._note(entry, FAILED, status, reason)

    def cancelled(self, entry: DialOut) -> set[Call]:
        """It is not wanted any more: the calls that are to be ended."""
        if entry.is_pending:
            entry.status, entry.reason = 487, "not wanted any more"
            self._go(entry, CANCELLED)
        return set(entry.calls)

    def _note(self, entry: DialOut, outcome: str, status: int, reason: str) -> None:
        if not entry.is_pending:
            return
        if not entry.outcome or _TELLING[outcome] > _TELLING[entry.outcome]:
            entry.outcome, entry.status, entry.reason = outcome, status, reason
        if not entry.calls:
            self._go(entry, entry.outcome)

    def _go(self, entry: DialOut, state: str) -> None:
        if entry.state == state:
            return
        entry.state = state
        if entry.told is not None:
            entry.told(entry)
        if not entry.is_pending and self._pending.pop(entry.id, None) is not None:
            self._over.append(entry)
        self._changed(entry)
