"""Requests and responses (RFC 3261 §7): a start line, headers, a body, and typed views of the headers that we act on.

The views are parsed at first use and kept; they raise ParseError when the header is missing or broken. `respond`
builds a response by the rules of §8.2.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar, overload

from sip.errors import LocalProtocolError, ParseError
from sip.grammar import Parameters, number, parameters, split_first
from sip.headers import CSeq, Headers, NameAddr, Via
from sip.uri import Uri

T = TypeVar("T")

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
    202: "Accepted", 204: "No Notification", 300: "Multiple Choices", 301: "Moved Permanently",
    302: "Moved Temporarily", 305: "Use Proxy", 380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized",
    402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 412: "Conditional Request Failed",
    413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
    423: "Interval Too Brief", 439: "First Hop Lacks Outbound Support", 469: "Bad Info Package", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete",
    485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event",
    491: "Request Pending", 493: "Undecipherable", 500: "Server Internal Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
    513: "Message Too Large", 600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}
"""Reason phrases of RFC 3261 §21 and of the extensions that we use."""

_LINE = re.compile(r"[^\r\n\x00]*")
_COPIED = frozenset(("via", "from", "call-id", "cseq"))


class _View(Generic[T]):
    """An attribute that is computed at first use and then stands in the instance's dictionary."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> _View[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> _View[T] | T:
        if instance is None:
            return self
        value = self.compute(instance)
        instance.__dict__[self.name] = value
        return value


class Message:
    """What requests and responses have in common."""

    def __init__(self, headers: Headers | None = None, body: bytes = b"") -> None:
        self.headers = headers if headers is not None else Headers()
        self.body = body

    def _required(self, name: str) -> str:
        for item in self.headers.items_:
            if item[0] == name:
                return item[2]
        raise ParseError(f"no {name} header")

    @_View
    def vias(self) -> tuple[Via, ...]:
        """All Via values, the latest hop first."""
        return tuple(Via.parse(value) for value in self.headers.get_all("Via"))

    @_View
    def via(self) -> Via:
        """The topmost Via."""
        value = self._required("via")
        return Via.parse(split_first(value)[0] if "," in value else value)

    @_View
    def from_(self) -> NameAddr:
        """Who sent the request."""
        return NameAddr.parse(self._required("from"))

    @_View
    def to(self) -> NameAddr:
        """Whom the request is for."""
        return NameAddr.parse(self._required("to"))

    @_View
    def call_id(self) -> str:
        """The Call-ID."""
        return self._required("call-id").strip(" \t")

    @_View
    def cseq(self) -> CSeq:
        """Sequence number and method."""
        return CSeq.parse(self._required("cseq"))

    @_View
    def contacts(self) -> list[NameAddr]:
        """All Contact values."""
        return [NameAddr.parse(value) for value in self.headers.get_all("Contact")]

    @_View
    def routes(self) -> list[NameAddr]:
        """The Route set of a request."""
        return [NameAddr.parse(value) for value in self.headers.get_all("Route")]

    @_View
    def record_routes(self) -> list[NameAddr]:
        """The Record-Route values, in the order of the message."""
        return [NameAddr.parse(value) for value in self.headers.get_all("Record-Route")]

    @_View
    def max_forwards(self) -> int | None:
        """Hops left, None when the header is missing."""
        value = self.headers.get("Max-Forwards")
        return None if value is None else number(value, "Max-Forwards", 255)

    @_View
    def expires(self) -> int | None:
        """Seconds, None when the header is missing."""
        value = self.headers.get("Expires")
        return None if value is None else number(value, "Expires")

    @_View
    def content_type(self) -> str | None:
        """The body's media type in lower case, without parameters."""
        value = self.headers.get("Content-Type")
        return None if value is None else value.partition(";")[0].strip(" \t").lower()

    @_View
    def require(self) -> frozenset[str]:
        """Option tags that the peer insists on, in lower case."""
        return frozenset(tag.lower() for tag in self.headers.get_all("Require"))

    @_View
    def supported(self) -> frozenset[str]:
        """Option tags that the peer knows, in lower case."""
        return frozenset(tag.lower() for tag in self.headers.get_all("Supported"))

    @_View
    def allow(self) -> frozenset[str]:
        """Methods that the peer takes."""
        return frozenset(self.headers.get_all("Allow"))

    @_View
    def event(self) -> tuple[str, Parameters]:
        """(event package, parameters) of a SUBSCRIBE or NOTIFY; the package is empty when the header is missing."""
        name, semicolon, rest = (self.headers.get("Event") or "").partition(";")
        return name.strip(" \t").lower(), parameters(semicolon + rest, "Event") if semicolon else ()

    def _start_line(self) -> str:
        raise NotImplementedError

    def __bytes__(self) -> bytes:
        lines = [self._start_line()]
        lines += [f"{item[1]}: {item[2]}" for item in self.headers.items_ if item[0] != "content-length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


class Request(Message):
    """A request: `method` in capitals, `uri` parsed."""

    def __init__(self, method: str, uri: Uri, headers: Headers | None = None, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri

    def _start_line(self) -> str:
        return f"{self.method} {self.uri} SIP/2.0"

    def copy(self) -> Request:
        """The same request with a header table of its own, to be changed and sent again."""
        return Request(self.method, self.uri, Headers(list(self.headers.items_)), self.body)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri}>"

    def respond(
        self, status: int, reason: str | None = None, *, to_tag: str | None = None,
        headers: Iterable[tuple[str, object]] = (), body: bytes = b"", content_type: str | None = None,
    ) -> Response:
        """A response to this request (RFC 3261 §8.2.6.2): Via, From, To, Call-ID and CSeq are copied.

        status: 100 to 699; to_tag: added to To when the request had none; headers: further fields; body with its
        content_type. Raises LocalProtocolError for a line break in a value, ParseError when the request lacks To.
        """
        if reason is not None and not _LINE.fullmatch(reason):
            raise LocalProtocolError("line break or NUL in a reason phrase")
        copied = [item for item in self.headers.items_ if item[0] in _COPIED]
        to = self._required("to")
        if to_tag and status > 100 and not self.to.tag:
            to = f"{to};tag={to_tag}" if self.to.parameters or ">" in to else str(self.to.with_tag(to_tag))
        copied.append(("to", "To", to))
        if status == 100:
            copied += [item for item in self.headers.items_ if item[0] == "timestamp"]
        elif status < 300 and self.method != "REGISTER":                # §10.3: a registrar gives no route back
            copied += [item for item in self.headers.items_ if item[0] == "record-route"]
        fields = Headers(copied)
        for name, value in headers:
            fields.add(name, value)
        if body and content_type:
            fields.add("Content-Type", content_type)
        return Response(status, reason or REASONS.get(status, "Unknown"), fields, body)


class Response(Message):
    """A response: `status` from 100 to 699 and its `reason` phrase."""

    def __init__(self, status: int, reason: str, headers: Headers | None = None, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason

    def _start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"
