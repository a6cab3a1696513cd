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
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0

    def start(self, key: Key, at: float) -> None:
        """Let `key` fire at the time `at` (monotonic seconds)."""
        self._due[key] = at
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, key))
        if len(self._heap) > 2 * len(self._due) + 64:      # stopped timers would hold their owners for minutes
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def stop(self, key: Key) -> None:
        """Forget a timer; one that does not run is no error."""
        self._due.pop(key, None)

    def next(self) -> float | None:
        """When the earliest timer fires, None when none runs."""
        while self._heap:
            at, _, key = self._heap[0]
            if self._due.get(key) == at:
                return at
            heapq.heappop(self._heap)
        return None

    def due(self, now: float) -> Iterator[Key]:
        """Take out, one after the other, the timers that have fired by `now`."""
        while (at := self.next()) is not None and at <= now:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            yield key

    def __len__(self) -> int:
        return len(self._due)
