"""Watches a meeting of stock phones from a silent seat of its own, and passes on what each is to do next.

    async with Director(server) as director:
        await director.take_seat(room)
        await director.until(lambda: director.role("anna") == "host")
        await director.tell(bernd, "bernd", "say", "/lock")         # a SIPp that was started with --obeys

Every document that it was sent is kept, and held against the rules of RFC 4575.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from confero.testing import Server
from sip import events
from sip.conference_info import ConferenceInfo, User
from tests.helpers import tones
from tests.helpers.conference_schema import faults
from tests.helpers.crowd import Crowd, Person
from tests.helpers.phones import Phone

ROLES = ("host", "co-host", "presenter", "attendee", "listener")
HEARD_DBFS, SILENT_DBFS = -26.0, -45.0
RATE, WINDOW = 8000, 4000
"""What was heard is judged by the last half second."""

_ANSWERED = re.compile(r"received \[\d+\] bytes :\s+SIP/2\.0 (\d{3}) (?:[^\n]+\n)*?CSeq: \d+ (?:MESSAGE|REFER)\s")
"""An answer to what a SIPp has sent, in the trace that it writes."""


class Director(Crowd):
    """The seat is `me`; documents: bodies of the NOTIFYs, in order."""

    me: Person

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.documents: list[bytes] = []
        self._rosters: list[ConferenceInfo] = []

    async def take_seat(self, room: str) -> None:
        """Join, as a guest, and be told who is there."""
        self.me = await self.join(room, 300, name="director", subscribes=True)
        self.me.is_talking = False
        await self.until(lambda: self.me.roster is not None)

    async def until(self, is_so: Callable[[], bool], limit_s: float = 30.0, what: str = "") -> None:
        """Let time pass until something is so. Raises AssertionError when it does not come about."""
        deadline = time.monotonic() + limit_s
        while not is_so():
            assert time.monotonic() < deadline, f"{what or 'it'} did not come about; there are {self.users()}"
            await self.talk(0.1)

    async def tell(self, whom: Phone, name: str, verb: str, rest: str) -> int:
        """Have a SIPp with --obeys, of that account, do something: say, or kick. The status that it was answered."""
        log = whom.work / "w" / "messages"
        before = len(_ANSWERED.findall(log.read_text(errors="replace")))
        status = await self.say(self.me, f"TELL {name} {verb} {rest}")
        assert status == 200, status
        await self.until(lambda: len(_ANSWERED.findall(log.read_text(errors="replace"))) > before, what=f"an answer to {rest}")
        return int(_ANSWERED.findall(log.read_text(errors="replace"))[-1])

    # ---- what is known

    def users(self) -> dict[str, User]:
        """Who is in the meeting, by account or name."""
        roster = self.me.roster
        return {} if roster is None else _by_name(roster)

    def role(self, name: str) -> str:
        """The weightiest role of somebody; empty when they are not there."""
        return _role(self.users().get(name))

    def seen(self, *names: str) -> list[tuple[str, ...]]:
        """The roles of these people in each roster that there was."""
        return [tuple(_role(_by_name(roster).get(name)) for name in names) for roster in self._rosters]

    def status(self, name: str) -> str:
        """What the roster says of somebody's sound."""
        return self.users()[name].endpoints[0].media[0].status

    def is_locked(self) -> bool:
        """Whether the roster says that nobody is let in."""
        return self.me.roster is not None and self.me.roster.is_locked

    def is_heard(self, hz: float) -> bool:
        """Whether a tone was in the last half second."""
        return self._level(hz) > HEARD_DBFS

    def is_silent(self, hz: float) -> bool:
        """Whether a tone was not in the last half second."""
        return self._level(hz) < SILENT_DBFS

    def _level(self, hz: float) -> float:
        sound = self.me.sound()[-WINDOW:]
        return tones.level_dbfs(RATE, sound, hz) if len(sound) == WINDOW else (HEARD_DBFS + SILENT_DBFS) / 2

    def faults(self) -> list[str]:
        """What is wrong with the documents."""
        return [fault for document in self.documents for fault in faults(document)]

    def _on_event(self, event: events.Event) -> None:
        if isinstance(event, events.NotifyReceived) and event.request.body:
            self.documents.append(event.request.body)
        super()._on_event(event)
        if hasattr(self, "me") and self.me.roster is not None:
            self._rosters.append(self.me.roster)


def _by_name(roster: ConferenceInfo) -> dict[str, User]:
    return {user.entity.partition(":")[2].partition("@")[0]: user for user in roster.users}


def _role(user: User | None) -> str:
    return "" if user is None else next((role for role in ROLES if role in user.roles), "")
