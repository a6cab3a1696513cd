"""Two queues between the window (Tk thread) and the agent (asyncio thread): commands one way, events the other.

Neither side waits for the other: a command is handed to the loop and is forgotten; events pile up, within a bound, until the
window takes them. Measurements that come many times a second are kept once, the newest: a window that was busy catches up at
once.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from softphone.board import PictureBoard
from softphone.model import Command, Event, LevelsChanged, QualityChanged, SpeakersChanged

MAX_EVENTS = 2000
"""Events that wait for the window. More come only when it hangs for minutes; then the oldest go, and are counted."""
MAX_COMMANDS = 200
"""Commands that were given before the agent was there."""
COALESCED = (LevelsChanged, SpeakersChanged, QualityChanged)
"""Events of which only the newest counts."""

Handler = Callable[[Command], None]


class Bridge:
    """Commands from the window, events to it. `dropped` counts events that the window was too slow for; `board` holds the
    pictures for it."""

    def __init__(self) -> None:
        self.dropped = 0
        self.board = PictureBoard()
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._early: deque[Command] = deque(maxlen=MAX_COMMANDS)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handler: Handler | None = None
        self._is_closed = False

    # ---- the window's side

    def send(self, command: Command) -> None:
        """Give a command; returns at once. After `close` it goes nowhere; before `attach` it waits for the agent."""
        with self._lock:
            if self._is_closed:
                return
            if self._loop is None:
                self._early.append(command)
                return
            self._hand_over(command)

    def take_events(self) -> list[Event]:
        """All that happened since the last time, in order."""
        with self._lock:
            taken = list(self._events)
            self._events.clear()
        return taken

    @property
    def is_closed(self) -> bool:
        """Whether the agent is gone: no event will come any more."""
        return self._is_closed

    # ---- the agent's side

    def attach(self, loop: asyncio.AbstractEventLoop, handler: Handler) -> None:
        """From now on `handler` gets each command, inside `loop`."""
        with self._lock:
            self._loop, self._handler = loop, handler
            while self._early:
                self._hand_over(self._early.popleft())

    def publish(self, event: Event) -> None:
        """Tell the window; returns at once."""
        with self._lock:
            if self._is_closed:
                return
            if isinstance(event, COALESCED):
                old = next((e for e in self._events if type(e) is type(event)), None)
                if old is not None:
                    self._events.remove(old)
            self._events.append(event)
            if len(self._events) > MAX_EVENTS:
                self._events.popleft()
                self.dropped += 1

    def close(self) -> None:
        """The agent ends: what it published can still be taken, commands go nowhere from now on."""
        with self._lock:
            self._is_closed = True
            self._loop = self._handler = None
            self._early.clear()

    def _hand_over(self, command: Command) -> None:
        assert self._loop is not None and self._handler is not None
        try:
            self._loop.call_soon_threadsafe(self._handler, command)
        except RuntimeError:                # the loop was closed a moment ago
            self._loop = self._handler = None
            self._is_closed = True
