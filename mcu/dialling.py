"""The calls of one conference to people who are not in it yet (RFC 4579 §5.5): who is called, who rings, who was not reached.

What becomes of each is told to `mcu.dial_outs` and shown in the roster, with the endpoint's states of RFC 4575 §5.7.2. Whoever
answers is handed to the focus.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from mcu.dial_outs import ALERTING, BUSY, CANCELLED, DIALING, FAILED, NO_ANSWER, RING_S, DialOut, outcome_of
from mcu.roster import Roster
from mcu.surroundings import Surroundings
from sip.invite import Call

if TYPE_CHECKING:
    from mcu.focus import Member

LOST_S = 5.0
"""How long somebody who was called in vain stays in the roster, with the reason."""
ELSEWHERE = "answered elsewhere"


class Dialling:
    """Those who are being called. changed: called when the roster has news."""

    def __init__(self, server: Surroundings, roster: Roster, changed: Callable[[], None]) -> None:
        self._server = server
        self._roster = roster
        self._changed = changed
        self._called: dict[Call, tuple[Member, DialOut]] = {}

    @property
    def calls(self) -> Collection[Call]:
        """The calls that are under way."""
        return self._called.keys()

    def begin(self, call: Call, member: Member, entry: DialOut) -> None:
        """A phone is called. member: who they are once they answer."""
        self._called[call] = member, entry
        self._server.dial_outs.calling(entry, call)
        self._show(call, DIALING)
        self._server.call_at(self._server.now() + RING_S, functools.partial(self._rang_long_enough, call))

    def _show(self, call: Call, status: str) -> None:
        member, _ = self._called[call]
        self._roster.put_dialled(member.id, member.leg.identity, str(call.remote.uri.without_parameters()), status)
        self._changed()

    def _rang_long_enough(self, call: Call) -> None:
        if call in self._called:
            _, entry = self._called[call]
            self._server.dial_outs.ended(entry, call, 408, f"nobody answered in {RING_S:.0f} s", NO_ANSWER)
            call.hang_up(self._server.now(), "nobody answered", 408)

    def progressed(self, call: Call, status: int) -> None:
        """A provisional response has come."""
        _, entry = self._called.get(call, (None, None))
        if entry is not None and status in (180, 183) and entry.is_pending:
            self._server.dial_outs.ringing(entry)
            self._show(call, ALERTING)

    def answered(self, call: Call, admit: Callable[[Member], str]) -> Member | None:
        """A phone has answered: whoever is in now; None where they are not. admit: lets them in, or says why not."""
        member, entry = self._called.pop(call, (None, None))
        if member is None or entry is None:
            return None
        now, dial_outs = self._server.now(), self._server.dial_outs
        self._roster.forget_dialled(member.id)
        refusal = ELSEWHERE if not entry.is_pending else admit(member)
        if refusal:
            dial_outs.ended(entry, call, 488, refusal, FAILED)
            call.hang_up(now, refusal)
            self._server.keep_record(member.leg.end("hung_up", 200, refusal, self._server.wallclock()))
            self._changed()
            return None
        for other in dial_outs.answered(entry, call):
            other.hang_up(now, ELSEWHERE)
        return member

    def ended(self, call: Call, cause: str, status: int, reason: str) -> bool:
        """A call is over; whether it was one of these."""
        member, entry = self._called.pop(call, (None, None))
        if member is None or entry is None:
            return False
        self._server.dial_outs.ended(entry, call, status, reason, CANCELLED if entry.state == CANCELLED else "")
        self._lose(member, outcome_of(status), reason)
        member.leg.media.refused(status)
        self._server.keep_record(member.leg.end(cause, status, reason, self._server.wallclock()))
        return True

    def _lose(self, member: Member, outcome: str, reason: str) -> None:
        """Show for a moment that somebody could not be reached, and why."""
        self._roster.lose_dialled(member.id, "busy" if outcome == BUSY else "failed", reason or outcome)
        self._changed()

        def forget() -> None:
            self._roster.forget_dialled(member.id)
            self._changed()

        self._server.call_at(self._server.now() + LOST_S, forget)

    def close(self, reason: str) -> None:
        """Call nobody any more: the conference is over."""
        for call, (member, entry) in list(self._called.items()):
            call.hang_up(self._server.now(), reason)
            member.leg.media.release()
            self._server.dial_outs.ended(entry, call, 487, reason, CANCELLED)
        self._called.clear()
