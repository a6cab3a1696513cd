"""What members of a conference write to each other: to all, to the hosts, or to one (RFC 3428 carries it). Pure.

    chat.say(conference, sender, "hello", ALL, now, wallclock)  → ChatLine, or Refused
    chat.readers(conference, line)                              → who is to get it
    chat.history(conference, newcomer)                          → what was written to all before

Text is cleaned of what a screen would take for more than text; a member who writes without end is refused for a moment.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from dataclasses import dataclass

from mcu.conference import Conference
from mcu.orders import find
from mcu.participant import Participant, ParticipantId, Role
from mcu.verdicts import Refused

ALL, HOSTS = "", "hosts"
MAX_TEXT = 2000
"""Characters of one text; outside of a call a MESSAGE has 1300 bytes at most (RFC 3428 §8)."""
MAX_HISTORY = 200
MAX_BURST, BURST_S = 10, 10.0
"""So many texts of one member within so many seconds."""
LEADERS = frozenset({Role.HOST, Role.COHOST})


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One text. number counts in its room; at: seconds since 1970; to: ALL, HOSTS, or the id of a participant."""

    number: int
    at: float
    sender: ParticipantId
    name: str
    to: str
    to_name: str
    text: str


class Chat:
    """What is written in one conference."""

    def __init__(self) -> None:
        self._lines: deque[ChatLine] = deque(maxlen=MAX_HISTORY)
        self._said: dict[ParticipantId, deque[float]] = {}
        self._count = 0

    def say(self, conference: Conference, sender: ParticipantId, text: str, to: str, now: float,
            wallclock: float) -> ChatLine | Refused:
        """A member writes. to: ALL, HOSTS, or whom they mean by id, account, URI or name."""
        author = conference.participants.get(sender)
        if author is None:
            return Refused(403, "only members of the meeting may write")
        cleaned = clean_text(text)
        if not cleaned:
            return Refused(400, "there is no text in it")
        if len(cleaned) > MAX_TEXT:
            return Refused(413, f"a text has {MAX_TEXT} characters at most, and this one has {len(cleaned)}")
        to_name = ""
        if to == ALL:
            if not conference.may_chat(sender):
                return Refused(403, "in this meeting only hosts write to all; write to the hosts instead")
        elif to != HOSTS:
            found = find(conference.participants.values(), to)
            if not found:
                return Refused(404, f"nobody called {to[:64]!r} is in the meeting")
            if len({one.identity.entity for one in found}) > 1:
                return Refused(409, f"several are called {to[:64]!r}")
            to, to_name = str(found[0].id), found[0].identity.display_name
        if not self._may_say_more(sender, now):
            return Refused(429, f"{MAX_BURST} texts in {BURST_S:.0f} seconds are enough; wait a moment")
        self._count += 1
        line = ChatLine(self._count, wallclock, sender, author.identity.display_name, to, to_name, cleaned)
        if to == ALL:
            self._lines.append(line)
        return line

    def announce(self, text: str, name: str, wallclock: float) -> ChatLine | Refused:
        """The operator writes to all."""
        cleaned = clean_text(text)[:MAX_TEXT]
        if not cleaned:
            return Refused(400, "there is no text in it")
        self._count += 1
        line = ChatLine(self._count, wallclock, ParticipantId(0), name, ALL, "", cleaned)
        self._lines.append(line)
        return line

    def readers(self, conference: Conference, line: ChatLine) -> list[Participant]:
        """Who is to get a text: not its author, who has it."""
        others = [one for one in conference.participants.values() if one.id != line.sender]
        if line.to == ALL:
            return others
        if line.to == HOSTS:
            return [one for one in others if one.role in LEADERS]
        return [one for one in others if str(one.id) == line.to]

    def history(self) -> list[ChatLine]:
        """What was written to all, the oldest first."""
        return list(self._lines)

    def forget(self, participant_id: ParticipantId) -> None:
        """A member is gone; what they wrote stays."""
        self._said.pop(participant_id, None)

    def clear(self) -> None:
        """Everybody has left: the next meeting in this room does not read what this one wrote."""
        self._lines.clear()
        self._said.clear()

    def _may_say_more(self, sender: ParticipantId, now: float) -> bool:
        said = self._said.setdefault(sender, deque(maxlen=MAX_BURST))
        if len(said) == MAX_BURST and now - said[0] < BURST_S:
            return False
        said.append(now)
        return True


def clean_text(text: str) -> str:
    """A text without control characters and marks that turn the direction of what follows, lines kept."""
    kept = (char for char in text.replace("\r\n", "\n").replace("\r", "\n")
            if char == "\n" or char == "\t" or (unicodedata.category(char) not in ("Cc", "Cs", "Co") and char not in _TURNING))
    return "".join(kept).strip()


_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\u2029")
