"""The fast path of SRTP (RFC 3711, RFC 7714): libsrtp through pylibsrtp, behind the interface of `rtp.srtp.context`.

libsrtp keeps the windows and the rollover counters and shows neither, so the receiver follows the highest index of each stream
itself, for a successor. The binding has no AES-256 in counter mode and cannot begin with a rollover counter: `rtp.srtp` takes
the readable contexts for both. Its own way to libsrtp makes a C integer for each packet; `_Context` keeps one, which saves a
third of the cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pylibsrtp import ERRORS, Error, Policy, Session
from pylibsrtp import ffi as _ffi  # type: ignore[attr-defined]
from pylibsrtp import lib as _lib  # type: ignore[attr-defined]

from rtp.errors import AuthenticationFailed, KeyExhausted, ParseError
from rtp.srtp.context import MAX_PACKET, MAX_PLAIN, MAX_SOURCES, SrtpCounters, StreamState
from rtp.srtp.replay import AUDIO_WINDOW, guess_index
from rtp.srtp.suites import AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80, MasterKey, Suite
from rtp.srtp.transforms import ENCRYPTED, RTCP_HEADER

PROFILES = {
    AEAD_AES_128_GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    AEAD_AES_256_GCM: Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    AES_CM_128_HMAC_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}
"""Suites that the binding has."""
REASONS = {
    "authentication failure": "tag", "replay check failed (bad index)": "replay",
    "replay check failed (index too old)": "replay", "packet index is too old to consider": "replay",
}
"""What libsrtp says of a packet, in our words; all else is malformed."""
BUFFER = MAX_PACKET + 256
"""Bytes: libsrtp appends a tag, an index and what is reserved for a key's name."""
_PROTECT, _PROTECT_RTCP = _lib.srtp_protect, _lib.srtp_protect_rtcp
_UNPROTECT, _UNPROTECT_RTCP = _lib.srtp_unprotect, _lib.srtp_unprotect_rtcp


class _Context:
    """A session of libsrtp with one buffer, in which each packet is turned into another."""

    def __init__(self, suite: Suite, master: MasterKey, ssrc_type: int, window: int) -> None:
        policy = Policy(bytes(master), ssrc_type, 0, PROFILES[suite])
        policy.window_size = window
        self._session = Session(policy)
        self._handle = self._session._srtp[0]
        self._memory = _ffi.new("char[]", BUFFER)
        self._buffer = _ffi.buffer(self._memory)
        self._length = _ffi.new("int *")

    def turn(self, function: Callable[[Any, Any, Any], int], packet: bytes) -> bytes:
        """What a function of libsrtp makes of a packet, at most MAX_PACKET bytes. Raises pylibsrtp.Error."""
        length = self._length
        size = length[0] = len(packet)
        self._buffer[:size] = packet
        status = function(self._handle, self._memory, length)
        if status:
            raise Error(ERRORS[status])
        return self._buffer[:length[0]]  # type: ignore[no-any-return]


class FastSender:
    """As `SrtpSender`, by libsrtp."""

    def __init__(self, suite: Suite, master: MasterKey) -> None:
        self.suite = suite
        self.packets = 0
        self._lifetime = master.lifetime
        self._turn = _Context(suite, master, Policy.SSRC_ANY_OUTBOUND, AUDIO_WINDOW).turn

    def protect(self, packet: bytes) -> bytes:
        """An RTP packet, protected. Raises ParseError and KeyExhausted as `SrtpSender.protect` does."""
        if not 12 <= len(packet) <= MAX_PLAIN or packet[0] & 0xC0 != 0x80:
            raise ParseError(f"no RTP packet in {len(packet)} bytes")
        if self.packets >= self._lifetime:
            raise KeyExhausted(f"the SRTP key is at its end after {self.packets} packets")
        try:
            protected = self._turn(_PROTECT, packet)
        except Error as error:
            raise _refusal(error, packet) from None
        self.packets += 1
        return protected

    def protect_rtcp(self, packet: bytes) -> bytes:
        """An RTCP compound, protected. Raises ParseError and KeyExhausted."""
        if not RTCP_HEADER <= len(packet) <= MAX_PLAIN or packet[0] & 0xC0 != 0x80:
            raise ParseError(f"no RTCP packet in {len(packet)} bytes")
        try:
            return self._turn(_PROTECT_RTCP, packet)
        except Error as error:
            raise _refusal(error, packet) from None


