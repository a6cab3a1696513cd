"""Tickets: used once, in time, by whom they were made for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu.relay.tickets import (
    MAX_TICKETS,
    OWNER,
    VIEWER,
    Ticket,
    Tickets,
    digest_of,
    make_word,
)
from rtp.errors import ParseError
from rtp.rfb.preface import PREFACE_SIZE, parse_preface, preface

HIS, HERS = b"h" * 32, b"i" * 32
TICKET = Ticket(5, VIEWER, 7, HIS, 60.0)


def waiting(word: str = "abc") -> Tickets:
    """A store with one ticket."""
    tickets = Tickets()
    tickets.add(digest_of(word), TICKET)
    return tickets


def test_ticket_opens_its_session_once() -> None:
    tickets = waiting()
    assert tickets.redeem("abc", HIS, 1.0) == TICKET
    assert tickets.redeem("abc", HIS, 1.0) is None


def test_ticket_that_was_stolen_opens_nothing_and_is_spent() -> None:
    tickets = waiting()
    assert tickets.redeem("abc", HERS, 1.0) is None
    assert tickets.redeem("abc", HIS, 1.0) is None


def test_expired_or_unknown_ticket_opens_nothing() -> None:
    assert waiting().redeem("abc", HIS, 60.0) is None
    assert waiting().redeem("abd", HIS, 1.0) is None
    tickets = waiting()
    assert tickets.expire(59.9) == [] and tickets.expire(60.0) == [5] and len(tickets) == 0


def test_ticket_of_a_session_that_is_over_opens_nothing() -> None:
    tickets = waiting()
    tickets.forget(5)
    assert tickets.redeem("abc", HIS, 1.0) is None


def test_store_keeps_a_hash_and_no_word_and_is_bounded() -> None:
    tickets = waiting("secret0word")
    assert "secret0word" not in repr(tickets.__dict__)
    for number in range(MAX_TICKETS + 5):
        tickets.add(digest_of(str(number)), Ticket(number, OWNER, 1, HIS, 60.0))
    assert len(tickets) == MAX_TICKETS


@given(st.binary(min_size=16, max_size=16))
def test_word_survives_the_preface(random: bytes) -> None:
    word = make_word(lambda size: random[:size])
    assert parse_preface(preface(word)) == word and len(preface(word)) == PREFACE_SIZE


@given(st.binary(max_size=260))
def test_no_bytes_crash_the_preface(data: bytes) -> None:
    for attempt in (data, b"ID:" + data, (b"ID:" + data)[:PREFACE_SIZE].ljust(PREFACE_SIZE, b"\0")):
        try:
            assert parse_preface(attempt).isalnum()
        except ParseError:
            pass


@pytest.mark.parametrize("data", [b"ID:abc", preface("abc")[:-1] + b"x", preface(""), b"XX" + preface("abc")[2:],
                                  preface("a b"), preface("ü")], ids=["short", "tail", "empty", "head", "space", "umlaut"])
def test_preface_of_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_preface(data)
