"""Digest authentication at both ends (RFC 3261 §22, RFC 7616, RFC 8760): MD5 and SHA-256, qop=auth.

The server's side keeps no state for a stranger: a nonce carries its own time and a keyed hash bound to the client's
address. A challenge names one algorithm only, since some phones fail at any challenge that names SHA-256 (baresip 1.0,
SIPp 3.6).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from sip.errors import ParseError
from sip.grammar import quote, unquote
from sip.message import Request, Response

ALGORITHMS: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}
"""What we compute; SHA-256 is preferred when several challenges come."""

_PAIR = re.compile(r'[ \t,]*([A-Za-z0-9\-_]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^,\s"]*)')
MAX_ROUNDS = 2
"""How often a client answers one request's challenges: once, and once more for a stale nonce (T10 of the threats)."""


def parse_digest(value: str) -> dict[str, str]:
    """The parameters of a Digest challenge or of credentials, unquoted. Raises ParseError."""
    scheme, _, rest = value.strip(" \t").partition(" ")
    if scheme.lower() != "digest":
        raise ParseError("an authentication scheme other than Digest")
    found: dict[str, str] = {}
    position, end = 0, len(rest.rstrip(" \t,"))
    while position < end:
        match = _PAIR.match(rest, position)
        if match is None or (name := match[1].lower()) in found or len(found) > 32:
            raise ParseError("digest parameters that were not understood")
        found[name] = unquote(match[2])
        position = match.end()
    return found


