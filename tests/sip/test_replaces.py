"""Replaces (RFC 3891): an INVITE that takes the place of another call."""

from __future__ import annotations

import pytest

from sip.endpoint import EndpointSettings
from sip.errors import LocalProtocolError, ParseError
from sip.events import CallConfirmed, CallReceived, CallTerminated
from sip.invite import Call
from sip.replaces import Replaces
from sip.settings import SUPPORTED
from sip.uri import Uri
from tests.helpers.pair import ANSWER, OFFER, B, Pair
from tests.helpers.sip_messages import request

SETTINGS = EndpointSettings(supported=SUPPORTED | {"replaces"})


def status_of(pair: Pair, *replaces: str) -> int:
    """How side b refuses an INVITE with these Replaces headers; 0 when it takes it."""
    pair.inject(request("INVITE", body=OFFER, Call_ID=f"other{len(pair.b.sent)}",
                        Via=f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{len(pair.b.sent)};rport",
                        extra=tuple(f"Replaces: {value}" for value in replaces)))
    last = pair.b.responses("INVITE")[-1].status
    return 0 if last < 200 else last


def test_a_value_is_read_and_written() -> None:
    value = Replaces.parse("98@host;to-tag=1;from-tag=2;early-only")
    assert value == Replaces("98@host", "1", "2", True) and Replaces.parse(str(value)) == value
    assert Replaces.parse("a;from-tag=0;to-tag=1").dialog_id == ("a", "1", "")


@pytest.mark.parametrize("text", ["", ";to-tag=1;from-tag=2", "a", "a;to-tag=1", "a;from-tag=1", "a;to-tag;from-tag=2"])
def test_what_is_no_replaces_is_an_error(text: str) -> None:
    with pytest.raises(ParseError):
        Replaces.parse(text)


def test_the_call_to_be_replaced_comes_with_the_new_one_and_the_user_ends_it() -> None:
    pair = Pair(settings=SETTINGS)
    ours, theirs = pair.established()
    assert "replaces" in pair.a.requests("INVITE")[0].supported
    new = pair.a.endpoint.invite(
        Uri.parse(f"sip:room@{B[0]}"), from_=ours.dialog.local.with_tag(""), flow=pair.flow_a,       # type: ignore[union-attr]
        contact=ours.contact, now=pair.now, offer=OFFER, headers=[("Replaces", ours.replaces_value())])
    pair.run(0.1)
    received = pair.b.take(CallReceived)
    assert received.replaces is theirs
    received.call.accept(ANSWER, pair.now)
    theirs.hang_up(pair.now, "replaced")
    pair.run(0.5)
    assert pair.a.take(CallTerminated).call is ours and new.is_up
    pair.b.take(CallConfirmed)


def value_of(call: Call, *, swapped: bool = False, early: str = "") -> str:
    """A Replaces for side b's own call."""
    assert call.dialog is not None
    tags = [call.dialog.local.tag, call.dialog.remote.tag]
    if swapped:
        tags.reverse()
    return f"{call.id};to-tag={tags[0]};from-tag={tags[1]}{early}"


def test_a_dialog_that_is_not_there_is_481_and_one_that_is_answered_is_not_early_486() -> None:
    pair = Pair(settings=SETTINGS)
    _, theirs = pair.established()
    assert status_of(pair, value_of(theirs, swapped=True)) == 481
    assert status_of(pair, "nothing;to-tag=1;from-tag=2") == 481
    assert status_of(pair, value_of(theirs, early=";early-only")) == 486
    assert status_of(pair, "rubbish") == 400
    assert status_of(pair, value_of(theirs), value_of(theirs)) == 400
    assert status_of(pair, value_of(theirs)) == 0


def test_a_call_that_rings_here_can_not_be_replaced_but_one_that_we_make_can() -> None:
    pair = Pair(settings=SETTINGS)
    pair.call()
    pair.run(0.1)
    theirs = pair.b.take(CallReceived).call
    assert status_of(pair, value_of(theirs)) == 481
    theirs.ring(pair.now)
    pair.run(0.1)
    ringing = pair.b.responses("INVITE")
    tag = next(m.to.tag for m in ringing if m.status == 180)
    ours = pair.a.requests("INVITE")[0]
    pair.inject(request("INVITE", "sip:alice@a.example", body=OFFER, Call_ID="other", To="<sip:alice@a.example>",
                        extra=(f"Replaces: {ours.call_id};to-tag={ours.from_.tag};from-tag={tag};early-only",)), to_a=True)
    assert pair.a.take(CallReceived).replaces is not None


def test_a_user_that_does_not_say_replaces_gets_a_plain_call() -> None:
    pair = Pair()
    _, theirs = pair.established()
    assert status_of(pair, value_of(theirs)) == 0
    assert pair.b.take(CallReceived).replaces is None


def test_a_call_without_a_dialog_has_no_name() -> None:
    with pytest.raises(LocalProtocolError):
        Pair().call().replaces_value()
