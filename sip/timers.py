"""Timer values of RFC 3261 §17 (table 4) and RFC 6026, and a queue of timers that are plain data.

Nothing here looks at a clock: `now` comes in as an argument, and a timer that fires late gives the same messages.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

T1 = 0.5
"""Estimate of the round trip, s."""
T2 = 4.0
"""Longest interval between retransmissions of non-INVITE requests and INVITE responses, s."""
T4 = 5.0
"""How long a message may stay in the network, s."""
GIVE_UP = 64 * T1
"""Timers B, F, H, L, M: when a transaction ends for want of an answer, s."""
TIMER_D = 32.0
"""How long the answers to an INVITE may be repeated over UDP, s."""
TIMER_C = 180.0
"""How long an INVITE may ring before we give up (§16.6 step 11), s."""


Key = tuple[Any, str]
"""Whose timer it is, and its name."""


class Timers:
    """Timers by key. Starting a key again moves it; the earliest is found in O(log n)."""

    def __init__(self) -> None:
        self._due: dict[Key, tuple[float, int]] = {}
        self._keys: dict[int, Key] = {}                     # of those that run: one that was stopped holds nobody
        self._heap: list[tuple[float, int]] = []
        self._count = 0

    def start(self, key: Key, at: float) -> None:
        """Let `key` fire at the time `at` (monotonic seconds)."""
        self.stop(key)
        self._count += 1
        entry = (at, self._count)
        self._due[key] = entry
        self._keys[self._count] = key
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = list(self._due.values())
            heapq.heapify(self._heap)

    def stop(self, key: Key) -> None:
        """Forget a timer; one that does not run is no error."""
        entry = self._due.pop(key, None)
        if entry is not None:
            del self._keys[entry[1]]

    def next(self) -> float | None:
        """When the earliest timer fires, None when none runs."""
        while self._heap:
            at, count = self._heap[0]
            if count in self._keys:
                return at
            heapq.heappop(self._heap)
        return None

    def due(self, now: float) -> Iterator[Key]:
        """Take out, one after the other, the timers that have fired by `now`."""
        while (at := self.next()) is not None and at <= now:
            key = self._keys.pop(heapq.heappop(self._heap)[1])
            del self._due[key]
            yield key

    def __len__(self) -> int:
        return len(self._due)