def make_ha1(user: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """The stored form of a password: hash of user, realm and password (RFC 7616 §3.4.2). Raises KeyError."""
    return ALGORITHMS[algorithm](f"{user}:{realm}:{password}".encode("utf-8", "surrogateescape"))


def make_response(ha1: str, method: str, parameters: dict[str, str]) -> str:
    """The digest response for these parameters (uri, nonce, and qop, nc, cnonce where qop is used; RFC 7616 §3.4.1)."""
    digest = ALGORITHMS[parameters.get("algorithm", "MD5").upper()]
    ha2 = digest(f"{method}:{parameters['uri']}".encode("utf-8", "surrogateescape"))
    if parameters.get("qop"):
        middle = f"{parameters['nonce']}:{parameters['nc']}:{parameters['cnonce']}:{parameters['qop']}"
    else:
        middle = parameters["nonce"]
    return digest(f"{ha1}:{middle}:{ha2}".encode("utf-8", "surrogateescape"))


class NonceSource:
    """Nonces that validate themselves: no state is kept for who was challenged.

    key: at least 16 secret bytes; lifetime_s: how long a nonce is taken.
    """

    def __init__(self, key: bytes, lifetime_s: int = 300) -> None:
        self._key = key
        self._lifetime_s = lifetime_s

    def make(self, client_host: str, now: float) -> str:
        """A nonce for a client's address."""
        stamp = int(now * 1_000_000).to_bytes(8)      # two in one microsecond would share their nonce counts
        return urlsafe_b64encode(stamp + self._seal(stamp, client_host)).decode()

    def check(self, nonce: str, client_host: str, now: float) -> Literal["valid", "stale", "forged"]:
        """Whether the nonce is ours, for this address, and still good."""
        try:
            raw = urlsafe_b64decode(nonce.encode("ascii"))
        except ValueError:
            return "forged"
        if len(raw) != 24 or not hmac.compare_digest(raw[8:], self._seal(raw[:8], client_host)):
            return "forged"
        age = now - int.from_bytes(raw[:8]) / 1_000_000
        return "valid" if -1 <= age <= self._lifetime_s else "stale"

    def _seal(self, stamp: bytes, client_host: str) -> bytes:
        return hmac.digest(self._key, stamp + client_host.encode(), "sha256")[:16]


def make_challenge(realm: str, nonce: str, algorithm: str = "MD5", *, stale: bool = False) -> str:
    """The value of a WWW-Authenticate or Proxy-Authenticate header."""
    tail = ", stale=true" if stale else ""
    return f'Digest realm={quote(realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{tail}'


def verify(credentials: dict[str, str], method: str, ha1: str) -> bool:
    """Whether the response proves knowledge of the password; compared in constant time. Never raises."""
    try:
        expected = make_response(ha1, method, credentials)
    except KeyError:
        return False
    return hmac.compare_digest(expected.encode(), credentials.get("response", "").lower().encode("utf-8", "surrogateescape"))


class ReplayGuard:
    """Remembers the nonce counts seen, so that captured credentials can't be used again (RFC 7616 §3.4.5). Bounded."""

    def __init__(self, limit: int = 20000) -> None:
        self._highest: OrderedDict[str, int] = OrderedDict()
        self._limit = limit

    def is_fresh(self, nonce: str, count: str) -> bool:
        """Take a nonce count; False when it is not above all that came before with this nonce."""
        if not re.fullmatch(r"[0-9A-Fa-f]{8}", count):
            return False
        value = int(count, 16)
        if value <= self._highest.get(nonce, 0):
            return False
        self._highest[nonce] = value
        self._highest.move_to_end(nonce)
        if len(self._highest) > self._limit:
            self._highest.popitem(last=False)
        return True


@dataclass(slots=True)
class DigestClient:
    """The client's side: answers challenges of its own realm.

    realm: only this realm is answered; None takes the first one that a server names and keeps to it. entropy: makes the
    client nonces.
    """

    user: str
    password: str = field(repr=False)
    realm: str | None = None
    entropy: Callable[[int], bytes] | None = None
    _nonce: str = ""
    _count: int = 0

    def authorize(self, request: Request, response: Response, attempt: int = 1) -> bool:
        """Add credentials to `request` for the challenges of `response` (401 or 407).

        attempt: which challenge of this request it is, from 1. Returns False when there is nothing that we may or can
        answer: a foreign realm, an unknown algorithm, a second refusal that is not for a stale nonce.
        """
        if attempt > MAX_ROUNDS:
            return False
        name = "WWW-Authenticate" if response.status == 401 else "Proxy-Authenticate"
        challenge = self._choose(response.headers.get_lines(name))
        if challenge is None or (attempt > 1 and challenge.get("stale", "").lower() != "true"):
            return False
        self.realm = challenge["realm"]
        field = "Authorization" if response.status == 401 else "Proxy-Authorization"
        request.headers.set(field, self._credentials(request, challenge))
        return True

    def _choose(self, values: list[str]) -> dict[str, str] | None:
        usable: list[dict[str, str]] = []
        for value in values:
            try:
                challenge = parse_digest(value)
            except ParseError:
                continue
            known = challenge.get("algorithm", "MD5").upper() in ALGORITHMS
            if known and "nonce" in challenge and self.realm in (None, challenge.get("realm")) and "realm" in challenge:
                usable.append(challenge)
        usable.sort(key=lambda challenge: challenge.get("algorithm", "MD5").upper() != "SHA-256")
        return usable[0] if usable else None

    def _credentials(self, request: Request, challenge: dict[str, str]) -> str:
        algorithm = challenge.get("algorithm", "MD5").upper()
        values = {"nonce": challenge["nonce"], "uri": str(request.uri), "algorithm": algorithm}
        if "auth" in [option.strip() for option in challenge.get("qop", "").split(",")]:
            self._count = self._count + 1 if challenge["nonce"] == self._nonce else 1
            self._nonce = challenge["nonce"]
            noise = self.entropy(8).hex() if self.entropy else hashlib.sha256(self._nonce.encode()).hexdigest()[:16]
            values |= {"qop": "auth", "nc": f"{self._count:08x}", "cnonce": noise}
        ha1 = make_ha1(self.user, challenge["realm"], self.password, algorithm)
        text = f"Digest username={quote(self.user)}, realm={quote(challenge['realm'])}, nonce={quote(values['nonce'])}"
        text += f", uri={quote(values['uri'])}, response=\"{make_response(ha1, request.method, values)}\""
        text += f", algorithm={algorithm}"
        if "qop" in values:
            text += f", qop=auth, nc={values['nc']}, cnonce=\"{values['cnonce']}\""
        return text + (f", opaque={quote(challenge['opaque'])}" if "opaque" in challenge else "")
