"""BFCP messages: bytes as RFC 8855 draws them, all primitives and attributes both ways, and no bytes that crash a parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.bfcp.attributes import (
    MAX_LENGTH,
    NUMBERS,
    TEXTS,
    Attribute,
    ErrorCode,
    ErrorValue,
    FloorRequestInformation,
    Number,
    RequestStatus,
    StatusOf,
    Supported,
    Text,
    Type,
    Unknown,
    UnknownMandatory,
    UserInformation,
    cut,
    write,
)
from sip.bfcp.message import HEADER, MAX_PAYLOAD, REQUIRED, Message, Primitive, parse
from sip.errors import ParseError

IDS = st.integers(0, 0xFFFF)
BYTES = st.integers(0, 255)
SHORT = st.text(st.characters(codec="utf-8"), max_size=12)
STATUS = st.builds(RequestStatus, BYTES, BYTES)
NAMES = st.text(st.characters(codec="utf-8"), max_size=4)


def states(kind: Type) -> st.SearchStrategy[StatusOf]:
    """FLOOR-REQUEST-STATUS or OVERALL-REQUEST-STATUS."""
    return st.builds(StatusOf, st.just(kind), IDS, st.none() | STATUS, NAMES)


def users(kind: Type) -> st.SearchStrategy[UserInformation]:
    """BENEFICIARY-INFORMATION or REQUESTED-BY-INFORMATION."""
    return st.builds(UserInformation, st.just(kind), IDS, NAMES, NAMES)


INFORMATION = st.builds(
    FloorRequestInformation, IDS, st.lists(states(Type.FLOOR_REQUEST_STATUS), max_size=2).map(tuple),
    st.none() | states(Type.OVERALL_REQUEST_STATUS), st.none() | users(Type.BENEFICIARY_INFORMATION),
    st.none() | users(Type.REQUESTED_BY_INFORMATION), st.none() | st.integers(0, 7), NAMES,
)
ATTRIBUTES: st.SearchStrategy[Attribute] = st.one_of(
    st.builds(Number, st.sampled_from(sorted(NUMBERS - {Type.PRIORITY})), IDS),
    st.builds(Number, st.just(Type.PRIORITY), st.integers(0, 7)),
    st.builds(Text, st.sampled_from(sorted(TEXTS)), SHORT),
    STATUS,
    st.builds(ErrorCode, st.sampled_from(ErrorValue), st.lists(st.integers(0, 127), max_size=5).map(tuple)),
    st.builds(Supported, st.sampled_from([Type.SUPPORTED_ATTRIBUTES, Type.SUPPORTED_PRIMITIVES]),
              st.lists(st.integers(0, 127), max_size=20).map(tuple)),
    users(Type.BENEFICIARY_INFORMATION), users(Type.REQUESTED_BY_INFORMATION), states(Type.FLOOR_REQUEST_STATUS),
    states(Type.OVERALL_REQUEST_STATUS), INFORMATION,
    st.builds(Unknown, st.integers(19, 127), st.just(False), st.binary(max_size=20)),
)
NEEDED: dict[Type, Attribute] = {
    Type.FLOOR_ID: Number(Type.FLOOR_ID, 1), Type.FLOOR_REQUEST_ID: Number(Type.FLOOR_REQUEST_ID, 9),
    Type.FLOOR_REQUEST_INFORMATION: FloorRequestInformation(9, (StatusOf(Type.FLOOR_REQUEST_STATUS, 1),)),
    Type.SUPPORTED_PRIMITIVES: Supported(Type.SUPPORTED_PRIMITIVES, (1, 2)),
    Type.SUPPORTED_ATTRIBUTES: Supported(Type.SUPPORTED_ATTRIBUTES, (1, 2)),
    Type.ERROR_CODE: ErrorCode(ErrorValue.GENERIC),
}


def message(primitive: Primitive, *attributes: Attribute, **how: int) -> Message:
    """A message with what its primitive needs, and what is given."""
    needed = tuple(NEEDED[kind] for kind in sorted(REQUIRED.get(primitive, ())))
    return Message(primitive, how.get("conference", 7), how.get("transaction", 3), how.get("user", 5), needed + attributes)


def test_a_floor_request_has_the_bytes_of_the_rfc() -> None:
    data = bytes(Message(Primitive.FLOOR_REQUEST, 0x01020304, 0x0A0B, 0x0C0D, (
        Number(Type.FLOOR_ID, 1), Text(Type.PARTICIPANT_PROVIDED_INFO, "hi!"), Number(Type.PRIORITY, 2))))
    head = "20010004 01020304 0a0b0c0d"      # version 1, FloorRequest, four units; conference; transaction and user
    assert data.hex(" ", 4) == head + " 05040001 11056869 21000000 09044000"


def test_version_2_shows_the_responder_and_its_version() -> None:
    data = bytes(Message(Primitive.HELLO_ACK, 1, 2, 3, (NEEDED[Type.SUPPORTED_PRIMITIVES], NEEDED[Type.SUPPORTED_ATTRIBUTES]),
                         version=2, is_response=True))
    assert data[0] == 0b010_1_0_000
    assert data[HEADER:].hex(" ", 4) == "17040102 15040204"
    assert parse(data).is_response


def test_length_of_a_grouped_attribute_counts_the_padding_inside() -> None:
    data = write((UserInformation(Type.BENEFICIARY_INFORMATION, 5, "Bob", "sip:b"),))
    name, uri = bytes([12 << 1 | 1, 5]) + b"Bob" + bytes(3), bytes([13 << 1 | 1, 7]) + b"sip:b" + bytes(1)
    assert data == bytes([14 << 1 | 1, 4 + 8 + 8, 0, 5]) + name + uri


@pytest.mark.parametrize("primitive", Primitive, ids=lambda primitive: primitive.name)
def test_every_primitive_is_read_back_as_written(primitive: Primitive) -> None:
    sent = message(primitive)
    assert parse(bytes(sent)) == sent


@given(st.sampled_from(Primitive), st.lists(ATTRIBUTES, max_size=6), st.integers(0, 0xFFFFFFFF), IDS, IDS)
def test_parse_and_write_are_inverse(primitive: Primitive, attributes: list[Attribute], conference: int, transaction: int,
                                     user: int) -> None:
    sent = message(primitive, *attributes, conference=conference, transaction=transaction, user=user)
    assert parse(bytes(sent)) == sent


@given(st.binary(max_size=400))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    try:
        parse(data)
    except ParseError as error:
        assert error.status in set(ErrorValue)


@given(st.sampled_from(Primitive), st.lists(ATTRIBUTES, min_size=1, max_size=4), st.data())
def test_no_damaged_message_crashes_the_parser(primitive: Primitive, attributes: list[Attribute], data: st.DataObject) -> None:
    damaged = bytearray(bytes(message(primitive, *attributes)))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(BYTES)
    try:
        parse(bytes(damaged))
    except ParseError as error:
        assert error.status in set(ErrorValue)


@pytest.mark.parametrize("primitive", sorted(REQUIRED), ids=lambda primitive: primitive.name)
def test_a_message_without_what_it_needs_is_refused(primitive: Primitive) -> None:
    with pytest.raises(ParseError) as caught:
        parse(bytes(Message(primitive, 1, 2, 3)))
    assert caught.value.status == ErrorValue.UNABLE_TO_PARSE


def test_unknown_attributes_are_kept_unless_they_are_mandatory() -> None:
    harmless = message(Primitive.HELLO, Unknown(99, False, b"abc"))
    assert parse(bytes(harmless)).attributes == (Unknown(99, False, b"abc"),)
    with pytest.raises(UnknownMandatory) as caught:
        parse(bytes(message(Primitive.HELLO, Unknown(99, True), Unknown(77, True), Unknown(99, True))))
    assert (caught.value.types, caught.value.status) == ((99, 77), ErrorValue.UNKNOWN_MANDATORY_ATTRIBUTE)


def test_an_unknown_mandatory_attribute_in_a_group_is_found() -> None:
    inner = bytes([99 << 1 | 1, 2, 0, 0])
    group = bytes([14 << 1 | 1, 8, 0, 5]) + inner
    head = bytes(message(Primitive.USER_STATUS))[:2] + (2).to_bytes(2) + bytes(8)
    with pytest.raises(UnknownMandatory):
        parse(head + group)


@pytest.mark.parametrize(("data", "status"), [
    (b"\x20\x0b\x00\x00", ErrorValue.UNABLE_TO_PARSE), (b"\x20\x0b\x00\x01" + bytes(8), ErrorValue.INCORRECT_LENGTH),
    (b"\x60\x0b\x00\x00" + bytes(8), ErrorValue.UNSUPPORTED_VERSION), (b"\x20\x63\x00\x00" + bytes(8), 3),
    (b"\x20\x0b\x00\x01" + bytes(8) + b"\x05\x01\x00\x00", ErrorValue.UNABLE_TO_PARSE),
    (b"\x20\x0b\x00\x01" + bytes(8) + b"\x05\x08\x00\x00", ErrorValue.UNABLE_TO_PARSE),
    (b"\x20\x0b\x00\x01" + bytes(8) + b"\x05\x03\x00\x00", ErrorValue.UNABLE_TO_PARSE),
], ids=["too short", "wrong length", "version 3", "primitive 99", "attribute of one byte", "attribute beyond the end",
        "number of one byte"])
def test_what_is_no_message_names_the_error_to_answer_with(data: bytes, status: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse(data)
    assert caught.value.status == status


def test_what_can_not_be_written_is_no_message() -> None:
    with pytest.raises(ValueError, match="65536"):
        bytes(message(Primitive.HELLO, Number(Type.FLOOR_ID, 65536)))
    with pytest.raises(ValueError, match=str(MAX_LENGTH)):
        bytes(message(Primitive.HELLO, UserInformation(Type.BENEFICIARY_INFORMATION, 1, "n" * 120, "u" * 140)))
    with pytest.raises(ValueError, match=str(MAX_PAYLOAD)):
        bytes(message(Primitive.HELLO, *[Unknown(99, False, bytes(250))] * 66))


@given(st.text(st.characters(codec="utf-8")), st.integers(0, 20))
def test_a_text_is_cut_between_characters(text: str, size: int) -> None:
    short = cut(text, size)
    assert text.startswith(short) and len(short.encode()) <= size
