"""How often somebody may try a password or a PIN (a guesser needs thousands of tries, a person three). Bounded memory. Pure."""

from __future__ import annotations

from collections import OrderedDict

MAX_KNOWN = 10000


class Attempts:
    """Failures by key (an address, a room). most: failures allowed within window_s, after which the key is locked out."""

    def __init__(self, most: int = 10, window_s: float = 600.0) -> None:
        self._most = most
        self._window_s = window_s
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def fail(self, key: str, now: float) -> None:
        """Count a failure."""
        count, since = self._failures.pop(key, (0, now))
        if now - since > self._window_s:
            count, since = 0, now
        self._failures[key] = (count + 1, since)
        if len(self._failures) > MAX_KNOWN:
            self._failures.popitem(last=False)

    def succeed(self, key: str) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)

    def is_locked_out(self, key: str, now: float) -> bool:
        """Whether the key has failed too often of late."""
        count, since = self._failures.get(key, (0, now))
        return count >= self._most and now - since <= self._window_s
