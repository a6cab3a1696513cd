"""The lobby: who comes in, waits, is admitted, sent away, sent back, put out or banned (RFC 4353 §3.3). Pure.

Somebody is in the conference, in its lobby, or nowhere. Who waits hears and sees nothing of the meeting: nothing of them is a
transmission, and they are no participant.
"""

from __future__ import annotations

from mcu.commands import AdmitParticipant, BanParticipant, DenyParticipant, KickParticipant, SendToLobby, Unban
from mcu.happenings import LobbyEntered, LobbyLeft, ParticipantJoined, ParticipantKicked, ParticipantLeft
from mcu.memory import MAX_BANS
from mcu.participant import Participant, ParticipantId, Role
from mcu.policy import allows
from mcu.rules import life, roles
from mcu.rules.entry import Newcomer, waits
from mcu.rules.room import Room, State
from mcu.verdicts import Admitted, Done, InLobby, Refused, Verdict

_NOBODY = Refused(404, "nobody of that name is in the meeting")
_NOT_WAITING = Refused(404, "nobody of that name waits in the lobby")


def arrive(room: Room, participant: Participant, who: Newcomer, now: float) -> Admitted | InLobby:
    """A newcomer whom nothing keeps out: into the conference, or into its lobby."""
    must_wait, for_host = waits(room, who)
    if must_wait:
        participant.is_in_lobby = True
        room.lobby[participant.id] = participant
        if room.state is State.CREATED:
            room.state = State.WAITING
        room.emit(LobbyEntered(participant, for_host))
        return InLobby(participant, for_host)
    is_host = roles.becomes_host(room, who.identity, who.pin, is_creator=who.is_creator)
    by_right = roles.is_host_by_right(room, who.identity, who.pin)
    _enter(room, participant, now)
    if is_host:
        roles.crown(room, participant, by_right=by_right, is_creator=who.is_creator)
        _admit_who_waited_for_host(room, now)
    return Admitted(participant)


def _enter(room: Room, participant: Participant, now: float) -> None:
    """Into the conference, with what is remembered of them."""
    before, policy = roles.remembered(room, participant.identity), room.policy
    participant.role, participant.is_in_lobby, participant.joined_at = before.role, False, now
    participant.is_video_stopped = before.is_video_stopped or room.is_suspended or not (
        allows(policy.video, before.role) or before.role is Role.LISTENER)
    participant.muted_by_host = before.muted_by_host or room.is_suspended or (
        policy.mute_on_entry and before.role not in roles.HOSTS)
    participant.is_muted = participant.muted_by_host or participant.role is Role.LISTENER
    room.participants[participant.id] = participant
    room.returning.discard(participant.identity.account or "")
    room.transmissions.join(participant.id)
    life.occupied(room, now)
    room.emit(ParticipantJoined(participant))
    if participant.is_muted or participant.is_video_stopped:
        room.changed(participant)


def _admit_who_waited_for_host(room: Room, now: float) -> None:
    """The host is there: whoever waited for that alone may come in."""
    for participant in list(room.lobby.values()):
        if not room.policy.lobby and len(room.participants) < room.policy.max_members:
            _admit(room, participant, now)


def _admit(room: Room, participant: Participant, now: float) -> None:
    del room.lobby[participant.id]
    room.emit(LobbyLeft(participant))
    _enter(room, participant, now)


def depart(room: Room, participant: Participant, now: float, reason: str, *, is_dropped: bool = False,
           is_put_out: bool = False) -> None:
    """A member is out, for whatever reason. A host who was put out has no claim to come back as one."""
    del room.participants[participant.id]
    room.transmissions.leave(participant.id, reason)
    room.remember(participant)
    room.emit(ParticipantLeft(participant))
    if participant.role is Role.HOST and room.state is State.ACTIVE:
        roles.host_left(room, participant, now, is_dropped=is_dropped, is_put_out=is_put_out)
    if not room.participants:
        life.emptied(room, now)


# ---- commands


def admit(room: Room, command: AdmitParticipant, now: float, actor: ParticipantId | None) -> Verdict:
    """Let somebody in who waits."""
    participant = room.lobby.get(command.target)
    if participant is None:
        return _NOT_WAITING
    if len(room.participants) >= room.policy.max_members:
        return Refused(486, f"the room is full ({room.policy.max_members} people)")
    _admit(room, participant, now)
    return Done()


def deny(room: Room, command: DenyParticipant, now: float, actor: ParticipantId | None) -> Verdict:
    """Send somebody away who waits."""
    participant = room.lobby.pop(command.target, None)
    if participant is None:
        return _NOT_WAITING
    room.emit(LobbyLeft(participant))
    room.emit(ParticipantKicked(participant, command.reason))
    life.lobby_emptied(room)
    return Done()


def send_back(room: Room, command: SendToLobby, now: float, actor: ParticipantId | None) -> Verdict:
    """Out of the conference, to wait."""
    participant = room.participants.get(command.target)
    if participant is None:
        return _NOBODY
    depart(room, participant, now, "sent to the lobby", is_put_out=True)
    participant.is_in_lobby, participant.hand_at, participant.is_spotlit = True, None, False
    if participant.role is Role.HOST:
        participant.role = Role.ATTENDEE
    room.lobby[participant.id] = participant
    if room.state is State.CREATED:
        room.state = State.WAITING
    room.emit(LobbyEntered(participant, False))
    return Done()


def kick(room: Room, command: KickParticipant, now: float, actor: ParticipantId | None) -> Verdict:
    """Put somebody out, of the conference or of its lobby."""
    if command.target in room.lobby:
        return deny(room, DenyParticipant(command.target, command.reason), now, actor)
    participant = room.participants.get(command.target)
    if participant is None:
        return _NOBODY
    depart(room, participant, now, command.reason, is_put_out=True)
    room.emit(ParticipantKicked(participant, command.reason))
    return Done()


def ban(room: Room, command: BanParticipant, now: float, actor: ParticipantId | None) -> Verdict:
    """Put somebody out, and keep them out."""
    participant = room.anyone(command.target)
    if participant is None:
        return _NOBODY
    key = participant.identity.account if participant.identity.account is not None else participant.source
    if roles.is_owner(room, participant.identity) or (participant.identity.account is not None and key == room.owner):
        return Refused(403, "the owner of a room can not be banned from it")
    if not key:
        return Refused(409, "there is nothing to know them by: remove them, and lock the room")
    room.bans.pop(key, None)
    room.bans[key] = None
    if len(room.bans) > MAX_BANS:
        del room.bans[next(iter(room.bans))]
    if room.rightful == key:
        room.rightful = None
    return kick(room, KickParticipant(command.target, command.reason), now, actor)


def unban(room: Room, command: Unban, now: float, actor: ParticipantId | None) -> Verdict:
    """Let an account or an address in again."""
    key = command.banned.strip()
    if key not in room.bans:
        return Refused(404, f"{key[:80]!r} is not banned")
    del room.bans[key]
    return Done()
