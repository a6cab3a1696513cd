"""Reads SDP (RFC 8866 §5): tolerant of what phones send, with limits that are checked before any work is done."""

from __future__ import annotations

import re
from ipaddress import ip_address

from rtp.errors import ParseError
from rtp.sdp.model import Attribute, Connection, MediaDescription, SessionDescription

MAX_BYTES = 65536
MAX_LINES = 2000
MAX_MEDIA = 32
MAX_FORMATS = 64
MAX_LINE = 4096

_LINE = re.compile(r"([a-z])=(.*)", re.S)
_MEDIA = re.compile(r"([A-Za-z0-9\-]{1,32}) +([0-9]{1,5})(?:/[0-9]{1,3})? +([A-Za-z0-9/\-]{1,32})((?: +[!-~]{1,64}){1,64}) *")
_ORIGIN = re.compile(r"([^ ]{1,128}) +([0-9]{1,40}) +([0-9]{1,40}) +IN +IP[46] +([^ ]{1,255}) *")
_CONNECTION = re.compile(r"IN +IP([46]) +([^ /]{1,255})(?:/[0-9/]{1,12})? *")
_BANDWIDTH = re.compile(r"([A-Za-z0-9\-]{1,16}):([0-9]{1,10})")
_ATTRIBUTE = re.compile(r"[A-Za-z0-9\-_.!#$%&'*+^`{|}~]{1,128}")


def parse(data: bytes) -> SessionDescription:
    """The session in an SDP body. Lines may end in CRLF or LF. Raises ParseError."""
    if len(data) > MAX_BYTES:
        raise ParseError(f"an SDP of {len(data)} bytes; {MAX_BYTES} are allowed")
    if data.count(b"\n") > MAX_LINES:
        raise ParseError(f"an SDP of more than {MAX_LINES} lines")
    if data.count(b"m=") > 4 * MAX_MEDIA and len(re.findall(rb"(?:^|\n)m=", data)) > MAX_MEDIA:
        raise ParseError(f"more than {MAX_MEDIA} media")
    lines = [line.rstrip("\r") for line in data.decode("utf-8", "replace").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines or lines[0].strip() != "v=0":
        raise ParseError("an SDP begins with v=0")
    return _Reader().read(lines[1:])


class _Level:
    """What stands at the session level, or under one m= line."""

    def __init__(self) -> None:
        self.attributes: list[Attribute] = []
        self.bandwidth: list[tuple[str, int]] = []
        self.connection: Connection | None = None


class _Reader:
    """Collects the session level, then one media description after the other."""

    def __init__(self) -> None:
        self.origin: re.Match[str] | None = None
        self.name = "-"
        self.common = _Level()
        self.media: list[MediaDescription] = []
        self.level = _Level()

    def read(self, lines: list[str]) -> SessionDescription:
        current: MediaDescription | None = None
        for line in lines:
            match = _LINE.fullmatch(line)
            if match is None or len(line) > MAX_LINE:
                raise ParseError(f"no SDP line: {line[:40]!r}")
            kind, value = match[1], match[2]
            if kind == "m":
                self._finish(current)
                current = _parse_media(value)
                if len(self.media) >= MAX_MEDIA:
                    raise ParseError(f"more than {MAX_MEDIA} media")
            else:
                self._take(kind, value)
        self._finish(current)
        if self.origin is None:
            raise ParseError("an SDP without o=")
        username, session_id, version, host = self.origin.groups()
        common = self.common
        return SessionDescription(int(session_id), int(version), host, common.connection, tuple(self.media),
                                  tuple(common.attributes), username, self.name, tuple(common.bandwidth))

    def _take(self, kind: str, value: str) -> None:
        if kind == "a":
            name, colon, rest = value.partition(":")
            if not _ATTRIBUTE.fullmatch(name):
                raise ParseError(f"no attribute: {value[:40]!r}")
            self.level.attributes.append((name, rest if colon else None))
        elif kind == "c":
            self.level.connection = _parse_connection(value)
        elif kind == "o":
            self.origin = _ORIGIN.fullmatch(value)
            if self.origin is None:
                raise ParseError(f"o= was not understood: {value[:40]!r}")
        elif kind == "s":
            self.name = value or "-"
        elif kind == "b" and (match := _BANDWIDTH.fullmatch(value)):
            self.level.bandwidth.append((match[1], int(match[2])))

    def _finish(self, current: MediaDescription | None) -> None:
        level = self.level
        if current is None:
            self.common = level
        else:
            self.media.append(MediaDescription(current.kind, current.port, current.protocol, current.formats,
                                               level.connection, tuple(level.bandwidth), tuple(level.attributes)))
        self.level = _Level()


def _parse_media(value: str) -> MediaDescription:
    match = _MEDIA.fullmatch(value)
    if match is None or int(match[2]) > 65535:
        raise ParseError(f"m= was not understood: {value[:60]!r}")
    formats = tuple(match[4].split())
    if match[3].upper().startswith("RTP/") and not all(f.isascii() and f.isdigit() and int(f) <= 127 for f in formats):
        raise ParseError(f"payload types go from 0 to 127: {value[:60]!r}")
    return MediaDescription(match[1].lower(), int(match[2]), match[3], formats)


def _parse_connection(value: str) -> Connection:
    match = _CONNECTION.fullmatch(value)
    if match is None:
        raise ParseError(f"c= was not understood: {value[:40]!r}")
    try:
        address = ip_address(match[2])
    except ValueError as error:
        raise ParseError(f"c= wants an address, not {match[2][:40]!r}") from error
    if str(address.version) != match[1]:
        raise ParseError(f"c= names IP{match[1]} and gives {match[2][:40]!r}")
    return Connection(str(address), f"IP{match[1]}")
