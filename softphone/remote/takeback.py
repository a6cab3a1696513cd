"""When the owner of a desktop takes it back: Escape twice, or touching the own mouse. Pure; who sees input calls it.

Input of real devices is the owner's. What comes by XTEST may be ours, done for the other side, or another program's, done for
the owner: ours is known by its key or place and by its time, as it was noted when it was sent.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

ESCAPE_S = 0.6
"""Between two Escapes that mean it."""
MIN_DISTANCE = 6
"""Pixels; a bump at the table moves a mouse, too."""
MEMORY_S = 2.0
"""How long what we sent may be on its way back; a busy X server needs some."""
MAX_NOTED = 1000


@dataclass(frozen=True, slots=True)
class Done:
    """Something that input did. kind: key, button or motion; detail: key code or button; x, y: the place of a motion."""

    kind: str
    detail: int = 0
    x: int = 0
    y: int = 0


class TakeBack:
    """Watches over one session. reason: why it was taken back, empty while it was not."""

    def __init__(self) -> None:
        self.reason = ""
        self._sent: deque[tuple[float, Done]] = deque(maxlen=MAX_NOTED)
        self._place: tuple[int, int] | None = None
        self._escape_at: float | None = None

    def note(self, done: Done, now: float) -> None:
        """We are about to do this for the other side."""
        self._sent.append((now, done))
        if done.kind == "motion":
            self._place = (done.x, done.y)

    def is_ours(self, done: Done, now: float) -> bool:
        """Whether something that came by XTEST was sent by us; each thing that we sent answers for one."""
        while self._sent and now - self._sent[0][0] > MEMORY_S:
            self._sent.popleft()
        for entry in self._sent:
            if entry[1] == done:
                self._sent.remove(entry)
                return True
        return False

    def press_key(self, is_escape: bool, now: float) -> None:
        """The owner pressed a key."""
        if is_escape and self._escape_at is not None and now - self._escape_at <= ESCAPE_S:
            self._take("Escape twice")
        self._escape_at = now if is_escape else None

    def press_button(self) -> None:
        """The owner pressed a mouse button."""
        self._take("the own mouse was clicked")

    def move(self, x: int, y: int) -> None:
        """The owner moved the mouse, and the pointer is here now."""
        if self._place is None:
            self._place = (x, y)
        if max(abs(x - self._place[0]), abs(y - self._place[1])) >= MIN_DISTANCE:
            self._take("the own mouse was moved")

    def begin(self, x: int, y: int) -> None:
        """Another may act from now on; the pointer is here."""
        self.reason, self._place, self._escape_at = "", (x, y), None

    def _take(self, reason: str) -> None:
        if not self.reason:
            self.reason = reason
