"""Who gets into a conference, and who waits in its lobby (RFC 4353 §3.3): ban, PIN, lock, limits, before the host. Pure.

Whoever is host by right (owner, host PIN, a host who comes back) passes lock and lobby, and can't be banned: no sequence of
commands leaves them outside.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from mcu.participant import Identity
from mcu.policy import allows
from mcu.rules import roles
from mcu.rules.room import Room, State
from mcu.verdicts import Refused

MAX_LOBBY = 200
"""People who wait in one lobby."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who wants in. pin: the digits they brought; is_creator: they made this conference by calling it; is_invited: we have
    called them; source: the address that they come from."""

    identity: Identity
    pin: str | None = None
    is_creator: bool = False
    is_invited: bool = False
    source: str = ""


def check(room: Room, who: Newcomer) -> Refused | None:
    """Why they may not come in just now, or None. Who was invited needs no PIN and passes the lock."""
    if room.state in (State.CLOSING, State.CLOSED):
        return Refused(480, "the meeting is over")
    is_host = roles.is_host_by_right(room, who.identity, who.pin)
    if not is_host and not who.is_invited:
        if is_banned(room, who.identity.account, who.source):
            return Refused(403, "you are banned from this room")
        if not knows_pin(room, who.pin):
            return Refused(403, "wrong PIN" if who.pin else f"this room wants its PIN: call {room.name}.PIN")
        if room.is_locked and who.identity.account not in room.returning:
            return Refused(403, "the room is locked")
    if len(room.participants) >= room.policy.max_members or len(room.lobby) >= MAX_LOBBY:
        return Refused(486, f"the room is full ({room.policy.max_members} people)")
    return None


def is_banned(room: Room, account: str | None, source: str) -> bool:
    """Whether an account, or a guest from this address, is kept out."""
    return (account if account is not None else source) in room.bans


def knows_pin(room: Room, pin: str | None) -> bool:
    """Whether these digits open the room."""
    if not room.policy.pin:
        return True
    wanted = [text for text in (room.policy.pin, room.policy.host_pin) if text]
    return pin is not None and any(hmac.compare_digest(pin.encode(), text.encode()) for text in wanted)


def waits(room: Room, who: Newcomer) -> tuple[bool, bool]:
    """Whether they must wait in the lobby, and whether that is for the host to come."""
    if who.is_invited or roles.becomes_host(room, who.identity, who.pin, is_creator=who.is_creator):
        return False, False
    role = roles.remembered(room, who.identity).role
    if room.host is None and not allows(room.policy.early, role):
        return True, True
    return room.policy.lobby and role not in roles.HOSTS, False
