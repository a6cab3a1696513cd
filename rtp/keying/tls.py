"""TLS between two who know each other's fingerprint (RFC 8122), for streams that are set up by SDP: BFCP, screen sharing.

    endpoint = TlsEndpoint(Role.CLIENT, certificate, fingerprints, now=now)
    endpoint.receive_data(data, now); out = endpoint.data_to_send(); event = endpoint.next_event()

Both sides show a certificate. Nothing goes in or out before the peer's is the one of the signalling. Version 1.2 or later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from OpenSSL import SSL

from rtp.errors import HandshakeFailed
from rtp.keying.certificate import Certificate, Fingerprint, matches
from rtp.keying.dtls import Role
from rtp.keying.handshake import CHUNK, MISMATCH, drain, make_connection, make_context, peer_certificate, words

TIMEOUT_S = 10.0
"""From the first byte to the end of the handshake."""
MAX_HANDSHAKE = 65536
"""Bytes that a peer may send before the handshake ends; a chain of certificates has a tenth of that."""


@dataclass(frozen=True, slots=True)
class TlsConnected:
    """The peer is who the signalling says."""

    fingerprint: Fingerprint
    cipher: str


@dataclass(frozen=True, slots=True)
class TlsData:
    """Bytes of the peer."""

    data: bytes


@dataclass(frozen=True, slots=True)
class TlsClosed:
    """The connection is over. `reason` is empty after a close_notify; else it must not be trusted that all came."""

    reason: str = ""


TlsEvent = TlsConnected | TlsData | TlsClosed
NOBODY = Fingerprint("none", b"")
"""Whose certificate was not asked for."""


class TlsEndpoint:
    """One end of a connection. `state`: connecting, connected or closed.

    fingerprints: the peer's; none are never right.
    """

    def __init__(self, role: Role, certificate: Certificate, fingerprints: Sequence[Fingerprint], *, now: float,
                 timeout_s: float = TIMEOUT_S) -> None:
        self.role = role
        self.state = "connecting"
        self._expected = tuple(fingerprints)
        self._is_mismatch = False
        self._received = 0
        self._deadline: float | None = now + timeout_s
        self._events: deque[TlsEvent] = deque()
        self._connection = make_connection(self._make_context(certificate), self._verify, is_client=role is Role.CLIENT)
        self._work()

    def receive_data(self, data: bytes, now: float) -> None:
        """Bytes from the connection; empty ones mean that the peer closed it."""
        if self.state == "closed":
            return
        if not data:
            self._close("the connection broke off")
            return
        self._received += len(data)
        if self.state == "connecting" and self._received > MAX_HANDSHAKE:
            self._close("a handshake that does not end")
            return
        for start in range(0, len(data), CHUNK):
            self._connection.bio_write(data[start:start + CHUNK])
            self._work()
            if self.state == "closed":
                return

    def send(self, data: bytes) -> None:
        """Bytes to the peer. Raises HandshakeFailed while, or after, there is no connection to trust."""
        if self.state != "connected":
            raise HandshakeFailed(f"nothing can be sent: the connection is {self.state}")
        for start in range(0, len(data), CHUNK):
            self._connection.sendall(data[start:start + CHUNK])

    def close(self) -> None:
        """Say close_notify."""
        if self.state == "connected":
            self._shut_down()
        self.state, self._deadline = "closed", None

    def data_to_send(self) -> bytes:
        """Bytes for the connection; after `close`, too."""
        return drain(self._connection)

    def next_timer(self) -> float | None:
        """When to call `handle_timer`, None for never."""
        return self._deadline

    def handle_timer(self, now: float) -> None:
        """Give up a handshake whose time is over."""
        if self._deadline is not None and now >= self._deadline:
            self._close("no handshake in time")

    def next_event(self) -> TlsEvent | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    def _make_context(self, certificate: Certificate) -> SSL.Context:
        context = make_context(SSL.TLS_METHOD, certificate)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        return context

    def _verify(self, der: bytes) -> bool:
        self._is_mismatch = not matches(der, self._expected)
        return not self._is_mismatch

    def _work(self) -> None:
        try:
            if self.state == "connecting":
                self._connection.do_handshake()
                self._establish()
            while self.state == "connected":
                self._events.append(TlsData(self._connection.recv(CHUNK)))
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            self._shut_down()
            self._close("")
        except SSL.Error as error:
            self._close(MISMATCH if self._is_mismatch else words(error))

    def _establish(self) -> None:
        der = peer_certificate(self._connection)
        if not matches(der, self._expected):
            self._close(MISMATCH)
            return
        self.state, self._deadline = "connected", None
        self._events.append(TlsConnected(Fingerprint.of(der), self._connection.get_cipher_name() or ""))

    def _close(self, reason: str) -> None:
        self.state, self._deadline = "closed", None
        self._events.append(TlsClosed(reason))

    def _shut_down(self) -> None:
        try:
            self._connection.shutdown()
        except SSL.Error:
            return


class TlsDoor(TlsEndpoint):
    """The server's end for strangers: no certificate is asked for, as who comes will say inside who they are (RFB's X509Plain).

    What it says of itself must be known to them some other way: from an authority, or by its fingerprint. Version 1.2 is spoken
    and no later one: in 1.3 OpenSSL sends tickets behind the handshake, and TigerVNC 1.12 then overlooks what comes with them.
    """

    def __init__(self, certificate: Certificate, *, now: float, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(Role.SERVER, certificate, (), now=now, timeout_s=timeout_s)
        self._connection.set_verify(SSL.VERIFY_NONE)

    def _make_context(self, certificate: Certificate) -> SSL.Context:
        context = super()._make_context(certificate)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        return context

    def _establish(self) -> None:
        self.state, self._deadline = "connected", None
        self._events.append(TlsConnected(NOBODY, self._connection.get_cipher_name() or ""))
