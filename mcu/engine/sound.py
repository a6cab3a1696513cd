"""What control asks of a room's worker about sound: say, play, record. A worker that takes another's place is told anew."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

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

Send = Callable[[Command, Sequence[int]], None]


class RoomSound:
    """The sound of one room. send: to its worker of now, with descriptors."""

    def __init__(self, room_id: int, send: Send) -> None:
        self._room_id = room_id
        self._send = send
        self._recordings: dict[int, socket.socket] = {}
        self._music: frozenset[int] = frozenset()

    def announce(self, leg_id: int, name: str, language: str) -> None:
        """Say a prompt to a leg, or to all (0), after what is being said there."""
        self._send(Announce(self._room_id, leg_id, name, language), ())

    def set_music(self, leg_id: int, is_on: bool) -> None:
        """Let a leg hear music in place of the meeting, or the whole room (0) beside it; or no more."""
        self._music = self._music | {leg_id} if is_on else self._music - {leg_id}
        self._send(PlayMusic(self._room_id, leg_id, is_on), ())

    def start_player(self, player_id: int, descriptor: int) -> None:
        """Play a file that grows (`mcu.playing.ready`) to all; a worker that takes the place of this one plays it no more."""
        self._send(OpenPlayer(self._room_id, player_id), [descriptor])

    def set_player(self, player_id: int, is_paused: bool, volume_percent: int, seek_ms: int = -1) -> None:
        """Steer what is played. seek_ms: −1 for where it is."""
        self._send(SetPlayer(self._room_id, player_id, is_paused, volume_percent, seek_ms), ())

    def stop_player(self, player_id: int) -> None:
        """Play it no more."""
        self._send(ClosePlayer(self._room_id, player_id), ())

    def record(self, recording_id: int, sock: socket.socket) -> None:
        """Tell what is heard at a socket (`mcu.recording.line`), from the worker of now and from those after it."""
        self._recordings[recording_id] = sock.dup()
        self._send(OpenRecording(self._room_id, recording_id), [sock.fileno()])

    def stop_recording(self, recording_id: int) -> None:
        """Tell it no more; an unknown one is no error."""
        sock = self._recordings.pop(recording_id, None)
        if sock is not None:
            sock.close()
            self._send(CloseRecording(self._room_id, recording_id), ())

    def restore(self) -> None:
        """Tell a worker that comes new what goes on."""
        for recording_id, sock in self._recordings.items():
            self._send(OpenRecording(self._room_id, recording_id), [sock.fileno()])
        for leg_id in self._music:
            self._send(PlayMusic(self._room_id, leg_id, True), ())

    def close(self) -> None:
        """The room is over."""
        for recording_id in list(self._recordings):
            self.stop_recording(recording_id)
