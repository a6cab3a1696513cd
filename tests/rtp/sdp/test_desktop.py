"""The line of a shared desktop: what a phone offers, what a relay answers, and what neither takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import NegotiationFailed, ParseError
from rtp.keying.certificate import Fingerprint
from rtp.sdp import desktop
from rtp.sdp.model import MediaDescription, SessionDescription
from rtp.sdp.parser import parse

OURS, THEIRS = Fingerprint("sha-256", bytes(range(32))), Fingerprint("sha-256", bytes(32))
WORD = "abcdefghij0123456789abcdef"


def session(line: MediaDescription) -> SessionDescription:
    """A session of that line, over the wire."""
    return parse(bytes(SessionDescription(1, 1, "192.0.2.1", media=(line,))))


def read(line: MediaDescription) -> desktop.DesktopLine:
    """What a line says once it has been sent."""
    sent = session(line)
    assert desktop.is_desktop(sent.media[0])
    return desktop.read(sent, sent.media[0])


def test_a_phone_offers_to_connect_and_shows_its_fingerprint() -> None:
    assert bytes(session(desktop.offer("192.0.2.9", OURS, "sendonly"))).decode().split("\r\n")[4:-1] == [
        "m=application 9 TCP/TLS rfb", "c=IN IP4 192.0.2.9", "a=setup:active", "a=connection:new", "a=sendonly",
        f"a=fingerprint:{OURS}"]


def test_a_relay_answers_with_its_address_and_a_ticket_for_that_end() -> None:
    line = desktop.answer(read(desktop.offer("192.0.2.9", OURS, "recvonly")), "192.0.2.1", 25000, THEIRS, WORD)
    told = desktop.apply_answer(session(line), 0)
    assert told == desktop.DesktopLine("sendonly", "passive", ("192.0.2.1", 25000), (THEIRS,), WORD)


@pytest.mark.parametrize(("direction", "fingerprint", "word"),
                         [("inactive", THEIRS, WORD), ("sendrecv", THEIRS, WORD), ("sendonly", THEIRS, ""),
                          ("sendonly", None, WORD)], ids=["inactive", "both", "no ticket", "no relay yet"])
def test_without_a_seat_the_answer_is_inactive_and_has_no_ticket(direction: str, fingerprint: Fingerprint | None,
                                                                 word: str) -> None:
    line = desktop.answer(read(desktop.offer("192.0.2.9", OURS, direction)), "192.0.2.1", 25000, fingerprint, word)
    told = desktop.apply_answer(session(line), 0)
    assert (told.direction, told.ticket) == ("inactive", "")


def test_a_relay_connects_to_nobody_and_wants_a_fingerprint() -> None:
    for theirs in (desktop.DesktopLine("sendonly", "passive", None, (OURS,)), desktop.DesktopLine("sendonly", "active")):
        with pytest.raises(NegotiationFailed):
            desktop.answer(theirs, "192.0.2.1", 25000, THEIRS, WORD)


@pytest.mark.parametrize("answer", [
    desktop.offer("192.0.2.1", THEIRS).refused(), desktop.offer("192.0.2.1", THEIRS),
    MediaDescription("application", 25000, "TCP/TLS", ("vnc",), attributes=(("setup", "passive"),))],
    ids=["refused", "active", "another format"])
def test_answers_that_lead_nowhere_are_no_desktop(answer: MediaDescription) -> None:
    with pytest.raises(NegotiationFailed):
        desktop.apply_answer(session(answer), 0)
    with pytest.raises(NegotiationFailed):
        desktop.apply_answer(session(answer), 1)


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_nothing_in_the_attributes_raises_another_error(setup: str, ticket: str, fingerprint: str) -> None:
    attributes = (("setup", setup), (desktop.TICKET, ticket), ("fingerprint", fingerprint))
    line = MediaDescription("application", 25000, "TCP/TLS", ("rfb",), attributes=attributes)
    try:
        told = desktop.read(SessionDescription(1, 1, "192.0.2.1", media=(line,)), line)
    except (ParseError, NegotiationFailed):
        return
    assert told.setup in ("active", "passive", "actpass") and (not told.ticket or told.ticket.isalnum())
