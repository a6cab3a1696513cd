"""Which of a receiver's streams are sent when not all fit (RFC 8836 §2: fairness to who shares the link; the rule is ours).

In the order of importance, slots are kept while they fit the estimate; the rest pauses, and what pauses is tried again after a
time that doubles with each failure. What a source should send at most is what the best of its receivers can take: one poor
receiver pauses, it does not make the picture worse for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HEADROOM = 1.10
"""So much over the estimate is still sent: a measured rate isn't exact either."""
PATIENCE_NS = 500_000_000
"""How long it must not fit before a slot pauses: a key frame alone is no reason."""
FIRST_RETRY_NS, MAX_RETRY_NS = 4_000_000_000, 60_000_000_000
PROVEN_NS = 10_000_000_000
"""Who stayed so long after a try has passed it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A slot that shows a source. bitrate_bps: of the source now; can_shrink: this receiver is its best, so it will adapt."""

    slot_id: int
    bitrate_bps: int
    can_shrink: bool = False


class Allocation:
    """The paused slots of one receiver. `paused`: slot ids; `probing_bps`: what a try just begun needs, 0 for none."""

    __slots__ = ("_failures", "_over_ns", "_retry_ns", "_tried_ns", "paused", "probing_bps")

    def __init__(self) -> None:
        self.paused: frozenset[int] = frozenset()
        self.probing_bps = 0
        self._over_ns = -1
        self._retry_ns = 0
        self._tried_ns = -1
        self._failures = 0

    def update(self, wishes: Sequence[Wish], estimate_bps: int, now_ns: int) -> bool:
        """Decide anew; whether `paused` changed. wishes: the most important first."""
        before = self.paused
        self.probing_bps = 0
        self.paused = self.paused & {wish.slot_id for wish in wishes}
        active = [wish for wish in wishes if wish.slot_id not in self.paused]
        used = sum(wish.bitrate_bps for wish in active)
        if used > estimate_bps * HEADROOM and any(not wish.can_shrink for wish in active):
            self._over_ns = now_ns if self._over_ns < 0 else self._over_ns
            if now_ns - self._over_ns >= PATIENCE_NS:
                self._pause(active, estimate_bps, now_ns)
        else:
            self._over_ns = -1
            self._try_again(wishes, used, estimate_bps, now_ns)
        return self.paused != before

    def resume(self, slot_id: int) -> None:
        """A slot shows something else, which may fit: it pauses no more until that is known."""
        self.paused -= {slot_id}

    def _pause(self, active: Sequence[Wish], estimate_bps: int, now_ns: int) -> None:
        """Keep from the most important on what fits; a source that adapts to this receiver is kept whatever it sends now."""
        left = estimate_bps * HEADROOM
        paused = set(self.paused)
        for wish in active:
            if wish.bitrate_bps <= left:
                left -= wish.bitrate_bps
            elif wish.can_shrink:
                left = 0
            else:
                paused.add(wish.slot_id)
        if self._tried_ns >= 0 and now_ns - self._tried_ns < PROVEN_NS:
            self._failures = min(self._failures + 1, 8)
        self._tried_ns = self._over_ns = -1
        self._retry_ns = now_ns + min(FIRST_RETRY_NS << self._failures, MAX_RETRY_NS)
        self.paused = frozenset(paused)

    def _try_again(self, wishes: Sequence[Wish], used: int, estimate_bps: int, now_ns: int) -> None:
        """Let the most important paused slot come back: when it fits, or now and then to see whether it does."""
        if self._tried_ns >= 0 and now_ns - self._tried_ns >= PROVEN_NS:
            self._tried_ns, self._failures = -1, 0
        wish = next((wish for wish in wishes if wish.slot_id in self.paused), None)
        if wish is None or now_ns < self._retry_ns:
            return
        needed = used + wish.bitrate_bps
        if needed > estimate_bps:
            self.probing_bps = needed
        self._tried_ns = now_ns
        self._retry_ns = now_ns + FIRST_RETRY_NS // 2
        self.paused = self.paused - {wish.slot_id}


def wanted_rates(estimates: Mapping[int, int], shown: Mapping[int, Sequence[tuple[int, int]]]) -> dict[int, int]:
    """What each source should send at most: the largest share that one of its receivers has for it.

    estimates: bit/s by receiver; shown: by receiver the (source, its rate now) of what it is sent. A receiver's estimate is
    shared in proportion to the rates, so that sources with little to say keep it.
    """
    wanted: dict[int, int] = {}
    for receiver, sources in shown.items():
        total = sum(rate for _, rate in sources) or 1
        for source, rate in sources:
            share = estimates[receiver] * max(rate, 1) // total
            wanted[source] = max(wanted.get(source, 0), share)
    return wanted
