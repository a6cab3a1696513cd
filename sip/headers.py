"""Header fields (RFC 3261 §7.3, §20): the ordered table of a message, and the values of the headers that we act on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sip.errors import LocalProtocolError, ParseError
from sip.grammar import Parameters, number, parameters, quote, split_list, unquote, write_parameters
from sip.uri import Uri

HeaderList = Iterable[tuple[str, object]]
"""Header fields that a caller adds to a message: names, and values that `str` writes."""
COMPACT = {
    "v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact", "l": "Content-Length", "c": "Content-Type",
    "k": "Supported", "s": "Subject", "e": "Content-Encoding", "o": "Event", "u": "Allow-Events", "r": "Refer-To",
    "b": "Referred-By", "x": "Session-Expires", "d": "Request-Disposition", "a": "Accept-Contact",
    "j": "Reject-Contact",
}
"""Compact forms (RFC 3261 §7.3.3 and the registry of header fields)."""

_KNOWN = (
    *COMPACT.values(), "CSeq", "Max-Forwards", "Expires", "Min-Expires", "Route", "Record-Route", "Require", "Allow",
    "Proxy-Require", "Unsupported", "Accept", "Authorization", "Proxy-Authorization", "WWW-Authenticate",
    "Proxy-Authenticate", "Authentication-Info", "User-Agent", "Server", "Reason", "Retry-After", "Warning",
    "Subscription-State", "Info-Package", "Recv-Info", "RAck", "RSeq", "Replaces", "Min-SE", "Path", "Date", "Refer-Sub",
    "Content-Disposition", "P-Asserted-Identity", "P-Preferred-Identity", "Privacy", "Accept-Language", "Accept-Encoding",
    "Timestamp", "Organization", "Priority", "Alert-Info", "Call-Info", "Error-Info", "In-Reply-To", "Reply-To",
    "MIME-Version", "Content-Language", "History-Info", "P-Access-Network-Info", "Session-ID", "Join", "Target-Dialog",
)
_NAMES: dict[str, tuple[str, str]] = {}
for _name in _KNOWN:
    for _spelling in (_name, _name.lower(), _name.upper()):
        _NAMES[_spelling] = (_name.lower(), _name)
for _short, _name in COMPACT.items():
    _NAMES[_short] = _NAMES[_short.upper()] = (_name.lower(), _name)

known_names = _NAMES.get
"""(key, spelling) of a header name in one of its usual spellings, or None: the fast way of `canonical`."""

_NAME = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]{1,128}")
_UNSAFE = re.compile(r"[\r\n\x00]")


def canonical(name: str) -> tuple[str, str]:
    """(key for comparing, spelling to write) of a header name. Raises ParseError for what is no token."""
    known = _NAMES.get(name)
    if known is not None:
        return known
    if not _NAME.fullmatch(name):
        raise ParseError(f"a header name was expected, not {name[:40]!r}")
    key = name.lower()
    return _NAMES.get(key, (key, name))


class Headers:
    """The header fields of a message in order; names compare without regard to case, compact forms are expanded."""

    __slots__ = ("items_",)

    def __init__(self, items: list[tuple[str, str, str]] | None = None) -> None:
        self.items_: list[tuple[str, str, str]] = items if items is not None else []

    def add(self, name: str, value: object) -> None:
        """Append a field. Raises LocalProtocolError for a value that would begin a new line (header injection)."""
        text = str(value)
        if _UNSAFE.search(text):
            raise LocalProtocolError(f"line break or NUL in a value for {name}")
        key, spelling = canonical(name)
        self.items_.append((key, spelling, text))

    def set(self, name: str, value: object) -> None:
        """Replace all fields of that name by one."""
        self.remove(name)
        self.add(name, value)

    def remove(self, name: str) -> None:
        """Drop all fields of that name."""
        key = canonical(name)[0]
        self.items_ = [item for item in self.items_ if item[0] != key]

    def get(self, name: str) -> str | None:
        """The first field's value as it was written, or None."""
        key = canonical(name)[0]
        for item in self.items_:
            if item[0] == key:
                return item[2]
        return None

    def get_lines(self, name: str) -> list[str]:
        """The values of all fields of that name, not split at commas."""
        key = canonical(name)[0]
        return [item[2] for item in self.items_ if item[0] == key]

    def get_all(self, name: str) -> list[str]:
        """The elements of all fields of that name, split at commas."""
        found: list[str] = []
        for line in self.get_lines(name):
            if "," in line:
                found += split_list(line)
            else:
                found.append(line.strip(" \t"))
        return found

    def items(self) -> Iterator[tuple[str, str]]:
        """(name, value) of each field in order."""
        return ((spelling, value) for _, spelling, value in self.items_)

    def __contains__(self, name: str) -> bool:
        key = canonical(name)[0]
        return any(item[0] == key for item in self.items_)

    def __len__(self) -> int:
        return len(self.items_)


