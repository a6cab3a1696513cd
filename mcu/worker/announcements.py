"""What is said in a room, to all or to one: one thing after the other, and the same thing not twice on end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

from mcu.worker.sounds import spoken
from rtp.codecs.resample import Samples
from rtp.kernel import Room

ALL_SOURCE = -2
"""The place of what is said to all, among a room's sources."""
MAX_WAITING = 6
"""A key that is pressed again and again must not make a speech; what is too much is not said."""


class Line:
    """What is said to one listener or to all: a source for a room."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, Callable[[], Samples | None]]] = deque()

    def add(self, name: str, source: Callable[[], Samples | None]) -> None:
        """Say something after what is said now."""
        if len(self._waiting) < MAX_WAITING and (not self._waiting or self._waiting[-1][0] != name):
            self._waiting.append((name, source))

    def __call__(self) -> Samples | None:
        while self._waiting:
            samples = self._waiting[0][1]()
            if samples is not None:
                return samples
            self._waiting.popleft()
        return None

    @property
    def is_over(self) -> bool:
        """Whether all is said."""
        return not self._waiting


class Announcements:
    """The lines of one room. prompts: the folder of the files."""

    def __init__(self, room: Room, prompts: Path | None) -> None:
        self._room = room
        self._prompts = prompts
        self._lines: dict[int, Line] = {}

    def say(self, leg_id: int, name: str, language: str) -> None:
        """Say a prompt to a leg, to all with 0."""
        self._lines = {one: line for one, line in self._lines.items() if not line.is_over}
        source = spoken(name, language, self._prompts)
        line = self._lines.get(leg_id)
        if line is not None:
            line.add(name, source)
            return
        if leg_id and leg_id not in self._room.legs:
            return
        line = self._lines[leg_id] = Line()
        line.add(name, source)
        if leg_id:
            self._room.add_private_source(leg_id, line)
        else:
            self._room.add_source(ALL_SOURCE, line)
