"""Whom the phone trusts by TLS: names that a known authority vouches for (RFC 5922), and certificates that it has met before.

A small server has a certificate of its own that no authority knows. The first time that is met it is remembered, and shown with
its fingerprint; from then on this host has to show the very same one. A changed one is refused, with words and the remedy. What
an authority that we know vouches for needs no memory; its certificate has to be in date and for the right name, always.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sip.certificates import Presented, is_for

_FINGERPRINT = re.compile(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}")
Tell = Callable[[str, str], None]
"""Is given a host and a fingerprint."""
AUTHORITY, REMEMBERED, FIRST = "checked with a known authority", "the same as before", "met for the first time"
"""How a certificate came to be trusted."""


@dataclass(frozen=True, slots=True)
class Signalling:
    """How the way to a server or a peer is protected. transport: UDP, TCP or TLS; cipher: version and cipher of TLS."""

    transport: str = ""
    cipher: str = ""
    fingerprint: str = ""
    how: str = ""

    @property
    def is_protected(self) -> bool:
        """Whether nobody on the way can read or change it."""
        return bool(self.cipher)

    def __str__(self) -> str:
        if not self.is_protected:
            return f"{self.transport}, not protected" if self.transport else ""
        return f"{self.cipher}; certificate {self.how}, SHA-256 {self.fingerprint}"


class Trust:
    """Judges certificates (`judge` is a `sip.aio.tls.Judge`).

    known: the fingerprint of each host that was met; keep: is told of one to remember; met: is told of a host's first
    certificate, for the user to compare.
    """

    def __init__(self, known: Mapping[str, str] | None = None, keep: Tell = lambda host, fingerprint: None,
                 met: Tell = lambda host, fingerprint: None) -> None:
        self.met = met
        self._known = dict(known or {})
        self._keep = keep
        self._expected: set[str] = set()
        self._refusals: dict[str, str] = {}
        self._trusted: dict[str, tuple[str, str]] = {}

    def expect(self, host: str, fingerprint: str) -> None:
        """Remember what the user knows from elsewhere, in place of what was known; nothing else will do for this host."""
        self._expected.add(host.lower())
        if self._known.get(host.lower()) != fingerprint:
            self._remember(host.lower(), fingerprint)

    def judge(self, name: str, shown: Presented) -> str:
        """Empty when this certificate is to be trusted for this name, else why not."""
        host = name.lower()
        trouble, how = self._look(host, shown)
        if trouble:
            self._refusals[host] = trouble
            self._trusted.pop(host, None)
            return trouble
        self._refusals.pop(host, None)
        self._trusted[host] = (shown.fingerprint, how)
        return ""

    def _look(self, host: str, shown: Presented) -> tuple[str, str]:
        """(what is wrong, how it came to be trusted)."""
        known, fingerprint = self._known.get(host), shown.fingerprint
        if known == fingerprint:
            return "", REMEMBERED
        if host in self._expected and known is not None:
            return unexpected(host, known, fingerprint), ""
        if not shown.trouble:
            if is_for(shown.certificate, host):
                return "", AUTHORITY
            return f"the certificate that {host} shows is for somebody else; check the server's name", ""
        if known is not None:
            return changed(host, known, fingerprint), ""
        if not shown.is_unknown:
            return f"the certificate of {host} can't be trusted: {shown.trouble}", ""
        self._remember(host, fingerprint)
        self.met(host, fingerprint)
        return "", FIRST

    def _remember(self, host: str, fingerprint: str) -> None:
        self._known[host] = fingerprint
        self._keep(host, fingerprint)

    def refusal(self, host: str) -> str:
        """Why the last certificate of a host was refused, empty when it was not."""
        return self._refusals.get(host.lower(), "")

    def signalling(self, name: str, transport: str, cipher: str) -> Signalling:
        """How a connection is protected."""
        fingerprint, how = self._trusted.get(name.lower(), ("", "")) if cipher else ("", "")
        return Signalling(transport, cipher, fingerprint, how)


def changed(host: str, known: str, shown: str) -> str:
    """The words for a certificate that is not the one of before, with the remedy."""
    return (f"{host} shows another certificate than before, so somebody may stand between you and it; nothing was sent. "
            f"Before: {known}. Now: {shown}. If the server's owner says that it was renewed and tells you the same new "
            f"fingerprint, start the phone once with --fingerprint {shown}")


def unexpected(host: str, expected: str, shown: str) -> str:
    """The words for a certificate that is not the one that the user asked for."""
    return (f"{host} does not show the certificate that was asked for, so nothing was sent. Asked for: {expected}. "
            f"Shown: {shown}. Ask the server's owner for the fingerprint again")


def first_meeting(host: str, fingerprint: str) -> str:
    """The words for a certificate that is met for the first time."""
    return (f"First contact with {host} by TLS. Its certificate is remembered; compare its SHA-256 fingerprint with the one "
            f"that the server's owner sees: {fingerprint}")


def parse_fingerprint(text: str) -> str:
    """A SHA-256 as pairs of digits, with or without colons. Raises ValueError."""
    digits = text.strip().removeprefix("SHA-256").replace(" ", "").replace(":", "").upper()
    written = ":".join(digits[at:at + 2] for at in range(0, len(digits), 2))
    if not _FINGERPRINT.fullmatch(written):
        raise ValueError("a SHA-256 fingerprint is 32 pairs of hexadecimal digits, such as 3B:93:86:…")
    return written
