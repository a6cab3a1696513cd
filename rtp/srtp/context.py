"""SRTP contexts in readable Python (RFC 3711 §3.2, §3.3; RFC 7714): one for what we send, one for what a peer sends.

Each holds one master key and the state of every SSRC under it: rollover counter, replay window, SRTCP index. They are the truth
that the tests hold `rtp.srtp.fast` against, and do what libsrtp's binding cannot: AES-256 in counter mode, and the import of
rollover counters by the successor of a worker. Key identifiers (MKI) and key derivation rates are left out: nobody who calls
us uses them. The packet path only counts; who drives it decides what to tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rtp.errors import AuthenticationFailed, KeyExhausted, ParseError
from rtp.packet import parse_header
from rtp.srtp.derivation import rtcp_keys, rtp_keys
from rtp.srtp.replay import AUDIO_WINDOW, ReplayWindow, guess_index
from rtp.srtp.suites import SRTCP_LIFETIME, MasterKey, Suite
from rtp.srtp.transforms import ENCRYPTED, RTCP_HEADER, transform_for

MAX_PACKET = 1500
"""Bytes of a protected packet; an Ethernet frame holds no more, and libsrtp's binding takes no more."""
MAX_PLAIN = 1352
"""Bytes of a packet to protect: libsrtp's binding keeps room for the longest tag and key identifier."""
MAX_SOURCES = 64
"""SSRCs under one key. Older ones are not forgotten for new ones, since what is forgotten could be replayed."""


@dataclass(slots=True)
class SrtpCounters:
    """Packets of a context. Those dropped by reason: wrong tags, replays, malformed ones, SSRCs beyond the limit."""

    passed: int = 0
    bad_tags: int = 0
    replays: int = 0
    malformed: int = 0
    foreign: int = 0

    def dropped(self, reason: str) -> AuthenticationFailed:
        """Count a drop; the error to raise."""
        match reason:
            case "tag":
                self.bad_tags += 1
            case "replay":
                self.replays += 1
            case "malformed":
                self.malformed += 1
            case _:
                self.foreign += 1
        return AuthenticationFailed(reason)


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a peer's stream stands: rollover counter, highest sequence number, highest SRTCP index; -1 for none so far."""

    ssrc: int
    roc: int
    sequence: int
    rtcp_index: int = -1

    @property
    def index(self) -> int:
        """The highest packet index, -1 for none."""
        return -1 if self.sequence < 0 else self.roc << 16 | self.sequence


class SrtpSender:
    """Protects what we send under one key of ours."""

    def __init__(self, suite: Suite, master: MasterKey) -> None:
        self.suite = suite
        self.packets = 0
        self._lifetime = master.lifetime
        self._rtp = transform_for(suite, rtp_keys(suite, master))
        self._rtcp = transform_for(suite, rtcp_keys(suite, master))
        self._windows: dict[int, ReplayWindow] = {}
        self._rtcp_indexes: dict[int, int] = {}

    def protect(self, packet: bytes) -> bytes:
        """An RTP packet, protected. Sequence numbers may be sent in any order within the window, each once.

        Raises ParseError for what is no RTP packet or too long, KeyExhausted at the key's end and for a number sent before:
        a repair sends the stored protected packet again.
        """
        _check_length(packet)
        _, _, sequence, _, ssrc, header = parse_header(packet)
        window = self._windows.get(ssrc)
        if window is None:
            window = self._windows[ssrc] = ReplayWindow(AUDIO_WINDOW)
        index = guess_index(sequence, window.highest)
        if self.packets >= self._lifetime or index >> 48 or not window.is_fresh(index):
            raise KeyExhausted(f"SRTP index {index} cannot be used (again) after {self.packets} packets")
        window.add(index)
        self.packets += 1
        return self._rtp.sealed(packet, header, ssrc, index)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """An RTCP compound, protected. Raises ParseError and KeyExhausted."""
        _check_length(packet)
        if len(packet) < RTCP_HEADER or packet[0] & 0xC0 != 0x80:
            raise ParseError(f"no RTCP packet in {len(packet)} bytes")
        ssrc = int.from_bytes(packet[4:8])
        index = self._rtcp_indexes.get(ssrc, 0)
        if index >= SRTCP_LIFETIME:
            raise KeyExhausted("the SRTCP index is at its end")
        self._rtcp_indexes[ssrc] = index + 1
        return self._rtcp.sealed_rtcp(packet, ssrc, index)


