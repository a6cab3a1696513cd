"""DTLS-SRTP between two ends and a wire that delivers, loses or cuts; strangers before, during and after the handshake.

OpenSSL's retransmission runs by its own clock, so the tests of loss wait for it: all pairs of a test wait at the same time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from rtp.errors import HandshakeFailed
from rtp.keying.certificate import Certificate
from rtp.keying.dtls import (
    MAX_ASSOCIATIONS,
    MTU,
    Address,
    DtlsClosed,
    DtlsConnected,
    DtlsEndpoint,
    DtlsEvent,
    DtlsFailed,
    DtlsRefused,
    Role,
    split_datagrams,
)
from rtp.keying.handshake import drain, make_connection
from rtp.srtp import AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80, SUITES, Suite, receiver, sender
from tests.rtp.keying.certificates import ALICE, BOB, MALLORY, NOW
from tests.rtp.srtp.test_context import packet

A: Address = ("192.0.2.1", 1000)
B: Address = ("192.0.2.2", 2000)
STRANGER: Address = ("203.0.113.9", 9)

Filter = Callable[[bytes, bool], list[bytes]]


def deliver(data: bytes, _from_client: bool) -> list[bytes]:
    """The wire that loses nothing."""
    return [data]


class Pair:
    """A client at A and a server at B, which expect each other. `wire` gives what arrives of a datagram."""

    def __init__(self, wire: Filter = deliver, client: DtlsEndpoint | None = None, server: DtlsEndpoint | None = None) -> None:
        self.client = client or DtlsEndpoint(Role.CLIENT, ALICE, now=0.0, fingerprints=[BOB.fingerprint()])
        self.server = server or DtlsEndpoint(Role.SERVER, BOB, now=0.0, fingerprints=[ALICE.fingerprint()])
        self.wire = wire

    def run(self, now: float = 0.0) -> None:
        """Start, and carry datagrams until there are none."""
        if self.client.state == "new":
            self.client.start(B, now)
        while True:
            ours, theirs = self.client.datagrams_to_send(), self.server.datagrams_to_send()
            if not ours and not theirs:
                return
            for data, destination in ours:
                for arriving in self.wire(data, True) if destination == B else []:
                    self.server.receive_datagram(arriving, A, now)
            for data, destination in theirs:
                for arriving in self.wire(data, False) if destination == A else []:
                    self.client.receive_datagram(arriving, B, now)


def events(endpoint: DtlsEndpoint) -> list[DtlsEvent]:
    """All that happened."""
    return list(iter(endpoint.next_event, None))


def connected(pair: Pair) -> tuple[DtlsConnected, DtlsConnected]:
    """What both ends came to; fails when one did not."""
    ours, theirs = events(pair.client)[-1], events(pair.server)[-1]
    assert isinstance(ours, DtlsConnected) and isinstance(theirs, DtlsConnected)
    return ours, theirs


def hello(certificate: Certificate = MALLORY) -> bytes:
    """A stranger's ClientHello."""
    client = DtlsEndpoint(Role.CLIENT, certificate, now=0.0, fingerprints=[])
    client.start(B, 0.0)
    ((data, _),) = client.datagrams_to_send()
    return data


def test_both_ends_come_to_keys_that_fit() -> None:
    pair = Pair()
    pair.run()
    ours, theirs = connected(pair)
    assert ours.fingerprint == BOB.fingerprint() and theirs.fingerprint == ALICE.fingerprint()
    assert ours.keys.suite is AEAD_AES_128_GCM and (ours.source, theirs.source) == (B, A)
    plain = packet(1)
    for send, receive in ((ours.keys, theirs.keys), (theirs.keys, ours.keys)):
        sealed = sender(send.suite, send.local).protect(plain)
        assert receiver(receive.suite, receive.remote).unprotect(sealed) == plain
    assert pair.client.next_timer() is None and pair.server.next_timer() is None


@pytest.mark.parametrize(("offered", "chosen"), [
    ((AES_CM_128_HMAC_SHA1_80,), AES_CM_128_HMAC_SHA1_80), (tuple(reversed(SUITES)), AEAD_AES_128_GCM),
    ((AES_CM_128_HMAC_SHA1_80, AEAD_AES_256_GCM), AEAD_AES_256_GCM),
])
def test_server_chooses_the_suite_in_our_order(offered: tuple[Suite, ...], chosen: Suite) -> None:
    pair = Pair(client=DtlsEndpoint(Role.CLIENT, ALICE, now=0.0, fingerprints=[BOB.fingerprint()], suites=offered))
    pair.run()
    ours, theirs = connected(pair)
    assert ours.keys.suite is chosen and theirs.keys.suite is chosen
    assert bytes(ours.keys.local) == bytes(theirs.keys.remote) != bytes(ours.keys.remote)


