"""Packet indexes: the guess at the rollover counter and the list of what was seen (RFC 3711 §3.3.1, §3.3.2)."""

from __future__ import annotations

AUDIO_WINDOW = 128
"""Packets; 64 is the least that RFC 3711 §3.3.2 allows."""
VIDEO_WINDOW = 1024
"""For video, whose bursts overtake each other by hundreds."""


def guess_index(sequence: int, highest: int) -> int:
    """The 48-bit index of a sequence number nearest to the highest index so far; -1 stands for none, and begins in round 0.

    In round 0 nothing lies before the beginning, so a number that seems late there is taken for an early one.
    """
    if highest < 0:
        return sequence
    roc, last = highest >> 16, highest & 0xFFFF
    if last < 0x8000:
        if sequence - last > 0x8000 and roc > 0:
            roc -= 1
    elif last - 0x8000 > sequence:
        roc += 1
    return roc << 16 | sequence


class ReplayWindow:
    """Which of the last `size` indexes were seen. `highest` is -1 before the first one."""

    __slots__ = ("_mask", "_seen", "highest", "size")

    def __init__(self, size: int, highest: int = -1) -> None:
        self.size = size
        self.highest = highest
        self._mask = (1 << size) - 1
        self._seen = self._mask if highest >= 0 else 0

    def is_fresh(self, index: int) -> bool:
        """Whether an index is neither seen nor older than the window; what came before an imported highest counts as seen."""
        behind = self.highest - index
        return behind < 0 or (behind < self.size and not self._seen >> behind & 1)

    def add(self, index: int) -> None:
        """Note an index as seen, once its packet is authenticated."""
        ahead = index - self.highest
        if ahead > 0:
            self._seen = (self._seen << ahead | 1) & self._mask if ahead < self.size else 1
            self.highest = index
        else:
            self._seen |= 1 << -ahead
