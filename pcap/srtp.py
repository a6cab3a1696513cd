"""Opens SRTP and SRTCP (RFC 3711, RFC 7714) of a capture with whatever keys are known, by trial: the tag of a packet decides.

Keys that name a packet's addresses or SSRC come first, then those of a call whose SDPs name one of its ends, then the latest of
all others; later ones first. So a re-keying (RFC 4568 §7.1.4) is found as well as a stream behind a NAT. Duplicates are opened
like any packet: a capture may hold a packet twice. Streams that no key opens are tried less and less often.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pcap.keylog import Address, SrtpKey
from rtp.errors import ParseError
from rtp.packet import parse_header
from rtp.srtp.derivation import rtcp_keys, rtp_keys
from rtp.srtp.replay import guess_index
from rtp.srtp.suites import MasterKey
from rtp.srtp.transforms import ENCRYPTED, RTCP_HEADER, Transform, transform_for

FIRST_ROUNDS = 4
"""Rollover counters that are tried at a stream's first packet, where the key does not tell: 3 stand for an hour of audio."""
OTHERS = 64
"""Keys that are tried though nothing speaks for them: those of the last calls before."""
MAX_KEYS = 100_000
TRIES = 50
"""Packets of a stream on which all keys are tried; after that, one of fifty."""

StreamName = tuple[int, Address, Address]


@dataclass(slots=True, eq=False)
class _Opener:
    """A key with its transforms."""

    key: SrtpKey
    rtp: Transform
    rtcp: Transform

    @classmethod
    def of(cls, key: SrtpKey) -> _Opener:
        suite, master = key.suite, MasterKey.of(key.suite.rtp, key.master)
        return cls(key, transform_for(suite.rtp, rtp_keys(suite.rtp, master)),
                   transform_for(suite.rtcp, rtcp_keys(suite.rtcp, master)))


@dataclass(slots=True)
class _Stream:
    """A stream's key once one has opened a packet, its highest index (-1: none), and packets that failed since."""

    opener: _Opener | None = None
    highest: int = -1
    failed: int = 0


@dataclass(slots=True)
class _Call:
    """The keys and the media addresses in the SDPs of one call."""

    openers: list[_Opener] = field(default_factory=list)
    addresses: set[Address] = field(default_factory=set)