def test_no_profile_in_common_fails_at_both_ends() -> None:
    pair = Pair(client=DtlsEndpoint(Role.CLIENT, ALICE, now=0.0, fingerprints=[BOB.fingerprint()], suites=SUITES[:1]),
                server=DtlsEndpoint(Role.SERVER, BOB, now=0.0, fingerprints=[ALICE.fingerprint()], suites=SUITES[1:]))
    pair.run()
    assert events(pair.client) == [DtlsFailed("no SRTP protection profile in common")]
    assert all(not isinstance(event, DtlsConnected) for event in events(pair.server))


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
def test_fingerprints_of_all_three_functions_are_checked(algorithm: str) -> None:
    pair = Pair(client=DtlsEndpoint(Role.CLIENT, ALICE, now=0.0, fingerprints=[BOB.fingerprint(algorithm)]))
    pair.run()
    connected(pair)
    pair = Pair(client=DtlsEndpoint(Role.CLIENT, ALICE, now=0.0, fingerprints=[MALLORY.fingerprint(algorithm)]))
    pair.run()
    (failed,) = events(pair.client)
    assert isinstance(failed, DtlsFailed) and "fingerprint" in failed.reason and pair.client.state == "failed"


def test_server_turns_away_a_certificate_of_another_and_tells_why() -> None:
    pair = Pair(client=DtlsEndpoint(Role.CLIENT, MALLORY, now=0.0, fingerprints=[BOB.fingerprint()]))
    pair.run()
    (refused,) = events(pair.server)
    assert isinstance(refused, DtlsRefused) and refused.source == A and "fingerprint" in refused.reason
    assert pair.server.state == "connecting" and pair.client.state == "failed"


def test_keys_wait_for_a_fingerprint_that_comes_after_the_handshake() -> None:
    server = DtlsEndpoint(Role.SERVER, BOB, now=0.0)
    pair = Pair(server=server)
    pair.run()
    assert events(server) == [] and server.state == "connecting"
    server.expect([ALICE.fingerprint()], 1.0)
    (event,) = events(server)
    assert isinstance(event, DtlsConnected) and event.source == A


def test_late_fingerprint_that_is_another_gives_no_keys() -> None:
    server = DtlsEndpoint(Role.SERVER, BOB, now=0.0)
    pair = Pair(server=server)
    pair.run()
    server.expect([MALLORY.fingerprint()], 1.0)
    (event,) = events(server)
    assert isinstance(event, DtlsRefused) and server.state == "connecting"


def test_an_empty_list_of_fingerprints_is_never_right() -> None:
    pair = Pair(server=DtlsEndpoint(Role.SERVER, BOB, now=0.0, fingerprints=[]))
    pair.run()
    assert not any(isinstance(event, DtlsConnected) for event in events(pair.server))


class Fragmenting:
    """Cuts each ClientHello into two records in datagrams of their own, as browsers do when it outgrows the MTU; the records
    of the first epoch are numbered anew."""

    def __init__(self) -> None:
        self.count = 0
        self.hellos = 0

    def __call__(self, data: bytes, from_client: bool) -> list[bytes]:
        return [part for record in split_datagrams(data, 1) for part in self.parts(record)] if from_client else [data]

    def parts(self, record: bytes) -> list[bytes]:
        """The records that stand for one."""
        if record[3:5] != b"\0\0":
            return [record]
        if record[0] != 22 or record[13] != 1:
            return [self.numbered(record, record[13:])]
        self.hellos += 1
        message, body = record[13:19], record[25:]
        half = len(body) // 2
        return [self.numbered(record, message + offset.to_bytes(3) + len(part).to_bytes(3) + part)
                for offset, part in ((0, body[:half]), (half, body[half:]))]

    def numbered(self, record: bytes, body: bytes) -> bytes:
        """A record with the next number."""
        self.count += 1
        return record[:5] + (self.count - 1).to_bytes(6) + len(body).to_bytes(2) + body


