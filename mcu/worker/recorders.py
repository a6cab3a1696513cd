"""The recordings that go on in a worker: a room that is recorded tells what is heard in it, behind a queue that never waits."""

from __future__ import annotations

import socket

from mcu.recording.line import Sender
from rtp.kernel import Room


class Recorders:
    """The ways to the processes that record, by room and id."""

    def __init__(self) -> None:
        self._senders: dict[tuple[int, int], Sender] = {}

    def open(self, room: Room, recording_id: int, descriptor: int) -> None:
        """Begin to tell a room's sound at a socket."""
        self.close(room, recording_id)
        sender = Sender(socket.socket(fileno=descriptor))
        self._senders[room.room_id, recording_id] = sender
        room.recorders[recording_id] = sender.sound

    def close(self, room: Room, recording_id: int) -> None:
        """Tell it no more; an unknown one is no error."""
        room.recorders.pop(recording_id, None)
        sender = self._senders.pop((room.room_id, recording_id), None)
        if sender is not None:
            sender.close()

    def forget(self, room: Room) -> None:
        """A room is over."""
        for room_id, recording_id in list(self._senders):
            if room_id == room.room_id:
                self.close(room, recording_id)
