"""What keys of a phone mean in a meeting (PRODUCT's verb table; the codes that Zoom's callers know). Pure.

`*6` mutes and unmutes oneself, `*5` locks and opens the room, `*4` and then `#` within five seconds ends the meeting for all.
"""

from __future__ import annotations

from enum import Enum

CONFIRM_S = 5.0
NEXT_KEY_S = 5.0


class Verb(Enum):
    """What a caller asks for with a key sequence."""

    TOGGLE_MUTE = "*6"
    TOGGLE_LOCK = "*5"
    ASK_TO_CLOSE = "*4"
    CLOSE = "*4#"


_CODES = {"6": Verb.TOGGLE_MUTE, "5": Verb.TOGGLE_LOCK, "4": Verb.ASK_TO_CLOSE}


class Keypad:
    """The keys of one phone in order. now: monotonic seconds."""

    __slots__ = ("_asked_at", "_star_at")

    def __init__(self) -> None:
        self._star_at: float | None = None
        self._asked_at: float | None = None

    def press(self, key: str, now: float) -> Verb | None:
        """Take a key; the verb that it completes, if any."""
        star_at, self._star_at = self._star_at, None
        asked_at, self._asked_at = self._asked_at, None
        if key == "*":
            self._star_at = now
            return None
        if key == "#" and asked_at is not None and now - asked_at <= CONFIRM_S:
            return Verb.CLOSE
        if star_at is None or now - star_at > NEXT_KEY_S:
            return None
        verb = _CODES.get(key)
        if verb is Verb.ASK_TO_CLOSE:
            self._asked_at = now
        return verb


def info_key(content_type: str, body: bytes) -> str:
    """The key in an INFO, in either of the two forms in use (application/dtmf-relay and application/dtmf); empty: none."""
    if content_type not in ("application/dtmf-relay", "application/dtmf"):
        return ""
    text = body[:256].decode("ascii", "replace")
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if equals and name.strip().lower() == "signal":
            return value.strip()[:1]
    return text.strip()[:1] if "=" not in text else ""
