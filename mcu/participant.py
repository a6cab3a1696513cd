"""Who takes part in a conference (RFC 4353 §3): an identity, a role, and what was decided about their media."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NewType

ParticipantId = NewType("ParticipantId", int)
"""32 random bits: the participant's CSRC in the mix and their `<src-id>` in conference-info (RFC 4575 §5.8.4)."""

MAX_NAME = 64


class Role(Enum):
    """What a participant may do; the policy says what that is."""

    HOST = "host"
    ATTENDEE = "attendee"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is. account: the name that was proved by its password, None for a guest; entity: the URI that names them
    in the roster; display_name: what people read; srtp: what their account wants of SRTP (`off`, `prefer`, `require`), None
    for nothing of its own."""

    entity: str
    display_name: str
    account: str | None = None
    srtp: str | None = None


@dataclass(slots=True)
class Participant:
    """A member of a conference. joined_at: monotonic seconds."""

    id: ParticipantId
    identity: Identity
    role: Role
    joined_at: float
    is_muted: bool = False
    muted_by_host: bool = False


def clean_name(text: str) -> str:
    """A name fit to be shown, logged and sent: no control characters or text direction marks, 64 characters at most."""
    kept = "".join(c for c in text if c.isprintable() and not "\u202a" <= c <= "\u202e" and not "\u2066" <= c <= "\u2069")
    return " ".join(kept.split(" ")).strip()[:MAX_NAME]
