"""Sound that a worker plays into its rooms out of files that grow (`mcu.playing.ready`): pause, seek, volume, and its end."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from mcu.engine.notices import PlayerChanged
from mcu.playing.ready import COMPLETE, FAILED, Head, read_head, read_tick
from rtp.codecs.resample import Samples
from rtp.kernel import Room
from rtp.kernel.spec import TICK_SAMPLES

SOURCES_FROM = -1000
"""Players are sources of a room with negative numbers from here downwards."""
TELL_EVERY = 50
"""Ticks between two reports of a player."""
_SILENCE: Samples = np.zeros(TICK_SAMPLES, np.int16)


class Player:
    """A source for a room. descriptor: of the file; it belongs to the player from now on. position: in ticks."""

    def __init__(self, descriptor: int) -> None:
        self.position = 0
        self.volume = 1.0
        self.is_paused = self.is_over = False
        self.head = Head(0, 0)
        self._descriptor = descriptor

    def __call__(self) -> Samples | None:
        if self.is_over:
            return None
        if self.is_paused:
            return _SILENCE
        samples = read_tick(self._descriptor, self.position)
        if samples is None:
            self.head = read_head(self._descriptor)
            if self.head.state == FAILED or (self.head.state == COMPLETE and self.position >= self.head.ticks):
                self.is_over = True
                return None
            return _SILENCE
        self.position += 1
        if self.volume == 1.0:
            return samples
        louder: Samples = np.clip(samples * self.volume, -32768, 32767).astype(np.int16)
        return louder

    def look(self) -> None:
        """See how much of it there is."""
        if self.head.state != COMPLETE:
            self.head = read_head(self._descriptor)

    def close(self) -> None:
        """Let go of the file."""
        self.is_over = True
        os.close(self._descriptor)


class Players:
    """All players of a worker, by room and id. report: told how they stand, once a second and at the end."""

    def __init__(self, report: Callable[[PlayerChanged], None]) -> None:
        self._report = report
        self._players: dict[tuple[int, int], Player] = {}
        self._ticks = 0

    def open(self, room: Room, player_id: int, descriptor: int) -> None:
        """Begin to play."""
        self.close(room, player_id)
        player = self._players[room.room_id, player_id] = Player(descriptor)
        room.add_source(SOURCES_FROM - player_id, player)

    def set(self, room: Room, player_id: int, is_paused: bool, volume_percent: int, seek_ms: int) -> None:
        """Steer a player. seek_ms: −1 for where it is; an unknown one is no error."""
        player = self._players.get((room.room_id, player_id))
        if player is None:
            return
        player.is_paused, player.volume = is_paused, volume_percent / 100
        if seek_ms >= 0:
            player.position = seek_ms // 20
        self._tell(room.room_id, player_id, player)

    def close(self, room: Room, player_id: int) -> None:
        """Stop one; an unknown one is no error."""
        room.remove_source(SOURCES_FROM - player_id)
        player = self._players.pop((room.room_id, player_id), None)
        if player is not None:
            player.close()

    def forget(self, room: Room) -> None:
        """A room is over."""
        for room_id, player_id in list(self._players):
            if room_id == room.room_id:
                self.close(room, player_id)

    def tick(self) -> None:
        """Tell what is over, and once a second how the others stand."""
        if not self._players:
            return
        self._ticks += 1
        is_time = self._ticks % TELL_EVERY == 0
        for (room_id, player_id), player in list(self._players.items()):
            if player.is_over:
                del self._players[room_id, player_id]
                self._tell(room_id, player_id, player)
                player.close()
            elif is_time:
                player.look()
                self._tell(room_id, player_id, player)

    def _tell(self, room_id: int, player_id: int, player: Player) -> None:
        state = ("failed" if player.head.state == FAILED else "ended") if player.is_over else (
            "paused" if player.is_paused else "playing")
        duration = player.head.ticks * 20 if player.head.state == COMPLETE else 0
        self._report(PlayerChanged(room_id, player_id, state, player.position * 20, duration, player.head.reason[:200]))
