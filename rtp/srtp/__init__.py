"""SRTP and SRTCP (RFC 3711, RFC 6188, RFC 7714): suites, keys, and contexts that protect and open packets.

`sender` and `receiver` choose between the two implementations of one interface: libsrtp where it can, readable Python else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rtp.srtp.context import MAX_SOURCES, SrtpCounters, SrtpReceiver, SrtpSender, StreamState
from rtp.srtp.fast import PROFILES, FastReceiver, FastSender
from rtp.srtp.replay import AUDIO_WINDOW, VIDEO_WINDOW
from rtp.srtp.suites import (
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES_256_CM_HMAC_SHA1_80,
    AES_CM_128_HMAC_SHA1_80,
    ALL_SUITES,
    SUITES,
    MasterKey,
    SessionKeys,
    Suite,
)

__all__ = [
    "AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80", "ALL_SUITES", "AUDIO_WINDOW",
    "MAX_SOURCES", "SUITES", "VIDEO_WINDOW", "MasterKey", "Receiver", "Sender", "SessionKeys", "SrtpCounters", "SrtpReceiver",
    "SrtpSender", "StreamState", "Suite", "receiver", "sender",
]


class Sender(Protocol):
    """Protects what we send; both raise ParseError and KeyExhausted."""

    suite: Suite
    packets: int

    def protect(self, packet: bytes) -> bytes:
        """An RTP packet, protected."""

    def protect_rtcp(self, packet: bytes) -> bytes:
        """An RTCP compound, protected."""


class Receiver(Protocol):
    """Opens what a peer sends; both raise AuthenticationFailed, after counting it in `counters`."""

    suite: Suite
    counters: SrtpCounters

    def unprotect(self, packet: bytes) -> bytes:
        """A protected RTP packet in clear."""

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """A protected RTCP compound in clear."""

    def streams(self) -> tuple[StreamState, ...]:
        """Where each stream stands, for a successor's `receiver(…, streams=…)`."""


def sender(suite: Suite, master: MasterKey) -> Sender:
    """The sender of a key of ours. A successor of a worker uses it with new SSRCs only: an index must not come twice."""
    return FastSender(suite, master) if suite in PROFILES else SrtpSender(suite, master)


def receiver(suite: Suite, master: MasterKey, *, window: int = AUDIO_WINDOW, streams: Sequence[StreamState] = (),
             max_sources: int = MAX_SOURCES) -> Receiver:
    """The receiver of a peer's key. window: packets, AUDIO_WINDOW or VIDEO_WINDOW; streams: what a predecessor left."""
    if streams or suite not in PROFILES:
        return SrtpReceiver(suite, master, window=window, streams=streams, max_sources=max_sources)
    return FastReceiver(suite, master, window=window, max_sources=max_sources)
