"""Tickets to a shared desktop: a word that opens one end of one session, once, for a while, for one participant. Pure.

Control makes the word and sends it to a phone in its SIP dialog; what is kept, here and on the way to the relay, is a hash. At
the relay the phone shows it in a preface (`rtp.rfb.preface`), as the first bytes inside TLS. The certificate that it came under
must be the one of the same dialog.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

WORD_BYTES = 16
MAX_TICKETS = 4096
"""Waiting at once; two for each desktop."""
OWNER, VIEWER = 0, 1


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a word opens. end: OWNER or VIEWER; fingerprint: SHA-256 of the certificate that has to show it; expires_at: now's
    clock, s."""

    session_id: int
    end: int
    participant_id: int
    fingerprint: bytes
    expires_at: float


def make_word(random: Callable[[int], bytes]) -> str:
    """A word that nobody guesses: 128 bits in 26 letters and digits."""
    return base64.b32encode(random(WORD_BYTES)).decode("ascii").rstrip("=").lower()


def digest_of(word: str) -> bytes:
    """What is kept of a word; 128 random bits need no salt."""
    return hashlib.sha256(word.encode()).digest()


class Tickets:
    """The tickets that wait to be used."""

    def __init__(self) -> None:
        self._by_digest: dict[bytes, Ticket] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

    def fingerprints(self) -> set[bytes]:
        """The certificates that somebody waits for."""
        return {ticket.fingerprint for ticket in self._by_digest.values()}

    def add(self, digest: bytes, ticket: Ticket) -> None:
        """Expect a word. When too many wait, the oldest is given up."""
        if len(self._by_digest) >= MAX_TICKETS:
            del self._by_digest[next(iter(self._by_digest))]
        self._by_digest[digest] = ticket

    def redeem(self, word: str, fingerprint: bytes, now: float) -> Ticket | None:
        """Use a word up: its ticket, or None when it is unknown, used, expired, or shown under another certificate.

        A word in strange hands is spent, too: who it was for has to get another one, and learns of it by that.
        """
        ticket = self._by_digest.pop(digest_of(word), None)
        if ticket is None or now >= ticket.expires_at or ticket.fingerprint != fingerprint:
            return None
        return ticket

    def forget(self, session_id: int) -> None:
        """A session is over; its words open nothing any more."""
        self._by_digest = {key: ticket for key, ticket in self._by_digest.items() if ticket.session_id != session_id}

    def expire(self, now: float) -> list[int]:
        """Drop what is too old; the sessions whose tickets these were."""
        gone = [(key, ticket) for key, ticket in self._by_digest.items() if now >= ticket.expires_at]
        for key, _ in gone:
            del self._by_digest[key]
        return [ticket.session_id for _, ticket in gone]
