"""Reads a TLS connection with the secrets of a key log: TLS 1.2 (RFC 5246) and TLS 1.3 (RFC 8446), suites with an AEAD.

`TlsSession` is fed with the bytes of both directions in order and gives back what the applications said. It knows the
hellos, the change of keys, KeyUpdate and a HelloRetryRequest; records that do not open (0-RTT, secrets that were not
logged) are counted. After a hole in the capture it looks for the next record, and for its number, within limits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pcap.hello import CLIENT_HELLO, RETRY, SERVER_HELLO, ClientHello, ServerHello, client_hello, server_hello
from pcap.keylog import KeyLog
from pcap.suites import TLS_SUITES, TlsSuite
from pcap.tls_keys import RecordKeys, next_secret, tls12_keys, tls13_keys

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
FINISHED, KEY_UPDATE = 20, 24
MAX_RECORD = 16384 + 2048
MAX_HANDSHAKE = 65536
MAX_SKIPPED = 64
"""Records that a hole in the capture may have swallowed."""


def looks_like_record(data: bytes) -> bool:
    """Whether bytes begin with a TLS record header (RFC 8446 §5.1)."""
    return (len(data) >= 5 and CHANGE_CIPHER_SPEC <= data[0] <= APPLICATION_DATA and data[1] == 3 and data[2] <= 4
            and int.from_bytes(data[3:5]) <= MAX_RECORD)


def hello_of(data: bytes) -> ClientHello | None:
    """The ClientHello that a connection's first bytes begin with, None for anything else."""
    if not looks_like_record(data) or data[0] != HANDSHAKE or data[5:6] != bytes([CLIENT_HELLO]):
        return None
    return client_hello(data[9:])


@dataclass(slots=True)
class _Direction:
    """One side's stream: bytes that wait for the rest of a record or handshake message, keys, next record number."""

    pending: bytes = b""
    handshake: bytes = b""
    keys: RecordKeys | None = None
    secret: bytes = field(default=b"", repr=False)
    is_established: bool = False
    sequence: int = 0
    has_hole: bool = False


class TlsSession:
    """A connection between two sides; side 0 is the client, who speaks first."""

    def __init__(self, log: KeyLog) -> None:
        self.unread_records = 0
        self.client: ClientHello | None = None
        self.server: ServerHello | None = None
        self._log = log
        self._sides = (_Direction(), _Direction())

    @property
    def is_readable(self) -> bool:
        """Whether the log has this connection's secrets and its suite is known; False before the hellos."""
        return (self.client is not None and self.server is not None and self.server.suite in TLS_SUITES
                and self._log.knows(self.client.random))

    def lose(self, side: int) -> None:
        """Bytes of this side are not in the capture."""
        direction = self._sides[side]
        direction.pending = direction.handshake = b""
        direction.has_hole = True

    def receive(self, side: int, data: bytes) -> bytes:
        """The application data that these bytes complete."""
        direction = self._sides[side]
        if direction.has_hole and not direction.pending and not looks_like_record(data):
            return b""
        direction.pending += data
        out = b""
        while looks_like_record(direction.pending):
            end = 5 + int.from_bytes(direction.pending[3:5])
            if len(direction.pending) < end:
                return out
            record, direction.pending = direction.pending[:end], direction.pending[end:]
            out += self._record(side, record[:5], record[5:])
        if len(direction.pending) >= 5:
            self.lose(side)
        return out

    def _record(self, side: int, header: bytes, fragment: bytes) -> bytes:
        direction, kind = self._sides[side], header[0]
        if kind == CHANGE_CIPHER_SPEC:
            self._change(side)
            return b""
        if direction.keys is not None and (kind == APPLICATION_DATA or not direction.keys.is_tls13):
            content = self._opened(direction, header, fragment)
            if content is None:
                self.unread_records += 1
                return b""
            if direction.keys.is_tls13:
                inner = content.rstrip(b"\0")
                content, kind = inner[:-1], inner[-1] if inner else ALERT
        elif kind == APPLICATION_DATA:
            self.unread_records += 1
            return b""
        else:
            content = fragment
        if kind == HANDSHAKE:
            self._handshake(side, content)
        return content if kind == APPLICATION_DATA else b""

    def _opened(self, direction: _Direction, header: bytes, fragment: bytes) -> bytes | None:
        assert direction.keys is not None
        for skipped in range(MAX_SKIPPED if direction.has_hole else 1):
            content = direction.keys.opened(header, direction.sequence + skipped, fragment)
            if content is not None:
                direction.sequence += skipped + 1
                direction.has_hole = False
                return content
        return None

    def _handshake(self, side: int, content: bytes) -> None:
        direction = self._sides[side]
        direction.handshake += content
        while len(direction.handshake) >= 4:
            end = 4 + int.from_bytes(direction.handshake[1:4])
            if end > MAX_HANDSHAKE:
                direction.handshake = b""
            if len(direction.handshake) < end:
                return
            message, direction.handshake = direction.handshake[:end], direction.handshake[end:]
            self._message(side, message[0], message[4:])

    def _message(self, side: int, kind: int, body: bytes) -> None:
        direction = self._sides[side]
        match kind:
            case _ if kind == CLIENT_HELLO and not side and self.client is None:
                self.client = client_hello(body)
            case _ if kind == SERVER_HELLO and side and self.client is not None and self.server is None:
                hello = server_hello(body)
                if hello is not None and hello.random != RETRY:
                    self.server = hello
                    self._start_tls13()
            case _ if kind == FINISHED and direction.keys is not None and direction.keys.is_tls13:
                self._use(side, self._secret(side, "TRAFFIC_SECRET_0"))
                direction.is_established = True
            case _ if kind == KEY_UPDATE and direction.is_established:
                suite = self._suite()
                if suite is not None and direction.secret:
                    self._use(side, next_secret(suite, direction.secret))

    def _start_tls13(self) -> None:
        """The handshake's keys; without its secrets, the traffic's read what follows, as after a hole."""
        if self.server is None or not self.server.is_tls13:
            return
        for side, direction in enumerate(self._sides):
            secret = self._secret(side, "HANDSHAKE_TRAFFIC_SECRET")
            self._use(side, secret or self._secret(side, "TRAFFIC_SECRET_0"))
            direction.has_hole = direction.is_established = secret is None

    def _change(self, side: int) -> None:
        """ChangeCipherSpec: the keys of TLS 1.2 begin; with TLS 1.3 it has no meaning (RFC 8446 §5)."""
        suite = self._suite()
        if suite is None or self.client is None or self.server is None or self.server.is_tls13:
            return
        master = self._log.secret("CLIENT_RANDOM", self.client.random)
        if master is not None:
            direction = self._sides[side]
            direction.keys = tls12_keys(suite, master, self.client.random, self.server.random)[side]
            direction.sequence, direction.is_established = 0, True

    def _suite(self) -> TlsSuite | None:
        return None if self.server is None else TLS_SUITES.get(self.server.suite)

    def _secret(self, side: int, label: str) -> bytes | None:
        assert self.client is not None
        return self._log.secret(f"{('CLIENT', 'SERVER')[side]}_{label}", self.client.random)

    def _use(self, side: int, secret: bytes | None) -> None:
        suite, direction = self._suite(), self._sides[side]
        if suite is not None and secret is not None:
            direction.secret, direction.keys, direction.sequence = secret, tls13_keys(suite, secret), 0
