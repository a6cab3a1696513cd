"""Messages about what is said, played and recorded in a room, between control and its workers.

`OpenRecording` travels with the socket that is told what is heard (`mcu.recording.line`), `OpenPlayer` with the file that is
played (`mcu.playing.ready`). Layouts are those of `mcu.fields`; `mcu.messages` has the head of each message.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcu.engine.notices import PlayerChanged
from mcu.fields import NUMBER, Fields, write_text

PLAYER_STATES = ("playing", "paused", "ended", "failed")
_PLAYER = struct.Struct("!I?Hi")
_PLAYED = struct.Struct("!IBII")


@dataclass(frozen=True, slots=True)
class Announce:
    """Say a prompt to a leg, or to the whole room (leg 0), after what is being said there. language: of the file."""

    room_id: int
    leg_id: int
    name: str
    language: str


@dataclass(frozen=True, slots=True)
class OpenRecording:
    """Begin to tell what is heard in a room; the socket to tell it to comes with the message."""

    room_id: int
    recording_id: int


@dataclass(frozen=True, slots=True)
class CloseRecording:
    """Tell no more."""

    room_id: int
    recording_id: int


@dataclass(frozen=True, slots=True)
class OpenPlayer:
    """Play sound to all; the file comes with the message."""

    room_id: int
    player_id: int


@dataclass(frozen=True, slots=True)
class SetPlayer:
    """Steer a player. volume_percent: 0 to 400; seek_ms: where to go on, −1 for where it is."""

    room_id: int
    player_id: int
    is_paused: bool
    volume_percent: int
    seek_ms: int


@dataclass(frozen=True, slots=True)
class ClosePlayer:
    """Play it no more."""

    room_id: int
    player_id: int


@dataclass(frozen=True, slots=True)
class PlayMusic:
    """Let a leg hear music in place of the meeting, or the whole room (leg 0) beside it; or no more."""

    room_id: int
    leg_id: int
    is_on: bool


Command = Announce | OpenRecording | CloseRecording | OpenPlayer | SetPlayer | ClosePlayer | PlayMusic
Report = PlayerChanged
Message = Command | Report


def _write_played(message: PlayerChanged) -> bytes:
    state = PLAYER_STATES.index(message.state)
    return _PLAYED.pack(message.player_id, state, message.position_ms, message.duration_ms) + write_text(message.reason)


def _read_played(room_id: int, read: Fields) -> PlayerChanged:
    player_id, state, position_ms, duration_ms = read.take(_PLAYED)
    return PlayerChanged(room_id, player_id, PLAYER_STATES[state], position_ms, duration_ms, read.text())


TABLE: tuple[tuple[int, type, Callable[[Any], bytes], Callable[[int, Fields], Message]], ...] = (
    (20, OpenRecording, lambda m: NUMBER.pack(m.recording_id), lambda room, read: OpenRecording(room, read.number())),
    (21, CloseRecording, lambda m: NUMBER.pack(m.recording_id), lambda room, read: CloseRecording(room, read.number())),
    (22, Announce, lambda m: NUMBER.pack(m.leg_id) + write_text(m.name) + write_text(m.language),
     lambda room, read: Announce(room, read.number(), read.text(), read.text())),
    (23, OpenPlayer, lambda m: NUMBER.pack(m.player_id), lambda room, read: OpenPlayer(room, read.number())),
    (24, SetPlayer, lambda m: _PLAYER.pack(m.player_id, m.is_paused, m.volume_percent, m.seek_ms),
     lambda room, read: SetPlayer(room, *read.take(_PLAYER))),
    (25, ClosePlayer, lambda m: NUMBER.pack(m.player_id), lambda room, read: ClosePlayer(room, read.number())),
    (26, PlayMusic, lambda m: NUMBER.pack(m.leg_id) + bytes([m.is_on]),
     lambda room, read: PlayMusic(room, read.number(), bool(read.byte()))),
    (80, PlayerChanged, _write_played, _read_played),
)
"""(kind, class, writer, reader) of each message."""
