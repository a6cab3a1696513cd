"""The rules of one conference (RFC 4353, RFC 4579): who gets in, who is host, what commands do, when it ends. Pure.

Commands go in (a newcomer, a leave, an imperative from the host or the operator), a verdict comes back at once, and events in
the past tense are drained with `next_event`. Time is a number; `next_timer` says when `handle_timer` is wanted.

States: created → active → closing → closed. A permanent conference goes back to created when it is empty.

What members transmit begins and ends with events of its own (`mcu.transmission`). The end comes before the news that caused it,
so that nothing is forwarded of who is muted, or out; the start comes before the news, too, so that nothing is before its start.
"""

from __future__ import annotations

import hmac
from collections import deque
from dataclasses import dataclass
from enum import Enum

from mcu.commands import CloseConference, Command, KickParticipant, LockConference, MuteParticipant
from mcu.participant import Identity, Participant, ParticipantId, Role
from mcu.policy import Policy
from mcu.transmission import Medium, Transmissions, TransmissionStarted, TransmissionStopped
from mcu.verbs import VERBS, may, words_of


class State(Enum):
    """Life of a conference."""

    CREATED = "created"
    ACTIVE = "active"
    CLOSING = "closing"
    CLOSED = "closed"


CLOSING_S = 1.0
"""How long the chime of the end plays before everybody is hung up on."""


# ---- verdicts


@dataclass(frozen=True, slots=True)
class Admitted:
    """The newcomer is a participant now."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class Refused:
    """Not possible or not allowed: a SIP status and words."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The command was carried out, on so many participants."""

    count: int = 1