def test_client_hello_in_two_datagrams_is_put_together() -> None:
    wire = Fragmenting()
    pair = Pair(wire)
    pair.run()
    connected(pair)
    assert wire.hellos == 2


def test_many_strangers_before_the_handshake_take_no_place() -> None:
    pair = Pair()
    for number in range(3 * MAX_ASSOCIATIONS):
        pair.server.receive_datagram(hello(), ("203.0.113.9", number), 0.0)
    assert {data[13] for data, _ in pair.server.datagrams_to_send()} == {3}
    pair.run()
    assert connected(pair)[1].source == A


def test_strangers_hello_amid_the_handshake_and_after_it_does_no_harm() -> None:
    pair = Pair()

    def disturb(data: bytes, from_client: bool) -> list[bytes]:
        if from_client:
            pair.server.receive_datagram(hello(), STRANGER, 0.0)
            pair.server.receive_datagram(hello(), A, 0.0)
        return [data]

    pair.client.start(B, 0.0)
    first = pair.client.datagrams_to_send()
    for data, _ in first:
        pair.server.receive_datagram(data, A, 0.0)
    pair.wire = disturb
    pair.run()
    connected(pair)
    for source in (A, STRANGER):
        pair.server.receive_datagram(hello(), source, 0.0)
    assert pair.server.state == "connected" and events(pair.server) == []
    pair.client.close()
    pair.run()
    assert events(pair.server) == [DtlsClosed()]


def test_stranger_who_ends_a_handshake_is_turned_away_and_the_peer_still_connects() -> None:
    pair = Pair()
    mallory = DtlsEndpoint(Role.CLIENT, MALLORY, now=0.0, fingerprints=[BOB.fingerprint()])
    mallory.start(B, 0.0)
    while out := mallory.datagrams_to_send():
        for data, _ in out:
            pair.server.receive_datagram(data, STRANGER, 0.0)
        for data, destination in pair.server.datagrams_to_send():
            assert destination == STRANGER
            mallory.receive_datagram(data, B, 0.0)
    (refused,) = events(pair.server)
    assert isinstance(refused, DtlsRefused) and mallory.state == "failed"
    pair.run()
    connected(pair)


def test_client_listens_to_none_but_its_server() -> None:
    pair = Pair()
    pair.client.start(B, 0.0)
    pair.client.receive_datagram(b"\x15\xfe\xfd" + bytes(8) + b"\0\x02\x02\x28", STRANGER, 0.0)
    assert pair.client.dropped == 1 and pair.client.state == "connecting"
    pair.run()
    connected(pair)


def test_client_that_is_told_follows_its_server_to_another_address() -> None:
    pair = Pair()
    pair.client.start(B, 0.0)
    ((data, _),) = pair.client.datagrams_to_send()
    pair.server.receive_datagram(data, A, 0.0)
    ((reply, _),) = pair.server.datagrams_to_send()
    pair.client.receive_datagram(reply, STRANGER, 0.0)
    assert pair.client.datagrams_to_send() == []
    pair.client.move(STRANGER)
    pair.client.receive_datagram(reply, STRANGER, 0.0)
    ((data, destination),) = pair.client.datagrams_to_send()
    assert destination == STRANGER
    pair.client.move(B)
    pair.server.receive_datagram(data, A, 0.0)
    pair.run()
    connected(pair)


