"""Ladders: columns and arrows of a call, in characters and as SVG, whatever stands in the messages."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.keylog import Address
from pcap.ladder import Arrow, Ladder
from pcap.ladder_svg import as_svg
from pcap.ladder_text import as_text, columns_of, fitted
from pcap.sip_ladder import SeenMessage, SeenStream, sip_ladder
from sip.parser import parse_message

ALICE, PROXY, BOB = ("192.0.2.1", 5060), ("192.0.2.2", 5060), ("192.0.2.3", 5062)
SECOND = 10**9
EVIL = "</title><script>alert(1)</script>\x1b[31m"


def message(number: int, source: Address, destination: Address, start: str, *lines: str, sdp: str = "") -> SeenMessage:
    """A message of a call from alice to bob, a second after the one before."""
    head = [start, "Via: SIP/2.0/UDP 192.0.2.1", "From: <sip:alice@a.example>;tag=1", "To: <sip:bob@b.example>", "Call-ID: x",
            *lines, f"Content-Length: {len(sdp)}", "", ""]
    return SeenMessage(number, number * SECOND, source, destination, parse_message("\r\n".join(head).encode() + sdp.encode()))


def sdp(host: str, port: int, codecs: str = "0 8 101", extra: str = "") -> str:
    """A description with one stream."""
    return f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP {codecs}\r\n{extra}"


def a_call() -> list[SeenMessage]:
    """A call through a proxy, refused at last."""
    return [
        message(1, ALICE, PROXY, "INVITE sip:bob@b.example SIP/2.0", "CSeq: 1 INVITE", sdp=sdp("192.0.2.1", 4000)),
        message(2, ALICE, PROXY, "INVITE sip:bob@b.example SIP/2.0", "CSeq: 1 INVITE", sdp=sdp("192.0.2.1", 4000)),
        message(3, PROXY, ALICE, "SIP/2.0 100 Trying", "CSeq: 1 INVITE"),
        message(4, PROXY, BOB, "INVITE sip:bob@192.0.2.3 SIP/2.0", "CSeq: 1 INVITE", sdp=sdp("192.0.2.1", 4000)),
        message(5, BOB, PROXY, "SIP/2.0 200 OK", "CSeq: 1 INVITE", sdp=sdp("192.0.2.3", 6000, "8", "a=sendonly\r\n")),
        message(6, PROXY, ALICE, "SIP/2.0 486 Busy Here", "CSeq: 1 INVITE", f"Warning: 399 x {EVIL.replace(chr(27), '')}"),
        message(7, ALICE, PROXY, "BYE sip:bob@b.example SIP/2.0", "CSeq: 2 BYE", 'Reason: Q.850;cause=16;text="done"'),
        message(8, PROXY, ALICE, "SIP/2.0 200 OK", "CSeq: 2 BYE"),
    ]


def test_columns_are_the_hosts_with_their_people_and_arrows_say_what_matters() -> None:
    ladder = sip_ladder("a call", a_call())
    assert ladder.columns == ("192.0.2.1:5060  alice", "192.0.2.2:5060  bob", "192.0.2.3:5062  bob")
    assert [(arrow.source, arrow.destination, arrow.label, arrow.kind) for arrow in ladder.arrows] == [
        (0, 1, "INVITE", "request"), (0, 1, "INVITE", "request"), (1, 0, "100 Trying", "provisional"),
        (1, 2, "INVITE", "request"), (2, 1, "200 OK", "success"), (1, 0, "486 Busy Here", "failure"),
        (0, 1, "BYE", "request"), (1, 0, "200 OK", "success")]
    assert [arrow.is_repeated for arrow in ladder.arrows] == [False, True, *[False] * 6]
    notes = [arrow.note for arrow in ladder.arrows]
    assert (notes[0], notes[4], notes[7]) == ("audio PCMU PCMA", "audio PCMA sendonly", "(BYE)") and "cause=16" in notes[6]


def test_media_goes_under_the_party_whose_sdp_named_its_address() -> None:
    streams = [SeenStream(("198.51.100.9", 4000), ("192.0.2.1", 4000), 9 * SECOND, 20 * SECOND, "RTP pcma", "550 packets"),
               SeenStream(("192.0.2.3", 6000), ("192.0.2.1", 4000), 9 * SECOND, 9 * SECOND + 1, "RTP pcma", "4 packets")]
    ladder = sip_ladder("", a_call(), streams)
    media = [(arrow.source, arrow.destination, arrow.note) for arrow in ladder.arrows if arrow.is_media]
    assert media == [(3, 0, "begins"), (2, 0, "4 packets"), (3, 0, "550 packets")] and ladder.columns[3] == "198.51.100.9:4000"


def test_parties_on_one_host_are_told_apart_by_their_ports() -> None:
    a, b = ("127.0.0.1", 5060), ("127.0.0.1", 5070)
    ladder = sip_ladder("", [message(1, a, b, "OPTIONS sip:b SIP/2.0", "CSeq: 1 OPTIONS")])
    assert ladder.columns == ("127.0.0.1:5060  alice", "127.0.0.1:5070  bob")


@pytest.mark.parametrize("width", [40, 80, 132, 200])
def test_lines_of_the_text_stand_under_each_other_and_keep_to_the_width(width: int) -> None:
    lines = as_text(sip_ladder("t", a_call()), width).split("\n")[2:]
    bars = {tuple(index for index, sign in enumerate(line) if sign == "│") for line in lines}
    everywhere = set(max(bars, key=len))
    assert len(everywhere) == 3 and all(set(one) <= everywhere for one in bars)
    assert all(columns_of(line) <= max(width, 60) for line in lines)
    assert "again INVITE" in lines[1] or width < 60


def test_text_holds_nothing_that_steers_a_terminal() -> None:
    arrow = Arrow(0, 0, 1, EVIL, "failure", "note\r\n\x07")
    text = as_text(Ladder(EVIL, (EVIL, "b"), (arrow,)))
    assert not any(sign in text for sign in "\x1b\r\x07")


def test_svg_is_well_formed_and_holds_the_text_as_text() -> None:
    arrow = Arrow(0, 0, 1, EVIL, "failure", EVIL, 7)
    root = ElementTree.fromstring(as_svg(Ladder(EVIL, (EVIL, "b & c"), (arrow, replace(arrow, destination=0)))))
    space = "{http://www.w3.org/2000/svg}"
    assert not root.findall(f".//{space}script") and {group.get("data-number") for group in root.iter(f"{space}g")} == {"7"}
    assert any("<script>" in (node.text or "") for node in root.iter(f"{space}title"))


ROWS = st.tuples(st.integers(0, 3), st.integers(0, 3), st.text(max_size=80), st.text(max_size=40))


@given(st.lists(ROWS, max_size=6), st.integers(20, 160))
def test_any_text_can_be_drawn(rows: list[tuple[int, int, str, str]], width: int) -> None:
    arrows = tuple(Arrow(0, a, b, label, "request", note) for a, b, label, note in rows)
    ladder = Ladder("", ("a", "b", "c", "d"), arrows)
    assert len(as_text(ladder, width).split("\n")) == len(rows) + 1
    try:
        ElementTree.fromstring(as_svg(ladder))
    except ElementTree.ParseError as error:
        raise AssertionError(rows) from error


@given(st.text(), st.integers(1, 30))
def test_fitted_text_keeps_to_its_columns(text: str, width: int) -> None:
    assert columns_of(fitted(text, width)) <= width
