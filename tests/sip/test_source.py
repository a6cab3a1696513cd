"""Who may speak in a dialog: what comes from another host than the peer's does nothing, unless the user knows better."""

from __future__ import annotations

import pytest

from sip.dialog import Dialog
from sip.dialogs import Owner
from sip.events import CallReceived, DialogRequestReceived
from sip.flow import Flow
from sip.headers import NameAddr
from sip.message import Request, Response
from sip.source import is_from_peer
from sip.uri import Uri
from tests.helpers.pair import ANSWER, A, B, Pair
from tests.helpers.sip_messages import request

ELSEWHERE = Flow("UDP", B, ("203.0.113.9", A[1]))


def inside(pair: Pair, method: str, number: int = 2, via: str = "z9hG4bKforged") -> bytes:
    """What somebody sends who has seen the caller's INVITE and its answer."""
    invite, tag = pair.a.requests("INVITE")[0], pair.b.responses("INVITE")[-1].to.tag
    return request(method, CSeq=f"{number} {method}", Call_ID=invite.call_id, From=str(invite.from_),
                   To=f"<sip:room@b.example>;tag={tag}", Via=f"SIP/2.0/UDP {A[0]}:{A[1]};branch={via};rport")


def dialog(contact: str, *routes: str) -> Dialog:
    """A dialog with a peer of that Contact behind those proxies."""
    remote = NameAddr.parse("<sip:alice@a.example>;tag=1")
    return Dialog("1", remote, remote, Uri.parse(contact), Uri.parse("sip:b@192.0.2.2"), Flow("UDP", B, A),
                  [NameAddr.parse(f"<sip:{route};lr>") for route in routes])


@pytest.mark.parametrize(("host", "contact", "routes", "expected"), [
    (A[0], "sip:alice@10.0.0.5", (), True),
    ("203.0.113.9", "sip:alice@10.0.0.5", (), False),
    ("203.0.113.9", "sip:alice@203.0.113.9:5070", (), True),
    ("203.0.113.9", "sip:alice@10.0.0.5", ("198.51.100.1", "203.0.113.9"), True),
    ("203.0.113.9", "sip:alice@proxy.example", ("proxy.example",), False),
    ("2001:db8::9", "sip:alice@[2001:db8::9]", (), True),
])
def test_the_peer_is_known_by_the_addresses_of_its_flow_its_contact_and_its_route(
        host: str, contact: str, routes: tuple[str, ...], expected: bool) -> None:
    assert is_from_peer(dialog(contact, *routes), Flow("UDP", B, A), Flow("UDP", B, (host, 40000))) is expected


def test_a_dialog_that_began_over_tls_takes_nothing_that_came_in_clear() -> None:
    known, there = Flow("TLS", B, A, 5), dialog("sips:alice@192.0.2.1")
    assert is_from_peer(there, known, Flow("TLS", B, (A[0], 40000), 6))
    assert not is_from_peer(there, known, Flow("UDP", B, A))


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO", "OPTIONS"])
def test_a_request_of_a_dialog_from_another_host_is_refused_with_403_and_the_call_lives(method: str) -> None:
    pair = Pair()
    ours, theirs = pair.established()
    pair.inject(inside(pair, method), flow=ELSEWHERE)
    assert pair.b.summary()[-1] == f"403 {method}" and pair.b.sent[-1][2] == ELSEWHERE
    pair.run(1.0)
    assert ours.is_up and theirs.is_up and theirs.flow == pair.flow_b and pair.b.events == []
    assert pair.b.endpoint.counters["foreign requests"] == 1


def test_the_user_may_let_a_peer_in_that_has_moved() -> None:
    pair = Pair()
    _, theirs = pair.established()
    asked: list[tuple[Owner, str]] = []

    def readmit(owner: Owner, message: Request, flow: Flow, now: float) -> Response | None:
        asked.append((owner, flow.remote[0]))
        return None

    pair.b.endpoint.readmit = readmit
    pair.inject(inside(pair, "INFO"), flow=ELSEWHERE)
    assert asked == [(theirs, "203.0.113.9")]
    assert pair.b.has(DialogRequestReceived) and theirs.flow == ELSEWHERE


def test_an_ack_from_another_host_confirms_nothing() -> None:
    pair = Pair()
    pair.call()
    pair.run(0.1)
    theirs = pair.b.take(CallReceived).call
    pair.drop = lambda data, from_a: data.startswith(b"ACK")
    theirs.accept(ANSWER, pair.now)
    pair.flush()
    pair.inject(inside(pair, "ACK", 1), flow=ELSEWHERE)
    repeated = len(pair.b.responses("INVITE"))
    pair.run(2.0)
    assert len(pair.b.responses("INVITE")) > repeated
    pair.drop = None
    pair.run(5.0)
    assert theirs.is_up and theirs.flow == pair.flow_b


def test_a_cancel_from_another_host_is_refused_and_the_phone_rings_on() -> None:
    pair = Pair()
    pair.call()
    pair.run(0.1)
    theirs = pair.b.take(CallReceived).call
    invite = pair.a.requests("INVITE")[0]
    fields = {"Via": str(invite.headers.get("Via")), "From": str(invite.from_), "To": str(invite.to), "Call_ID": invite.call_id}
    pair.inject(request("CANCEL", str(invite.uri), CSeq="1 CANCEL", **fields), flow=ELSEWHERE)
    assert pair.b.summary()[-1] == "403 CANCEL"
    theirs.accept(ANSWER, pair.now)
    pair.run(1.0)
    assert theirs.is_up


def test_requests_in_a_call_go_down_the_flow_of_the_phone_whatever_its_contact_says_and_they_weigh() -> None:
    pair = Pair()
    behind = request("INVITE", body=ANSWER, Contact="<sip:alice@10.0.0.5:5099;transport=tcp>", extra=("Allow: UPDATE",))
    pair.inject(behind)
    theirs = pair.b.take(CallReceived).call
    theirs.accept(ANSWER, pair.now)
    pair.flush()
    dialog = theirs.dialog
    assert dialog is not None
    pair.inject(request("ACK", To=str(dialog.local), CSeq="1 ACK", Via="SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKack;rport"))
    theirs.offer(b"v=0\r\n" + b"a=x\r\n" * 1000, pair.now)
    pair.flush()
    _, data, flow = pair.b.sent[-1]
    assert flow == pair.flow_b and len(data) > 5000 and data.startswith(b"INVITE sip:alice@10.0.0.5:5099;transport=tcp SIP/2.0")
