"""Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 in the frame of RFC 4585 §6.2): when what came.

Packets of all streams of a transport carry one running number (a header extension of two bytes); the receiver tells for each
number whether and when it came, which lets the sender estimate what the path takes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from rtp.errors import ParseError

TRANSPORT_SEQUENCE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
"""URI of the header extension."""
MAX_STATUSES = 4096
"""Packets that one feedback may cover: two seconds of 25 Mbit/s; a run of 8191 lost ones costs a liar two bytes."""
TICK_US, REFERENCE_US = 250, 64_000
_HEADER = struct.Struct("!IIHHI")
_LOST, _SMALL, _LARGE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """Which packets came and when. base: the first number; arrivals_us: for each from there on, None for lost, else µs by the
    receiver's clock, whose zero is unknown and which goes round in 12 days; number: of the feedback, goes round at 256."""

    sender: int
    source: int
    base: int
    arrivals_us: tuple[int | None, ...]
    number: int

    @classmethod
    def parse(cls, body: bytes) -> TransportFeedback:
        """Read what follows the RTCP header. Raises ParseError."""
        if len(body) < _HEADER.size:
            raise ParseError(f"transport feedback of {len(body)} bytes")
        sender, source, base, count, word = _HEADER.unpack_from(body)
        if not 0 < count <= MAX_STATUSES:
            raise ParseError(f"transport feedback for {count} packets")
        statuses, position = _read_statuses(body, _HEADER.size, count)
        reference = word >> 8
        time = (reference - (1 << 24) if reference & 0x800000 else reference) * REFERENCE_US
        arrivals: list[int | None] = []
        for status in statuses:
            if status == _LOST:
                arrivals.append(None)
                continue
            size = 1 if status == _SMALL else 2
            if position + size > len(body):
                raise ParseError("transport feedback that breaks off")
            time += int.from_bytes(body[position:position + size], signed=status == _LARGE) * TICK_US
            arrivals.append(time)
            position += size
        return cls(sender, source, base, tuple(arrivals), word & 0xFF)

    def __bytes__(self) -> bytes:
        statuses, deltas, reference = self._measure()
        body = _HEADER.pack(self.sender, self.source, self.base, len(self.arrivals_us),
                            (reference & 0xFFFFFF) << 8 | self.number & 0xFF)
        body += _write_statuses(statuses) + deltas
        body += bytes(-len(body) % 4)
        return struct.pack("!BBH", 0x80 | 15, 205, len(body) // 4) + body

    def _measure(self) -> tuple[list[int], bytes, int]:
        first = next((arrival for arrival in self.arrivals_us if arrival is not None), 0)
        reference = first // REFERENCE_US
        ticks = reference * REFERENCE_US // TICK_US
        statuses: list[int] = []
        deltas = bytearray()
        for arrival in self.arrivals_us:
            if arrival is None:
                statuses.append(_LOST)
                continue
            delta = max(-32768, min(32767, arrival // TICK_US - ticks))
            ticks += delta
            is_small = 0 <= delta <= 255
            statuses.append(_SMALL if is_small else _LARGE)
            deltas += delta.to_bytes(1 if is_small else 2, signed=not is_small)
        return statuses, bytes(deltas), reference


def _read_statuses(body: bytes, position: int, count: int) -> tuple[list[int], int]:
    """The status of each packet out of run-length and vector chunks; where the deltas begin."""
    statuses: list[int] = []
    while len(statuses) < count:
        if position + 2 > len(body):
            raise ParseError("transport feedback that breaks off")
        chunk = int.from_bytes(body[position:position + 2])
        position += 2
        if not chunk & 0x8000:
            statuses += [chunk >> 13 & 3] * min(chunk & 0x1FFF, count - len(statuses))
            if not chunk & 0x1FFF:
                raise ParseError("transport feedback with an empty run")
        elif chunk & 0x4000:
            statuses += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            statuses += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    del statuses[count:]
    if 3 in statuses:
        raise ParseError("transport feedback with a status that isn't defined")
    return statuses, position


def _write_statuses(statuses: list[int]) -> bytes:
    """Chunks: runs where they are longer than what a vector holds, vectors of one bit where nothing is large, else of two."""
    out = bytearray()
    position = 0
    while position < len(statuses):
        run = position
        while run < len(statuses) and statuses[run] == statuses[position] and run - position < 0x1FFF:
            run += 1
        if run - position >= 14 or run == len(statuses):
            chunk = statuses[position] << 13 | run - position
            position = run
        elif _LARGE in (piece := statuses[position:position + 14]):
            piece = statuses[position:position + 7]
            chunk = 0xC000 | sum(status << 12 - 2 * index for index, status in enumerate(piece))
            position += 7
        else:
            chunk = 0x8000 | sum(status << 13 - index for index, status in enumerate(piece))
            position += 14
        out += chunk.to_bytes(2)
    return bytes(out)


class ArrivalLog:
    """The receiver's side: notes arrivals of transport-wide numbers and makes feedback of them, some times a second."""

    __slots__ = ("_arrivals", "_highest", "_next", "_number")

    def __init__(self) -> None:
        self._arrivals: dict[int, int] = {}
        self._highest = self._next = -1
        self._number = 0

    def on_packet(self, number: int, arrival_ns: int) -> None:
        """Note a packet; number: 16 bits."""
        if self._next < 0:
            self._next = self._highest = number
        extended = self._highest + ((number - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if extended < self._next:
            return                                      # told of as lost already
        if extended - self._next >= MAX_STATUSES:
            self._arrivals.clear()
            self._next = extended
        self._highest = max(self._highest, extended)
        self._arrivals.setdefault(extended, arrival_ns // 1000)

    def take(self, sender: int, source: int) -> TransportFeedback | None:
        """Feedback on what came since the last call, None for nothing."""
        if not self._arrivals:
            return None
        arrivals = tuple(self._arrivals.get(number) for number in range(self._next, self._highest + 1))
        base, self._next = self._next & 0xFFFF, self._highest + 1
        self._arrivals.clear()
        feedback = TransportFeedback(sender, source, base, arrivals, self._number)
        self._number = (self._number + 1) & 0xFF
        return feedback


def numbers_of(feedback: TransportFeedback, reference: int) -> Iterable[tuple[int, int | None]]:
    """(extended number, arrival in µs) of each packet of a feedback. reference: an extended number sent lately."""
    base = reference + ((feedback.base - reference + 0x8000) & 0xFFFF) - 0x8000
    return ((base + index, arrival) for index, arrival in enumerate(feedback.arrivals_us))
