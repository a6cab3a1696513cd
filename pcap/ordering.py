"""Puts the packets of one RTP stream in order (RFC 3550 §5.1): once each, by extended sequence number, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from rtp.packet import RtpPacket
from rtp.sequence import extend_sequence

WINDOW = 64
"""Packets that may wait for a late one: more than a second of audio, some frames of video."""
RESTART = 3000
"""A jump of more numbers than that is a new beginning, not loss (MAX_DROPOUT of RFC 3550 A.1)."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A packet in its turn. lost: numbers that are missing before it; is_restart: the numbering began anew here."""

    time_ns: int
    packet: RtpPacket
    lost: int = 0
    is_restart: bool = False


class Reorder:
    """Takes packets as they came; gives them back in order, late by up to WINDOW."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, RtpPacket]] = []
        self._waiting: set[int] = set()
        self._next: int | None = None
        self._reference = 0

    def push(self, time_ns: int, packet: RtpPacket) -> Iterator[Ordered]:
        """Take a packet; what is now in turn comes out. A copy, and what comes too late, is dropped."""
        if self._next is None and not self._heap:
            self._reference = packet.sequence + 0x10000
        number = extend_sequence(packet.sequence, self._reference)
        if abs(number - self._reference) > RESTART:
            yield from self.flush()
            self._next, self._reference = None, packet.sequence + 0x10000
            yield Ordered(time_ns, packet, 0, True)
            self._next = self._reference + 1
            return
        self._reference = max(self._reference, number)
        if number in self._waiting or (self._next is not None and number < self._next):
            return
        heapq.heappush(self._heap, (number, time_ns, packet))
        self._waiting.add(number)
        while self._heap and (self._heap[0][0] == self._next or len(self._heap) > WINDOW):
            yield self._pop()

    def flush(self) -> Iterator[Ordered]:
        """The rest, at the end of the stream."""
        while self._heap:
            yield self._pop()

    def _pop(self) -> Ordered:
        number, time_ns, packet = heapq.heappop(self._heap)
        self._waiting.discard(number)
        lost = 0 if self._next is None else number - self._next
        self._next = number + 1
        return Ordered(time_ns, packet, lost)
