"""What happens, told to whoever wants to know: the event feed, the webhooks. One bus a server, bounded queues, nobody waits.

Who tells (the focus, the call records, the verbs) goes on at once. A subscriber that is too slow loses its place: its feed ends
with `is_overrun`, and it is for it to say so to its client and to ask for the state anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from typing import Any

from mcu.conference import Event
from mcu.floor import FloorEnded, FloorGranted
from mcu.participant import Identity, Participant
from mcu.storage.base import CallRecord
from mcu.transmission import TransmissionStarted, TransmissionStopped

Facts = dict[str, Any]

QUEUE_SIZE = 256
"""Events that may wait for one subscriber: a room of 200 that ends, and some."""


class Feed:
    """One subscriber's events, in order. The bus puts in, one task takes out."""

    def __init__(self, size: int) -> None:
        self.is_overrun = False
        self._size = size
        self._events: deque[Facts] = deque()
        self._is_there = asyncio.Event()

    def put(self, event: Facts) -> None:
        """Add an event; one too many ends the feed."""
        if self.is_overrun:
            return
        if len(self._events) >= self._size:
            self.is_overrun = True
            self._events.clear()
        else:
            self._events.append(event)
        self._is_there.set()

    async def next(self) -> Facts | None:
        """The next event, waited for; None once the feed has overrun."""
        while not self._events and not self.is_overrun:
            self._is_there.clear()
            await self._is_there.wait()
        return None if self.is_overrun else self._events.popleft()


class Bus:
    """Hands each event to all feeds. wallclock: seconds since 1970."""

    def __init__(self, wallclock: Callable[[], float]) -> None:
        self.published = 0
        self.overruns = 0
        self._wallclock = wallclock
        self._feeds: set[Feed] = set()

    @property
    def subscribers(self) -> int:
        """How many feeds there are."""
        return len(self._feeds)

    def publish(self, kind: str, **facts: Any) -> None:
        """Tell an event: its number and time, its kind, and what it is about."""
        self.published += 1
        event = {"number": self.published, "at": self._wallclock(), "event": kind, **facts}
        for feed in tuple(self._feeds):
            feed.put(event)
            if feed.is_overrun:
                self._feeds.discard(feed)
                self.overruns += 1

    def subscribe(self, size: int = QUEUE_SIZE) -> Feed:
        """A feed of all that happens from now on."""
        feed = Feed(size)
        self._feeds.add(feed)
        return feed

    def unsubscribe(self, feed: Feed) -> None:
        """End a feed; one that has ended is no error."""
        self._feeds.discard(feed)


# ---- what is told


def kind_of(event: Event | FloorGranted | FloorEnded) -> str:
    """The name of an event of a conference: `participant-joined`, `audio-start`, `floor-granted`."""
    if isinstance(event, TransmissionStarted | TransmissionStopped):
        return event.name
    name = type(event).__name__
    return "".join(f"-{sign.lower()}" if sign.isupper() else sign for sign in name).lstrip("-")


def facts_of(event: Event) -> Facts:
    """What an event of a conference is about, as JSON takes it."""
    found = {field.name: _plain(getattr(event, field.name)) for field in fields(event)}
    if isinstance(event, TransmissionStarted | TransmissionStopped):
        found["participant"] = str(event.participant)
    return found


def grant_facts(event: FloorGranted | FloorEnded) -> Facts:
    """What is told of a floor that somebody has now, or no longer."""
    facts = {"floor": event.grant.floor.name.lower(), "participant": str(event.grant.holder)}
    return facts if isinstance(event, FloorGranted) else {**facts, "reason": event.reason}


def call_facts(record: CallRecord) -> Facts:
    """What is told of a call that begins or ends."""
    keys = ("call_id", "room", "account", "remote_uri", "display_name", "transport", "started_at", "answered_at", "ended_at",
            "codec", "cause", "status", "reason", "lost", "jitter_ms", "mos")
    return {key: getattr(record, key) for key in keys}


def _plain(value: Any) -> Any:
    match value:
        case Participant():
            return {"id": str(value.id), **_plain(value.identity), "role": value.role.value, "is_muted": value.is_muted,
                    "is_in_lobby": value.is_in_lobby, "has_hand_up": value.hand_at is not None}
        case Identity():
            return {"name": value.display_name, "uri": value.entity, "account": value.account}
        case Enum():
            return value.value
        case tuple() | list() | frozenset() | set():
            return [_plain(one) for one in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return type(value).__name__                           # a policy, say, has PINs
