"""Which server of a cluster holds a room: a Protocol, and the one for a single server, which holds them all."""

from __future__ import annotations

from typing import Protocol


class RoomPlacement(Protocol):
    """Rooms by name. All calls return at once."""

    def claim(self, room: str) -> str | None:
        """Take a room that is about to open; None when it is ours now, else the address of the server that has it."""

    def release(self, room: str) -> None:
        """Give a room back when it has closed; one that is not ours is no error."""


class MemoryPlacement:
    """A single server: every room is ours."""

    def __init__(self) -> None:
        self.rooms: set[str] = set()

    def claim(self, room: str) -> str | None:
        """See RoomPlacement."""
        self.rooms.add(room)
        return None

    def release(self, room: str) -> None:
        """See RoomPlacement."""
        self.rooms.discard(room)
