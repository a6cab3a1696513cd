"""What a person types made into SIP addresses: a server, a room, a person (RFC 3261 §19.1); names looked up."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip.aio.resolver import LookupTimedOut, Resolver, find
from sip.errors import ParseError
from sip.routing import Destination, NoRoute, asks_for_tls
from sip.uri import Uri

LOOKUP_TIMEOUT_S = 5.0
FACTORY = "conference"
"""The user part of the conference factory (RFC 4579 §5.4)."""
_SERVER = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,253})))(?::(?P<port>[0-9]{1,5}))?"
)
_USER = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/%]{1,128}")


class AddressError(Exception):
    """What was typed is no address; the text says what is expected."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to send requests. port: None when none was given."""

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Server:
        """Read HOST, HOST:PORT or [IPv6]:PORT, with or without `sip:`. Raises AddressError."""
        text = text.strip().removeprefix("sips:").removeprefix("sip:").removeprefix("//")
        if text.count(":") > 1 and not text.startswith("["):
            text = f"[{text}]"
        match = _SERVER.fullmatch(text)
        port = int(match["port"]) if match and match["port"] else None
        if match is None or (port is not None and not 0 < port <= 65535):
            raise AddressError(f"a server is written HOST or HOST:PORT, not {text!r}")
        return cls((match["six"] or match["host"]).lower(), port)

    def uri(self, user: str | None = None) -> Uri:
        """A SIP URI at this server."""
        return Uri("sip", user, self.host, self.port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def target_uri(text: str, server: Server | None) -> Uri:
    """The URI to call for what was typed: `daily`, `daily.123456`, `daily@host`, `sip:…`. Raises AddressError."""
    text = text.strip()
    if not text:
        raise AddressError("type a name or an address to call, such as daily or sip:daily@example.org")
    if text.lower().startswith(("sip:", "sips:")) or "@" in text:
        return _full_uri(text if ":" in text.split("@")[0] else f"sip:{text}")
    if not _USER.fullmatch(text):
        raise AddressError(f"{text!r} is no name that can be called; write a name such as daily, or sip:NAME@HOST")
    if server is None:
        raise AddressError(f"to call {text!r} by its name, sign in to a server first, or write sip:{text}@HOST")
    return server.uri(text)


def _full_uri(text: str) -> Uri:
    try:
        uri = Uri.parse(text)
    except ParseError:
        raise AddressError(f"{text!r} is no SIP address; write sip:NAME@HOST") from None
    if not uri.is_sip:
        raise AddressError(f"{text!r} can't be called: an address begins with sip: or sips:")
    return uri


def title_of(uri: Uri) -> str:
    """What to call a place on the screen: its name without a PIN, or its host."""
    if not uri.user:
        return uri.host
    name, dot, pin = uri.user.rpartition(".")
    return name if dot and pin.isdigit() and name else uri.user


def without_pin(uri: Uri) -> Uri:
    """The address without the PIN in its user part."""
    return Uri(uri.scheme, title_of(uri) if uri.user else None, uri.host, uri.port)


def shown(text: str, limit: int = 128) -> str:
    """Text that came from others, fit for a line on the screen: no control or direction marks, no more than `limit`."""
    line = "".join(c for c in text[:4 * limit] if c.isprintable()).strip()
    return line if len(line) <= limit else line[:limit - 1] + "…"


async def resolve(uri: Uri, transport: str, resolver: Resolver) -> tuple[Destination, ...]:
    """Where requests to a URI go, in the order to try (RFC 3263). Raises AddressError with a clear sentence.

    transport: ours, UDP, TCP or TLS, where the URI names none.
    """
    wanted = "TLS" if asks_for_tls(uri, transport) else (uri.parameter("transport") or transport).upper()
    try:
        return await find(uri, resolver, transports=(wanted,), limit_s=LOOKUP_TIMEOUT_S)
    except LookupTimedOut:
        raise AddressError(f"looking up {uri.host} took more than {LOOKUP_TIMEOUT_S:.0f} s; is the network there?") from None
    except NoRoute:
        raise AddressError(f"there is no computer called {uri.host}; check the server's name") from None
