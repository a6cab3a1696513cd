"""All that a server records and plays, behind one door for its roles, its operator and its clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mcu.errors import McuError
from mcu.focus import Focus
from mcu.players import FOLDER as MEDIA
from mcu.players import Players
from mcu.recording.listing import FOLDER as RECORDINGS
from mcu.recordings import Recordings

LOOK_S = 1.0
"""How often is looked after what goes on."""


class Studio:
    """Recordings and players. data: the data folder; call_later: does something so many seconds later."""

    def __init__(self, data: Path, call_later: Callable[[float, Callable[[], None]], None]) -> None:
        self.recordings = Recordings(data / RECORDINGS, self._changed)
        self.players = Players(data / MEDIA, data, self._changed)
        self._call_later = call_later
        self._is_looking = False

    def _changed(self) -> None:
        if not self._is_looking and (self.recordings.is_on or self.players.is_on):
            self._is_looking = True
            self._call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._is_looking = False
        self.recordings.look()
        self.players.look()
        self._changed()

    def record(self, focus: Focus, action: str, by: str) -> str:
        """Carry out start, pause, resume or stop for a member; why not, in words, or ""."""
        return _tried(lambda: self.recordings.execute(focus, action, by))

    def say(self, focus: Focus, text: str, language: str) -> str:
        """Let a voice say something to all; why not, in words, or ""."""
        return _tried(lambda: self.players.say(focus, text, language))

    def play(self, focus: Focus, what: str) -> str:
        """Play a file of the media folder to all, or steer what plays; why not, in words, or ""."""
        return _tried(lambda: self.players.play(focus, what, is_operator=False))

    def close(self) -> None:
        """End all."""
        self.recordings.close()
        self.players.close()


def _tried(action: Callable[[], object]) -> str:
    try:
        action()
    except McuError as error:
        return str(error)
    return ""
