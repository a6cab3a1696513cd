"""What the tiles of a meeting show, their pictures left out: names, states, and who is shown when not all find room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from softphone.model import Meeting, Member
from softphone.ui.voices import key_of
from softphone.ui.words import member_name, picture_strength, plain, strength

REST = "rest"
"""The key of the tile that says how many more there are."""


@dataclass(frozen=True, slots=True)
class Face:
    """All that a tile shows, its picture left out."""

    name: str
    avatar: str
    is_muted: bool = False
    is_talking: bool = False
    is_self: bool = False
    bars: int = 0
    note: str = ""
    is_spotlit: bool = False


def faces_of(meeting: Meeting, talking: frozenset[str], tr: Callable[..., str]) -> dict[str, Face]:
    """What each member's tile shows, by key, in the roster's order."""
    return {key_of(m): _face(m, meeting, key_of(m) in talking, tr) for m in meeting.members}


def _face(member: Member, meeting: Meeting, is_talking: bool, tr: Callable[..., str]) -> Face:
    is_muted = meeting.is_muted if member.is_self else member.is_muted
    note = "" if member.status in ("connected", "") else tr(member.status.replace("-", " "))
    return Face(
        member_name(member, tr),
        plain(member.name or member.uri),
        is_muted,
        is_talking,
        member.is_self,
        strength(meeting.quality) if member.is_self else _bars(meeting, key_of(member)),
        note,
        member.is_spotlit,
    )


def _bars(meeting: Meeting, key: str) -> int:
    """The quality of another's picture, 0 where there is none."""
    return next((picture_strength(each) for each in meeting.quality.pictures if each.key == key), 0)


def choose(faces: dict[str, Face], capacity: int, recent: list[str]) -> list[str]:
    """The keys to show when not all find room: who talked last is among them; the last place says how many more there are."""
    if len(faces) <= capacity:
        return list(faces)
    places = max(1, capacity - 1)
    wanted = [key for key in recent if key in faces][:places]
    for key in faces:
        if len(wanted) >= places:
            break
        if key not in wanted:
            wanted.append(key)
    shown = [key for key in faces if key in set(wanted)]
    return [*shown, REST] if capacity > 1 else shown
