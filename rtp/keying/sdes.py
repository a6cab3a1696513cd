"""Keys in the SDP (RFC 4568): reads and writes `a=crypto` lines, chooses one, and checks the answer to ours.

    ours = answer(media.values("crypto"), os.urandom)          # the phone offers
    chosen, keys = ours.line, ours.keys                        # a=crypto:{chosen}; rtp.srtp.sender(keys.suite, keys.local)

    lines = offer(os.urandom)                                  # we offer, with new keys each time
    keys = accept(lines, media.values("crypto"))

A line that we can't use is passed over for the next: unknown suites and tags of 32 bits, key identifiers (MKI), several keys,
parameters that weaken or that we don't know, keys of the wrong length. The answer is chosen by suite, in our order, and has
the tag of the line chosen (linphone 5.1 and baresip 1.0 put AES_256_CM first and AES_CM_128_80 third). Whether SDES is worth
anything depends on what the SDP came over; that is the caller's to judge.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rtp.errors import NegotiationFailed, ParseError
from rtp.srtp.suites import SRTP_LIFETIME, SUITES, MasterKey, SessionKeys, Suite, suite_named

MAX_LINES = 32
"""Crypto lines that are looked at; browsers and phones send up to ten."""
MAX_LINE = 512
"""Characters: a key of 46 bytes, lifetime and parameters fit into 200."""

_LINE = re.compile(r"([0-9]{1,9}) +([A-Za-z0-9_]{1,64}) +(inline:[!-~]{1,300}(?:;[!-~]{1,300})?)((?: +[!-~]{1,64})*) *", re.A)
_KEY = re.compile(r"inline:([A-Za-z0-9+/]{1,200}={0,2})((?:\|[0-9^:]{1,40}){0,2})", re.A)
_LIFETIME = re.compile(r"2\^([0-9]{1,2})|([1-9][0-9]{0,14})", re.A)
_HARMLESS = re.compile(r"KDR=0|WSH=[0-9]{1,5}|-[A-Za-z0-9_=\-]{1,60}", re.A)
"""No key derivation, a hint at the replay window, extensions that may be passed over (RFC 4568 §6.3.1, §6.3.6, §6.3.7)."""


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """A line that can be used: its tag, suite and key. `str` gives the value of `a=crypto`, key and all."""

    tag: int
    suite: Suite
    key: MasterKey

    @classmethod
    def parse(cls, value: str) -> CryptoLine:
        """Read the value of an `a=crypto` (RFC 4568 §9.2). Raises ParseError for what is no such line or not usable."""
        match = _LINE.fullmatch(value) if len(value) <= MAX_LINE else None
        if match is None:
            raise ParseError("crypto: a tag, a suite and a key expected")
        suite = suite_named(match[2])
        if suite is None:
            raise ParseError(f"crypto {match[1]}: suite {match[2]} is not known here")
        refused = [parameter for parameter in match[4].split() if not _HARMLESS.fullmatch(parameter)]
        if refused:
            raise ParseError(f"crypto {match[1]}: session parameter {refused[0].partition('=')[0]} is not accepted")
        return cls(int(match[1]), suite, _parse_key(match[1], suite, match[3]))

    @classmethod
    def create(cls, tag: int, suite: Suite, random: Callable[[int], bytes]) -> CryptoLine:
        """A line with a key of our own. random: gives bytes fit for keys, as os.urandom."""
        return cls(tag, suite, MasterKey.of(suite, random(suite.master_length)))

    def __str__(self) -> str:
        lifetime = "" if self.key.lifetime == SRTP_LIFETIME else f"|{_write_lifetime(self.key.lifetime)}"
        return f"{self.tag} {self.suite} inline:{b64encode(bytes(self.key)).decode()}{lifetime}"

    def __repr__(self) -> str:
        return f"CryptoLine(tag={self.tag}, suite={self.suite})"


@dataclass(frozen=True, slots=True)
class SdesAnswer:
    """Our answer: the line to write, and the keys of both ways."""

    line: CryptoLine
    keys: SessionKeys


def offer(random: Callable[[int], bytes], suites: Sequence[Suite] = SUITES) -> tuple[CryptoLine, ...]:
    """Lines for an offer, tags from 1, each with a new key (RFC 4568 §5.1.1)."""
    return tuple(CryptoLine.create(tag, suite, random) for tag, suite in enumerate(suites, 1))


def answer(offered: Sequence[str], random: Callable[[int], bytes], suites: Sequence[Suite] = SUITES,
           keep: CryptoLine | None = None) -> SdesAnswer:
    """Choose among offered lines by suite, in the order of `suites` (RFC 4568 §5.1.2); the key is new.

    keep: our line of before, whose key stays when the peer's offer chooses its suite again (a re-INVITE that repeats its keys
    must not make ours start anew, RFC 4568 §7.1.4). Raises NegotiationFailed with the reasons when no line will do.
    """
    lines = [CryptoLine(0, suite, keep.key) if keep is not None and keep.suite == suite else CryptoLine.create(0, suite, random)
             for suite in suites]
    return choose(offered, lines)


def choose(offered: Sequence[str], ours: Sequence[CryptoLine]) -> SdesAnswer:
    """Choose among offered lines by suite, in the order of ours, whose keys are taken; the tag is theirs.

    Raises NegotiationFailed with the reasons when no line will do, or when theirs is our own key.
    """
    usable, reasons = _usable(offered)
    for own in ours:
        theirs = next((line for line in usable if line.suite == own.suite), None)
        if theirs is None:
            continue
        if bytes(theirs.key) == bytes(own.key):
            raise NegotiationFailed("the offer sends our own key back")
        return SdesAnswer(CryptoLine(theirs.tag, own.suite, own.key), SessionKeys(own.suite, own.key, theirs.key))
    raise NegotiationFailed("no crypto line can be used: " + ("; ".join(reasons[:4]) or "other suites are wanted"))


def accept(ours: Sequence[CryptoLine], answered: Sequence[str]) -> SessionKeys:
    """The keys of an answer to our lines: one line, with tag and suite of one of ours (RFC 4568 §5.1.3).

    Raises NegotiationFailed.
    """
    if len(answered) != 1:
        raise NegotiationFailed(f"an answer takes one crypto line, not {len(answered)}")
    try:
        theirs = CryptoLine.parse(answered[0])
    except ParseError as error:
        raise NegotiationFailed(str(error)) from None
    for line in ours:
        if (line.tag, line.suite) == (theirs.tag, theirs.suite):
            if bytes(line.key) == bytes(theirs.key):
                raise NegotiationFailed("the answer sends our own key back")
            return SessionKeys(line.suite, line.key, theirs.key)
    raise NegotiationFailed(f"crypto {theirs.tag} {theirs.suite} was not offered")


def _usable(offered: Iterable[str]) -> tuple[list[CryptoLine], list[str]]:
    usable: list[CryptoLine] = []
    reasons: list[str] = []
    tags: set[int] = set()
    for value in list(offered)[:MAX_LINES]:
        try:
            line = CryptoLine.parse(value)
        except ParseError as error:
            reasons.append(str(error))
            continue
        if line.tag not in tags:
            tags.add(line.tag)
            usable.append(line)
    return usable, reasons


def _parse_key(tag: str, suite: Suite, value: str) -> MasterKey:
    """`inline:` key, then lifetime and MKI, of which only the lifetime is taken (RFC 4568 §6.1)."""
    if ";" in value:
        raise ParseError(f"crypto {tag}: several keys are not accepted")
    match = _KEY.fullmatch(value)
    if match is None:
        raise ParseError(f"crypto {tag}: no inline key")
    if ":" in match[2]:
        raise ParseError(f"crypto {tag}: key identifiers (MKI) are not accepted")
    extras = match[2].split("|")[1:]
    if len(extras) > 1:
        raise ParseError(f"crypto {tag}: two lifetimes")
    text = match[1].rstrip("=")
    try:
        data = b64decode(text + "=" * (-len(text) % 4), validate=True)
        return MasterKey.of(suite, data, _parse_lifetime(tag, extras[0]) if extras else SRTP_LIFETIME)
    except (ValueError, binascii.Error):
        raise ParseError(f"crypto {tag}: {suite} takes a key of {suite.master_length} bytes") from None


def _parse_lifetime(tag: str, text: str) -> int:
    match = _LIFETIME.fullmatch(text)
    lifetime = 0 if match is None else 2 ** int(match[1]) if match[1] else int(match[2])
    if not 1 <= lifetime <= SRTP_LIFETIME:
        raise ParseError(f"crypto {tag}: a lifetime of 1 to 2^48 packets expected")
    return lifetime


def _write_lifetime(lifetime: int) -> str:
    power = lifetime.bit_length() - 1
    return f"2^{power}" if lifetime == 1 << power else str(lifetime)
