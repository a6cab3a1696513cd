"""The life of a call (RFC 3261 §13, §15)."""

from __future__ import annotations

from enum import Enum


class CallState(Enum):
    """Life of a call, of either direction."""

    CALLING = "calling"
    RINGING = "ringing"
    ACCEPTED = "accepted"
    UP = "up"
    ENDED = "ended"
