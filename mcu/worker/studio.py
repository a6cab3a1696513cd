"""What is said, played and recorded in the rooms of a worker: control's messages about it, carried out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mcu.engine.notices import PlayerChanged
from mcu.errors import ProtocolError
from mcu.prompt_texts import HUSH, LANGUAGES, is_known
from mcu.sound_messages import (
    Announce,
    ClosePlayer,
    CloseRecording,
    Command,
    OpenPlayer,
    OpenRecording,
    PlayMusic,
    SetPlayer,
)
from mcu.worker.announcements import Announcements
from mcu.worker.players import Players
from mcu.worker.recorders import Recorders
from rtp.kernel import Room


class Studio:
    """All of a worker. report: told how players stand; prompts: the folder of what is said."""

    def __init__(self, report: Callable[[PlayerChanged], None], prompts: Path | None) -> None:
        self._prompts = prompts
        self._announcements: dict[int, Announcements] = {}
        self._recorders = Recorders()
        self._players = Players(report)

    def take(self, room: Room, message: OpenRecording | OpenPlayer, descriptor: int) -> None:
        """Carry out a message that came with a descriptor."""
        if isinstance(message, OpenRecording):
            self._recorders.open(room, message.recording_id, descriptor)
        else:
            self._players.open(room, message.player_id, descriptor)

    def carry_out(self, room: Room, message: Command) -> None:
        """Carry out another message. Raises ProtocolError."""
        match message:
            case Announce(room_id, leg_id, name, language):
                if not (is_known(name) or name == HUSH) or language not in LANGUAGES:
                    raise ProtocolError(f"there is no prompt {name!r} in {language!r}")
                self._words(room, room_id).say(leg_id, name, language)
            case PlayMusic(room_id, leg_id, is_on):
                self._words(room, room_id).set_music(leg_id, is_on)
            case CloseRecording(_, recording_id):
                self._recorders.close(room, recording_id)
            case SetPlayer(_, player_id, is_paused, volume_percent, seek_ms):
                self._players.set(room, player_id, is_paused, volume_percent, seek_ms)
            case ClosePlayer(_, player_id):
                self._players.close(room, player_id)
            case OpenRecording() | OpenPlayer():
                raise ProtocolError(f"{type(message).__name__} without its descriptor")

    def _words(self, room: Room, room_id: int) -> Announcements:
        found = self._announcements.get(room_id)
        if found is None:
            found = self._announcements[room_id] = Announcements(room, self._prompts)
        return found

    def forget(self, room: Room) -> None:
        """A room is over."""
        self._announcements.pop(room.room_id, None)
        self._recorders.forget(room)
        self._players.forget(room)

    def tick(self) -> None:
        """Tell how players stand."""
        self._players.tick()
