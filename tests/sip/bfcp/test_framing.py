"""BFCP on the wire: messages out of a stream in any pieces, fragments in any order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.bfcp.attributes import ErrorValue, FloorRequestInformation, StatusOf, Text, Type
from sip.bfcp.framing import MAX_OPEN, REASSEMBLY_S, Reassembler, StreamReader, fragments
from sip.bfcp.message import HEADER, Header, Message, Primitive, parse, parse_payload
from sip.errors import ParseError


def hello(transaction: int, text: str = "") -> bytes:
    """A Hello over a stream."""
    return bytes(Message(Primitive.HELLO, 1, transaction, 2, (Text(Type.STATUS_INFO, text),) if text else ()))


def long_status(count: int = 40, transaction: int = 1) -> Message:
    """A FloorStatus over UDP that is longer than a datagram should be."""
    floor = StatusOf(Type.FLOOR_REQUEST_STATUS, 1, None, "wants to speak")
    requests = tuple(FloorRequestInformation(number, (floor,), info=f"{number}" * 30) for number in range(1, count + 1))
    return Message(Primitive.FLOOR_STATUS, 1, transaction, 2, requests, version=2)


@pytest.mark.parametrize("size", [1, 3, 17, 1000])
def test_a_stream_gives_its_messages_whatever_the_pieces(size: int) -> None:
    reader, stream = StreamReader(), hello(1) + hello(2, "text") + hello(3)
    found = [framed for start in range(0, len(stream), size) for framed in reader.receive(stream[start:start + size])]
    assert [header.transaction_id for header, _ in found] == [1, 2, 3]
    assert parse_payload(*found[1]).text(Type.STATUS_INFO) == "text"
    assert not reader.is_waiting_for_rest and reader.trouble is None


@pytest.mark.parametrize(("data", "status"), [
    (b"\x48\x0b\x00\x00" + bytes(8), ErrorValue.UNSUPPORTED_VERSION),
    (b"\x20\x0b\xff\xff" + bytes(8), ErrorValue.INCORRECT_LENGTH),
], ids=["version 2", "a length of 262140"])
def test_a_stream_that_is_lost_gives_what_came_before(data: bytes, status: int) -> None:
    reader = StreamReader()
    found = reader.receive(hello(1) + data)
    assert [header.transaction_id for header, _ in found] == [1]
    assert reader.trouble is not None and reader.trouble[1].status == status
    assert reader.receive(hello(2)) == []


def test_half_a_message_is_waited_for() -> None:
    reader = StreamReader()
    assert reader.receive(hello(1)[:5]) == [] and reader.is_waiting_for_rest


@given(st.integers(40, 1500), st.integers(0, 1000), st.integers(1, 40))
def test_fragments_make_the_message_again_in_any_order(mtu: int, seed: int, count: int) -> None:
    message = long_status(count)
    datagrams = fragments(message, mtu)
    assert all(len(each) <= mtu for each in datagrams)
    assert (len(datagrams) == 1) == (len(bytes(message)) <= mtu)
    shuffled = datagrams + random.Random(seed).choices(datagrams[:-1] or datagrams, k=len(datagrams) > 1)
    random.Random(seed).shuffle(shuffled)
    reassembler = Reassembler()
    whole = [framed for each in shuffled if (framed := reassembler.receive(each, 0.0)) is not None]
    assert parse_payload(*whole[0]) == message


def test_each_fragment_says_where_it_belongs() -> None:
    message = long_status()
    headers = [Header.parse(each) for each in fragments(message, 600)]
    total = len(bytes(message)) - HEADER
    assert all(header.fragment is not None and header.length == total for header in headers)
    assert [header.fragment for header in headers][:2] == [(0, 584), (584, 584)]
    assert len({header.transaction_id for header in headers}) == 1


def test_a_fragment_alone_is_no_message() -> None:
    with pytest.raises(ParseError):
        parse(fragments(long_status(), 600)[0])


def test_half_a_message_is_forgotten_after_its_time() -> None:
    first, *rest = fragments(long_status(), 600)
    reassembler = Reassembler()
    reassembler.receive(first, 0.0)
    assert all(reassembler.receive(each, REASSEMBLY_S + 0.1) is None for each in rest)


def test_a_flood_of_first_fragments_is_not_kept() -> None:
    reassembler = Reassembler()
    for transaction in range(1, 500):
        reassembler.receive(fragments(long_status(transaction=transaction), 600)[0], 0.0)
    assert len(reassembler._partial) == MAX_OPEN


@pytest.mark.parametrize(("offset", "length", "size"), [(0, 0, 0), (0, 8, 4), (20000, 4, 4)],
                         ids=["empty", "shorter than it says", "behind the end"])
def test_a_lying_fragment_is_refused(offset: int, length: int, size: int) -> None:
    header = Header(Primitive.HELLO, 1, 2, 3, version=2, length=400, fragment=(offset, length))
    with pytest.raises(ParseError) as caught:
        Reassembler().receive(bytes(header) + bytes(size), 0.0)
    assert caught.value.status == ErrorValue.INCORRECT_LENGTH


def test_fragments_that_overlap_are_refused() -> None:
    reassembler = Reassembler()
    pieces = [bytes(Header(Primitive.HELLO, 1, 2, 3, version=2, length=400, fragment=each)) + bytes(each[1])
              for each in ((0, 200), (100, 100), (300, 100))]
    assert [reassembler.receive(piece, 0.0) for piece in pieces[:2]] == [None, None]
    with pytest.raises(ParseError):
        reassembler.receive(pieces[2], 0.0)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_datagram_crashes_the_reassembler(datagrams: list[bytes]) -> None:
    reassembler = Reassembler()
    for data in datagrams:
        try:
            reassembler.receive(b"\x48" + data, 0.0)
        except ParseError as error:
            assert error.status in set(ErrorValue)
