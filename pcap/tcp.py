"""TCP in a capture (RFC 9293 §3.1, §3.10): segments, and each direction's bytes in order, with its holes.

`Direction` puts late segments in place, drops what comes twice, and says where bytes are missing once too much waits behind
the hole. It does not judge windows, resets or checksums: it reads what there is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from pcap.keylog import Address

SYN, FIN, RST = 0x02, 0x01, 0x04
MAX_WAITING = 256
"""Segments that may wait behind a hole."""
HOLE = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment."""

    source: Address
    destination: Address
    sequence: int
    flags: int
    payload: bytes

    @classmethod
    def parse(cls, source: str, destination: str, data: bytes) -> Segment | None:
        """A segment from the payload of an IP packet; None for what is too short."""
        if len(data) < 20:
            return None
        ports = struct.unpack_from("!HH", data)
        offset = (data[12] >> 4) * 4
        if offset < 20 or offset > len(data):
            return None
        return cls((source, ports[0]), (destination, ports[1]), int.from_bytes(data[4:8]), data[13], data[offset:])


@dataclass(slots=True)
class Direction:
    """The bytes of one side. `next` is the sequence number that is expected, None before the first segment."""

    next: int | None = None
    waiting: dict[int, bytes] = field(default_factory=dict)

    def push(self, segment: Segment) -> list[bytes | None]:
        """What is now in order; HOLE stands where bytes are missing for good."""
        sequence = segment.sequence
        if segment.flags & SYN:
            self.next, sequence = (sequence + 1) & 0xFFFFFFFF, (sequence + 1) & 0xFFFFFFFF
            self.waiting.clear()
        if not segment.payload:
            return []
        if self.next is None:
            self.next = sequence
        held = self.waiting.get(sequence, b"")
        if len(segment.payload) > len(held):
            self.waiting[sequence] = segment.payload
        out = self._in_order()
        if len(self.waiting) > MAX_WAITING:
            self.next = min(self.waiting, key=self._ahead)
            out += [HOLE, *self._in_order()]
        return out

    def finish(self) -> list[bytes | None]:
        """What still waits at the end of the capture."""
        out: list[bytes | None] = []
        while self.waiting:
            self.next = min(self.waiting, key=self._ahead)
            out += [HOLE, *self._in_order()]
        return out

    def _ahead(self, sequence: int) -> int:
        """How far a number lies ahead of the expected one; negative for one before it."""
        assert self.next is not None
        return ((sequence - self.next + 0x80000000) & 0xFFFFFFFF) - 0x80000000

    def _in_order(self) -> list[bytes | None]:
        out: list[bytes | None] = []
        while True:
            assert self.next is not None
            ready = [sequence for sequence in self.waiting if self._ahead(sequence) <= 0]
            if not ready:
                return out
            for sequence in sorted(ready, key=self._ahead):
                payload = self.waiting.pop(sequence)[-self._ahead(sequence):]
                if payload:
                    out.append(payload)
                    self.next = (self.next + len(payload)) & 0xFFFFFFFF