def _refusal(error: Exception, packet: bytes) -> ParseError | KeyExhausted:
    text = str(error)
    if "replay" in text or "key" in text or "index" in text:
        return KeyExhausted(f"libsrtp: {text}")
    return ParseError(f"a packet of {len(packet)} bytes that libsrtp does not take: {text}")


class FastReceiver:
    """As `SrtpReceiver`, by libsrtp; without the state of a predecessor."""

    def __init__(self, suite: Suite, master: MasterKey, *, window: int = AUDIO_WINDOW, max_sources: int = MAX_SOURCES) -> None:
        self.suite = suite
        self.counters = SrtpCounters()
        self._max_sources = max_sources
        self._turn = _Context(suite, master, Policy.SSRC_ANY_INBOUND, window).turn
        self._highest: dict[int, int] = {}
        self._highest_rtcp: dict[int, int] = {}

    def unprotect(self, packet: bytes) -> bytes:
        """A protected RTP packet in clear. Raises AuthenticationFailed, counted."""
        if not 12 <= len(packet) <= MAX_PACKET or packet[0] & 0xC0 != 0x80:
            raise self.counters.dropped("malformed")
        ssrc = int.from_bytes(packet[8:12])
        highest = self._highest.get(ssrc, -1)
        if highest < 0 and len(self._highest) >= self._max_sources:
            raise self.counters.dropped("source")
        try:
            plain = self._turn(_UNPROTECT, packet)
        except Error as error:
            raise self._dropped(error) from None
        sequence = packet[2] << 8 | packet[3]
        ahead = (sequence - highest) & 0xFFFF
        if highest < 0 or ahead >= 0x8000:
            self._highest[ssrc] = max(highest, guess_index(sequence, highest))
        elif ahead:                                     # the common case, without a call
            self._highest[ssrc] = highest + ahead
        self.counters.passed += 1
        return plain

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """A protected RTCP compound in clear. Raises AuthenticationFailed, counted."""
        tag = self.suite.tag_length
        if not RTCP_HEADER + 4 + tag <= len(packet) <= MAX_PACKET or packet[0] & 0xC0 != 0x80:
            raise self.counters.dropped("malformed")
        ssrc = int.from_bytes(packet[4:8])
        highest = self._highest_rtcp.get(ssrc, -1)
        if highest < 0 and len(self._highest_rtcp) >= self._max_sources:
            raise self.counters.dropped("source")
        try:
            plain = self._turn(_UNPROTECT_RTCP, packet)
        except Error as error:
            raise self._dropped(error) from None
        trailer = int.from_bytes(packet[-4:] if self.suite.is_aead else packet[-tag - 4:-tag])
        self._highest_rtcp[ssrc] = max(highest, trailer & ~ENCRYPTED)
        self.counters.passed += 1
        return plain

    def _dropped(self, error: Error) -> AuthenticationFailed:
        return self.counters.dropped(REASONS.get(str(error), "malformed"))

    def streams(self) -> tuple[StreamState, ...]:
        """The state of each stream, for a successor."""
        found = []
        for ssrc in self._highest.keys() | self._highest_rtcp.keys():
            index = self._highest.get(ssrc, -1)
            found.append(StreamState(ssrc, max(index, 0) >> 16, index if index < 0 else index & 0xFFFF,
                                     self._highest_rtcp.get(ssrc, -1)))
        return tuple(found)
