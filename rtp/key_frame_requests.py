"""Key frames asked of a source with measure (RFC 4585 §6.3.1.2, RFC 5104 §3.5.1): many wishes, one request a second.

A wish that isn't fulfilled is repeated, since the request or the key frame may be lost, less and less often, so that a source
that can't make key frames isn't asked without end.
"""

from __future__ import annotations

INTERVAL_NS = 1_000_000_000
MAX_REPEATS = 5


class KeyFrameRequests:
    """The wishes for key frames of one source. `asked`: requests sent to it; `merged`: wishes that needed none of their own."""

    __slots__ = ("_asked_ns", "_due_ns", "_is_wanted", "_repeats", "asked", "merged", "number")

    def __init__(self) -> None:
        self.asked = self.merged = 0
        self.number = 0
        self._asked_ns = -INTERVAL_NS
        self._due_ns = 0
        self._is_wanted = False
        self._repeats = 0

    def want(self) -> None:
        """Somebody needs a key frame."""
        if self._is_wanted:
            self.merged += 1
        else:
            self._is_wanted, self._repeats = True, 0
            self._due_ns = self._asked_ns + INTERVAL_NS

    def on_key_frame(self) -> None:
        """The source sent one: whoever waited has it."""
        self._is_wanted = False

    @property
    def next_ns(self) -> int | None:
        """When `is_due` next says yes, None for never."""
        return self._due_ns if self._is_wanted else None

    def is_due(self, now_ns: int) -> bool:
        """Whether to ask now, which counts as asked. `number` is that of the FIR command (RFC 5104 §4.3.1.1)."""
        if not self._is_wanted or now_ns < self._due_ns:
            return False
        self.asked += 1
        if self._repeats == 0:
            self.number = (self.number + 1) & 0xFF
        self._repeats += 1
        self._asked_ns = now_ns
        self._due_ns = now_ns + INTERVAL_NS * min(self._repeats, MAX_REPEATS)
        return True
