"""What was said over the TCP connections of a capture, in clear where they are plain or the key log has their secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pcap.keylog import Address, KeyLog
from pcap.tcp import HOLE, SYN, Direction, Segment
from pcap.tls import TlsSession, hello_of

MAX_CONNECTIONS = 100_000
"""Connections that are watched; a capture with more is an attack or a week of the web."""
MAX_MESSAGE = 1 << 18
"""Bytes that wait for the rest of a SIP message; more is no SIP."""
_ACK = 0x10

_START = re.compile(rb"(?:SIP/2\.0 [1-6][0-9]{2}|[A-Z][A-Za-z0-9\-.!%*_+`'~]{0,31} [^\r\n]{1,2048} SIP/2\.0\r\n)")
_LENGTH = re.compile(rb"\r\n(?:Content-Length|l)[ \t]*:[ \t]*([0-9]{1,7})[ \t]*\r\n", re.I)

ConnectionName = frozenset[Address]


@dataclass(frozen=True, slots=True)
class Said:
    """Bytes of one side, in order. is_tls: they were protected. data is None where bytes are missing."""

    client: Address
    server: Address
    is_client: bool
    is_tls: bool
    data: bytes | None

    @property
    def name(self) -> ConnectionName:
        """The connection's addresses."""
        return frozenset((self.client, self.server))


@dataclass(slots=True)
class _Connection:
    """A TCP connection. session: None for a plain one; is_known: the first bytes told which it is."""

    client: Address
    server: Address
    session: TlsSession | None = None
    is_known: bool = False
    directions: tuple[Direction, Direction] = field(default_factory=lambda: (Direction(), Direction()))


class TcpStreams:
    """Is fed with segments in the order of the capture. Connections may begin before it."""

    def __init__(self, log: KeyLog) -> None:
        self.readable: set[ConnectionName] = set()
        self.unreadable: set[ConnectionName] = set()
        self.unread_records = 0
        self._log = log
        self._connections: dict[ConnectionName, _Connection] = {}

    def receive(self, segment: Segment) -> list[Said]:
        """What this segment completes."""
        name = frozenset((segment.source, segment.destination))
        connection = self._connections.get(name)
        is_new = segment.flags & SYN and not segment.flags & _ACK and connection is not None and connection.is_known
        if connection is None or is_new:
            if len(self._connections) >= MAX_CONNECTIONS:
                return []
            connection = self._connections[name] = _opened(segment)
        side = 0 if segment.source == connection.client else 1
        return [said for piece in connection.directions[side].push(segment)
                if (said := self._piece(name, connection, side, piece)) is not None]

    def _piece(self, name: ConnectionName, connection: _Connection, side: int, piece: bytes | None) -> Said | None:
        if not connection.is_known and piece is not HOLE:
            connection.is_known = True
            hello = hello_of(piece) if side == 0 else None
            if hello is not None:
                connection.session = TlsSession(self._log)
                (self.readable if self._log.knows(hello.random) else self.unreadable).add(name)
        session = connection.session
        data = piece
        if session is not None:
            if piece is HOLE:
                session.lose(side)
            else:
                before = session.unread_records
                data = session.receive(side, piece)
                self.unread_records += session.unread_records - before
        if data == b"":
            return None
        return Said(connection.client, connection.server, side == 0, session is not None, data)


class SipFramer:
    """Cuts one side's bytes into SIP messages (RFC 3261 §18.3); what is no SIP comes out as it came."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes | None) -> list[bytes]:
        """Whole messages, keep-alives and other bytes that are complete with these; None for missing bytes."""
        if data is None:
            return self.finish()
        self._pending += data
        out = []
        while self._pending:
            size = self._next_size()
            if not size:
                break
            out.append(self._pending[:size])
            self._pending = self._pending[size:]
        return out

    def finish(self) -> list[bytes]:
        """What waits still."""
        rest, self._pending = self._pending, b""
        return [rest] if rest else []

    def _next_size(self) -> int:
        """Bytes of the next piece, 0 to wait for more."""
        pending = self._pending
        blanks = len(pending) - len(pending.lstrip(b"\r\n"))
        if blanks:
            return blanks
        if _START.match(pending) is None:
            is_short = b"\r\n" not in pending and len(pending) < 4096 and pending[:1].isalpha()
            return 0 if is_short else len(pending)
        end = pending.find(b"\r\n\r\n")
        length = _LENGTH.search(pending, 0, end + 2) if end >= 0 else None
        size = end + 4 + (int(length[1]) if length else 0)
        if end < 0 or size > len(pending):
            return 0 if len(pending) < MAX_MESSAGE else len(pending)
        return size


class Framers:
    """A framer for each side of each connection."""

    def __init__(self) -> None:
        self._framers: dict[tuple[ConnectionName, bool], tuple[Said, SipFramer]] = {}

    def feed(self, said: Said) -> list[bytes]:
        """The messages that a piece completes."""
        return self._framers.setdefault((said.name, said.is_client), (said, SipFramer()))[1].feed(said.data)

    def finish(self) -> Iterator[tuple[Said, bytes]]:
        """What waits still, and whose it is."""
        for said, framer in self._framers.values():
            for message in framer.finish():
                yield said, message


def _opened(segment: Segment) -> _Connection:
    """A new connection; who spoke first is its client, unless the segment answers a SYN."""
    client, server = segment.source, segment.destination
    if segment.flags & SYN and segment.flags & _ACK:
        client, server = server, client
    return _Connection(client, server)