# ---- events


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Somebody is in."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Somebody is out, for whatever reason."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantChanged:
    """Role or mute state of a participant changed."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantKicked:
    """A participant must be hung up on; they are out of the conference already."""

    participant: Participant
    reason: str


@dataclass(frozen=True, slots=True)
class LockChanged:
    """The conference was locked or opened."""

    locked: bool


@dataclass(frozen=True, slots=True)
class ConferenceClosing:
    """It is about to end: tell everybody."""

    reason: str


@dataclass(frozen=True, slots=True)
class ConferenceClosed:
    """It is over; whoever is left must be hung up on. `reason` goes into the BYE."""

    reason: str
    remaining: tuple[Participant, ...]


Event = (
    ParticipantJoined | ParticipantLeft | ParticipantChanged | ParticipantKicked | LockChanged | ConferenceClosing
    | ConferenceClosed | TransmissionStarted | TransmissionStopped
)


class Conference:
    """One conference. now: monotonic seconds."""

    def __init__(self, name: str, policy: Policy, now: float) -> None:
        self.name = name
        self.policy = policy
        self.state = State.CREATED
        self.is_locked = False
        self.participants: dict[ParticipantId, Participant] = {}
        self._events: deque[Event] = deque()
        self._transmissions = Transmissions()
        self._due: float | None = None if policy.is_permanent else now + policy.grace_s
        self._closing_reason = ""

    # ---- time and events

    def next_timer(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return self._due

    def handle_timer(self, now: float) -> None:
        """End what is due: a closing conference, or an ad hoc one that stayed empty for its grace time."""
        if self._due is None or now < self._due:
            return
        if self.state is State.CLOSING:
            self._close(self._closing_reason)
        elif not self.participants:
            self._close("nobody came back")

    def next_event(self) -> Event | None:
        """What happened, in order."""
        return self._events.popleft() if self._events else None

    # ---- coming and going

    def check(self, identity: Identity, pin: str | None) -> Refused | None:
        """Why this caller may not come in just now, or None."""
        refusal = self.check_invited()
        if refusal is not None and refusal.status == 480:
            return refusal
        if not self._knows_pin(identity, pin):
            return Refused(403, "wrong PIN" if pin else f"this room wants its PIN: call {self.name}.PIN")
        if self.is_locked and not self._is_owner(identity):
            return Refused(403, "the room is locked")
        return refusal

    def check_invited(self) -> Refused | None:
        """Why somebody whom we call ourselves may not come in, or None: they need no PIN and pass the lock."""
        if self.state in (State.CLOSING, State.CLOSED):
            return Refused(480, "the meeting is over")
        if len(self.participants) >= self.policy.max_members:
            return Refused(486, f"the room is full ({self.policy.max_members} people)")
        return None

    def join(self, participant_id: ParticipantId, identity: Identity, now: float, *, pin: str | None = None,
             is_creator: bool = False, is_invited: bool = False) -> Admitted | Refused:
        """Somebody wants in. pin: the digits they brought; is_creator: they made this conference by calling it."""
        refusal = self.check_invited() if is_invited else self.check(identity, pin)
        if refusal is not None:
            return refusal
        if participant_id in self.participants:
            return Refused(500, "two participants with one id")
        role = Role.HOST if self._becomes_host(identity, pin, is_creator) else Role.ATTENDEE
        participant = Participant(participant_id, identity, role, now)
        self.participants[participant_id] = participant
        self._transmissions.join(participant_id)
        if role is Role.HOST:
            self._demote_others(participant)
        self.state = State.ACTIVE
        self._due = None
        self._events.append(ParticipantJoined(participant))
        return Admitted(participant)

    def succeed(self, newcomer: ParticipantId, old: ParticipantId) -> None:
        """One person goes on at another phone: with the role they had, and muted if they were."""
        new, before = self.participants.get(newcomer), self.participants.get(old)
        if new is None or before is None or new.identity.account is None or new.identity.account != before.identity.account:
            return
        if before.role is not new.role:
            new.role, before.role = before.role, Role.ATTENDEE
        new.is_muted, new.muted_by_host = before.is_muted, before.muted_by_host
        self.let_pass(newcomer, Medium.AUDIO, not new.is_muted, "muted")
        self._events.append(ParticipantChanged(new))

    def leave(self, participant_id: ParticipantId, now: float, reason: str = "left") -> None:
        """A participant is gone (an unknown one is no error: they were put out before)."""
        participant = self.participants.pop(participant_id, None)
        if participant is None:
            return
        self._transmissions.leave(participant_id, reason)
        self._note_transmissions()
        self._events.append(ParticipantLeft(participant))
        if participant.role is Role.HOST and self.state is State.ACTIVE:
            self._choose_host()
        if self.participants or self.state is not State.ACTIVE:
            return
        self.is_locked = False
        self.state = State.CREATED
        self._due = None if self.policy.is_permanent else now + self.policy.grace_s

    # ---- what members transmit

    def send(self, participant_id: ParticipantId, medium: Medium, is_sent: bool, reason: str = "") -> None:
        """A member's phone sends a medium from now on, or no longer: its SDP says so, it holds, its stream has said BYE."""
        self._transmissions.set_sent(participant_id, medium, is_sent, reason)
        self._note_transmissions()

    def let_pass(self, participant_id: ParticipantId, medium: Medium, may_pass: bool, reason: str = "") -> None:
        """The meeting lets a medium of a member pass, or not: the gate of a floor, video that was stopped."""
        self._transmissions.set_may_pass(participant_id, medium, may_pass, reason)
        self._note_transmissions()

    def is_transmitting(self, participant_id: ParticipantId, medium: Medium) -> bool:
        """Whether a medium of a member has started and not stopped."""
        return self._transmissions.is_on(participant_id, medium)

    def _note_transmissions(self) -> None:
        while (event := self._transmissions.next_event()) is not None:
            self._events.append(event)

    # ---- commands

    def execute(self, command: Command, now: float, actor: ParticipantId | None = None) -> Done | Refused:
        """Carry out a command. actor: who gave it; None for the operator, who may everything."""
        refusal = self._check_right(command, actor)
        if refusal is not None:
            return refusal
        match command:
            case MuteParticipant(target, muted):
                return self._mute(target, muted, by_host=actor != target)
            case KickParticipant(target, reason):
                return self._kick(target, reason, now)
            case LockConference(locked):
                return self._lock(locked)
            case CloseConference(reason):
                return self._begin_closing(reason, now)
            case _:
                return Refused(501, "this server can not do that yet")

    def _check_right(self, command: Command, actor: ParticipantId | None) -> Refused | None:
        if self.state is State.CLOSED:
            return Refused(481, "the meeting is over")
        if actor is None:
            return None
        participant = self.participants.get(actor)
        if participant is None:
            return Refused(403, "only members of the meeting may do that")
        verb = VERBS[command.verb]
        if may(verb, participant.role, is_own=getattr(command, "target", None) == actor):
            return None
        return Refused(403, words_of(verb))

    def _mute(self, target: ParticipantId, muted: bool, *, by_host: bool) -> Done | Refused:
        participant = self.participants.get(target)
        if participant is None:
            return Refused(404, "nobody of that name is in the meeting")
        if participant.is_muted == muted:
            return Done(0)
        participant.is_muted, participant.muted_by_host = muted, muted and by_host
        self.let_pass(target, Medium.AUDIO, not muted, "muted by the host" if by_host else "muted")
        self._events.append(ParticipantChanged(participant))
        return Done()

    def _kick(self, target: ParticipantId, reason: str, now: float) -> Done | Refused:
        participant = self.participants.get(target)
        if participant is None:
            return Refused(404, "nobody of that name is in the meeting")
        self.leave(target, now, reason)
        self._events.append(ParticipantKicked(participant, reason))
        return Done()

    def _lock(self, locked: bool) -> Done:
        if self.is_locked == locked:
            return Done(0)
        self.is_locked = locked
        self._events.append(LockChanged(locked))
        return Done()

    def _begin_closing(self, reason: str, now: float) -> Done:
        count = len(self.participants)
        if self.state is State.CLOSING:
            return Done(0)
        self.state = State.CLOSING
        self._closing_reason = reason
        self._due = now + (CLOSING_S if count else 0.0)
        self._events.append(ConferenceClosing(reason))
        if not count:
            self._close(reason)
        return Done(count)

    def _close(self, reason: str) -> None:
        remaining = tuple(self.participants.values())
        for participant in remaining:
            self._transmissions.leave(participant.id, reason)
        self._note_transmissions()
        self.participants.clear()
        self.is_locked = False
        self.state = State.CLOSED
        self._due = None
        self._events.append(ConferenceClosed(reason, remaining))

    # ---- rights

    def _is_owner(self, identity: Identity) -> bool:
        return identity.account is not None and identity.account == self.policy.owner

    def _knows_pin(self, identity: Identity, pin: str | None) -> bool:
        wanted = [text for text in (self.policy.pin, self.policy.host_pin) if text]
        if not self.policy.pin or self._is_owner(identity):
            return True
        return pin is not None and any(hmac.compare_digest(pin.encode(), text.encode()) for text in wanted)

    def _becomes_host(self, identity: Identity, pin: str | None, is_creator: bool) -> bool:
        policy = self.policy
        if self._is_owner(identity):
            return True
        if policy.host_pin and pin is not None and hmac.compare_digest(pin.encode(), policy.host_pin.encode()):
            return True
        if any(p.role is Role.HOST for p in self.participants.values()) or policy.owner or policy.host_pin:
            return False
        return is_creator or identity.account is not None or policy.guests_may_host

    def _demote_others(self, host: Participant) -> None:
        for other in self.participants.values():
            if other is not host and other.role is Role.HOST:
                other.role = Role.ATTENDEE
                self._events.append(ParticipantChanged(other))

    def _choose_host(self) -> None:
        """The host is gone: the longest present of those who may be host takes over."""
        able = [p for p in self.participants.values() if p.identity.account is not None or self.policy.guests_may_host]
        if not able:
            return
        heir = min(able, key=lambda p: p.joined_at)
        heir.role = Role.HOST
        self._events.append(ParticipantChanged(heir))

