"""What each member transmits, and the named messages at its start and its end (media status as in RFC 4575 §5.8). Pure.

A medium is transmitted while two things hold: the member's phone sends it, and the meeting lets it pass (not muted, floor
held). Every change of that makes one `TransmissionStarted` or `TransmissionStopped`, in turn, named `audio-start`, `audio-stop`
and so on. Who forwards media begins at the one and ends at the other; what has no start is never forwarded.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from mcu.participant import ParticipantId


class Medium(StrEnum):
    """What a member can transmit. Control is mouse and keyboard on somebody's desktop."""

    AUDIO = "audio"
    VIDEO = "video"
    SCREEN = "screen"
    CONTROL = "control"


FLOOR_CONTROLLED = frozenset({Medium.SCREEN, Medium.CONTROL})
"""Media that pass only while their floor is held."""


@dataclass(frozen=True, slots=True)
class TransmissionStarted:
    """From now on, and not before, this medium of this member may be forwarded."""

    participant: ParticipantId
    medium: Medium

    @property
    def name(self) -> str:
        """The message's name."""
        return f"{self.medium}-start"


@dataclass(frozen=True, slots=True)
class TransmissionStopped:
    """Nothing of this medium of this member is forwarded any more. reason: for people."""

    participant: ParticipantId
    medium: Medium
    reason: str = ""

    @property
    def name(self) -> str:
        """The message's name."""
        return f"{self.medium}-stop"


NAMES = tuple(f"{medium}-{end}" for medium in Medium for end in ("start", "stop"))
"""All names there are."""


@dataclass(slots=True)
class _Stream:
    """One medium of one member."""

    is_sent: bool
    may_pass: bool

    @property
    def is_on(self) -> bool:
        return self.is_sent and self.may_pass


class Transmissions:
    """All media of all members of one conference."""

    def __init__(self) -> None:
        self._streams: dict[ParticipantId, dict[Medium, _Stream]] = {}
        self._events: deque[TransmissionStarted | TransmissionStopped] = deque()

    def next_event(self) -> TransmissionStarted | TransmissionStopped | None:
        """What began and ended, in order."""
        return self._events.popleft() if self._events else None

    def is_on(self, participant: ParticipantId, medium: Medium) -> bool:
        """Whether it may be forwarded now."""
        streams = self._streams.get(participant)
        return streams is not None and streams[medium].is_on

    def of(self, participant: ParticipantId) -> frozenset[Medium]:
        """What a member transmits now."""
        return frozenset(medium for medium, stream in self._streams.get(participant, {}).items() if stream.is_on)

    def join(self, participant: ParticipantId) -> None:
        """A member is in, and transmits nothing yet."""
        self._streams.setdefault(participant, {
            medium: _Stream(is_sent=medium is Medium.CONTROL, may_pass=medium not in FLOOR_CONTROLLED) for medium in Medium
        })

    def leave(self, participant: ParticipantId, reason: str = "left") -> None:
        """A member is gone, and everything of theirs ends. An unknown one is no error."""
        for medium, stream in self._streams.pop(participant, {}).items():
            if stream.is_on:
                self._events.append(TransmissionStopped(participant, medium, reason))

    def set_sent(self, participant: ParticipantId, medium: Medium, is_sent: bool, reason: str = "") -> None:
        """The member's phone sends a medium, or not: as its SDP says, on hold, or after a BYE of its stream."""
        stream = self._streams.get(participant, {}).get(medium)
        if stream is not None:
            self._change(participant, medium, stream, _Stream(is_sent, stream.may_pass), reason)

    def set_may_pass(self, participant: ParticipantId, medium: Medium, may_pass: bool, reason: str = "") -> None:
        """The meeting lets a medium pass, or not: muted, stopped, a floor granted or taken."""
        stream = self._streams.get(participant, {}).get(medium)
        if stream is not None:
            self._change(participant, medium, stream, _Stream(stream.is_sent, may_pass), reason)

    def _change(self, participant: ParticipantId, medium: Medium, before: _Stream, after: _Stream, reason: str) -> None:
        self._streams[participant][medium] = after
        if after.is_on and not before.is_on:
            self._events.append(TransmissionStarted(participant, medium))
        elif before.is_on and not after.is_on:
            self._events.append(TransmissionStopped(participant, medium, reason))
