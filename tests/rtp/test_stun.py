"""STUN messages (RFC 8489): the test vectors of RFC 5769 as facts, and that no bytes break the parser."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp import stun
from rtp.errors import ParseError
from rtp.stun import Message, binding_error, binding_request, binding_success, check_fingerprint, check_integrity, is_stun

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae" "802200105354554e207465737420636c69656e74" "002400046e0001ff"
    "80290008932ff9b151263b36" "000600096576746a3a68367659202020" "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf")
RESPONSE_4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae" "8022000b7465737420766563746f7220" "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7" "80280004c07d4c96")
RESPONSE_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae" "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9" "00080014a382954e4be67bf11784c97c8292c275bfe3ed41" "80280004c8fb0b4c")
LONG_TERM = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e" "00060012e3839ee38388e383aae38383e382afe382b90000"
    "0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341" "0014000b6578616d706c652e6f726700"
    "00080014f67024656dd64a3e02b8e0712e85c9a28ca89666")


def test_the_sample_request_of_rfc_5769() -> None:
    message = Message.parse(REQUEST)
    assert (message.kind, message.method, message.transaction_id) == (stun.REQUEST, stun.BINDING, TRANSACTION)
    assert message.value(stun.USERNAME) == b"evtj:h6vY" and message.value(stun.SOFTWARE) == b"STUN test client"
    assert check_integrity(REQUEST, PASSWORD) and check_fingerprint(REQUEST)


@pytest.mark.parametrize(("data", "address"), [
    (RESPONSE_4, ("192.0.2.1", 32853)), (RESPONSE_6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
])
def test_the_sample_responses_of_rfc_5769(data: bytes, address: tuple[str, int]) -> None:
    message = Message.parse(data)
    assert message.kind == stun.SUCCESS and message.mapped_address == address
    assert check_integrity(data, PASSWORD) and check_fingerprint(data)


def test_the_sample_with_long_term_credentials_of_rfc_5769() -> None:
    key = stun.long_term_key("マトリックス", "example.org", "TheMatrIX")
    assert check_integrity(LONG_TERM, key) and not check_integrity(LONG_TERM, b"TheMatrIX")
    assert not check_fingerprint(LONG_TERM)


@pytest.mark.parametrize("data", [REQUEST, RESPONSE_4, RESPONSE_6])
def test_any_changed_byte_is_noticed(data: bytes) -> None:
    for position in range(8, len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x20
        with contextlib.suppress(ParseError):
            assert not (check_fingerprint(bytes(changed)) and check_integrity(bytes(changed), PASSWORD)), position


@pytest.mark.parametrize("source", [("203.0.113.9", 5060), ("2001:db8::9", 65535)])
def test_a_response_tells_where_the_request_came_from(source: tuple[str, int]) -> None:
    request = Message.parse(binding_request(TRANSACTION).encode())
    data = binding_success(request, source).encode(PASSWORD, fingerprint=True)
    answer = Message.parse(data)
    assert answer.transaction_id == request.transaction_id and answer.mapped_address == source
    assert check_integrity(data, PASSWORD) and check_fingerprint(data) and not check_integrity(data, b"another")


def test_an_old_server_tells_the_address_plainly() -> None:
    value = bytes.fromhex("000113c4") + bytes((192, 0, 2, 7))
    message = Message(stun.SUCCESS, stun.BINDING, TRANSACTION, ((stun.MAPPED_ADDRESS, value),))
    assert message.mapped_address == ("192.0.2.7", 5060)


def test_what_must_be_understood_and_is_not_is_refused_by_its_name() -> None:
    request = binding_request(TRANSACTION).with_attribute(0x7FFF, b"x").with_attribute(0xBFFF, b"optional")
    assert request.unknown == (0x7FFF,)
    refusal = Message.parse(binding_error(request, 420, "Unknown Attribute").encode())
    assert refusal.kind == stun.ERROR and refusal.error == (420, "Unknown Attribute")
    assert refusal.value(stun.UNKNOWN_ATTRIBUTES) == b"\x7f\xff"


def test_what_follows_the_integrity_is_passed_over() -> None:
    data = binding_request(TRANSACTION).encode(PASSWORD)
    longer = data[:2] + (len(data) - 20 + 8).to_bytes(2) + data[4:] + bytes.fromhex("00200004deadbeef")
    assert Message.parse(longer).attributes == () and check_integrity(longer, PASSWORD)


def test_media_and_signalling_are_no_stun() -> None:
    assert not is_stun(b"OPTIONS sip:a SIP/2.0\r\n\r\n") and not is_stun(b"\x80" + bytes(27)) and not is_stun(b"")
    assert is_stun(binding_request(TRANSACTION).encode())


@given(st.binary(max_size=120))
def test_no_bytes_raise_anything_but_parse_error(noise: bytes) -> None:
    body = noise[:len(noise) // 4 * 4]
    for data in (noise, b"\x01\x01" + len(body).to_bytes(2) + b"\x21\x12\xa4\x42" + TRANSACTION + body):
        with contextlib.suppress(ParseError):
            message = Message.parse(data)
            _ = message.mapped_address, message.error, message.unknown, check_integrity(data, PASSWORD)
            _ = check_fingerprint(data)


ATTRIBUTES = st.tuples(st.integers(0, 0xFFFF).filter(lambda kind: kind not in (8, 0x8028)), st.binary(max_size=30))
TRANSACTIONS = st.binary(min_size=12, max_size=12)


@given(st.integers(0, 3), st.integers(0, 0xFF), TRANSACTIONS, st.lists(ATTRIBUTES, max_size=6))
def test_parsing_and_writing_are_inverse(kind: int, method: int, transaction: bytes,
                                         attributes: list[tuple[int, bytes]]) -> None:
    message = Message(kind, method, transaction, tuple(attributes))
    assert Message.parse(message.encode(PASSWORD, fingerprint=True)) == message
