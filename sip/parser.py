"""From bytes to messages (RFC 3261 §7, §18.3), for datagrams and for streams, with limits.

Lines end at CRLF and nowhere else: a bare CR, LF or NUL inside the header block is an error, so that no reader
downstream can see a header that we did not. Whatever the bytes, only ParseError comes out.
"""

from __future__ import annotations

import re

from sip.errors import ParseError
from sip.grammar import TOKEN, number
from sip.headers import Headers, canonical, known_names
from sip.message import Request, Response
from sip.uri import Uri

MAX_MESSAGE = 65536
"""A whole message: the largest UDP datagram, and far above any real message on a stream."""
MAX_HEADER_BLOCK = 16384
"""Start line and headers: real ones stay under 4 KiB."""
MAX_HEADER_LINE = 8192
MAX_HEADERS = 128
KEEP_ALIVE = b"\r\n\r\n"
"""A ping on a stream; answered by a single CRLF (RFC 5626 §3.5.1)."""

_REQUEST_LINE = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]{1,64}) ([^ \t]+) ([A-Za-z]{3}/[0-9.]{1,8})")
_STATUS_LINE = re.compile(r"([Ss][Ii][Pp]/[0-9.]{1,8}) ([1-6][0-9]{2})(?: (.*))?")
_FOLD = re.compile(r"\r\n[ \t]+")
_FOLDED_BYTES = re.compile(rb"\r\n[ \t]+")
_VERSION = re.compile(r"SIP/[0-9.]{1,8}", re.I)
_STRAY = re.compile(r"[\r\n\x00]")
_ONCE = frozenset(("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "expires"))


def parse_message(data: bytes) -> Request | Response:
    """The message in a datagram. Bytes after Content-Length are dropped (§18.3). Raises ParseError."""
    if len(data) > MAX_MESSAGE:
        raise ParseError(f"a message of {len(data)} bytes", status=513)
    end = data.find(b"\r\n\r\n", 0, MAX_HEADER_BLOCK + 4)
    if end < 0:
        raise ParseError("no end of the headers" if len(data) <= MAX_HEADER_BLOCK else "a header block over 16 KiB")
    start_line, headers, length = _parse_head(data[:end].decode("utf-8", "surrogateescape"))
    body = data[end + 4:]
    if length is not None:
        if length > len(body):
            raise ParseError(f"Content-Length {length}, but {len(body)} bytes came")
        body = body[:length]
    return _build(start_line, headers, body)


def _parse_head(text: str) -> tuple[str, Headers, int | None]:
    lines = text.split("\r\n")
    if len(lines) > MAX_HEADERS + 1:
        raise ParseError(f"more than {MAX_HEADERS} headers")
    joined = "".join(lines)
    if "\r" in joined or "\n" in joined or "\x00" in joined:
        raise ParseError("a bare CR, LF or NUL in the headers")
    if len(joined) > MAX_HEADER_LINE and any(len(line) > MAX_HEADER_LINE for line in lines):
        raise ParseError(f"a header line over {MAX_HEADER_LINE} characters")
    items: list[tuple[str, str, str]] = []
    seen: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        known = known_names(name)
        if known is None or not colon:
            if line[:1] in (" ", "\t"):                         # folded (§7.3.1): join the lines and begin again
                return _parse_head(_FOLD.sub(" ", text))
            if not colon:
                raise ParseError(f"no header line: {line[:40]!r}")
            known = canonical(name.rstrip(" \t"))
        key, spelling = known
        value = value.strip(" \t")
        if key in _ONCE:
            if key in seen and (key != "content-length" or seen[key] != value):
                raise ParseError(f"two {spelling} headers")
            seen[key] = value
        items.append((key, spelling, value))
    length = seen.get("content-length")
    return lines[0], Headers(items), None if length is None else number(length, "Content-Length")


def _build(start_line: str, headers: Headers, body: bytes) -> Request | Response:
    if start_line[:4].upper() == "SIP/" and (status := _STATUS_LINE.fullmatch(start_line)) is not None:
        if status[1].upper() != "SIP/2.0":
            raise ParseError(f"version {status[1]}", status=505)
        return Response(int(status[2]), status[3] or "", headers, body)
    line = _REQUEST_LINE.fullmatch(start_line)
    if line is None:
        raise ParseError(f"no start line: {start_line[:40]!r}")
    if line[3].upper() != "SIP/2.0":
        raise ParseError(f"version {line[3]}", status=505)
    return Request(line[1], Uri.parse(line[2]), headers, body)


def salvage(data: bytes) -> Request | None:
    """A broken request's own headers as far as a 400 needs them, or None when not even that can be read.

    Used only to build the refusal of something that `parse_message` raised for.
    """
    end = data.find(b"\r\n\r\n", 0, MAX_HEADER_BLOCK + 4)
    text = (data[:end] if end >= 0 else data[:MAX_HEADER_BLOCK]).decode("utf-8", "surrogateescape")
    lines = _FOLD.sub(" ", text).split("\r\n")[:MAX_HEADERS]
    method = lines[0].partition(" ")[0]
    version = lines[0].rstrip(" \t").rpartition(" ")[2]
    if not TOKEN.fullmatch(method) or method == "ACK" or not _VERSION.fullmatch(version):
        return None
    fields: dict[str, tuple[str, str, str]] = {}
    vias: list[tuple[str, str, str]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or _STRAY.search(line):
            continue
        try:
            key, spelling = canonical(name.rstrip(" \t"))
        except ParseError:
            continue
        if key == "via":
            vias.append((key, spelling, value.strip(" \t")))
        elif key in ("from", "to", "call-id", "cseq"):
            fields.setdefault(key, (key, spelling, value.strip(" \t")))
    if not vias or len(fields) < 4:
        return None
    request = Request(method, Uri("sip", None, "invalid"), Headers([*vias, *fields.values()]))
    try:
        _ = request.via, request.from_, request.to, request.cseq
    except ParseError:
        return None
    return request


class StreamFramer:
    """Cuts a stream into messages by Content-Length (RFC 3261 §18.3), and answers keep-alives (RFC 5626 §3.5.1)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self.pongs_due = 0

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came. Raises ParseError when more is waiting than one message may be long."""
        self._buffer += data
        if len(self._buffer) > 2 * MAX_MESSAGE:
            raise ParseError("more bytes than a message may have", status=513)

    @property
    def is_in_message(self) -> bool:
        """Whether a message has begun and its rest has not come."""
        return bool(self._buffer)

    @property
    def waiting(self) -> bytes:
        """The bytes that are no whole message yet, or none that can be followed."""
        return bytes(self._buffer)

    def next_message(self) -> bytes | None:
        """The bytes of the next whole message, or None. Raises ParseError when the stream can't be followed."""
        self._skip_line_breaks()
        end = self._buffer.find(b"\r\n\r\n", max(0, self._scanned - 3), MAX_HEADER_BLOCK + 4)
        if end < 0:
            if len(self._buffer) > MAX_HEADER_BLOCK:
                raise ParseError("a header block over 16 KiB", status=513)
            self._scanned = len(self._buffer)
            return None
        length = _content_length(bytes(self._buffer[:end]))
        total = end + 4 + length
        if total > MAX_MESSAGE:
            raise ParseError(f"a message of {total} bytes", status=513)
        if len(self._buffer) < total:
            return None
        message = bytes(self._buffer[:total])
        del self._buffer[:total]
        self._scanned = 0
        return message

    @property
    def has_lone_break(self) -> bool:
        """Whether one CRLF is all that waits: a pong, or half of a ping."""
        return bytes(self._buffer) == b"\r\n"

    def drop_lone_break(self) -> None:
        """It was a pong."""
        if self.has_lone_break:
            self._buffer.clear()
            self._scanned = 0

    def _skip_line_breaks(self) -> None:
        while self._buffer[:2] == b"\r\n":
            if self._buffer[:4] == KEEP_ALIVE:
                self.pongs_due += 1
                del self._buffer[:4]
            else:
                if len(self._buffer) < 4 and bytes(self._buffer) in (b"\r\n", b"\r\n\r"):
                    return
                del self._buffer[:2]
            self._scanned = 0


_LENGTH_LINE = re.compile(rb"\r\n(?:[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-[Ll][Ee][Nn][Gg][Tt][Hh]|[lL])[ \t]*:[ \t]*([^\r\n]*)")


def _content_length(head: bytes) -> int:
    if b"\r\n " in head or b"\r\n\t" in head:
        head = _FOLDED_BYTES.sub(b" ", head)
    values = {value.strip(b" \t") for value in _LENGTH_LINE.findall(head)}
    if len(values) != 1:
        raise ParseError("a message on a stream needs one Content-Length")
    return number(values.pop().decode("latin-1"), "Content-Length")
