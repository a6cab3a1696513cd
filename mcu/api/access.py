"""Who asks, and how far they may go: bearer tokens, HTTP digest with the account of the phone (RFC 7616), sessions of the page.

A token has its scope; an administrator's account may everything; any other account sees and runs the rooms that it owns. What
changes something by session has to come from our own page: the Origin is ours, and the session's second secret is in a header
that no foreign form can set. Wrong passwords lock a name out for its source after ten failures, as in SIP (`mcu.guard`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from mcu.attempts import Attempts
from mcu.directory import Directory
from mcu.storage.base import Account
from mcu.tokens import Tokens
from sip.auth import NonceSource, ReplayGuard, make_challenge, make_ha1, parse_digest, verify
from sip.errors import ParseError

COOKIE = "confero_session"
CSRF_HEADER = "x-csrf-token"
PAGE_HEADER = "x-confero-page"
"""Our own page says so: a browser that is shown a challenge by digest would ask for a password itself."""
SESSION_S = 12 * 3600.0
MOST_SESSIONS = 1000
LONGEST_CREDENTIALS = 2048
READING_METHODS = frozenset({"GET", "HEAD"})
NO_ACCOUNT = Account("", "", "md5", "0" * 32, False, 0.0)
"""Checked in place of an unknown name, so that it takes as long."""

Scope = Literal["read", "admin", "owner"]


class Denied(Exception):
    """Not let in. status: 401, 403 or 429; headers: of the answer."""

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. scope: `read` sees all and changes nothing, `admin` may all, `owner` sees and runs the rooms of that account;
    way: how they proved it."""

    name: str
    scope: Scope
    way: Literal["token", "digest", "session"]

    @property
    def actor(self) -> str:
        """The name for the audit log."""
        return f"token {self.name}" if self.way == "token" else self.name


@dataclass(slots=True)
class Session:
    """Somebody who has logged in at the page. ha1: as it was then; csrf: the second secret; seen_at: monotonic seconds."""

    account: str
    ha1: str
    csrf: str
    seen_at: float


