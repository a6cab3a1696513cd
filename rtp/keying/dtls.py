"""DTLS-SRTP (RFC 5763, RFC 5764, RFC 8842): keys for SRTP by a handshake on the media path, without a socket.

    endpoint = DtlsEndpoint(Role.SERVER, certificate, now=now, fingerprints=theirs)
    endpoint.receive_datagram(data, source, now)               # what RFC 7983 sorts as DTLS
    for data, destination in endpoint.datagrams_to_send(): ...
    endpoint.next_event()                                      # DtlsConnected(keys, …), DtlsFailed, …

One endpoint serves one component: a call without rtcp-mux needs two. A client begins with `start`. A server keeps an
association for each of a few sources until one of them ends with the right fingerprint, so that a stranger's ClientHello,
before the handshake or in it, takes no place from the peer; a cookie (RFC 6347 §4.2.1) must come back first. Keys come out
only after the fingerprint is checked, and the fingerprint may come after the handshake (RFC 5763 §6.2).

OpenSSL reads the clock itself for its retransmissions: `next_timer` is what it asks for, and a call before its time does
nothing. All else goes by `now`. Data over DTLS (RFC 8831) is passed over.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from OpenSSL import SSL

from rtp.errors import HandshakeFailed
from rtp.keying.certificate import Certificate, Fingerprint, matches
from rtp.keying.handshake import MISMATCH, KeyLog, drain, make_connection, make_context, peer_certificate, words
from rtp.srtp.suites import SUITES, MasterKey, SessionKeys, Suite, suite_of_profile

Address = tuple[str, int]
DTLS_1_2 = 0xFEFD
MTU = 1200
"""Bytes of a datagram: what passes where tunnels take their share of 1500 (and IPv6's least is 1280)."""
MAX_DATAGRAM = 4096
"""No datagram with a flight of a handshake is longer; fragments are at most an MTU."""
MAX_ASSOCIATIONS = 4
"""Sources that a server speaks with at a time until one is known to be the peer."""
TIMEOUT_S = 30.0
"""From the start to the end of a handshake; OpenSSL repeats a flight after 1, 2, 4, 8 s."""
EXPORTER = b"EXTRACTOR-dtls_srtp"
"""The label of RFC 5764 §4.2."""
HEADER = 13
"""Bytes of a record's header."""
CLIENT_HELLO, ALERT, HANDSHAKE, APPLICATION = 1, 21, 22, 23


class Role(Enum):
    """`active` and `passive` of a=setup (RFC 4145 §4)."""

    CLIENT = "active"
    SERVER = "passive"


@dataclass(frozen=True, slots=True)
class DtlsConnected:
    """The handshake is done and the certificate is the one of the signalling."""

    keys: SessionKeys
    fingerprint: Fingerprint
    source: Address


@dataclass(frozen=True, slots=True)
class DtlsRefused:
    """A server turned a source away and goes on waiting for its peer."""

    source: Address
    reason: str


@dataclass(frozen=True, slots=True)
class DtlsFailed:
    """There will be no keys; the text says why, for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class DtlsClosed:
    """The peer said close_notify."""


DtlsEvent = DtlsConnected | DtlsRefused | DtlsFailed | DtlsClosed


class DtlsEndpoint:
    """One end of a DTLS association. `state`: new, connecting, connected, failed or closed; `dropped` counts datagrams.

    fingerprints: the peer's, None until the signalling brings them (`expect`); suites: SRTP's, in the order of choice;
    random: for cookies; key_log: gets the handshake's secrets, where a capture is to be read with them.
    """

    def __init__(self, role: Role, certificate: Certificate, *, now: float, fingerprints: Sequence[Fingerprint] | None = None,
                 suites: Sequence[Suite] = SUITES, timeout_s: float = TIMEOUT_S,
                 random: Callable[[int], bytes] = os.urandom, key_log: KeyLog | None = None) -> None:
        self.role = role
        self.state = "new" if role is Role.CLIENT else "connecting"
        self.dropped = 0
        self._expected = None if fingerprints is None else tuple(fingerprints)
        self._context = _dtls_context(certificate, suites, random(32), key_log)
        self._associations: dict[Address, _Association] = {}
        self._peer: _Association | None = None
        self._timeout_s = timeout_s
        self._deadline: float | None = now + timeout_s if role is Role.SERVER else None
        self._events: deque[DtlsEvent] = deque()
        self._out: list[tuple[bytes, Address]] = []

    def start(self, destination: Address, now: float) -> None:
        """A client's ClientHello goes to this address; datagrams of others are passed over."""
        if self.role is not Role.CLIENT or self.state != "new":
            raise HandshakeFailed(f"a {self.role.name.lower()} in state {self.state} cannot start a handshake")
        self.state, self._deadline = "connecting", now + self._timeout_s
        self._associations[destination] = _Association(self._context, destination, self._is_expected, is_client=True)
        self._advance(self._associations[destination], now)

    def move(self, address: Address) -> None:
        """The peer is at another address now: ICE selected it, or a phone answers our ClientHello from elsewhere than its SDP
        says and the caller takes it for the peer (linphone 5.1 behind a NAT). A server has no peer before the end."""
        association = self._peer
        if association is None and self.role is Role.CLIENT:
            association = next(iter(self._associations.values()), None)
        if association is not None:
            del self._associations[association.source]
            association.source = address
            self._associations[address] = association

    def expect(self, fingerprints: Sequence[Fingerprint], now: float) -> None:
        """What the signalling says of the peer's certificate; a handshake that waited for it ends now."""
        self._expected = tuple(fingerprints)
        for association in list(self._associations.values()):
            self._advance(association, now)

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """A datagram that begins with a byte of 20 to 63 (RFC 7983)."""
        association = self._association_for(data, source)
        if association is None or not HEADER < len(data) <= MAX_DATAGRAM:
            self.dropped += 1
            return
        association.connection.bio_write(data)
        self._advance(association, now)

    def close(self) -> None:
        """Say close_notify and forget the keys."""
        if self._peer is not None and self.state == "connected":
            self._peer.shut_down()
            self._collect(self._peer)
        self._end("closed")

    def next_timer(self) -> float | None:
        """When to call `handle_timer`, None for never."""
        timers = [association.timer for association in self._associations.values() if association.timer is not None]
        if self._deadline is not None:
            timers.append(self._deadline)
        return min(timers, default=None)

    def handle_timer(self, now: float) -> None:
        """Repeat what was not answered; give up when the time is over."""
        if self._deadline is not None and now >= self._deadline:
            waits = any(association.is_done for association in self._associations.values())
            self._end("failed")
            self._events.append(DtlsFailed("the signalling brought no fingerprint" if waits else "no handshake in time"))
            return
        for association in list(self._associations.values()):
            if association.timer is not None and now >= association.timer:
                association.repeat()
                self._advance(association, now)

    def next_event(self) -> DtlsEvent | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Datagrams with where they go."""
        out, self._out = self._out, []
        return out

    def _is_expected(self, der: bytes) -> bool:
        return self._expected is None or matches(der, self._expected)

    def _association_for(self, data: bytes, source: Address) -> _Association | None:
        """The association of a source. A stranger begins one with a ClientHello only; after the end of the handshake,
        the peer may come from another address with what only it can have protected (epoch 1)."""
        if self.state not in ("connecting", "connected"):
            return None
        found = self._associations.get(source)
        if found is not None or (self.role is Role.CLIENT and self._peer is None):
            return found
        if self._peer is not None:
            return self._peer if len(data) > HEADER and data[3:5] != b"\0\0" else None
        if len(data) <= HEADER or data[0] != HANDSHAKE or data[HEADER] != CLIENT_HELLO or not self._has_room():
            return None
        self._associations[source] = _Association(self._context, source, self._is_expected, is_client=False)
        return self._associations[source]

    def _has_room(self) -> bool:
        """Whether one more source may begin; the oldest that did not bring its cookie back makes room."""
        if len(self._associations) < MAX_ASSOCIATIONS:
            return True
        stale = next((source for source, each in self._associations.items() if not each.has_cookie), None)
        if stale is not None:
            del self._associations[stale]
        return stale is not None

    def _advance(self, association: _Association, now: float) -> None:
        """Let OpenSSL work on what came, and see what came of it."""
        closed = False
        if association.failure is None:
            closed = association.work()
        self._collect(association)
        association.set_timer(now)
        if association.failure is not None:
            self._refuse(association)
        elif closed:
            self._end("closed")
            self._events.append(DtlsClosed())
        elif association.is_done and self._peer is None and self._expected is not None:
            self._finish(association)

    def _finish(self, association: _Association) -> None:
        der = peer_certificate(association.connection)
        keys = association.keys(self.role)
        if not matches(der, self._expected or ()):
            association.failure = MISMATCH
        elif keys is None:
            association.failure = "no SRTP protection profile in common"
        if association.failure is not None or keys is None:
            association.shut_down()
            self._collect(association)
            self._refuse(association)
            return
        self.state, self._peer, self._deadline = "connected", association, None
        self._associations = {association.source: association}
        self._events.append(DtlsConnected(keys, Fingerprint.of(der), association.source))

    def _refuse(self, association: _Association) -> None:
        reason = association.failure or ""
        self._associations.pop(association.source, None)
        if association is self._peer or self.role is Role.CLIENT:
            self._end("failed")
            self._events.append(DtlsFailed(reason))
        else:
            self._events.append(DtlsRefused(association.source, reason))

    def _end(self, state: str) -> None:
        self.state, self._deadline, self._peer = state, None, None
        self._associations.clear()

    def _collect(self, association: _Association) -> None:
        self._out += [(data, association.source) for data in split_datagrams(drain(association.connection))]


class _Association:
    """OpenSSL's state for one source."""

    def __init__(self, context: SSL.Context, source: Address, is_expected: Callable[[bytes], bool], *, is_client: bool) -> None:
        self.source = source
        self.is_done = False
        self.has_cookie = is_client
        self.failure: str | None = None
        self.timer: float | None = None
        self._is_expected = is_expected
        self._is_mismatch = False
        self.connection = make_connection(context, self._verify, is_client=is_client)
        self.connection.set_app_data(self)
        self.connection.set_ciphertext_mtu(MTU)

    def _verify(self, der: bytes) -> bool:
        self._is_mismatch = not self._is_expected(der)
        return not self._is_mismatch

    def work(self) -> bool:
        """Go on with the handshake, or read what came after it; whether the peer closed."""
        try:
            if not self.is_done:
                self.connection.do_handshake()
                self.is_done = True
            while True:
                self.connection.recv(MAX_DATAGRAM)
        except SSL.WantReadError:
            return False
        except SSL.ZeroReturnError:
            self.shut_down()
            return True
        except SSL.Error as error:
            self.failure = MISMATCH if self._is_mismatch else words(error)
            return False

    def repeat(self) -> None:
        """Send the last flight again, if OpenSSL finds that its time has come."""
        try:
            self.connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            self.failure = words(error)

    def set_timer(self, now: float) -> None:
        """Note when OpenSSL wants to be asked again."""
        remaining = None if self.failure else self.connection.DTLSv1_get_timeout()
        self.timer = None if remaining is None else now + remaining

    def shut_down(self) -> None:
        """Say close_notify."""
        try:
            self.connection.shutdown()
        except SSL.Error:
            return

    def keys(self, role: Role) -> SessionKeys | None:
        """SRTP's keys (RFC 5764 §4.2): client key, server key, client salt, server salt."""
        suite = suite_of_profile(self.connection.get_selected_srtp_profile().decode("ascii", "replace"))
        if suite is None:
            return None
        data = self.connection.export_keying_material(EXPORTER, 2 * suite.master_length)
        key, salt, salts = suite.key_length, suite.salt_length, 2 * suite.key_length
        client = MasterKey(data[:key], data[salts:salts + salt])
        server = MasterKey(data[key:salts], data[salts + salt:])
        return SessionKeys(suite, client, server) if role is Role.CLIENT else SessionKeys(suite, server, client)


def split_datagrams(data: bytes, mtu: int = MTU) -> list[bytes]:
    """Datagrams of whole records, as many as fit into the MTU; OpenSSL's memory buffer forgets where they ended."""
    out: list[bytes] = []
    current = b""
    position = 0
    while position < len(data):
        end = position + HEADER + int.from_bytes(data[position + 11:position + 13])
        record, position = data[position:end], end
        if current and len(current) + len(record) > mtu:
            out.append(current)
            current = b""
        current += record
    return [*out, current] if current else out


def _dtls_context(certificate: Certificate, suites: Sequence[Suite], secret: bytes, key_log: KeyLog | None) -> SSL.Context:
    context = make_context(SSL.DTLS_METHOD, certificate, key_log)
    context.set_min_proto_version(DTLS_1_2)
    context.set_max_proto_version(DTLS_1_2)
    context.set_options(SSL.OP_NO_QUERY_MTU | (SSL.OP_COOKIE_EXCHANGE or 0))
    context.set_tlsext_use_srtp(":".join(suite.profile for suite in suites if suite.profile).encode())

    def cookie_of(connection: SSL.Connection) -> bytes:
        association: _Association = connection.get_app_data()
        return hmac.digest(secret, repr(association.source).encode(), hashlib.sha256)

    def is_cookie(connection: SSL.Connection, cookie: bytes) -> bool:
        association: _Association = connection.get_app_data()
        association.has_cookie = hmac.compare_digest(cookie, cookie_of(connection))
        return association.has_cookie

    context.set_cookie_generate_callback(cookie_of)
    context.set_cookie_verify_callback(is_cookie)
    return context
