"""What of a member passes, and what reaches them: mute, video, incoming sound, spotlight, suspension (RFC 4575 §5.8). Pure."""

from __future__ import annotations

from mcu.commands import (
    AskToUnmute,
    MuteAll,
    MuteParticipant,
    SpotlightParticipant,
    StopIncomingAudio,
    StopVideo,
    SuspendAll,
)
from mcu.happenings import ActivitySuspended, UnmuteAsked
from mcu.participant import Participant, ParticipantId, Role
from mcu.policy import allows
from mcu.rules.roles import HOSTS
from mcu.rules.room import Room
from mcu.transmission import FLOOR_CONTROLLED
from mcu.verdicts import Done, Refused, Verdict

_NOBODY = Refused(404, "nobody of that name is in the meeting")
_LISTENER = Refused(403, "a listener is not heard; a host can appoint them")


def mute(room: Room, command: MuteParticipant, now: float, actor: ParticipantId | None) -> Verdict:
    """Mute or unmute one member. Whom a host has muted unmutes themselves only where the policy says so."""
    participant = room.participants.get(command.target)
    if participant is None:
        return _NOBODY
    if participant.is_muted == command.muted:
        return Done(0)
    if not command.muted and participant.role is Role.LISTENER:
        return _LISTENER
    is_own = actor == command.target
    if not command.muted and is_own and not _may_unmute(room, participant):
        return Refused(403, "a host has muted you; raise your hand to speak")
    _set_muted(room, participant, command.muted, by_host=not is_own)
    return Done()


def _may_unmute(room: Room, participant: Participant) -> bool:
    if not participant.muted_by_host or participant.role in HOSTS:
        return True
    return allows(room.policy.unmute, participant.role) and not room.is_suspended


def _set_muted(room: Room, participant: Participant, is_muted: bool, *, by_host: bool) -> None:
    participant.is_muted, participant.muted_by_host = is_muted, is_muted and by_host
    room.changed(participant, "muted by the host" if by_host else "muted")


def mute_all(room: Room, command: MuteAll, now: float, actor: ParticipantId | None) -> Verdict:
    """Mute everybody but the hosts, or unmute whom a host has muted."""
    if command.muted:
        meant = [one for one in room.participants.values() if one.role not in HOSTS and not one.is_muted]
    else:
        meant = [one for one in room.participants.values() if one.muted_by_host and one.role is not Role.LISTENER]
    for participant in meant:
        _set_muted(room, participant, command.muted, by_host=True)
    return Done(len(meant))


def ask_to_unmute(room: Room, command: AskToUnmute, now: float, actor: ParticipantId | None) -> Verdict:
    """Ask somebody who is muted to speak; then they may unmute themselves."""
    participant = room.participants.get(command.target)
    if participant is None:
        return _NOBODY
    if participant.role is Role.LISTENER:
        return _LISTENER
    if not participant.is_muted:
        return Done(0)
    participant.muted_by_host = False
    room.changed(participant)
    room.emit(UnmuteAsked(participant))
    return Done()


def stop_video(room: Room, command: StopVideo, now: float, actor: ParticipantId | None) -> Verdict:
    """Let no video of a member pass, or let it pass again."""
    participant = room.participants.get(command.target)
    if participant is None:
        return _NOBODY
    if participant.is_video_stopped == command.stopped:
        return Done(0)
    if not command.stopped and actor == command.target and not (
            participant.role in HOSTS or (allows(room.policy.video, participant.role) and not room.is_suspended)):
        return Refused(403, "the hosts have not allowed video")
    participant.is_video_stopped = command.stopped
    room.changed(participant, "stopped by the host" if actor != command.target else "stopped")
    return Done()


def stop_incoming_audio(room: Room, command: StopIncomingAudio, now: float, actor: ParticipantId | None) -> Verdict:
    """Let a member hear nothing of the meeting, or hear it again."""
    participant = room.participants.get(command.target)
    if participant is None:
        return _NOBODY
    if participant.is_deaf == command.stopped:
        return Done(0)
    participant.is_deaf = command.stopped
    room.changed(participant)
    return Done()


def spotlight(room: Room, command: SpotlightParticipant, now: float, actor: ParticipantId | None) -> Verdict:
    """Show one member large to all, in place of another one; or nobody."""
    participant = room.participants.get(command.target)
    if participant is None:
        return _NOBODY
    if participant.is_spotlit == command.is_on:
        return Done(0)
    for other in room.participants.values():
        if other.is_spotlit:
            other.is_spotlit = False
            room.changed(other)
    participant.is_spotlit = command.is_on
    room.changed(participant)
    return Done()


def suspend(room: Room, command: SuspendAll, now: float, actor: ParticipantId | None) -> Verdict:
    """Everybody muted, video and shares off, at once; only hosts can begin again until it is over."""
    if room.is_suspended == command.is_suspended:
        return Done(0)
    room.is_suspended = command.is_suspended
    members = list(room.participants.values())
    for participant in members:
        if command.is_suspended:
            _suspend(room, participant)
        else:
            before = room.before_suspension.get(participant.id, (participant.role is Role.LISTENER, False, False))
            participant.is_muted, participant.muted_by_host, participant.is_video_stopped = before
        room.changed(participant, "all activity is suspended")
    if not command.is_suspended:
        room.before_suspension.clear()
    room.emit(ActivitySuspended(command.is_suspended))
    return Done(len(members))


def _suspend(room: Room, participant: Participant) -> None:
    room.before_suspension[participant.id] = (participant.is_muted, participant.muted_by_host, participant.is_video_stopped)
    participant.is_video_stopped = True
    for medium in FLOOR_CONTROLLED:
        room.transmissions.set_may_pass(participant.id, medium, False, "all activity is suspended")
    if not participant.is_muted:
        participant.is_muted = participant.muted_by_host = True
