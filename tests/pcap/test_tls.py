"""TLS read with a key log: Python's own ssl speaks, between memory buffers, and the session must read what it said."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from pcap.keylog import KeyLog
from pcap.suites import TLS_SUITES
from pcap.tls import TlsSession, hello_of, looks_like_record
from pcap.tls_keys import RecordKeys, exported, next_secret, prf, tls13_keys
from rtp.keying.handshake import drain
from tests.helpers.wire_capture import TlsTalk
from tests.rtp.keying.certificates import ALICE

CHOICES = [
    ("TLSv1_3", "", "TLS_AES_256_GCM_SHA384"),
    ("TLSv1_2", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("TLSv1_2", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("TLSv1_2", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"),
]
Wire = list[tuple[int, bytes]]
LONG = b"SIP/2.0 200 OK\r\n" * 3000


def read(log: str, wire: Wire, step: int = 1 << 20) -> tuple[bytes, bytes, TlsSession]:
    """What both sides said, when the bytes come in pieces of `step`."""
    session = TlsSession(KeyLog(log))
    said = [b"", b""]
    for side, data in wire:
        for start in range(0, len(data), step):
            said[side] += session.receive(side, data[start:start + step])
    return said[0], said[1], session


@pytest.mark.parametrize(("version", "ciphers", "chosen"), CHOICES, ids=[choice[2] for choice in CHOICES])
def test_conversation_is_read_whatever_the_cut_of_its_segments(version: str, ciphers: str, chosen: str) -> None:
    talk = TlsTalk(version, ciphers)
    cipher = talk.ends[0].cipher()
    assert cipher is not None and cipher[0] == chosen
    talk.say(0, b"REGISTER sip:meet.example SIP/2.0\r\n\r\n")
    talk.say(1, LONG)
    talk.say(0, b"\r\n\r\n")
    for step in (1, 7, 1 << 20):
        client, server, session = read(talk.log, talk.wire, step)
        assert client == b"REGISTER sip:meet.example SIP/2.0\r\n\r\n\r\n\r\n" and server == LONG
        assert session.is_readable and session.unread_records == 0


def test_without_the_secrets_nothing_is_read_and_the_records_are_counted() -> None:
    talk = TlsTalk("TLSv1_3")
    talk.say(0, b"OPTIONS")
    client, server, session = read("", talk.wire)
    assert (client, server) == (b"", b"") and not session.is_readable and session.unread_records > 0


def test_secrets_of_the_traffic_alone_read_what_follows_the_handshake() -> None:
    talk = TlsTalk("TLSv1_3")
    talk.say(0, b"OPTIONS")
    talk.say(1, b"200")
    log = "\n".join(line for line in talk.log.splitlines() if "HANDSHAKE" not in line)
    assert read(log, talk.wire)[:2] == (b"OPTIONS", b"200")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_after_a_hole_of_some_records_the_next_ones_are_read_again(version: str) -> None:
    talk = TlsTalk(version)
    for number in range(6):
        talk.say(0, b"message %d" % number)
    session, said = TlsSession(KeyLog(talk.log)), b""
    first = next(index for index, (side, data) in enumerate(talk.wire) if data[0] == 23 and not side and index > 2)
    for index, (side, data) in enumerate(talk.wire):
        if index in (first + 2, first + 3):
            session.lose(side)
        else:
            said += session.receive(side, data) if not side else b""
            if side:
                session.receive(side, data)
    assert said.startswith(b"message 0message 1") and said.endswith(b"message 4message 5") and b"message 2" not in said


def sealed(keys: RecordKeys, sequence: int, kind: int, content: bytes) -> bytes:
    """A record of TLS 1.3 as RFC 8446 §5.2 seals it."""
    inner = content + bytes([kind])
    header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2)
    nonce = (int.from_bytes(keys.iv) ^ sequence).to_bytes(12)
    return header + AESGCM(keys.key).encrypt(nonce, inner, header)


def test_key_update_changes_the_keys_of_its_side() -> None:
    talk = TlsTalk("TLSv1_3")
    session = read(talk.log, talk.wire)[2]
    assert session.client is not None and session.server is not None
    suite = TLS_SUITES[session.server.suite]
    secret = KeyLog(talk.log).secret("CLIENT_TRAFFIC_SECRET_0", session.client.random)
    assert secret is not None
    before, after = tls13_keys(suite, secret), tls13_keys(suite, next_secret(suite, secret))
    wire = [sealed(before, 0, 23, b"before "), sealed(before, 1, 22, b"\x18\0\0\x01\x01"), sealed(after, 0, 23, b"after")]
    assert b"".join(session.receive(0, record) for record in wire) == b"before after" and session.unread_records == 0


def test_first_bytes_tell_a_client_hello_from_everything_else() -> None:
    talk = TlsTalk("TLSv1_3")
    hello = hello_of(talk.wire[0][1])
    assert hello is not None and KeyLog(talk.log).knows(hello.random)
    assert hello_of(talk.wire[1][1]) is None and hello_of(b"INVITE sip:a SIP/2.0") is None and hello_of(b"") is None


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=400) | st.binary(max_size=60).map(
    lambda body: b"\x16\x03\x03" + len(body).to_bytes(2) + body)), max_size=8))
def test_no_bytes_make_a_session_fail(pieces: Wire) -> None:
    session = TlsSession(KeyLog(""))
    assert b"".join(session.receive(side, data) for side, data in pieces) == b""
    assert all(not looks_like_record(data) or len(data) >= 5 for _, data in pieces)


def test_prf_of_tls12_gives_the_published_vector() -> None:
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    out = prf(TLS_SUITES[0xC02F].hash, secret, b"test label", seed, 100)
    assert out.hex().startswith("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_exporter_gives_what_openssl_exports(version: str) -> None:
    lines: list[bytes] = []
    number = {"TLSv1_2": SSL.TLS1_2_VERSION, "TLSv1_3": SSL.TLS1_3_VERSION}[version]
    ends = []
    for is_client in (True, False):
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(number)
        context.set_max_proto_version(number)
        context.use_certificate(ALICE.certificate)
        context.use_privatekey(ALICE.key)
        context.set_keylog_callback(lambda _connection, line: lines.append(line))
        ends.append(SSL.Connection(context, None))
        (ends[-1].set_connect_state if is_client else ends[-1].set_accept_state)()
    wire: Wire = []
    for _ in range(4):
        for side, end in enumerate(ends):
            try:
                end.do_handshake()
            except SSL.WantReadError:
                pass
            if data := drain(end):
                wire.append((side, data))
                ends[1 - side].bio_write(data)
    log = b"\n".join(lines)
    session = read(log.decode(), wire)[2]
    assert session.client is not None and session.server is not None and session.server.is_tls13 == (version == "TLSv1_3")
    secret = KeyLog(log).secret("EXPORTER_SECRET" if session.server.is_tls13 else "CLIENT_RANDOM", session.client.random)
    assert secret is not None
    ours = exported(TLS_SUITES[session.server.suite], session.server.is_tls13, secret,
                    session.client.random + session.server.random, b"EXPORTER_test", 60)
    assert ours == ends[0].export_keying_material(b"EXPORTER_test", 60)