class Access:
    """Judges requests. now: monotonic seconds; wallclock: seconds since 1970; key: secret bytes that outlive a restart."""

    def __init__(self, directory: Directory, tokens: Tokens, *, now: Callable[[], float], wallclock: Callable[[], float],
                 key: bytes) -> None:
        self._directory = directory
        self._tokens = tokens
        self._now = now
        self._wallclock = wallclock
        self._nonces = NonceSource(hmac.digest(key, b"http", "sha256"))
        self._replays = ReplayGuard()
        self._failures = Attempts()
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    @property
    def domain(self) -> str:
        """The server's domain."""
        return self._directory.domain

    def identify(self, request: HTTPConnection) -> Principal:
        """Who sends this request. Raises Denied."""
        credentials = request.headers.get("authorization", "")
        scheme, _, rest = credentials.partition(" ")
        if len(credentials) > LONGEST_CREDENTIALS:
            raise Denied(401, "credentials of that length are none of ours", self._challenges(request))
        match scheme.lower():
            case "bearer":
                return self._by_token(request, rest.strip())
            case "digest":
                return self._by_digest(request, credentials)
            case "":
                return self._by_session(request)
        raise Denied(401, "a bearer token, or digest, was expected", self._challenges(request))

    def still_holds(self, request: HTTPConnection, principal: Principal) -> bool:
        """Whether who was let in would be let in again: a connection may last long."""
        match principal.way:
            case "token":
                token = self._tokens.find(request.headers.get("authorization", "").partition(" ")[2].strip())
                return token is not None
            case "session":
                return self.session_of(request) is not None
        return self._directory.account(principal.name) is not None

    # ---- sessions of the page

    def log_in(self, request: HTTPConnection, user: str, password: str) -> tuple[str, Session, Principal]:
        """Begin a session; its secret for the cookie. Raises Denied."""
        if not is_same_origin(request, may_be_missing=True):
            raise Denied(403, "this did not come from our own page")
        account = self._directory.account(user)
        place, now = f"{_source(request)} {user.lower()[:64]}", self._now()
        if self._failures.is_locked_out(place, now):
            raise Denied(429, "too many wrong passwords; try again in ten minutes")
        known = account or NO_ACCOUNT
        ha1 = make_ha1(known.name, self._directory.domain, password[:512], known.algorithm_name)
        if not hmac.compare_digest(ha1, known.ha1) or account is None:
            self._failures.fail(place, now)
            raise Denied(401, "that user and password do not go together")
        self._failures.succeed(place)
        secret = secrets.token_urlsafe(32)
        session = self._sessions[_digest(secret)] = Session(account.name, account.ha1, secrets.token_urlsafe(32), now)
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return secret, session, _principal(account, "session")

    def log_out(self, request: HTTPConnection) -> None:
        """End the session of a request, where there is one."""
        self._sessions.pop(_digest(request.cookies.get(COOKIE, "")), None)

    def session_of(self, request: HTTPConnection) -> Session | None:
        """The session that a request's cookie belongs to; it ends with its account, and with another password."""
        digest = _digest(request.cookies.get(COOKIE, ""))
        session = self._sessions.get(digest)
        if session is None:
            return None
        account = self._directory.account(session.account)
        if account is None or account.ha1 != session.ha1 or self._now() - session.seen_at > SESSION_S:
            del self._sessions[digest]
            return None
        session.seen_at = self._now()
        self._sessions.move_to_end(digest)
        return session

    def _by_session(self, request: HTTPConnection) -> Principal:
        session = self.session_of(request)
        account = None if session is None else self._directory.account(session.account)
        if session is None or account is None:
            raise Denied(401, "log in, or bring a token: Authorization: Bearer confero_…", self._challenges(request))
        method = request.scope.get("method")
        if method is None or method not in READING_METHODS:
            self._check_page(request, session, is_socket=method is None)
        return _principal(account, "session")

    def _check_page(self, request: HTTPConnection, session: Session, *, is_socket: bool) -> None:
        if not is_same_origin(request, may_be_missing=False):
            raise Denied(403, "this did not come from our own page")
        if not is_socket and not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), session.csrf.encode()):
            raise Denied(403, "the secret of this session is missing; load the page again")

    # ---- tokens and digest

    def _by_token(self, request: HTTPConnection, secret: str) -> Principal:
        token = self._tokens.find(secret)
        if token is None:
            raise Denied(401, "that token is unknown, deleted or has run out; make one: confero token add NAME",
                         (("WWW-Authenticate", 'Bearer error="invalid_token"'),))
        return Principal(token.name, "admin" if token.scope == "admin" else "read", "token")

    def _by_digest(self, request: HTTPConnection, credentials: str) -> Principal:
        try:
            found = parse_digest(credentials)
        except ParseError as error:
            raise Denied(401, str(error), self._challenges(request)) from None
        source, now = _source(request), self._now()
        user = found.get("username", "").lower()[:64]
        account = self._directory.account(user)
        nonce = self._nonces.check(found.get("nonce", ""), source, self._wallclock())
        if self._failures.is_locked_out(f"{source} {user}", now):
            raise Denied(429, "too many wrong passwords; try again in ten minutes")
        if nonce != "valid":
            raise Denied(401, "the challenge is too old", self._challenges(request, account, is_stale=nonce == "stale"))
        known = account or NO_ACCOUNT
        if known.algorithm_name != found.get("algorithm", "MD5").upper():
            raise Denied(401, "another algorithm is needed", self._challenges(request, account, is_stale=True))
        is_right = verify(found, str(request.scope.get("method", "GET")), known.ha1)
        if not (is_right and account is not None and found.get("realm") == self._directory.domain and found.get("qop") == "auth"
                and found.get("uri") == _target(request)):
            self._failures.fail(f"{source} {user}", now)
            raise Denied(401, "that user and password do not go together", self._challenges(request, account))
        if not self._replays.is_fresh(found["nonce"], found.get("nc", "")):
            raise Denied(401, "these credentials were used before", self._challenges(request, account, is_stale=True))
        self._failures.succeed(f"{source} {user}")
        return _principal(account, "digest")

    def _challenges(self, request: HTTPConnection, account: Account | None = None, *,
                    is_stale: bool = False) -> tuple[tuple[str, str], ...]:
        if PAGE_HEADER in request.headers:
            return ()
        nonce = self._nonces.make(_source(request), self._wallclock())
        algorithm = account.algorithm_name if account is not None else "MD5"
        return (("WWW-Authenticate", "Bearer"),
                ("WWW-Authenticate", make_challenge(self._directory.domain, nonce, algorithm, stale=is_stale)))


def is_same_origin(request: HTTPConnection, *, may_be_missing: bool) -> bool:
    """Whether a browser says that a request comes from our own page. may_be_missing: programs send no Origin."""
    origin = request.headers.get("origin")
    if origin is None:
        return may_be_missing and request.headers.get("sec-fetch-site") in (None, "same-origin", "none")
    found, scheme = urlsplit(origin), request.scope["scheme"]
    return (found.scheme == {"ws": "http", "wss": "https"}.get(scheme, scheme)
            and found.netloc.lower() == request.headers.get("host", "").lower())


def _principal(account: Account, way: Literal["digest", "session"]) -> Principal:
    return Principal(account.name, "admin" if account.is_admin else "owner", way)


def _source(request: HTTPConnection) -> str:
    return request.client.host if request.client is not None else ""


def _target(request: HTTPConnection) -> str:
    query = request.scope.get("query_string", b"")
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return str((raw + (b"?" + query if query else b"")).decode("latin-1"))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