def raw_client(ciphers: bytes, version: int, profiles: bytes = b"SRTP_AES128_CM_SHA1_80") -> list[DtlsEvent]:
    """What a server says of an OpenSSL client with those ciphers and version."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.set_cipher_list(ciphers)
    context.use_certificate(ALICE.certificate)
    context.use_privatekey(ALICE.key)
    if profiles:
        context.set_tlsext_use_srtp(profiles)
    client, server = make_connection(context, lambda der: True, is_client=True), DtlsEndpoint(
        Role.SERVER, BOB, now=0.0, fingerprints=[ALICE.fingerprint()])
    for _ in range(6):
        try:
            client.do_handshake()
        except SSL.Error:
            pass
        for data in split_datagrams(drain(client)):
            server.receive_datagram(data, A, 0.0)
        for data, _ in server.datagrams_to_send():
            client.bio_write(data)
    return events(server)


@pytest.mark.parametrize(("ciphers", "version"), [
    (b"ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0", 0xFEFD), (b"ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", 0xFEFD),
    (b"DHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256", 0xFEFD), (b"ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0", 0xFEFF),
])
def test_weak_ciphers_and_old_versions_are_refused(ciphers: bytes, version: int) -> None:
    (refused,) = raw_client(ciphers, version)
    assert isinstance(refused, DtlsRefused)


def test_same_client_with_a_good_cipher_is_taken_and_without_srtp_refused() -> None:
    (event,) = raw_client(b"ECDHE-ECDSA-AES128-GCM-SHA256", 0xFEFD)
    assert isinstance(event, DtlsConnected) and event.keys.suite is AES_CM_128_HMAC_SHA1_80
    (event,) = raw_client(b"ECDHE-ECDSA-AES128-GCM-SHA256", 0xFEFD, b"")
    assert event == DtlsRefused(A, "no SRTP protection profile in common")


def test_tags_of_32_bits_are_refused() -> None:
    (event,) = raw_client(b"ECDHE-ECDSA-AES128-GCM-SHA256", 0xFEFD, b"SRTP_AES128_CM_SHA1_32")
    assert event == DtlsRefused(A, "no SRTP protection profile in common")


def test_datagrams_keep_to_the_mtu_however_long_the_certificate() -> None:
    names = x509.SubjectAlternativeName([x509.DNSName(f"a-rather-long-name-{n}.example") for n in range(150)])
    template = BOB.certificate
    builder = x509.CertificateBuilder(template.subject, template.subject, BOB.key.public_key(), 7)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1)).add_extension(names, critical=False)
    long = replace(BOB, certificate=builder.sign(BOB.key, hashes.SHA256()))
    sizes: list[int] = []

    def wire(data: bytes, _from_client: bool) -> list[bytes]:
        sizes.append(len(data))
        return [data]

    pair = Pair(wire, server=DtlsEndpoint(Role.SERVER, long, now=0.0, fingerprints=[ALICE.fingerprint()]),
                client=DtlsEndpoint(Role.CLIENT, ALICE, now=0.0, fingerprints=[long.fingerprint()]))
    pair.run()
    connected(pair)
    assert len(sizes) > 7 and 1000 < max(sizes) <= MTU


def test_records_are_cut_at_their_ends_and_packed() -> None:
    records = [b"\x16\xfe\xfd" + bytes(8) + size.to_bytes(2) + bytes(size) for size in (500, 500, 500, 10, 1187, 1)]
    assert [len(data) for data in split_datagrams(b"".join(records))] == [1026, 536, 1200, 14]
    assert b"".join(split_datagrams(b"".join(records))) == b"".join(records) and split_datagrams(b"") == []


def test_close_notify_reaches_the_peer_and_both_are_closed() -> None:
    pair = Pair()
    pair.run()
    connected(pair)
    pair.server.close()
    pair.run()
    assert events(pair.client) == [DtlsClosed()]
    assert pair.client.state == pair.server.state == "closed"
    pair.client.receive_datagram(hello(), B, 0.0)
    assert pair.client.dropped == 1 and pair.client.datagrams_to_send() == []


def test_peer_that_moved_is_still_understood() -> None:
    pair = Pair()
    pair.run()
    connected(pair)
    pair.client.close()
    ((data, _),) = pair.client.datagrams_to_send()
    pair.server.receive_datagram(b"\x15\xfe\xfd" + bytes(8) + b"\0\x02\x01\0", STRANGER, 0.0)
    assert pair.server.state == "connected"
    pair.server.receive_datagram(data, STRANGER, 0.0)
    assert events(pair.server) == [DtlsClosed()]


@pytest.mark.parametrize("role", list(Role))
def test_handshake_that_never_comes_is_given_up(role: Role) -> None:
    endpoint = DtlsEndpoint(role, ALICE, now=5.0, fingerprints=[BOB.fingerprint()], timeout_s=10.0)
    if role is Role.CLIENT:
        endpoint.start(B, 5.0)
    endpoint.handle_timer(14.9)
    assert endpoint.state == "connecting" and (timer := endpoint.next_timer()) is not None and timer <= 15.0
    endpoint.handle_timer(15.0)
    assert events(endpoint) == [DtlsFailed("no handshake in time")] and endpoint.next_timer() is None


def test_server_cannot_start_and_a_client_only_once() -> None:
    client = DtlsEndpoint(Role.CLIENT, ALICE, now=0.0)
    client.start(B, 0.0)
    for endpoint in (client, DtlsEndpoint(Role.SERVER, BOB, now=0.0)):
        with pytest.raises(HandshakeFailed):
            endpoint.start(B, 0.0)


def wait_for_all(pairs: list[Pair], limit_s: float) -> None:
    """Let all pairs repeat their flights by OpenSSL's clock until all are connected."""
    started = time.monotonic()
    while any("connecting" in (pair.client.state, pair.server.state) for pair in pairs):
        now = time.monotonic() - started
        assert now < limit_s, "a pair did not connect"
        for pair in pairs:
            for endpoint in (pair.client, pair.server):
                endpoint.handle_timer(now)
            pair.run(now)
        timers = [timer for pair in pairs for each in (pair.client, pair.server) if (timer := each.next_timer()) is not None]
        time.sleep(max(0.001, min(0.1, min(timers, default=0.0) - now)))


