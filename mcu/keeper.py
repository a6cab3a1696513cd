"""What rooms remember, kept in memory and written behind, so that a restart of the server changes nobody's rights.

What a meeting decided about its people (roles, who is muted, the host, the lock) holds for as long as it may go on after a
restart, or until it has been empty for a while; bans and switches of a permanent room hold until they are changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mcu.memory import Memory
from mcu.storage.base import RoomState, Storage

KEPT_S = 600.0
"""How long a room that was interrupted, or emptied, still knows who was who."""


class RoomKeeper:
    """The memories of all rooms. wallclock: seconds since 1970."""

    def __init__(self, storage: Storage, wallclock: Callable[[], float]) -> None:
        self._storage = storage
        self._wallclock = wallclock
        self._began_at = wallclock()
        self._states = {state.name: state for state in storage.room_states()}
        self._interrupted = {name for name, state in self._states.items() if state.emptied_at is None}

    def recall(self, name: str) -> Memory | None:
        """What a room that opens remembers; None for nothing."""
        state = self._states.get(name)
        if state is None:
            return None
        memory = Memory.parse(state.memory)
        since = state.emptied_at if state.emptied_at is not None else state.changed_at
        is_known = self.was_interrupted(name) or (name not in self._interrupted and self._wallclock() - since <= KEPT_S)
        if not is_known:
            return memory.forget_people()
        return memory if state.emptied_at is None else replace(memory, had_host=False, is_locked=False)

    def was_interrupted(self, name: str) -> bool:
        """Whether a meeting was going on in this room when the server ended, and may go on."""
        return name in self._interrupted and self._wallclock() - self._began_at <= KEPT_S

    def keep(self, name: str, memory: Memory, *, is_empty: bool) -> None:
        """A room has changed."""
        self._interrupted.discard(name)
        now = self._wallclock()
        state = RoomState(name, str(memory), now, now if is_empty else None)
        self._states[name] = state
        self._storage.put_room_state(state)

    def end(self, name: str, memory: Memory, *, is_permanent: bool) -> None:
        """A meeting is over: of a permanent room its bans and switches stay, of another one nothing does."""
        kept = memory.forget_people()
        if is_permanent and (kept.bans or kept.switches):
            self.keep(name, kept, is_empty=True)
        elif name in self._states:
            self.forget(name)

    def read(self, name: str) -> None:
        """What a room remembers was written by somebody else: take that from now on."""
        state = next((state for state in self._storage.room_states() if state.name == name), None)
        if state is not None:
            self._states[name] = state
        else:
            self._states.pop(name, None)

    def forget(self, name: str) -> None:
        """The room is gone."""
        self._interrupted.discard(name)
        if self._states.pop(name, None) is not None:
            self._storage.delete_room_state(name)
