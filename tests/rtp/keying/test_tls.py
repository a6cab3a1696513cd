"""TLS by fingerprint: both ends between memory buffers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import HandshakeFailed
from rtp.keying.certificate import Certificate, Fingerprint
from rtp.keying.dtls import Role
from rtp.keying.tls import MAX_HANDSHAKE, NOBODY, TlsClosed, TlsConnected, TlsData, TlsDoor, TlsEndpoint, TlsEvent
from tests.rtp.keying.certificates import ALICE, BOB, MALLORY


def pair(client: Certificate = ALICE, server: Certificate = BOB, *, expected_by_client: tuple[Fingerprint, ...] = (),
         expected_by_server: tuple[Fingerprint, ...] = ()) -> tuple[TlsEndpoint, TlsEndpoint]:
    """A client and a server that expect each other, or what they are told to."""
    return (TlsEndpoint(Role.CLIENT, client, expected_by_client or (BOB.fingerprint(),), now=0.0),
            TlsEndpoint(Role.SERVER, server, expected_by_server or (ALICE.fingerprint(),), now=0.0))


def exchange(client: TlsEndpoint, server: TlsEndpoint, piece: int = 100_000) -> None:
    """Carry bytes to and fro until there are none, in pieces."""
    while True:
        ours, theirs = client.data_to_send(), server.data_to_send()
        if not ours and not theirs:
            return
        for data, receiver in ((ours, server), (theirs, client)):
            for start in range(0, len(data), piece):
                receiver.receive_data(data[start:start + piece], 0.0)


def events(endpoint: TlsEndpoint) -> list[TlsEvent]:
    """All that happened."""
    return list(iter(endpoint.next_event, None))


@pytest.mark.parametrize("piece", [1, 100, 100_000])
def test_two_who_know_each_other_connect_whatever_the_pieces(piece: int) -> None:
    client, server = pair()
    exchange(client, server, piece)
    (ours,), (theirs,) = events(client), events(server)
    assert isinstance(ours, TlsConnected) and ours.fingerprint == BOB.fingerprint()
    assert isinstance(theirs, TlsConnected) and theirs.fingerprint == ALICE.fingerprint()
    assert "GCM" in ours.cipher or "CHACHA20" in ours.cipher
    assert client.next_timer() is None and server.next_timer() is None


def test_bytes_go_both_ways_whatever_their_number() -> None:
    client, server = pair()
    exchange(client, server)
    client.send(b"floor request" * 20_000)
    server.send(b"granted")
    exchange(client, server)
    received = b"".join(event.data for event in events(server) if isinstance(event, TlsData))
    assert received == b"floor request" * 20_000
    assert TlsData(b"granted") in events(client)


def test_client_refuses_a_certificate_that_was_not_announced_and_the_server_learns_it() -> None:
    client, server = pair(server=MALLORY)
    exchange(client, server)
    assert client.state == "closed" and server.state == "closed"
    (event,) = events(client)
    assert isinstance(event, TlsClosed) and "fingerprint" in event.reason
    assert all(not isinstance(event, TlsData) for event in events(server))


def test_server_refuses_a_client_that_was_not_announced() -> None:
    client, server = pair(client=MALLORY)
    exchange(client, server)
    (event,) = events(server)
    assert isinstance(event, TlsClosed) and "fingerprint" in event.reason and server.state == "closed"
    assert client.state == "closed"


def test_no_fingerprint_is_never_right() -> None:
    client = TlsEndpoint(Role.CLIENT, ALICE, (), now=0.0)
    server = TlsEndpoint(Role.SERVER, BOB, (ALICE.fingerprint(),), now=0.0)
    exchange(client, server)
    assert client.state == "closed"


def test_nothing_is_sent_before_the_handshake_or_after_the_end() -> None:
    client, server = pair()
    with pytest.raises(HandshakeFailed):
        client.send(b"early")
    exchange(client, server)
    client.close()
    with pytest.raises(HandshakeFailed):
        client.send(b"late")
    exchange(client, server)
    assert events(server)[-1] == TlsClosed("") and server.state == "closed"


def test_connection_that_breaks_off_is_no_proper_end() -> None:
    client, server = pair()
    exchange(client, server)
    server.receive_data(b"", 0.0)
    last = events(server)[-1]
    assert isinstance(last, TlsClosed) and last.reason


def test_handshake_that_takes_too_long_or_too_much_is_given_up() -> None:
    server = pair()[1]
    server.handle_timer(9.9)
    assert server.state == "connecting" and server.next_timer() == 10.0
    server.handle_timer(10.0)
    assert server.state == "closed"
    server = pair()[1]
    for _ in range(MAX_HANDSHAKE // 1000 + 1):
        server.receive_data(b"\x16\x03\x01\x3f\xff" + bytes(995), 0.0)
    assert server.state == "closed"


@given(st.binary(min_size=1, max_size=200)
       | st.binary(max_size=100).map(lambda tail: b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c" + tail))
def test_no_bytes_crash_an_end(data: bytes) -> None:
    for endpoint in pair():
        endpoint.receive_data(data, 0.0)
        assert endpoint.state in ("connecting", "closed")


def test_damaged_record_after_the_handshake_ends_the_connection() -> None:
    client, server = pair()
    exchange(client, server)
    client.send(b"hello")
    data = bytearray(client.data_to_send())
    data[-1] ^= 1
    server.receive_data(bytes(data), 0.0)
    assert server.state == "closed" and TlsData(b"hello") not in events(server)


def test_door_for_strangers_asks_for_no_certificate_and_says_that_it_knows_nobody() -> None:
    client, door = pair()[0], TlsDoor(BOB, now=0.0)
    exchange(client, door)
    (event,) = events(door)
    assert isinstance(event, TlsConnected) and event.fingerprint == NOBODY
    client.send(b"password")
    exchange(client, door)
    assert events(door) == [TlsData(b"password")]