_VIA = re.compile(
    r"[Ss][Ii][Pp][ \t]*/[ \t]*2\.0[ \t]*/[ \t]*(?P<transport>[A-Za-z0-9\-]+)[ \t]+"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+)(?:[ \t]*:[ \t]*(?P<port>[0-9]{1,5}))?[ \t]*(?P<parameters>;.*)?"
)


@dataclass(frozen=True, slots=True)
class Via:
    """One hop (RFC 3261 §20.42): `host` without brackets, `parameters` among them branch, received, rport."""

    transport: str
    host: str
    port: int | None = None
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one Via value. Raises ParseError."""
        match = _VIA.fullmatch(text)
        if match is None:
            raise ParseError(f"Via: {text[:40]!r} was not understood")
        transport, host, port, rest = match.groups()
        if host[0] == "[":
            host = host[1:-1]
        items = parameters(rest, "Via") if rest else ()
        return cls(transport.upper(), host, number(port, "Via port", 65535) if port else None, items)

    def parameter(self, name: str) -> str | None:
        """A parameter's value; empty for one without a value, None for one that is not there."""
        for key, value in self.parameters:
            if key == name:
                return value or ""
        return None

    @property
    def branch(self) -> str:
        """The branch, empty when there is none."""
        for key, value in self.parameters:
            if key == "branch":
                return value or ""
        return ""

    def with_parameters(self, **values: str) -> Via:
        """This Via with parameters set in their places, or added."""
        kept = tuple([(key, values.pop(key, old)) for key, old in self.parameters])
        return Via(self.transport, self.host, self.port, (*kept, *values.items()))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {host}{port}{write_parameters(self.parameters)}"


_NAME_ADDR = re.compile(
    r'[ \t]*(?P<name>"[^"\\]*(?:\\.[^"\\]*)*"[ \t]*|[^ \t"<>][^"<>]*|)<(?P<uri>[^<>]*)>[ \t]*(?P<rest>;.*)?', re.S)
_CSEQ = re.compile(r"([0-9]{1,10})[ \t]+([A-Za-z0-9\-.!%*_+`'~]{1,128})")


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A display name, a URI and the header's own parameters (From, To, Contact, Route, Refer-To; RFC 3261 §20.10).

    A Contact of `*` is `is_wildcard`.
    """

    uri: Uri
    display_name: str = ""
    parameters: Parameters = ()
    is_wildcard: bool = False

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Read a name-addr or an addr-spec (whose parameters then are the header's). Raises ParseError."""
        match = _NAME_ADDR.fullmatch(text)
        if match is not None:
            name, uri, rest = match.groups()
            return cls(Uri.parse(uri), unquote(name.rstrip(" \t")) if name else "", parameters(rest, "address") if rest else ())
        if text.strip(" \t") == "*":
            return cls(Uri("", None, ""), is_wildcard=True)
        uri, semicolon, rest = text.strip(" \t").partition(";")
        if "<" in uri or ">" in uri or '"' in uri:
            raise ParseError(f"an address was expected, not {text[:40]!r}")
        return cls(Uri.parse(uri), "", parameters(";" + rest, "address") if semicolon else ())

    def parameter(self, name: str) -> str | None:
        """A header parameter's value; empty for one without a value, None for one that is not there."""
        for key, value in self.parameters:
            if key == name:
                return unquote(value or "")
        return None

    @property
    def tag(self) -> str:
        """The tag, a token, empty when there is none (RFC 3261 §19.3)."""
        for key, value in self.parameters:
            if key == "tag":
                return value or ""
        return ""

    def with_tag(self, tag: str) -> NameAddr:
        """This address with a tag in place of any other."""
        kept = tuple(item for item in self.parameters if item[0] != "tag")
        return NameAddr(self.uri, self.display_name, (*kept, ("tag", tag)) if tag else kept, self.is_wildcard)

    def __str__(self) -> str:
        if self.is_wildcard:
            return "*"
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self.uri}>{write_parameters(self.parameters)}"


@dataclass(frozen=True, slots=True)
class CSeq:
    """Sequence number and method (RFC 3261 §20.16); numbers stay under 2^31 (§8.1.1.5)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read a CSeq. Raises ParseError."""
        match = _CSEQ.fullmatch(text)
        if match is None:
            raise ParseError(f"CSeq: a number and a method were expected, not {text[:40]!r}")
        if (value := int(match[1])) > 0x7FFFFFFF:
            raise ParseError(f"CSeq: {value} is over 2^31")
        return cls(value, match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
