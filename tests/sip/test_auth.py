"""Digest at both ends (RFC 3261 §22, RFC 7616, RFC 8760): known values, nonces without state, replay, no endless loop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.auth import DigestClient, NonceSource, ReplayGuard, make_challenge, make_ha1, make_response, parse_digest, verify
from sip.errors import ParseError
from sip.message import Request, Response
from sip.parser import parse_message
from tests.helpers.sip_messages import request, response

KEY = b"0123456789abcdef"


def read(data: bytes) -> Request:
    """The request in these bytes."""
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def challenged(*values: str, status: int = 401) -> Response:
    """A refusal with challenges."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    message = parse_message(response(status, extra=tuple(f"{name}: {value}" for value in values)))
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616_3_9_1_are_computed(algorithm: str, expected: str) -> None:
    parameters = {
        "uri": "/dir/index.html",
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "nc": "00000001",
        "qop": "auth",
        "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        "algorithm": algorithm,
    }
    ha1 = make_ha1("Mufasa", "http-auth@example.org", "Circle of Life", algorithm)
    assert make_response(ha1, "GET", parameters) == expected
    assert verify(parameters | {"response": expected.upper()}, "GET", ha1)
    assert not verify(parameters | {"response": expected}, "PUT", ha1)


def test_the_form_without_qop_is_computed() -> None:
    ha1 = make_ha1("Mufasa", "testrealm@host.com", "CircleOfLife")
    credentials = {
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "uri": "/dir/index.html",
        "response": "1949323746fe6a43ef61f9606e7febea",
    }
    assert verify(credentials, "GET", ha1)


def test_parameters_are_read_in_every_spelling() -> None:
    text = 'DIGEST realm="a, \\"b\\"" ,nonce = "x=="  ,  algorithm=MD5,qop="auth,auth-int",stale=TRUE ,'
    assert parse_digest(text) == {
        "realm": 'a, "b"',
        "nonce": "x==",
        "algorithm": "MD5",
        "qop": "auth,auth-int",
        "stale": "TRUE",
    }


@pytest.mark.parametrize(
    "text", ["", "Basic YWJj", 'Digest realm="open', "Digest realm", "Digest " + "a=b," * 40, "Digest ;x=y"]
)
def test_what_is_no_digest_is_an_error(text: str) -> None:
    with pytest.raises(ParseError):
        parse_digest(text)


def test_a_nonce_is_valid_for_its_client_and_its_time() -> None:
    source = NonceSource(KEY, lifetime_s=300)
    nonce = source.make("192.0.2.1", 1000.0)
    assert source.check(nonce, "192.0.2.1", 1299.0) == "valid"
    assert source.check(nonce, "192.0.2.1", 1301.0) == "stale"
    assert source.check(nonce, "192.0.2.2", 1001.0) == "forged"
    assert source.check(nonce, "192.0.2.1", 990.0) == "stale"
    assert NonceSource(b"another key 1234").check(nonce, "192.0.2.1", 1001.0) == "forged"
    assert source.make("192.0.2.1", 1000.5) != nonce


@pytest.mark.parametrize("nonce", ["", "x", "é", "AAAA" * 8, "\udc85", "=" * 32, "A" * 5000])
def test_a_forged_nonce_is_found_out(nonce: str) -> None:
    assert NonceSource(KEY).check(nonce, "192.0.2.1", 0.0) == "forged"


@given(st.dictionaries(st.sampled_from(["uri", "nonce", "nc", "cnonce", "qop", "algorithm", "response"]), st.text(max_size=8)))
def test_verify_never_raises(credentials: dict[str, str]) -> None:
    assert not verify(credentials, "REGISTER", make_ha1("a", "b", "c"))


def test_verify_takes_bytes_that_are_no_utf8() -> None:
    assert not verify({"uri": "sip:\udc85", "nonce": "\udcff", "response": "\udc80"}, "REGISTER", "x")
    assert make_ha1("\udc85", "r", "p") != make_ha1("\udc86", "r", "p")


def test_a_nonce_count_is_taken_once_and_only_upwards() -> None:
    guard = ReplayGuard(limit=3)
    assert guard.is_fresh("n", "00000001")
    assert not guard.is_fresh("n", "00000001")
    assert guard.is_fresh("n", "0000000A")
    assert not guard.is_fresh("n", "00000009")
    assert guard.is_fresh("m", "00000001")
    for bad in ("", "1", "0000000g", "000000001", "٠٠٠٠٠٠٠٢", "00000000"):
        assert not guard.is_fresh("n", bad)


