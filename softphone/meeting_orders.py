"""What is written in a meeting and what its members are told to do, as the window shows and asks it: values alone."""

from __future__ import annotations

from dataclasses import dataclass

MAX_CHAT = 500
"""Texts that the window keeps."""


@dataclass(frozen=True, slots=True)
class ChatLine:
    """A text of the meeting. at: seconds since 1970; to: empty for all, `hosts`, or one person, who is called to_name."""

    at: float
    name: str
    text: str
    to: str = ""
    to_name: str = ""
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class WaitingPerson:
    """Somebody in the lobby, whom a host sees. id: by which they are admitted."""

    id: str
    name: str


# ---- events


@dataclass(frozen=True, slots=True)
class OrdersAllowed:
    """Whether the server takes verbs and texts from the window."""

    is_possible: bool


@dataclass(frozen=True, slots=True)
class ChatArrived:
    """Texts came, or what was written before we did."""

    lines: tuple[ChatLine, ...]
    is_history: bool = False


# ---- commands


@dataclass(frozen=True, slots=True)
class SendChat:
    """Write to all (empty), to the `hosts`, or to one person by their number."""

    text: str
    to: str = ""


@dataclass(frozen=True, slots=True)
class GiveOrder:
    """A verb of the meeting. who: a person's number, or empty; more: further arguments by name."""

    verb: str
    who: str = ""
    more: tuple[tuple[str, str], ...] = ()