class SrtpReceiver:
    """Opens what a peer sends under its key.

    window: packets of the replay window, 64 or more; streams: the state that a predecessor left; max_sources: SSRCs held.
    """

    def __init__(self, suite: Suite, master: MasterKey, *, window: int = AUDIO_WINDOW, streams: Iterable[StreamState] = (),
                 max_sources: int = MAX_SOURCES) -> None:
        self.suite = suite
        self.counters = SrtpCounters()
        self._window = window
        self._max_sources = max_sources
        self._rtp = transform_for(suite, rtp_keys(suite, master))
        self._rtcp = transform_for(suite, rtcp_keys(suite, master))
        self._rtp_windows: dict[int, ReplayWindow] = {}
        self._rtcp_windows: dict[int, ReplayWindow] = {}
        for state in streams:
            self._rtp_windows[state.ssrc] = ReplayWindow(window, state.index)
            self._rtcp_windows[state.ssrc] = ReplayWindow(AUDIO_WINDOW, state.rtcp_index)

    def unprotect(self, packet: bytes) -> bytes:
        """A protected RTP packet in clear. Raises AuthenticationFailed, counted; the state is then as before."""
        try:
            _, _, sequence, _, ssrc, header = parse_header(packet)
        except ParseError:
            raise self.counters.dropped("malformed") from None
        if not header + self.suite.tag_length <= len(packet) <= MAX_PACKET:
            raise self.counters.dropped("malformed")
        window = self._rtp_windows.get(ssrc)
        fresh = window or self._new_window(self._rtp_windows, self._window)
        index = guess_index(sequence, fresh.highest)
        if index >> 48 or not fresh.is_fresh(index):
            raise self.counters.dropped("replay")
        plain = self._rtp.opened(packet, header, ssrc, index)
        if plain is None:
            raise self.counters.dropped("tag")
        if window is None:
            self._rtp_windows[ssrc] = fresh
        fresh.add(index)
        self.counters.passed += 1
        return plain

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """A protected RTCP compound in clear. Raises AuthenticationFailed, counted.

        One without the E flag is refused: SDES's UNENCRYPTED_SRTCP is never agreed upon.
        """
        tag = self.suite.tag_length
        if not RTCP_HEADER + 4 + tag <= len(packet) <= MAX_PACKET or packet[0] & 0xC0 != 0x80:
            raise self.counters.dropped("malformed")
        ssrc = int.from_bytes(packet[4:8])
        trailer = int.from_bytes(packet[-4:] if self.suite.is_aead else packet[-tag - 4:-tag])
        if not trailer & ENCRYPTED:
            raise self.counters.dropped("malformed")
        index = trailer & ~ENCRYPTED
        window = self._rtcp_windows.get(ssrc)
        fresh = window or self._new_window(self._rtcp_windows, AUDIO_WINDOW)
        if not fresh.is_fresh(index):
            raise self.counters.dropped("replay")
        plain = self._rtcp.opened_rtcp(packet, ssrc, index)
        if plain is None:
            raise self.counters.dropped("tag")
        if window is None:
            self._rtcp_windows[ssrc] = fresh
        fresh.add(index)
        self.counters.passed += 1
        return plain

    def _new_window(self, windows: dict[int, ReplayWindow], size: int) -> ReplayWindow:
        if len(windows) >= self._max_sources:
            raise self.counters.dropped("source")
        return ReplayWindow(size)

    def streams(self) -> tuple[StreamState, ...]:
        """The state of each stream, for a successor."""
        found = []
        for ssrc in self._rtp_windows.keys() | self._rtcp_windows.keys():
            rtp, rtcp = self._rtp_windows.get(ssrc), self._rtcp_windows.get(ssrc)
            index = -1 if rtp is None else rtp.highest
            found.append(StreamState(ssrc, max(index, 0) >> 16, index if index < 0 else index & 0xFFFF,
                                     -1 if rtcp is None else rtcp.highest))
        return tuple(found)


def _check_length(packet: bytes) -> None:
    if len(packet) > MAX_PLAIN:
        raise ParseError(f"a packet of {len(packet)} bytes; SRTP takes {MAX_PLAIN}")
