"""Packets of pictures in the order of their numbers (RFC 3550 §5.1): what comes early waits for what is missing, not for ever.

Pictures need no regular clock as sound does: each goes on as soon as it is whole and all before it are. What is missing may be
asked for again meanwhile (`rtp.missing`); after the patience is over it is passed over.
"""

from __future__ import annotations

from typing import Generic, TypeVar

START_NS, START_NUMBERS = 20_000_000, 32
"""The first packet to come may not be the first that was sent: so long, and so far back, others are looked out for."""
MAX_WAITING = 1024
"""Packets that wait; more than a second of 5 Mbit/s is no reordering any more."""

Item = TypeVar("Item")


class PacketOrder(Generic[Item]):
    """The order of one source's packets. patience_ns: how long a gap is waited for, a few round trips.

    `late`: packets whose place was passed over, or that came twice; `skipped`: numbers that never came.
    """

    __slots__ = ("_has_begun", "_next", "_since_ns", "_waiting", "late", "patience_ns", "skipped")

    def __init__(self, patience_ns: int = 250_000_000) -> None:
        self.patience_ns = patience_ns
        self.late = self.skipped = 0
        self._next = -1
        self._waiting: dict[int, tuple[Item, int]] = {}
        self._since_ns = -1
        self._has_begun = False

    def push(self, sequence: int, item: Item, now_ns: int) -> list[Item]:
        """Take a packet; those whose turn it is, in order."""
        if self._next < 0:
            self._next = sequence - START_NUMBERS + 0x10000
        number = self._next + ((sequence - self._next + 0x8000) & 0xFFFF) - 0x8000
        if number < self._next or number in self._waiting:
            self.late += 1
            return []
        if number - self._next >= MAX_WAITING:
            self.skipped += number - self._next - len(self._waiting)
            out = [self._waiting[one][0] for one in sorted(self._waiting)]
            self._waiting.clear()
            self._next, self._since_ns, self._has_begun = number + 1, -1, True
            return [*out, item]
        self._waiting[number] = item, now_ns
        return self._take() + self.expire(now_ns)

    def _take(self) -> list[Item]:
        out = []
        while self._next in self._waiting:
            out.append(self._waiting.pop(self._next)[0])
            self._next += 1
        if not self._waiting:
            self._since_ns = -1
        elif out or self._since_ns < 0:
            self._since_ns = min(since for _, since in self._waiting.values())
        return out

    @property
    def next_ns(self) -> int | None:
        """When `expire` will give something, None for never."""
        patience_ns = self.patience_ns if self._has_begun else min(START_NS, self.patience_ns)
        return None if self._since_ns < 0 else self._since_ns + patience_ns

    def expire(self, now_ns: int) -> list[Item]:
        """Pass over gaps that were waited for long enough; what comes behind them."""
        out: list[Item] = []
        while (due_ns := self.next_ns) is not None and now_ns >= due_ns:
            first = min(self._waiting)
            self.skipped += first - self._next if self._has_begun else 0
            self._next, self._has_begun = first, True
            out += self._take()
        return out
