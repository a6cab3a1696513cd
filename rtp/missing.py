"""Which packets of a source are missing and worth asking for again (RFC 4585 §6.2.1): a gap is asked for a few times, given up.

A sender and a receiver of pictures both need it: the one that has the packet only keeps it for a second.
"""

from __future__ import annotations

MAX_GAP = 250
"""A longer gap is no loss to be mended: a key frame is cheaper."""
MAX_MISSING = 500
MAX_ASKED = 5
GIVE_UP_NS = 600_000_000
REORDERED_NS = 5_000_000
"""So long a packet may merely be late before it is asked for."""
MIN_REPEAT_NS = 25_000_000


class _Missing:
    __slots__ = ("asked", "due_ns", "since_ns")

    def __init__(self, now_ns: int) -> None:
        self.since_ns = now_ns
        self.due_ns = now_ns + REORDERED_NS
        self.asked = 0


class MissingPackets:
    """The gaps of one source. `recovered`: packets that came after they were asked for; `given_up`: those that didn't come."""

    __slots__ = ("_missing", "given_up", "highest", "recovered")

    def __init__(self) -> None:
        self.highest = -1
        self.recovered = self.given_up = 0
        self._missing: dict[int, _Missing] = {}

    def on_packet(self, sequence: int, now_ns: int) -> bool:
        """Note a packet; False when it tears a gap that can't be mended: a key frame is wanted."""
        if self.highest < 0:
            self.highest = sequence
            return True
        step = ((sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000
        if step == 1:
            self.highest += 1
            return True
        if step <= 0:
            found = self._missing.pop(self.highest + step, None)
            self.recovered += found is not None and found.asked > 0
            return True
        first = self.highest + 1
        self.highest += step
        if step > MAX_GAP or len(self._missing) + step > MAX_MISSING:
            self.given_up += len(self._missing) + step - 1
            self._missing.clear()
            return False
        for number in range(first, self.highest):
            self._missing[number] = _Missing(now_ns)
        return True

    @property
    def has_gaps(self) -> bool:
        """Whether a look at `due` may give something."""
        return bool(self._missing)

    def due(self, now_ns: int, rtt_ns: int) -> tuple[tuple[int, ...], bool]:
        """(what to ask for now, by its 16 bits, whether something was given up since the last call: a key frame is wanted)."""
        ask: list[int] = []
        lost: list[int] = []
        repeat_ns = max(MIN_REPEAT_NS, rtt_ns + rtt_ns // 4)
        for number, missing in self._missing.items():
            if now_ns < missing.due_ns:
                continue
            if missing.asked >= MAX_ASKED or now_ns - missing.since_ns > GIVE_UP_NS:
                lost.append(number)
                continue
            missing.asked += 1
            missing.due_ns = now_ns + repeat_ns
            ask.append(number & 0xFFFF)
        for number in lost:
            del self._missing[number]
        self.given_up += len(lost)
        return tuple(ask), bool(lost)
