"""Tokens for programs that speak REST: 256 random bits each, shown once, kept as their SHA-256; scope `read` or `admin`."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from typing import Literal

from mcu.errors import CommandError, UnknownError, UsageError
from mcu.storage.base import Storage, TokenRecord

PREFIX = "confero_"
"""So that a token that was pasted somewhere by mistake can be found."""
SCOPES = ("read", "admin")
MOST_TOKENS = 1000
FIRST = "first-start"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DAY_S = 86400.0

Scope = Literal["read", "admin"]


class Tokens:
    """The tokens of one server, in memory, each change kept before it counts. clock: seconds since 1970."""

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock
        self._by_digest = {token.digest: token for token in storage.tokens()}

    def all(self) -> list[TokenRecord]:
        """All tokens, by name, those too that have run out."""
        return sorted(self._by_digest.values(), key=lambda token: token.name)

    def add(self, name: str, scope: str = "read", days: int | None = None) -> tuple[TokenRecord, str]:
        """Make a token; its record, and the token itself, which nobody will know again. days: how long it is good for.

        Raises UsageError for a bad name or scope, CommandError when the name is taken.
        """
        name = name.lower()
        if not _NAME.fullmatch(name):
            raise UsageError(f"the name of a token is made of a-z, 0-9, - and _; {name[:80]!r} is not")
        if scope not in SCOPES:
            raise UsageError(f"the scope of a token is {' or '.join(SCOPES)}, not {scope[:40]!r}")
        if days is not None and not 1 <= days <= 36500:
            raise UsageError("a token is good for 1 to 36500 days")
        if any(token.name == name for token in self._by_digest.values()):
            raise CommandError(f"there is a token {name!r} already")
        if len(self._by_digest) >= MOST_TOKENS:
            raise CommandError(f"there are {MOST_TOKENS} tokens already; delete one first")
        secret, now = PREFIX + secrets.token_urlsafe(32), self._clock()
        token = TokenRecord(name, scope, _digest(secret), now, None if days is None else now + days * _DAY_S)
        self._storage.put_token(token)
        self._by_digest[token.digest] = token
        return token, secret

    def make_first(self) -> str | None:
        """The token of the first start; None when there is one of its name already."""
        if any(token.name == FIRST for token in self._by_digest.values()):
            return None
        return self.add(FIRST, "admin")[1]

    def remove(self, name: str) -> TokenRecord:
        """Forget a token; what it was. Raises UnknownError."""
        token = next((one for one in self._by_digest.values() if one.name == name.lower()), None)
        if token is None:
            raise UnknownError(f"there is no token {name[:80]!r}")
        self._storage.delete_token(token.name)
        del self._by_digest[token.digest]
        return token

    def find(self, secret: str) -> TokenRecord | None:
        """The record of a token that somebody brings; None when it is none, or has run out."""
        token = self._by_digest.get(_digest(secret))
        if token is None or (token.expires_at is not None and token.expires_at <= self._clock()):
            return None
        return token


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
