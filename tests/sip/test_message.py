"""Requests and responses (RFC 3261 §7, §8.2.6): the views, and how a response is built."""

from __future__ import annotations

import pytest

from sip.errors import LocalProtocolError, ParseError
from sip.message import Request
from sip.parser import parse_message
from tests.helpers.sip_messages import request


def parsed(data: bytes) -> Request:
    """The request in these bytes."""
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def test_a_response_copies_what_the_rules_say() -> None:
    invite = parsed(
        request(
            "INVITE",
            Via="SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/TCP b;branch=z9hG4bK2",
            extra=("Via: SIP/2.0/UDP c;branch=z9hG4bK3", "Record-Route: <sip:p;lr>", "Timestamp: 54", "Subject: no"),
        )
    )
    ringing = invite.respond(180, to_tag="t")
    assert [str(via) for via in ringing.vias] == [str(via) for via in invite.vias]
    assert (ringing.from_, ringing.call_id, ringing.cseq) == (invite.from_, invite.call_id, invite.cseq)
    assert ringing.to.tag == "t"
    assert ringing.headers.get("Record-Route") == "<sip:p;lr>"
    assert "Subject" not in ringing.headers and "Timestamp" not in ringing.headers
    assert (ringing.status, ringing.reason) == (180, "Ringing")


def test_a_100_has_no_tag_and_carries_the_timestamp() -> None:
    trying = parsed(request("INVITE", extra=("Timestamp: 54",))).respond(100, to_tag="t")
    assert trying.to.tag == "" and trying.headers.get("Timestamp") == "54"


def test_a_refusal_has_no_record_route() -> None:
    assert "Record-Route" not in parsed(request("INVITE", extra=("Record-Route: <sip:p;lr>",))).respond(486).headers


@pytest.mark.parametrize("to", ["<sip:room@b>", "sip:room@b", '"A > B" <sip:room@b>', "sip:room@b;x=1", "<sip:room@b>;x=1"])
def test_a_tag_is_added_to_any_form_of_to(to: str) -> None:
    response = parsed(request("INVITE", To=to)).respond(200, to_tag="mine")
    assert response.to.tag == "mine" and response.to.uri.user == "room"


def test_a_tag_that_is_there_stays() -> None:
    assert parsed(request("BYE", To="<sip:room@b>;tag=old")).respond(200, to_tag="new").to.tag == "old"


def test_a_response_with_a_body_says_its_type_and_length() -> None:
    data = bytes(parsed(request("INVITE")).respond(200, body=b"v=0\r\n", content_type="application/sdp"))
    assert b"\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n" in data


@pytest.mark.parametrize("text", ["a\r\nVia: x", "a\nb", "a\0b"])
def test_nobody_writes_a_line_of_their_own_into_a_response(text: str) -> None:
    message = parsed(request("INVITE"))
    with pytest.raises(LocalProtocolError):
        message.respond(603, text)
    with pytest.raises(LocalProtocolError):
        message.respond(603, headers=[("Reason", text)])


def test_views_raise_for_what_is_missing_or_broken() -> None:
    message = parsed(
        request(Via=None, From=None, To=None, Call_ID=None, CSeq=None, Contact="<", Expires="soon", Max_Forwards="256")
    )
    for name in ("via", "from_", "to", "call_id", "cseq", "contacts", "expires", "max_forwards"):
        with pytest.raises(ParseError):
            getattr(message, name)


def test_views_of_headers_that_may_be_missing() -> None:
    message = parsed(request(Contact=None, Max_Forwards=None))
    assert (message.contacts, message.routes, message.record_routes, message.max_forwards, message.expires) == (
        [],
        [],
        [],
        None,
        None,
    )
    assert (message.content_type, message.require, message.supported, message.event) == (
        None,
        frozenset(),
        frozenset(),
        ("", ()),
    )


def test_views_of_lists_and_parameters() -> None:
    message = parsed(
        request(
            extra=(
                "Require: 100rel, Timer",
                "k: Path",
                "Supported: gruu",
                "Allow: INVITE, ACK",
                "o: Conference;id=7",
                "c: Text/Plain;charset=utf-8",
                "Expires: 60",
            )
        )
    )
    assert message.require == {"100rel", "timer"} and message.supported == {"path", "gruu"}
    assert message.allow == {"INVITE", "ACK"} and message.event == ("conference", (("id", "7"),))
    assert (message.content_type, message.expires) == ("text/plain", 60)


@pytest.mark.parametrize(("method", "expected"), [("INVITE", "<sip:p.example;lr>"), ("REGISTER", None)])
def test_the_route_comes_back_with_a_2xx_but_never_from_a_registrar(method: str, expected: str | None) -> None:
    asked = parse_message(request(method, extra=("Record-Route: <sip:p.example;lr>",)))
    assert isinstance(asked, Request)
    assert asked.respond(200, to_tag="t").headers.get("Record-Route") == expected
