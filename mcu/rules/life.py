"""The life of a conference (RFC 4353 §5): it begins with its first member, has a time limit, and ends. Pure."""

from __future__ import annotations

from mcu.commands import CloseConference
from mcu.happenings import ConferenceClosed, ConferenceClosing, TimeRunsOut
from mcu.participant import ParticipantId
from mcu.rules import roles
from mcu.rules.room import Due, Room, State
from mcu.verdicts import Done, Verdict

CLOSING_S = 1.0
"""How long the chime of the end plays before everybody is hung up on."""
WARNINGS_MIN = (5, 1)
"""How many minutes before its time limit a meeting is told."""


def occupied(room: Room, now: float) -> None:
    """Somebody is in."""
    room.state = State.ACTIVE
    room.timers.pop(Due.GRACE, None)
    if room.began_at is None:
        room.began_at = now
        set_limit(room, now)
    if room.is_interrupted and Due.SUCCESSION not in room.timers:
        room.timers[Due.SUCCESSION] = now + room.policy.succession_s


def emptied(room: Room, now: float) -> None:
    """Nobody is in any more: the lock opens, and what was recorded or suspended ends."""
    if room.state is not State.ACTIVE:
        return
    room.is_locked = room.is_suspended = False
    room.recording = "stop"
    room.timers.clear()
    room.began_at = None
    room.state = State.WAITING if room.lobby else State.CREATED
    if not room.policy.is_permanent:
        room.timers[Due.GRACE] = now + room.policy.grace_s


def lobby_emptied(room: Room) -> None:
    """Somebody waits no longer; perhaps nobody does."""
    if room.state is State.WAITING and not room.lobby:
        room.state = State.CREATED


def set_limit(room: Room, now: float) -> None:
    """Arm the time limit, and its next warning."""
    room.timers.pop(Due.LIMIT, None)
    room.timers.pop(Due.WARNING, None)
    minutes = room.policy.time_limit_min
    if not minutes or room.began_at is None or room.state is not State.ACTIVE:
        return
    room.timers[Due.LIMIT] = room.began_at + minutes * 60
    ahead = [room.timers[Due.LIMIT] - before * 60 for before in WARNINGS_MIN]
    coming = [at for at in ahead if at > now]
    if coming:
        room.timers[Due.WARNING] = min(coming)


def handle_due(room: Room, due: Due, now: float) -> None:
    """A timer of a conference has run out."""
    del room.timers[due]
    match due:
        case Due.CLOSING:
            finish(room, room.closing_reason)
        case Due.GRACE if not room.participants:
            finish(room, "nobody came back")
        case Due.SUCCESSION if room.policy.ends_with_host and room.host is None and not room.is_interrupted:
            begin_closing(room, "the host has left the meeting", now)
        case Due.SUCCESSION:
            roles.choose_host(room)
        case Due.WARNING:
            room.emit(TimeRunsOut(round((room.timers[Due.LIMIT] - now) / 60)))
            set_limit(room, now)
        case Due.LIMIT:
            begin_closing(room, "the time of this meeting is over", now)


def close(room: Room, command: CloseConference, now: float, actor: ParticipantId | None) -> Verdict:
    """End it for all."""
    count = len(room.participants)
    return Done(count) if begin_closing(room, command.reason, now) else Done(0)


def begin_closing(room: Room, reason: str, now: float) -> bool:
    """Tell everybody, and end it once they have heard the chime; False when it is about to end already."""
    if room.state is State.CLOSING:
        return False
    is_somebody_there = bool(room.participants or room.lobby)
    room.state = State.CLOSING
    room.closing_reason = reason
    room.timers.clear()
    room.emit(ConferenceClosing(reason))
    if is_somebody_there:
        room.timers[Due.CLOSING] = now + CLOSING_S
    else:
        finish(room, reason)
    return True


def finish(room: Room, reason: str) -> None:
    """It is over."""
    remaining = (*room.participants.values(), *room.lobby.values())
    for participant in remaining:
        room.transmissions.leave(participant.id, reason)
    room.participants.clear()
    room.lobby.clear()
    room.is_locked = False
    room.timers.clear()
    room.state = State.CLOSED
    room.emit(ConferenceClosed(reason, remaining))
