"""Dialogs (RFC 3261 §12): what is taken from the messages that make one, and the requests inside it."""

from __future__ import annotations

import pytest

from sip.dialog import Dialog
from sip.errors import ParseError, RemoteProtocolError
from sip.flow import Flow
from sip.message import Request, Response
from sip.parser import parse_message
from sip.uri import Uri
from tests.helpers.sip_messages import request, response

FLOW = Flow("UDP", ("192.0.2.2", 5062), ("192.0.2.1", 5060))
MINE = Uri.parse("sip:room@192.0.2.2:5062")


def invite(**changed: str | None) -> Request:
    """An INVITE."""
    message = parse_message(request("INVITE", **changed))
    assert isinstance(message, Request)
    return message


def ok(*extra: str, **changed: str | None) -> Response:
    """A 200 to it."""
    message = parse_message(response(200, extra=extra, **({"To": "<sip:room@b.example>;tag=callee"} | changed)))
    assert isinstance(message, Response)
    return message


def test_the_uas_takes_its_state_from_the_request() -> None:
    message = parse_message(request("INVITE", CSeq="31 INVITE", extra=("Record-Route: <sip:p1;lr>, <sip:p2;lr>",)))
    assert isinstance(message, Request)
    dialog = Dialog.from_request(message, "mine", MINE, FLOW)
    assert dialog.id == ("hand-made@a.example", "mine", "alice")
    assert (str(dialog.target), dialog.remote_cseq) == ("sip:alice@192.0.2.1:5060", 31)
    bye = dialog.make_request("BYE", "SIP/2.0/UDP x;branch=z9hG4bK1")
    assert [str(route.uri) for route in bye.routes] == ["sip:p1;lr", "sip:p2;lr"]
    assert (bye.from_.tag, bye.to.tag, bye.call_id, str(bye.cseq)) == ("mine", "alice", "hand-made@a.example", "1 BYE")
    assert str(bye.uri) == "sip:alice@192.0.2.1:5060" and "Contact" not in bye.headers


def test_the_uac_takes_its_state_from_the_response_and_reverses_the_route() -> None:
    dialog = Dialog.from_response(
        invite(CSeq="5 INVITE"), ok("Record-Route: <sip:p1;lr>", "Record-Route: <sip:p2;lr>"), MINE, FLOW
    )
    assert dialog.id == ("hand-made@a.example", "alice", "callee")
    info = dialog.make_request("INFO", "SIP/2.0/UDP x;branch=z9hG4bK1")
    assert [str(route.uri) for route in info.routes] == ["sip:p2;lr", "sip:p1;lr"]
    assert str(info.cseq) == "6 INFO" and info.headers.get("Contact") == f"<{MINE}>"


def test_the_ack_has_the_number_of_its_invite_and_uses_none_up() -> None:
    dialog = Dialog.from_response(invite(CSeq="5 INVITE"), ok(), MINE, FLOW)
    assert str(dialog.make_request("ACK", "SIP/2.0/UDP x", cseq=5).cseq) == "5 ACK"
    assert str(dialog.make_request("BYE", "SIP/2.0/UDP x").cseq) == "6 BYE"


def test_a_strict_router_gets_the_target_as_its_last_route() -> None:
    dialog = Dialog.from_response(invite(), ok("Record-Route: <sip:p1;lr>, <sip:strict>"), MINE, FLOW)
    bye = dialog.make_request("BYE", "SIP/2.0/UDP x")
    assert str(bye.uri) == "sip:strict"
    assert [str(route.uri) for route in bye.routes] == ["sip:p1;lr", "sip:alice@192.0.2.1:5060"]


def test_a_request_without_a_contact_makes_no_dialog() -> None:
    for contact in (None, "*"):
        with pytest.raises(ParseError):
            Dialog.from_request(invite(Contact=contact), "mine", MINE, FLOW)


def test_requests_come_in_order() -> None:
    dialog = Dialog.from_request(invite(CSeq="7 INVITE"), "mine", MINE, FLOW)
    dialog.check_request(invite(CSeq="9 INVITE"))
    for number in (9, 8, 7, 1):
        with pytest.raises(RemoteProtocolError) as caught:
            dialog.check_request(invite(CSeq=f"{number} INVITE"))
        assert caught.value.status == 500
    dialog.check_request(invite(CSeq="10 INVITE"))


def test_a_target_refresh_moves_the_target_and_not_the_route() -> None:
    dialog = Dialog.from_response(invite(), ok("Record-Route: <sip:p1;lr>"), MINE, FLOW)
    dialog.refresh_target(invite(Contact="<sip:alice@192.0.2.50>"))
    dialog.refresh_target(invite(Contact=None))
    assert str(dialog.target) == "sip:alice@192.0.2.50"
    assert len(dialog.routes) == 1
