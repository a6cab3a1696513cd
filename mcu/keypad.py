"""Key sequences of a phone in a meeting, as codes of the table of verbs (`mcu.verbs.KEYPAD`), by RFC 4733 or INFO. Pure.

A code is `*` and one key within five seconds; one that ends the meeting (`*4`) wants `#` after it, within five seconds too.
"""

from __future__ import annotations

from mcu.verbs import KEYPAD

CONFIRM_S = 5.0
NEXT_KEY_S = 5.0
_CONFIRMED = {code[:2] for code in KEYPAD if len(code) == 3}


class Keypad:
    """The keys of one phone in order. now: monotonic seconds."""

    __slots__ = ("_asked", "_asked_at", "_star_at")

    def __init__(self) -> None:
        self._star_at: float | None = None
        self._asked = ""
        self._asked_at = 0.0

    def press(self, key: str, now: float) -> str | None:
        """Take a key; the code that it completes, if any. The first half of one that wants `#` is one, too."""
        star_at, self._star_at = self._star_at, None
        asked, self._asked = self._asked, ""
        if key == "#" and asked and now - self._asked_at <= CONFIRM_S:
            return f"{asked}#"
        if key == "*":
            self._star_at = now
            return None
        if star_at is None or now - star_at > NEXT_KEY_S:
            return None
        code = f"*{key}"
        if code in _CONFIRMED:
            self._asked, self._asked_at = code, now
            return code
        return code if code in KEYPAD else None


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
