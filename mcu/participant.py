"""Who takes part in a conference (RFC 4353 §3): an identity, a role, and what was decided about their media."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NewType

ParticipantId = NewType("ParticipantId", int)
"""32 random bits: the participant's CSRC in the mix and their `<src-id>` in conference-info (RFC 4575 §5.8.4)."""

MAX_NAME = 64


class Role(Enum):
    """What a participant may do; the table of verbs says what that is. A listener is never heard."""

    HOST = "host"
    COHOST = "co-host"
    PRESENTER = "presenter"
    ATTENDEE = "attendee"
    LISTENER = "listener"


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
    """A member of a conference, or somebody who waits in its lobby.

    joined_at, hand_at: monotonic seconds, hand_at None while the hand is down; source: the address they call from; is_deaf:
    hears nothing of the meeting; is_video_stopped: by a host; is_spotlit: shown large to all.
    """

    id: ParticipantId
    identity: Identity
    role: Role
    joined_at: float
    is_muted: bool = False
    muted_by_host: bool = False
    source: str = ""
    hand_at: float | None = None
    is_deaf: bool = False
    is_video_stopped: bool = False
    is_spotlit: bool = False
    is_in_lobby: bool = False


def clean_name(text: str) -> str:
    """A name fit to be shown, logged and sent: no control characters or text direction marks, 64 characters at most."""
    kept = "".join(c for c in text if c.isprintable() and not "\u202a" <= c <= "\u202e" and not "\u2066" <= c <= "\u2069")
    return " ".join(kept.split(" ")).strip()[:MAX_NAME]
