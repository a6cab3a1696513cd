"""Who is host and who has which role: taking over, coming back, handing on, reclaiming (RFC 4353 §3.3). Pure.

There is one host at most. A host who drops may come back within the policy's `succession_s`; then a co-host, else the longest
present, stands in, and gives the role back on the host's return.
"""

from __future__ import annotations

import hmac

from mcu.commands import AppointParticipant, DismissParticipant, ReclaimHost, TransferHost
from mcu.happenings import HostChanged
from mcu.memory import Remembered
from mcu.participant import Identity, Participant, ParticipantId, Role
from mcu.rules.room import Due, Room
from mcu.verdicts import Done, Refused, Verdict

HOSTS = frozenset({Role.HOST, Role.COHOST})
_NOBODY = Refused(404, "nobody of that name is in the meeting")


def is_owner(room: Room, identity: Identity) -> bool:
    """Whether the policy makes this account host whenever it is present."""
    return identity.account is not None and identity.account == room.policy.owner


def is_host_by_right(room: Room, identity: Identity, pin: str | None) -> bool:
    """Whether somebody is host when they come in, whoever is host just now."""
    if is_owner(room, identity) or (identity.account is not None and identity.account == room.rightful):
        return True
    host_pin = room.policy.host_pin
    return bool(host_pin) and pin is not None and hmac.compare_digest(pin.encode(), (host_pin or "").encode())


def becomes_host(room: Room, identity: Identity, pin: str | None, *, is_creator: bool) -> bool:
    """Whether a newcomer is host: by right, or because there is nobody else to be it."""
    policy = room.policy
    if is_host_by_right(room, identity, pin):
        return True
    if room.host is not None or policy.owner or policy.host_pin or room.is_interrupted or Due.SUCCESSION in room.timers:
        return False
    if remembered(room, identity).role is Role.LISTENER:
        return False
    return is_creator or identity.account is not None or policy.guests_may_host


def remembered(room: Room, identity: Identity) -> Remembered:
    """What holds for somebody who was here before."""
    return room.people.get(identity.account or "", Remembered())


def crown(room: Room, participant: Participant, *, by_right: bool, is_creator: bool) -> None:
    """A newcomer is host. by_right: not for want of somebody else."""
    account = participant.identity.account
    if room.owner is None and room.owner_id is None and is_creator:
        room.owner, room.owner_id = account, participant.id
    if room.rightful is not None and not by_right:
        room.stand_in = (participant.id, participant.role)
    _make_host(room, participant)


def _make_host(room: Room, participant: Participant) -> None:
    """The one host. Who was it before becomes what they were before they stood in, or an attendee."""
    before = room.host
    participant.role = Role.HOST
    is_stand_in = room.stand_in is not None and room.stand_in[0] == participant.id
    if before is not None and before is not participant:
        stood_in = room.stand_in if room.stand_in is not None and room.stand_in[0] == before.id else None
        before.role = stood_in[1] if stood_in is not None else Role.ATTENDEE
        room.changed(before)
    if not is_stand_in:
        room.stand_in = room.rightful = None
    room.is_interrupted = False
    room.timers.pop(Due.SUCCESSION, None)
    room.emit(HostChanged(participant))


# ---- when the host is gone


def host_left(room: Room, host: Participant, now: float, *, is_dropped: bool, is_put_out: bool) -> None:
    """The host has left. A member of their own who stays may take over; one who dropped may come back first."""
    if room.stand_in is not None and room.stand_in[0] == host.id:
        room.stand_in = None                                    # the host whom they stood in for is still the rightful one
    else:
        room.rightful = None if is_put_out else host.identity.account
    room.emit(HostChanged(None))
    if not room.participants:
        return
    if is_dropped or room.policy.ends_with_host:
        room.timers[Due.SUCCESSION] = now + room.policy.succession_s
    else:
        choose_host(room)


def choose_host(room: Room) -> None:
    """The host has not come back: a co-host, else the longest present of those who may be host, stands in."""
    room.timers.pop(Due.SUCCESSION, None)
    room.is_interrupted = False
    able = [one for one in room.participants.values() if one.role is not Role.LISTENER
            and (one.role is Role.COHOST or one.identity.account is not None or room.policy.guests_may_host)]
    if not able or room.host is not None:
        return
    heir = min(able, key=lambda one: (one.role is not Role.COHOST, one.joined_at))
    if room.rightful is not None:
        room.stand_in = (heir.id, heir.role)
    _make_host(room, heir)
    room.changed(heir)


def succeed(room: Room, newcomer: ParticipantId, old: ParticipantId) -> None:
    """One person goes on at another phone: with the role they had, and muted if they were."""
    new, before = room.participants.get(newcomer), room.participants.get(old)
    if new is None or before is None or new.identity.account is None or new.identity.account != before.identity.account:
        return
    if before.role is not new.role:
        new.role, before.role = before.role, Role.ATTENDEE
    if room.stand_in is not None and room.stand_in[0] == old:
        room.stand_in = (newcomer, room.stand_in[1])
    if room.owner_id == old:
        room.owner_id = newcomer
    new.is_muted, new.muted_by_host, new.hand_at = before.is_muted, before.muted_by_host, before.hand_at
    new.is_video_stopped, new.is_deaf = before.is_video_stopped, before.is_deaf
    room.changed(new)
    if new.role is Role.HOST:
        room.emit(HostChanged(new))


# ---- commands


def appoint(room: Room, command: AppointParticipant, now: float, actor: ParticipantId | None) -> Verdict:
    """Give somebody a role; the host's is handed on with another command."""
    participant = room.participants.get(command.target)
    if participant is None:
        return _NOBODY
    if command.role is Role.HOST or participant.role is Role.HOST:
        return Refused(409, "the role of host is handed on with transfer")
    if participant.role is command.role:
        return Done(0)
    participant.role = command.role
    room.changed(participant, "made a listener")
    return Done()


def dismiss(room: Room, command: DismissParticipant, now: float, actor: ParticipantId | None) -> Verdict:
    """Make somebody an attendee again."""
    return appoint(room, AppointParticipant(command.target, Role.ATTENDEE), now, actor)


def transfer(room: Room, command: TransferHost, now: float, actor: ParticipantId | None) -> Verdict:
    """Hand the role of host on."""
    participant = room.participants.get(command.target)
    if participant is None:
        return _NOBODY
    if participant.role is Role.HOST:
        return Done(0)
    room.stand_in = room.rightful = None
    _make_host(room, participant)
    room.changed(participant)
    return Done()


def reclaim(room: Room, command: ReclaimHost, now: float, actor: ParticipantId | None) -> Verdict:
    """The owner is host again; of their phones the one that asks."""
    owners = [one for one in room.participants.values() if is_meetings_owner(room, one)]
    owner = next((one for one in owners if one.id == actor), owners[0] if owners else None)
    if owner is None:
        return Refused(404, "the owner is not in the meeting")
    return transfer(room, TransferHost(owner.id), now, actor)


def is_meetings_owner(room: Room, participant: Participant) -> bool:
    """Whether the meeting is a member's own: by their account, or because they made it."""
    account = participant.identity.account
    return participant.id == room.owner_id or (account is not None and account == room.owner)
