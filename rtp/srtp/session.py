"""SRTP of one leg (RFC 3711): what goes out is protected, what comes in is opened or dropped and counted; keys may change.

A change of keys (a re-INVITE) makes a new context only for the way whose key is another one: a sender begun anew under the
key of before would use its indexes twice, a receiver begun anew would take replays.
"""

from __future__ import annotations

from collections.abc import Sequence

import rtp.srtp as srtp
from rtp.errors import AuthenticationFailed, KeyExhausted, ParseError
from rtp.srtp.context import StreamState
from rtp.srtp.suites import SessionKeys

MAX_REPORTED = 8
"""Streams of a peer whose state is kept for a successor; a phone has one, and another after a collision."""


class SrtpSession:
    """Both ways under a pair of keys. unsent: packets that could not be protected and stayed here.

    streams: where the peer's streams stood, for the successor of a worker, which sends with an SSRC of its own; window: how
    many packets late one may come, more for pictures, whose packets are asked for again.
    """

    def __init__(self, keys: SessionKeys, streams: Sequence[StreamState] = (), *, window: int = srtp.AUDIO_WINDOW) -> None:
        self.keys = keys
        self._window = window
        self.unsent = 0
        self._bad_before = self._replays_before = 0
        self._sender = srtp.sender(keys.suite, keys.local)
        self._receiver = srtp.receiver(keys.suite, keys.remote, window=window, streams=streams)

    def change(self, keys: SessionKeys) -> None:
        """Go on with these keys."""
        before, self.keys = self.keys, keys
        if (keys.suite, keys.local) != (before.suite, before.local):
            self._sender = srtp.sender(keys.suite, keys.local)
        if (keys.suite, keys.remote) != (before.suite, before.remote):
            self._bad_before, self._replays_before = self.auth_failures, self.replayed
            self._receiver = srtp.receiver(keys.suite, keys.remote, window=self._window)

    @property
    def auth_failures(self) -> int:
        """Packets dropped for a wrong tag, or since they could not be of the peer at all."""
        counters = self._receiver.counters
        return self._bad_before + counters.bad_tags + counters.malformed + counters.foreign

    @property
    def replayed(self) -> int:
        """Packets dropped since they had come before, or came too late to tell."""
        return self._replays_before + self._receiver.counters.replays

    def open(self, packet: bytes, is_rtcp: bool) -> bytes | None:
        """What came, in clear; None when it is to be dropped."""
        try:
            return self._receiver.unprotect_rtcp(packet) if is_rtcp else self._receiver.unprotect(packet)
        except AuthenticationFailed:
            return None

    def protect(self, packet: bytes) -> bytes | None:
        """An RTP packet, protected; None when it can't go out (a number that was sent before, or the end of the key)."""
        try:
            return self._sender.protect(packet)
        except (ParseError, KeyExhausted):
            self.unsent += 1
            return None

    def protect_rtcp(self, packet: bytes) -> bytes | None:
        """An RTCP compound, protected; None when it can't go out."""
        try:
            return self._sender.protect_rtcp(packet)
        except (ParseError, KeyExhausted):
            self.unsent += 1
            return None

    def streams(self, ssrc: int) -> tuple[StreamState, ...]:
        """Where the peer's streams stand: the one with this SSRC first, MAX_REPORTED at the most."""
        return tuple(sorted(self._receiver.streams(), key=lambda state: state.ssrc != ssrc)[:MAX_REPORTED])
