"""What happened in a conference: events out of the rules, for who carries them out and who tells of them. Pure.

`TransmissionStarted` and `TransmissionStopped` (`mcu.transmission`) are among them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcu.participant import Participant, ParticipantId
from mcu.transmission import TransmissionStarted, TransmissionStopped


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Somebody is in."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Somebody is out, for whatever reason; perhaps only back in the lobby."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantChanged:
    """Role, name, hand, or what may pass of a participant changed."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantKicked:
    """A participant must be hung up on; they are out of the conference and its lobby already."""

    participant: Participant
    reason: str


@dataclass(frozen=True, slots=True)
class LobbyEntered:
    """Somebody waits in the lobby. for_host: until the host comes; else until they are admitted."""

    participant: Participant
    for_host: bool


@dataclass(frozen=True, slots=True)
class LobbyLeft:
    """Somebody waits no longer: admitted (then they join), sent away, or gone."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class HostChanged:
    """There is another host; None: there is none now."""

    participant: Participant | None


@dataclass(frozen=True, slots=True)
class UnmuteAsked:
    """A participant is asked to unmute themselves."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class LockChanged:
    """The conference was locked or opened."""

    locked: bool


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """A switch of the policy was turned (not the policy itself: it holds PINs)."""

    switch: str
    value: str


@dataclass(frozen=True, slots=True)
class ActivitySuspended:
    """All activity was suspended (shares and control end, too), or may go on."""

    is_suspended: bool


@dataclass(frozen=True, slots=True)
class InviteRequested:
    """Somebody is to be called into the meeting. by: who wants it, None for the operator."""

    uri: str
    by: ParticipantId | None


@dataclass(frozen=True, slots=True)
class RecordingRequested:
    """The recording is to begin, pause, go on or end: `start`, `pause`, `resume`, `stop`. by: None for the operator."""

    action: str
    by: ParticipantId | None = None


@dataclass(frozen=True, slots=True)
class LayoutChanged:
    """The composed picture is arranged anew."""

    layout: str


@dataclass(frozen=True, slots=True)
class SayRequested:
    """A voice is to say something to all. by: None for the operator."""

    text: str
    by: ParticipantId | None = None


@dataclass(frozen=True, slots=True)
class PlayRequested:
    """A file is to be played to all, or what plays is to be steered (see `mcu.commands.Play`). by: None for the operator."""

    what: str
    by: ParticipantId | None = None


@dataclass(frozen=True, slots=True)
class CountAsked:
    """A participant wants to hear how many there are."""

    participant: Participant
    count: int


@dataclass(frozen=True, slots=True)
class TimeRunsOut:
    """The meeting's time limit is so many minutes away."""

    minutes: int


@dataclass(frozen=True, slots=True)
class CommandJudged:
    """For the audit log: who asked for what, about whom, and why it was refused (empty: it was done).

    actor: the URI of a member, or the name of an operator.
    """

    actor: str
    verb: str
    target: str
    detail: str
    refusal: str


@dataclass(frozen=True, slots=True)
class ConferenceClosing:
    """It is about to end: tell everybody."""

    reason: str


@dataclass(frozen=True, slots=True)
class ConferenceClosed:
    """It is over; whoever is left, in it and in its lobby, must be hung up on. `reason` goes into the BYE."""

    reason: str
    remaining: tuple[Participant, ...]


Event = (
    ParticipantJoined | ParticipantLeft | ParticipantChanged | ParticipantKicked | LobbyEntered | LobbyLeft | HostChanged
    | UnmuteAsked | LockChanged | PolicyChanged | ActivitySuspended | InviteRequested | RecordingRequested | LayoutChanged
    | SayRequested | PlayRequested | CountAsked | TimeRunsOut | CommandJudged | ConferenceClosing | ConferenceClosed
    | TransmissionStarted | TransmissionStopped
)
