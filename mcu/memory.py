"""What a room remembers of its people: over a hang-up, and over a restart of the server. Pure.

Only accounts are remembered: a guest proves nothing, so whoever says to be one gets no more than any guest gets. What is kept
is text (JSON); what can't be read any more is as if it had never been.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcu.participant import Participant, Role

MAX_REMEMBERED = 1000
"""Accounts of a room that are remembered; the first is forgotten first."""
MAX_BANS = 1000


@dataclass(frozen=True, slots=True)
class Remembered:
    """What holds for an account when it comes again. role: never host, which is settled otherwise."""

    role: Role = Role.ATTENDEE
    muted_by_host: bool = False
    is_video_stopped: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """A room as it is kept. owner, host: accounts; switches: those of its policy that were turned; had_host: somebody was host,
    perhaps a guest."""

    owner: str | None = None
    host: str | None = None
    had_host: bool = False
    is_locked: bool = False
    people: Mapping[str, Remembered] = field(default_factory=dict)
    bans: tuple[str, ...] = ()
    switches: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        people = {name: [one.role.value, one.muted_by_host, one.is_video_stopped] for name, one in self.people.items()}
        return json.dumps({"owner": self.owner, "host": self.host, "had_host": self.had_host, "is_locked": self.is_locked,
                           "people": people, "bans": self.bans, "switches": dict(self.switches)})

    @classmethod
    def parse(cls, text: str) -> Memory:
        """Read it again; what is no memory of ours is an empty one."""
        try:
            found = json.loads(text)
            people = {str(name): Remembered(Role(role), bool(muted), bool(stopped))
                      for name, (role, muted, stopped) in found["people"].items()}
            return cls(_text(found["owner"]), _text(found["host"]), bool(found["had_host"]), bool(found["is_locked"]), people,
                       tuple(map(str, found["bans"])), {str(k): str(v) for k, v in found["switches"].items()})
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def forget_people(self) -> Memory:
        """What outlasts a meeting: bans and switches."""
        return Memory(bans=self.bans, switches=self.switches)


def remember(participant: Participant) -> Remembered:
    """What is to hold for a participant when they come again."""
    role = Role.ATTENDEE if participant.role is Role.HOST else participant.role
    return Remembered(role, participant.muted_by_host, participant.is_video_stopped)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
