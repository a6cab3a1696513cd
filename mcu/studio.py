"""All that a server records and plays, behind one door for its roles, its operator and its clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mcu.focus import Focus
from mcu.happenings import PlayRequested, RecordingRequested, SayRequested
from mcu.participant import ParticipantId
from mcu.players import FOLDER as MEDIA
from mcu.players import Players
from mcu.recording.listing import FOLDER as RECORDINGS
from mcu.recordings import Recordings

_CHINESE = re.compile("[\u4e00-\u9fff]")
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

    def record(self, focus: Focus, event: RecordingRequested) -> str:
        """Begin, pause, go on with or end a recording, as the rules have decided; "", or why not."""
        return self.recordings.perform(focus, event.action, _name(focus, event.by))

    def say(self, focus: Focus, event: SayRequested, language: str) -> str:
        """Let a voice say something to all: Chinese where it is written so, else the room's language; "", or why not."""
        spoken = "zh" if _CHINESE.search(event.text) else language
        return self.players.perform(focus, lambda: self.players.say(focus, event.text, spoken))

    def play(self, focus: Focus, event: PlayRequested) -> str:
        """Play a file to all, or steer what plays; "", or why not."""
        return self.players.perform(focus, lambda: self.players.play(focus, event.what, is_operator=event.by is None))

    def performers(self, foci: Mapping[str, Focus], language_of: Callable[..., str]) -> dict[type, Callable[[str, Any], str]]:
        """What is to be called with a room's name for each of its events that is about sound."""
        def with_focus(action: Callable[[Focus, Any], str]) -> Callable[[str, Any], str]:
            def perform(room: str, event: Any) -> str:
                focus = foci.get(room)
                return action(focus, event) if focus is not None else "nobody is there"
            return perform

        return {RecordingRequested: with_focus(self.record), PlayRequested: with_focus(self.play),
                SayRequested: with_focus(lambda focus, event: self.say(focus, event, language_of(focus.name)))}

    def close(self) -> None:
        """End all."""
        self.recordings.close()
        self.players.close()


def _name(focus: Focus, who: ParticipantId | None) -> str:
    member = focus.members.get(who) if who is not None else None
    return "the operator" if member is None else member.leg.identity.display_name or member.leg.identity.entity
