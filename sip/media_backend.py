"""Where SIP meets media: one object for each leg of a call, with four calls (offer and answer of RFC 3264).

The roles (focus, phone) call it; the core never does: it hands an offer out in an event and takes the answer in a command.
SDP is an opaque body here.
"""

from __future__ import annotations

from typing import Protocol


class MediaRefused(Exception):
    """The media can't be had: `status` and `reason` are what to answer the INVITE with (488 unless told otherwise)."""

    def __init__(self, reason: str, status: int = 488) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class MediaBackend(Protocol):
    """The media of one leg. All calls return at once; sockets are opened at the first offer or answer."""

    def offer(self) -> bytes:
        """An offer of ours, the first one or a later one. Raises MediaRefused."""

    def answer(self, offer: bytes) -> bytes:
        """The answer to the peer's offer, which is in force from now on. Raises MediaRefused."""

    def apply(self, answer: bytes) -> None:
        """The peer's answer to our last offer. Raises MediaRefused."""

    def release(self) -> None:
        """End the media and give everything back; a second call does nothing."""