def losing(number: int) -> Filter:
    """A wire that loses the datagram of that number."""
    seen: list[bytes] = []

    def wire(data: bytes, _from_client: bool) -> list[bytes]:
        seen.append(data)
        return [] if len(seen) == number + 1 else [data]

    return wire


@pytest.mark.loopback
def test_any_one_datagram_may_be_lost() -> None:
    pairs = [Pair(losing(number)) for number in range(7)]
    for pair in pairs:
        pair.run()
    assert sum("connecting" in (pair.client.state, pair.server.state) for pair in pairs) == 6
    wait_for_all(pairs, 25.0)
    for pair in pairs:
        ours, theirs = connected(pair)
        assert bytes(ours.keys.local) == bytes(theirs.keys.remote)


@pytest.mark.long
def test_forty_handshakes_over_a_wire_that_loses_doubles_and_damages() -> None:
    def bad(seed: int) -> Filter:
        source = random.Random(seed)

        def wire(data: bytes, _from_client: bool) -> list[bytes]:
            if source.random() < 0.2:
                return []
            damaged = bytearray(data)
            damaged[source.randrange(len(data))] ^= 1 << source.randrange(8)
            return [bytes(damaged), data] if source.random() < 0.05 and data[3:5] != b"\0\0" else [data] * source.randint(1, 2)

        return wire

    patient = {"now": 0.0, "timeout_s": 200.0}
    pairs = [Pair(bad(seed), DtlsEndpoint(Role.CLIENT, ALICE, fingerprints=[BOB.fingerprint()], **patient),
                  DtlsEndpoint(Role.SERVER, BOB, fingerprints=[ALICE.fingerprint()], **patient)) for seed in range(40)]
    for pair in pairs:
        pair.run()
    wait_for_all(pairs, 200.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=120) | st.binary(max_size=90).map(lambda tail: b"\x16\xfe\xfd" + tail)
                | st.binary(max_size=60).map(lambda tail: b"\x16\xfe\xff" + bytes(8) + b"\0\x50\x01" + tail), max_size=6))
def test_no_bytes_crash_an_end(datagrams: list[bytes]) -> None:
    server = DtlsEndpoint(Role.SERVER, BOB, now=0.0, fingerprints=[ALICE.fingerprint()])
    client = DtlsEndpoint(Role.CLIENT, ALICE, now=0.0, fingerprints=[BOB.fingerprint()])
    client.start(B, 0.0)
    for data in datagrams:
        server.receive_datagram(data, A, 0.0)
        client.receive_datagram(data, B, 0.0)
    assert server.state == "connecting" and client.state in ("connecting", "failed")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 6), st.integers(0, 2**16), st.integers(1, 255), st.booleans())
def test_damaged_and_cut_records_give_no_wrong_keys(number: int, place: int, change: int, is_cut: bool) -> None:
    seen: list[bytes] = []

    def wire(data: bytes, _from_client: bool) -> list[bytes]:
        seen.append(data)
        if len(seen) != number + 1:
            return [data]
        at = place % len(data)
        return [data[:at]] if is_cut else [data[:at] + bytes([data[at] ^ change]) + data[at + 1:]]

    pair = Pair(wire)
    pair.run()
    for endpoint, certificate in ((pair.client, BOB), (pair.server, ALICE)):
        happened = events(endpoint)
        for event in happened:
            assert not isinstance(event, DtlsConnected) or event.fingerprint == certificate.fingerprint()
        was_connected = any(isinstance(event, DtlsConnected) for event in happened)
        assert was_connected or endpoint.role is Role.CLIENT or endpoint.state == "connecting"
