"""From bytes to messages (RFC 3261 §7, §18.3): datagrams, streams, limits, and what must not slip through."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import sip_parse
from sip.errors import ParseError
from sip.headers import Headers
from sip.message import Request, Response
from sip.parser import MAX_HEADER_BLOCK, MAX_HEADERS, MAX_MESSAGE, StreamFramer, parse_message, salvage
from sip.uri import Uri
from tests.helpers.sip_messages import request, response


def parsed(data: bytes) -> Request:
    """The request in these bytes."""
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def test_a_request_is_read() -> None:
    message = parsed(request("INVITE", body=b"v=0\r\n", extra=("X-Odd: 1",)))
    assert (message.method, str(message.uri), message.body) == ("INVITE", "sip:room@b.example", b"v=0\r\n")
    assert (message.via.branch, message.from_.tag, message.to.tag) == ("z9hG4bKhand1", "alice", "")
    assert (message.call_id, message.cseq.number, message.max_forwards) == ("hand-made@a.example", 1, 70)
    assert (message.content_type, message.headers.get("x-odd")) == ("application/sdp", "1")


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("SIP/2.0 100 ", 100, ""),
        ("SIP/2.0 486", 486, ""),
        ("sip/2.0 699 Nein, danke: ü", 699, "Nein, danke: ü"),
    ],
)
def test_a_response_is_read(line: str, status: int, reason: str) -> None:
    message = parse_message(line.encode() + b"\r\nCall-ID: x\r\n\r\n")
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.body) == (status, reason, b"")


@pytest.mark.parametrize(
    "line",
    [
        "SIP/2.0 4294967301 better not break",
        "SIP/2.0 99 x",
        "SIP/2.0 700 x",
        "SIP/2.0 2OO OK",
        "SIP/2.0  200 OK",
        "INVITE sip:a@b  SIP/2.0",
        "INVITE  sip:a@b SIP/2.0",
        "INVITE sip:a@b",
        "INVITE sip:a@b; lr SIP/2.0",
        "INVITE <sip:a@b> SIP/2.0",
        "INVITE sip:a@b SIP/2.0 ",
        " INVITE sip:a@b SIP/2.0",
        "IN VITE sip:a@b SIP/2.0",
        "GET / HTTP/1.1",
        "",
        "INVITE\tsip:a@b\tSIP/2.0",
        "INV\x0bITE sip:a@b SIP/2.0",
        "(X) sip:a@b SIP/2.0",
    ],
)
def test_what_is_no_start_line_is_an_error(line: str) -> None:
    with pytest.raises(ParseError):
        parse_message(line.encode() + b"\r\nCall-ID: x\r\n\r\n")


@pytest.mark.parametrize("version", ["SIP/7.0", "SIP/1.0", "SIP/2.00", "FOO/2.0"])
def test_another_version_is_answered_with_505(version: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_message(request().replace(b"SIP/2.0\r\n", version.encode() + b"\r\n", 1))
    assert caught.value.status == 505


@pytest.mark.parametrize("smuggled", [b"\r", b"\n", b"\0", b"\n\r"])
def test_a_bare_line_break_or_nul_in_the_headers_is_an_error(smuggled: bytes) -> None:
    data = request(Subject="one SMUGGLED Route: <sip:evil@c>").replace(b" SMUGGLED ", smuggled)
    with pytest.raises(ParseError):
        parse_message(data)


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_other_separators_do_not_begin_a_new_line(separator: str) -> None:
    message = parsed(request(Subject=f"one{separator}Route: <sip:evil@c>"))
    assert message.headers.get("Route") is None
    assert message.headers.get("Subject") == f"one{separator}Route: <sip:evil@c>"


def test_bytes_that_are_no_utf8_pass_unchanged() -> None:
    data = request(Subject="x\udc85y\udcff")
    assert b"Subject: x\x85y\xff\r\n" in bytes(parse_message(data))


def test_folded_lines_are_joined() -> None:
    message = parsed(request(Subject="first\r\n second\r\n\t third", To="\r\n <sip:room@b.example>"))
    assert message.headers.get("Subject") == "first second third"
    assert message.to.uri.user == "room"


def test_compact_forms_and_blanks_before_the_colon_are_read() -> None:
    data = b"\r\n".join(
        [
            b"OPTIONS sip:b SIP/2.0",
            b"v :SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
            b"F\t: <sip:a@b>;tag=1",
            b"t:<sip:b>",
            b"I:id",
            b"cSeQ: 1 OPTIONS",
            b"m: <sip:a@c>",
            b"L: 2",
            b"",
            b"ab",
        ]
    )
    message = parsed(data)
    assert (message.via.host, message.from_.tag, message.call_id, message.contacts[0].uri.host) == ("192.0.2.1", "1", "id", "c")
    assert message.body == b"ab"


@pytest.mark.parametrize("line", ["no colon", ": no name", "Na me: x", "Na\x0bme: x", "\x85: x"])
def test_a_line_that_is_no_header_is_an_error(line: str) -> None:
    with pytest.raises(ParseError):
        parse_message(request(extra=(line,)))


@pytest.mark.parametrize(
    "line",
    [
        "From: <sip:x@y>;tag=2",
        "t: <sip:x@y>",
        "Call-ID: other",
        "CSeq: 2 OPTIONS",
        "Max-Forwards: 5",
        "l: 1",
        "Expires: 1\r\nExpires: 2",
    ],
)
def test_a_second_value_of_a_header_that_stands_once_is_an_error(line: str) -> None:
    with pytest.raises(ParseError, match="two"):
        parse_message(request(extra=(line,)))


def test_the_same_content_length_twice_is_taken() -> None:
    assert parsed(request(extra=("l: 0",))).body == b""


def test_bytes_after_content_length_are_dropped_from_a_datagram() -> None:
    assert parsed(request(Content_Length="3") + b"abcdef").body == b"abc"
    assert parsed(request(Content_Length=None) + b"abcdef").body == b"abcdef"


@pytest.mark.parametrize("length", ["7", "-1", "1e1", "", "0x3", "3 3", "99999999999", "٣"])
def test_a_content_length_that_lies_is_an_error(length: str) -> None:
    with pytest.raises(ParseError):
        parse_message(request(Content_Length=length) + b"abcdef")


def test_the_limits_hold() -> None:
    assert len(parsed(request(extra=("X: y",) * (MAX_HEADERS - 8))).headers) == MAX_HEADERS
    for data in (
        request(extra=("X: y",) * (MAX_HEADERS - 7)),
        request(Subject="x" * MAX_HEADER_BLOCK),
        request(Subject="x" * 8200),
        request(body=b"x" * MAX_MESSAGE),
        b"x" * MAX_MESSAGE,
        request()[:-2],
    ):
        with pytest.raises(ParseError):
            parse_message(data)


def test_a_request_uri_that_is_too_long_is_answered_with_414() -> None:
    with pytest.raises(ParseError) as caught:
        parse_message(request(uri="sip:" + "a" * 3000 + "@b"))
    assert caught.value.status == 414


def test_what_a_refusal_needs_is_salvaged_from_a_broken_request() -> None:
    broken = request("INVITE", Max_Forwards="many", extra=("no colon here", "Via: SIP/2.0/UDP 192.0.2.9"))
    request_ = salvage(broken)
    assert request_ is not None
    assert [via.host for via in request_.vias] == ["192.0.2.1", "192.0.2.9"]
    assert bytes(request_.respond(400, to_tag="t")).startswith(b"SIP/2.0 400 Bad Request\r\nVia: ")


@pytest.mark.parametrize(
    "data",
    [
        request("ACK", extra=("no colon",)),
        request(Via=None),
        request(CSeq="x"),
        request(From="<"),
        response(200, extra=("x",)),
        b"",
        b"\0" * 40,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        request(Via="x"),
    ],
)
def test_what_can_not_or_must_not_be_answered_is_not_salvaged(data: bytes) -> None:
    assert salvage(data) is None


def frames(framer: StreamFramer, data: bytes) -> list[bytes]:
    """The messages that are whole after these bytes."""
    framer.receive_data(data)
    return list(iter(framer.next_message, None))


ONE = request("MESSAGE", body=b"hello \r\n\r\n there", Content_Type="text/plain")
TWO = request("OPTIONS")


def test_a_stream_is_cut_the_same_wherever_it_is_split() -> None:
    data = ONE + b"\r\n" + TWO
    for at in range(len(data) + 1):
        framer = StreamFramer()
        assert frames(framer, data[:at]) + frames(framer, data[at:]) == [ONE, TWO], at
        assert not framer.is_in_message and framer.pongs_due == 0


def test_a_stream_is_cut_byte_by_byte() -> None:
    framer = StreamFramer()
    got = [message for byte in ONE + TWO + ONE for message in frames(framer, bytes([byte]))]
    assert got == [ONE, TWO, ONE]


def test_pipelined_messages_come_out_one_after_the_other() -> None:
    assert frames(StreamFramer(), ONE * 20) == [ONE] * 20


def test_keep_alives_are_counted_wherever_they_are_split() -> None:
    for step in (1, 2, 3, 4, 8):
        framer, data = StreamFramer(), b"\r\n\r\n" + TWO + b"\r\n\r\n\r\n\r\n"
        got = [message for at in range(0, len(data), step) for message in frames(framer, data[at : at + step])]
        assert (got, framer.pongs_due, framer.is_in_message) == ([TWO], 3, False)


def test_a_folded_content_length_is_followed() -> None:
    data = request(Content_Length="\r\n 3") + b"abc"
    assert frames(StreamFramer(), data + TWO) == [data, TWO]


@pytest.mark.parametrize(
    "data",
    [
        request(Content_Length=None),
        request(Content_Length="x"),
        request(extra=("Content-Length: 5",)),
        request(Content_Length="65536"),
        b"x" * (MAX_HEADER_BLOCK + 10),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_a_stream_that_can_not_be_followed_is_an_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        frames(StreamFramer(), data)


def test_a_stream_does_not_buffer_without_bound() -> None:
    framer = StreamFramer()
    head = request(Content_Length="60000")
    with pytest.raises(ParseError):
        for _ in range(20):
            framer.receive_data(head + b"x" * 8000)


METHODS = st.text("ABCXYZabc019-.!%*_+`'~", min_size=1, max_size=20)
NAMES = st.text("ABCabc-", min_size=4, max_size=16).filter(lambda name: name.strip("-") and "content" not in name.lower())
VALUES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=30).map(
    lambda text: text.strip(" \t")
)


@given(METHODS, st.lists(st.tuples(NAMES, VALUES), max_size=6), st.binary(max_size=50))
def test_messages_read_back_as_they_were_written(method: str, fields: list[tuple[str, str]], body: bytes) -> None:
    headers = Headers()
    seen = set()
    for name, value in fields:
        if name.lower() not in seen:
            headers.add(name, value)
            seen.add(name.lower())
    message = Request(method, Uri.parse("sip:a@b"), headers, body)
    again = parsed(bytes(message))
    assert (again.method, again.uri, again.body) == (method, message.uri, body)
    assert [item for item in again.headers.items() if item[0] != "Content-Length"] == list(headers.items())
    assert bytes(again) == bytes(message)


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | st.tuples(st.sampled_from([ONE, TWO, response(200)]), st.integers(0, 400), st.binary(max_size=8)).map(
        lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + len(t[2]) :]
    )
)
def test_any_bytes_are_a_message_or_a_parse_error(data: bytes) -> None:
    try:
        message = parse_message(data)
        _ = message.vias, message.from_, message.to, message.cseq, message.contacts, message.expires, message.event
    except ParseError:
        _ = salvage(data)
        return
    assert parse_message(bytes(message)).body == message.body


@given(st.lists(st.binary(max_size=40) | st.sampled_from([ONE, TWO, b"\r\n", b"\r\n\r\n"]), max_size=8))
def test_any_stream_is_messages_or_a_parse_error(pieces: list[bytes]) -> None:
    framer = StreamFramer()
    try:
        for piece in pieces:
            frames(framer, piece)
    except ParseError:
        return


def test_an_invite_of_20_lines_is_read_and_answered_within_three_times_the_budget_of_20_and_15_microseconds() -> None:
    invite = sip_parse.parse()
    assert sip_parse.microseconds(sip_parse.parse, times=1000, repeats=3) < 60
    assert sip_parse.microseconds(lambda: bytes(invite.respond(180, to_tag="abc")), times=1000, repeats=3) < 45
