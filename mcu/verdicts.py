"""What the rules of a conference answer at once (`mcu.conference`). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mcu.participant import Participant


@dataclass(frozen=True, slots=True)
class Admitted:
    """The newcomer is a participant now."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class InLobby:
    """The newcomer waits in the lobby: for a host to admit them, or for the host to come."""

    participant: Participant
    for_host: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Not possible or not allowed: a SIP status and words."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The command was carried out, on so many participants."""

    count: int = 1


Verdict = Done | Refused
"""Of a command."""
