"""What a conference allows, and whom (RFC 4353 §3.3): limits, and the verbs of each role. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mcu.participant import Role

HOST_VERBS = frozenset({"mute_self", "mute", "kick", "lock", "close", "leave"})
ATTENDEE_VERBS = frozenset({"mute_self", "leave"})
_VERBS = {Role.HOST: HOST_VERBS, Role.ATTENDEE: ATTENDEE_VERBS}


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of a conference.

    max_members: how many may be in it at once; pin: digits that a caller must bring, None for none; owner: the account that
    is its host whenever present; is_permanent: it outlives its last member; grace_s: how long an ad hoc conference waits for
    somebody after its last member has left; guests_may_host: the first to come becomes host, account or not; srtp: what
    it wants of SRTP (`off`, `prefer`, `require`), None for what the server wants.
    """

    max_members: int = 200
    pin: str | None = None
    host_pin: str | None = None
    owner: str | None = None
    is_permanent: bool = False
    grace_s: float = 60.0
    guests_may_host: bool = False
    srtp: str | None = None


def may(role: Role, verb: str) -> bool:
    """Whether a role has a verb."""
    return verb in _VERBS[role]