def test_the_replay_guard_is_bounded() -> None:
    guard = ReplayGuard(limit=10)
    for number in range(50):
        assert guard.is_fresh(f"n{number}", "00000001")
    assert not guard.is_fresh("n49", "00000001")
    assert len(guard._highest) == 10


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize(("status", "field"), [(401, "Authorization"), (407, "Proxy-Authorization")])
def test_the_client_answers_what_the_server_verifies(algorithm: str, status: int, field: str) -> None:
    client = DigestClient("alice", 'pass"word\\', entropy=lambda n: bytes(n))
    invite = read(request("INVITE", uri="sip:room@b.example;x=1"))
    challenge = make_challenge('re"alm', "abc", algorithm)
    assert client.authorize(invite, challenged(challenge, status=status))
    credentials = parse_digest(invite.headers.get(field) or "")
    assert (credentials["username"], credentials["uri"], credentials["qop"]) == ("alice", "sip:room@b.example;x=1", "auth")
    assert verify(credentials, "INVITE", make_ha1("alice", 're"alm', 'pass"word\\', algorithm))
    assert not verify(credentials, "INVITE", make_ha1("alice", 're"alm', "wrong", algorithm))


def test_the_nonce_count_rises_with_each_use_of_a_nonce() -> None:
    client = DigestClient("alice", "secret")
    counts = []
    for nonce in ("n1", "n1", "n1", "n2", "n2"):
        message = read(request("REGISTER"))
        assert client.authorize(message, challenged(make_challenge("r", nonce)))
        counts.append(parse_digest(message.headers.get("Authorization") or "")["nc"])
    assert counts == ["00000001", "00000002", "00000003", "00000001", "00000002"]


def test_a_second_refusal_is_answered_only_when_the_nonce_was_stale() -> None:
    client = DigestClient("alice", "secret")
    assert not client.authorize(read(request("INVITE")), challenged(make_challenge("r", "n2")), attempt=2)
    assert client.authorize(read(request("INVITE")), challenged(make_challenge("r", "n2", stale=True)), attempt=2)
    assert not client.authorize(read(request("INVITE")), challenged(make_challenge("r", "n3", stale=True)), attempt=3)


def test_only_the_own_realm_is_answered() -> None:
    client = DigestClient("alice", "secret", realm="mine")
    assert not client.authorize(read(request("INVITE")), challenged(make_challenge("theirs", "n")))
    client = DigestClient("alice", "secret")
    assert client.authorize(read(request("INVITE")), challenged(make_challenge("first", "n")))
    assert not client.authorize(read(request("INVITE")), challenged(make_challenge("second", "n")))


@pytest.mark.parametrize(
    "value", ["Basic realm=x", 'Digest nonce="x"', 'Digest realm="x"', 'Digest realm="r", nonce="n", algorithm=MD5-sess']
)
def test_a_challenge_that_can_not_be_answered_is_not(value: str) -> None:
    message = read(request("INVITE"))
    assert not DigestClient("a", "b").authorize(message, challenged(value))
    assert "Authorization" not in message.headers


def test_the_strongest_known_algorithm_is_chosen() -> None:
    message = read(request("INVITE"))
    values = (
        'Digest realm="r", nonce="0", algorithm=SHA-512-256',
        make_challenge("r", "1"),
        make_challenge("r", "2", "SHA-256"),
    )
    assert DigestClient("a", "b").authorize(message, challenged(*values))
    assert parse_digest(message.headers.get("Authorization") or "")["nonce"] == "2"


def test_opaque_is_given_back_and_qop_only_used_when_offered() -> None:
    message = read(request("INVITE"))
    assert DigestClient("a", "b").authorize(message, challenged('Digest realm="r", nonce="n", opaque="o\\"p"'))
    credentials = parse_digest(message.headers.get("Authorization") or "")
    assert credentials["opaque"] == 'o"p' and "qop" not in credentials and "nc" not in credentials
    assert verify(credentials, "INVITE", make_ha1("a", "r", "b"))


def test_a_retried_request_replaces_its_credentials() -> None:
    client, message = DigestClient("a", "b"), read(request("INVITE"))
    client.authorize(message, challenged(make_challenge("r", "1")))
    client.authorize(message, challenged(make_challenge("r", "2", stale=True)), attempt=2)
    assert len(message.headers.get_lines("Authorization")) == 1


def test_a_password_is_not_in_the_text_of_the_client() -> None:
    assert "secret-word" not in repr(DigestClient("alice", "secret-word"))
