"""The ladder of a call: who sent what to whom, one arrow a message, media summed up at its start and its end.

`Ladder` is the value that `ladder_text` and `ladder_svg` draw. A column is a party; its media goes under the same column.
"""

from __future__ import annotations

from dataclasses import dataclass

MEDIA = "media"
MAX_ARROWS = 2000
"""More than that nobody looks at; a ladder says when some are left out."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message, or a beginning or end of media.

    source, destination: columns; kind: request, provisional, success, failure or media; note: what is worth knowing besides,
    note_zh the same in Chinese where the words are ours; number: the frame in the capture, from 1; is_repeated: a
    retransmission.
    """

    time_ns: int
    source: int
    destination: int
    label: str
    kind: str
    note: str = ""
    number: int = 0
    is_repeated: bool = False
    note_zh: str = ""

    @property
    def is_media(self) -> bool:
        """Whether this is no message but media."""
        return self.kind == MEDIA


@dataclass(frozen=True, slots=True)
class Ladder:
    """A call's columns and arrows, in order of time. start_ns: the zero of the times shown."""

    title: str
    columns: tuple[str, ...]
    arrows: tuple[Arrow, ...]
    start_ns: int = 0


def seconds(time_ns: int) -> str:
    """A time for people: seconds with three places."""
    return f"{time_ns / 1e9:.3f}"
