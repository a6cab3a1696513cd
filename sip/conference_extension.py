"""What a meeting tells beyond RFC 4575, in a namespace of ours (its §5.1 lets any other one in): hands, lobby, settings.

Written and read for `sip.conference_info`, in `<user>` after its endpoints and in `<conference-state>` after `<locked>`. A
phone that does not know the namespace passes it over. Nothing here gives a right: the server asks its own rules.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax import saxutils

NAMESPACE = "urn:confero:conference-info"
MAX_WAITING = 200
"""People in a lobby that are told of, and read."""
MAX_SWITCHES = 40
_X = f"{{{NAMESPACE}}}"


@dataclass(frozen=True, slots=True)
class UserState:
    """What a meeting has decided about a member. hand: 0 while it is down, else a number that grows with each hand that is
    raised, so that the queue is in its order."""

    hand: int = 0
    is_muted_by_host: bool = False
    is_deaf: bool = False
    is_video_stopped: bool = False
    is_spotlit: bool = False

    def __str__(self) -> str:
        told = [f'{name}="{int(value)}"' for name, value in zip(_NAMES, self._values(), strict=True) if value]
        return f'<x:state xmlns:x="{NAMESPACE}" {" ".join(told)}/>' if told else ""

    def _values(self) -> tuple[int, ...]:
        return (self.hand, self.is_muted_by_host, self.is_deaf, self.is_video_stopped, self.is_spotlit)

    @classmethod
    def parse(cls, user: Element) -> UserState:
        """Out of a `<user>`; without the element, or with one that makes no sense, nothing is decided."""
        found = user.find(f"{_X}state")
        if found is None:
            return cls()
        return cls(_number(found.get("hand")), *(found.get(name) == "1" for name in _NAMES[1:]))


UNDECIDED = UserState()
"""Nothing is decided about a member."""
_NAMES = ("hand", "muted-by-host", "deaf", "video-stopped", "spotlit")
assert len(_NAMES) == len(fields(UserState))


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody in the lobby; told to hosts alone. id: by which they are admitted."""

    id: str
    entity: str
    display_text: str


@dataclass(frozen=True, slots=True)
class Meeting:
    """What holds for the whole meeting. switches: of its policy, by name; is_waiting: the reader is in the lobby, and has this
    document of themselves alone."""

    lobby: tuple[Waiting, ...] = ()
    switches: tuple[tuple[str, str], ...] = ()
    is_suspended: bool = False
    is_waiting: bool = False

    def __str__(self) -> str:
        flags = (' suspended="1"' if self.is_suspended else "") + (' waiting="1"' if self.is_waiting else "")
        switches = "".join(f'<x:switch name={_quote(name)}>{_escape(value)}</x:switch>' for name, value in self.switches)
        lobby = "".join(f"<x:waiting id={_quote(one.id)} entity={_quote(one.entity)}>{_escape(one.display_text)}</x:waiting>"
                        for one in self.lobby[:MAX_WAITING])
        if not (flags or switches or lobby):
            return ""
        return f'<x:meeting xmlns:x="{NAMESPACE}"{flags}>{switches}{lobby}</x:meeting>'

    @classmethod
    def parse(cls, state: Element | None) -> Meeting:
        """Out of a `<conference-state>`."""
        found = state.find(f"{_X}meeting") if state is not None else None
        if found is None:
            return cls()
        switches = tuple((one.get("name", "")[:40], (one.text or "").strip()[:40])
                         for one in found.findall(f"{_X}switch")[:MAX_SWITCHES])
        lobby = tuple(Waiting(one.get("id", "")[:20], one.get("entity", "")[:256], (one.text or "").strip()[:64])
                      for one in found.findall(f"{_X}waiting")[:MAX_WAITING])
        return cls(lobby, switches, found.get("suspended") == "1", found.get("waiting") == "1")


PLAIN = Meeting()
"""Nothing to tell of a meeting."""


def _number(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 10 else 0


def _escape(text: str) -> str:
    return saxutils.escape("".join(sign if sign.isprintable() else "\ufffd" for sign in text))


def _quote(text: str) -> str:
    return saxutils.quoteattr("".join(sign if sign.isprintable() else "\ufffd" for sign in text))