class SrtpOpener:
    """All keys of a capture, and the state of every stream."""

    def __init__(self) -> None:
        self.opened = 0
        self._known: set[tuple[object, ...]] = set()
        self._by_address: dict[Address, list[_Opener]] = {}
        self._by_ssrc: dict[int, list[_Opener]] = {}
        self._others: deque[_Opener] = deque(maxlen=OTHERS)
        self._calls: dict[str, _Call] = {}
        self._streams: dict[StreamName, _Stream] = {}
        self._reports: dict[StreamName, _Stream] = {}

    def add(self, key: SrtpKey, call: str = "") -> None:
        """Take a key, of a call where it has one; a key that is known (a repeated SDP) changes nothing."""
        name = (key.suite.name, key.master, key.ssrc, key.source, key.destination, key.roc)
        if name in self._known or len(self._known) >= MAX_KEYS:
            return
        self._known.add(name)
        opener = _Opener.of(key)
        if key.ssrc is not None:
            self._by_ssrc.setdefault(key.ssrc, []).append(opener)
            return
        self._others.append(opener)
        addresses = {address for address in (key.source, key.destination) if address is not None}
        if call:
            self._calls.setdefault(call, _Call()).openers.append(opener)
            addresses |= self._calls[call].addresses
        for address in addresses:
            self._by_address.setdefault(address, []).append(opener)

    def relate(self, call: str, addresses: Iterable[Address]) -> None:
        """Tell which addresses of media the SDPs of a call name: its keys are tried there."""
        known = self._calls.setdefault(call, _Call())
        for address in set(addresses) - known.addresses:
            known.addresses.add(address)
            there = self._by_address.setdefault(address, [])
            there += [opener for opener in known.openers if opener not in there]

    @property
    def keys(self) -> int:
        """How many different keys there are."""
        return len(self._known)

    def closed_streams(self) -> list[StreamName]:
        """Streams of which no packet could be opened, so they were plain or their key is missing."""
        return [name for name, stream in self._streams.items() if stream.opener is None]

    def opened_streams(self) -> list[tuple[StreamName, SrtpKey]]:
        """Streams that were opened, with the key that did it last."""
        return [(name, stream.opener.key) for name, stream in self._streams.items() if stream.opener is not None]

    def is_opened(self, ssrc: int, source: Address, destination: Address) -> bool:
        """Whether a packet of a stream was opened before."""
        stream = self._streams.get((ssrc, source, destination))
        return stream is not None and stream.opener is not None

    def again(self) -> SrtpOpener:
        """One that shares the keys and has seen no packet."""
        other = SrtpOpener()
        other._known, other._by_address, other._by_ssrc = self._known, self._by_address, self._by_ssrc
        other._others, other._calls = self._others, self._calls
        return other

    def rtp(self, packet: bytes, source: Address, destination: Address) -> bytes | None:
        """A protected RTP packet in clear, None when no key opens it."""
        try:
            _, _, sequence, _, ssrc, header = parse_header(packet)
        except ParseError:
            return None
        name = (ssrc, source, destination)
        stream = self._streams.setdefault(name, _Stream())
        for opener in self._candidates(stream, *name):
            suite, mki = opener.key.suite.rtp, opener.key.mki_length
            if len(packet) < header + suite.tag_length + mki:
                continue
            bare = packet if not mki else _without_mki(packet, suite.tag_length, mki, suite.is_aead)
            for index in _indexes(stream, opener, sequence):
                plain = opener.rtp.opened(bare, header, ssrc, index)
                if plain is not None:
                    stream.opener, stream.failed, stream.highest = opener, 0, max(stream.highest, index)
                    self.opened += 1
                    return plain
        stream.failed += 1
        return None

    def rtcp(self, packet: bytes, source: Address, destination: Address) -> bytes | None:
        """A protected RTCP compound in clear, None when no key opens it."""
        if len(packet) < RTCP_HEADER + 4:
            return None
        ssrc = int.from_bytes(packet[4:8])
        name = (ssrc, source, destination)
        stream = self._reports.setdefault(name, _Stream())
        for opener in self._candidates(stream, *name):
            suite, mki = opener.key.suite.rtcp, opener.key.mki_length
            if len(packet) < RTCP_HEADER + 4 + suite.tag_length + mki:
                continue
            bare = packet if not mki else _without_mki(packet, suite.tag_length, mki, suite.is_aead)
            trailer = int.from_bytes(bare[-4:] if suite.is_aead else bare[-suite.tag_length - 4:-suite.tag_length])
            if not trailer & ENCRYPTED:
                continue
            plain = opener.rtcp.opened_rtcp(bare, ssrc, trailer & ~ENCRYPTED)
            if plain is not None:
                stream.opener, stream.failed = opener, 0
                return plain
        stream.failed += 1
        return None

    def _candidates(self, stream: _Stream, ssrc: int, source: Address, destination: Address) -> Iterator[_Opener]:
        if stream.opener is not None:
            yield stream.opener
        if stream.failed > TRIES and stream.failed % TRIES:
            return
        tried = {id(stream.opener)}
        near = [*self._by_address.get(source, ()), *self._by_address.get(destination, ())][::-1]
        fitting = [opener for opener in near if opener.key.fits(ssrc, source, destination)]
        for opener in (*reversed(self._by_ssrc.get(ssrc, ())), *fitting, *near, *reversed(self._others)):
            if id(opener) not in tried:
                tried.add(id(opener))
                yield opener


def _indexes(stream: _Stream, opener: _Opener, sequence: int) -> list[int]:
    """Packet indexes to try: the likely one, and where the stream or the key is new, those of other rollover counters."""
    if stream.highest >= 0:
        likely = guess_index(sequence, stream.highest)
        if stream.opener is opener:
            return [likely, likely + 0x10000]
        return list(dict.fromkeys((likely, opener.key.roc << 16 | sequence, sequence)))
    rounds = dict.fromkeys((opener.key.roc, *range(FIRST_ROUNDS)))
    return [roc << 16 | sequence for roc in rounds]


def _without_mki(packet: bytes, tag: int, mki: int, is_aead: bool) -> bytes:
    """The packet without its key identifier, which stands before the tag, or behind it with an AEAD (RFC 7714 §9)."""
    return packet[:-mki] if is_aead else packet[:-tag - mki] + packet[-tag:]
