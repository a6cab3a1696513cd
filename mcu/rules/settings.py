"""Names, hands, lock, switches, and what the rules only judge: calls out, recording, pictures and sounds. Pure."""

from __future__ import annotations

from dataclasses import replace

from mcu.commands import (
    CountMembers,
    Invite,
    LockConference,
    Play,
    RaiseHand,
    Record,
    RenameParticipant,
    Say,
    SetLayout,
    SetSwitch,
)
from mcu.happenings import (
    CountAsked,
    InviteRequested,
    LayoutChanged,
    LockChanged,
    PlayRequested,
    PolicyChanged,
    RecordingRequested,
    SayRequested,
)
from mcu.participant import ParticipantId, clean_name
from mcu.policy import allows, switches_of, with_switches
from mcu.rules import life
from mcu.rules.room import Room
from mcu.verdicts import Done, Refused, Verdict

_NOBODY = Refused(404, "nobody of that name is in the meeting")
_RECORDING = {"start": ("stop",), "pause": ("start", "resume"), "resume": ("pause",), "stop": ("start", "pause", "resume")}
"""After which of the others each action on a recording makes sense."""


def rename(room: Room, command: RenameParticipant, now: float, actor: ParticipantId | None) -> Verdict:
    """Show somebody under another name."""
    participant = room.anyone(command.target)
    if participant is None:
        return _NOBODY
    name = clean_name(command.name)
    if not name:
        return Refused(400, "a name that can be shown was expected")
    if name == participant.identity.display_name:
        return Done(0)
    participant.identity = replace(participant.identity, display_name=name)
    room.changed(participant)
    return Done()


def raise_hand(room: Room, command: RaiseHand, now: float, actor: ParticipantId | None) -> Verdict:
    """Join the queue of those who want to speak, at its end, or leave it."""
    participant = room.participants.get(command.target)
    if participant is None:
        return _NOBODY
    if (participant.hand_at is not None) == command.is_raised:
        return Done(0)
    participant.hand_at = now if command.is_raised else None
    room.changed(participant)
    return Done()


def lock(room: Room, command: LockConference, now: float, actor: ParticipantId | None) -> Verdict:
    """Let nobody else in, or open again."""
    if room.is_locked == command.locked:
        return Done(0)
    room.is_locked = command.locked
    room.emit(LockChanged(command.locked))
    return Done()


def set_switch(room: Room, command: SetSwitch, now: float, actor: ParticipantId | None) -> Verdict:
    """Turn a switch of the policy."""
    try:
        policy = with_switches(room.policy, {command.name: command.value})
    except ValueError as error:
        return Refused(400, str(error))
    if policy == room.policy:
        return Done(0)
    room.policy = policy
    if command.name == "time-limit-min":
        life.set_limit(room, now)
    if command.name == "video":
        for participant in room.participants.values():
            if not allows(policy.video, participant.role) and not participant.is_video_stopped:
                participant.is_video_stopped = True
                room.changed(participant)
    room.emit(PolicyChanged(command.name, switches_of(policy)[command.name]))
    return Done()


def record(room: Room, command: Record, now: float, actor: ParticipantId | None) -> Verdict:
    """Begin, pause, go on with or end the recording, as far as the policy lets the actor."""
    participant = room.participants.get(actor) if actor is not None else None
    if participant is not None and not allows(room.policy.record, participant.role):
        return Refused(403, "recording is for hosts" if room.policy.record != "nobody" else "nobody may record this meeting")
    if room.recording == command.action:
        return Done(0)
    if room.recording not in _RECORDING[command.action]:
        return Refused(409, f"the recording can not {command.action} now")
    room.recording = command.action
    room.emit(RecordingRequested(command.action, actor))
    return Done()


def set_layout(room: Room, command: SetLayout, now: float, actor: ParticipantId | None) -> Verdict:
    """Arrange the composed picture."""
    if room.layout == command.layout:
        return Done(0)
    room.layout = command.layout
    room.emit(LayoutChanged(command.layout))
    return Done()


def invite(room: Room, command: Invite, now: float, actor: ParticipantId | None) -> Verdict:
    """Have somebody called into the meeting."""
    if len(room.participants) >= room.policy.max_members:
        return Refused(486, f"the room is full ({room.policy.max_members} people)")
    if actor is not None and not room.may_invite(command.uri):
        return Refused(403, "only users of this server can be called from a meeting")
    room.emit(InviteRequested(command.uri, actor))
    return Done()


def say(room: Room, command: Say, now: float, actor: ParticipantId | None) -> Verdict:
    """Have a voice say something."""
    room.emit(SayRequested(command.text, actor))
    return Done(len(room.participants))


def play(room: Room, command: Play, now: float, actor: ParticipantId | None) -> Verdict:
    """Have a file played, or steer what plays."""
    room.emit(PlayRequested(command.what, actor))
    return Done(len(room.participants))


def count(room: Room, command: CountMembers, now: float, actor: ParticipantId | None) -> Verdict:
    """Tell how many there are."""
    participant = room.participants.get(actor) if actor is not None else None
    if participant is not None:
        room.emit(CountAsked(participant, len(room.participants)))
    return Done(len(room.participants))
