"""SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966): parse, write, compare."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from sip.errors import ParseError
from sip.grammar import Parameters, number, write_parameters

_SIP_URI = re.compile(
    r"(?P<scheme>[Ss][Ii][Pp][Ss]?):(?:(?P<user>[^@\s<>\"]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.\-_]{0,253}))(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<parameters>;[^?\s<>\"]*)?(?:\?(?P<headers>[^\s<>\"]*))?"
)
_OTHER_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*):(?P<rest>[^\s<>\"]+)")
MAX_URI = 2048
"""Longer than any URI that names a user, a room or a flow."""


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI. For other schemes than sip and sips all that follows the scheme is in `user` and `host` is empty.

    `host` is in lower case, an IPv6 address without its brackets; `user` keeps its escapes (`%40`) as written.
    """

    scheme: str
    user: str | None
    host: str
    port: int | None = None
    parameters: Parameters = ()
    headers: str = ""

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Read a URI. Raises ParseError, with status 416 for a scheme that is no URI scheme at all."""
        text = text.strip(" \t")
        if len(text) > MAX_URI:
            raise ParseError(f"a URI of {len(text)} characters", status=414)
        match = _SIP_URI.fullmatch(text)
        if match is None:
            other = _OTHER_URI.fullmatch(text)
            if other is None or other["scheme"].lower() in ("sip", "sips"):
                raise ParseError(f"a URI was expected, not {text[:40]!r}")
            return cls(other["scheme"].lower(), other["rest"], "")
        scheme, user, host, port, items, headers = match.groups()
        if host[0] == "[":
            host = host[1:-1]
        return cls(
            scheme.lower(), user, host.lower(), number(port, "port of a URI", 65535) if port else None,
            _uri_parameters(items) if items else (), headers or "",
        )

    def __str__(self) -> str:
        if not self.host:
            return f"{self.scheme}:{self.user}"
        user = "" if self.user is None else f"{self.user}@"
        tail = write_parameters(self.parameters) + (f"?{self.headers}" if self.headers else "")
        return f"{self.scheme}:{user}{self.host_port}{tail}"

    @property
    def host_port(self) -> str:
        """Host with brackets where it is an IPv6 address, and the port where one is given."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def is_sip(self) -> bool:
        """Whether the scheme is sip or sips."""
        return bool(self.host)

    def parameter(self, name: str) -> str | None:
        """The value of a parameter; empty for one without a value, None for one that is not there."""
        for key, value in self.parameters:
            if key == name:
                return value or ""
        return None

    def has_parameter(self, name: str) -> bool:
        """Whether the parameter is there, with or without a value."""
        return any(key == name for key, _ in self.parameters)

    def with_parameter(self, name: str, value: str | None = None) -> Uri:
        """This URI with a parameter set."""
        kept = tuple(item for item in self.parameters if item[0] != name)
        return replace(self, parameters=(*kept, (name, value)))

    def header(self, name: str) -> str | None:
        """The value of a header in the URI (`?Replaces=…`, §19.1.1), unescaped; None for one that is not there."""
        for piece in self.headers.split("&"):
            key, equals, value = piece.partition("=")
            if equals and key.lower() == name.lower():
                return unquote(value)
        return None

    def with_header(self, name: str, value: object) -> Uri:
        """This URI with one more header."""
        return replace(self, headers="&".join([*filter(None, [self.headers]), f"{name}={quote(str(value), safe='')}"]))

    def without_parameters(self) -> Uri:
        """Scheme, user, host and port alone: what names a user or a room."""
        return Uri(self.scheme, self.user, self.host, self.port) if self.parameters or self.headers else self

    def matches(self, other: Uri) -> bool:
        """Whether both are the same by RFC 3261 §19.1.4 (headers are not compared)."""
        if (self.scheme, self.host, self.port) != (other.scheme, other.host, other.port):
            return False
        if unquote(self.user or "") != unquote(other.user or "") or (self.user is None) != (other.user is None):
            return False
        ours, theirs = dict(self.parameters), dict(other.parameters)
        for name in ours.keys() | theirs.keys():
            both = name in ours and name in theirs
            if both and (ours[name] or "").lower() != (theirs[name] or "").lower():
                return False
            if not both and name in ("user", "ttl", "method", "maddr", "transport"):
                return False
        return True


def _uri_parameters(text: str) -> Parameters:
    items = []
    for piece in text[1:].split(";"):
        name, equals, value = piece.partition("=")
        if not name:
            raise ParseError("an empty parameter in a URI")
        items.append((name.lower(), value if equals else None))
    if len(items) > 64:
        raise ParseError("more than 64 parameters in a URI")
    return tuple(items)
