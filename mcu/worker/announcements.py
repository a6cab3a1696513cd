"""What is said in a room, to all or to one: one thing after the other, and the same thing not twice on end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mcu.prompt_texts import HUSH
from mcu.worker.sounds import source as sound_of
from mcu.worker.sounds import spoken
from rtp.codecs.resample import Samples
from rtp.kernel import Room
from rtp.kernel.reference import DUCKED

ALL_SOURCE, MUSIC_SOURCE = -2, -3
"""The places of what is said to all, and of music for all, among a room's sources."""
MAX_WAITING = 6
"""A key that is pressed again and again must not make a speech; what is too much is not said."""


class Line:
    """What is said to one listener or to all: a source for a room. music: what is heard between, None for nothing."""

    def __init__(self) -> None:
        self.music: Callable[[], Samples | None] | None = None
        self._waiting: deque[tuple[str, Callable[[], Samples | None]]] = deque()

    def add(self, name: str, source: Callable[[], Samples | None]) -> None:
        """Say something after what is said now."""
        if len(self._waiting) < MAX_WAITING and (not self._waiting or self._waiting[-1][0] != name):
            self._waiting.append((name, source))

    def hush(self) -> None:
        """Say no more of it."""
        self._waiting.clear()

    def __call__(self) -> Samples | None:
        background = self.music() if self.music is not None else None
        while self._waiting:
            samples = self._waiting[0][1]()
            if samples is not None:
                return samples if background is None else (samples + background * DUCKED).astype(np.int16)
            self._waiting.popleft()
        return background

    @property
    def is_over(self) -> bool:
        """Whether all is said, and nothing is played."""
        return not self._waiting and self.music is None


class Announcements:
    """The lines of one room. prompts: the folder of the files."""

    def __init__(self, room: Room, prompts: Path | None) -> None:
        self._room = room
        self._prompts = prompts
        self._lines: dict[int, Line] = {}

    def say(self, leg_id: int, name: str, language: str) -> None:
        """Say a prompt to a leg, to all with 0; `HUSH` cuts short what is being said, and what was to follow."""
        self._forget()
        if name == HUSH:
            if leg_id in self._lines:
                self._lines[leg_id].hush()
            return
        source = spoken(name, language, self._prompts)
        line = self._line(leg_id)
        if line is not None:
            line.add(name, source)

    def set_music(self, leg_id: int, is_on: bool) -> None:
        """Let a leg hear music in place of the mix, or the whole room (0) beside it; or no more."""
        self._forget()
        if not leg_id:
            if is_on:
                self._room.add_source(MUSIC_SOURCE, sound_of("music"))
            else:
                self._room.remove_source(MUSIC_SOURCE)
        elif (line := self._line(leg_id)) is not None:
            line.music = sound_of("music") if is_on else None
            self._room.add_private_source(leg_id, line, 0.0 if is_on else DUCKED)

    def _forget(self) -> None:
        """Drop the lines at whose end nobody listens any more."""
        self._lines = {one: line for one, line in self._lines.items()
                       if not line.is_over and (not one or one in self._room.legs)}

    def _line(self, leg_id: int) -> Line | None:
        """The line to a leg or to all, from now on a source of the room; None to a leg that isn't there."""
        line = self._lines.get(leg_id)
        if line is None and (not leg_id or leg_id in self._room.legs):
            line = self._lines[leg_id] = Line()
            if leg_id:
                self._room.add_private_source(leg_id, line)
            else:
                self._room.add_source(ALL_SOURCE, line)
        return line
