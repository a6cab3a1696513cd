"""The Reason header (RFC 3326) in BYE and CANCEL."""

from __future__ import annotations

import pytest

from sip.errors import ParseError
from sip.events import CallReceived, CallTerminated
from sip.message import Request
from sip.reason import Reason, reason_of
from sip.uri import Uri
from tests.helpers.pair import Pair


def test_a_value_is_read_and_written() -> None:
    value = Reason.parse('SIP ;cause=600 ;text="Busy \\"Everywhere\\""')
    assert value == Reason("SIP", 600, 'Busy "Everywhere"')
    assert str(value) == "SIP;cause=600;text=\"Busy 'Everywhere'\"" and str(Reason("Q.850", 16)) == "Q.850;cause=16"


@pytest.mark.parametrize("text", ["SIP;cause=x", "SIP;cause=1000", "SIP;;", 'SIP;text="'])
def test_what_is_no_reason_is_an_error(text: str) -> None:
    with pytest.raises(ParseError):
        Reason.parse(text)


def test_of_several_reasons_the_one_of_sip_counts_and_a_broken_one_is_passed_over() -> None:
    bye = Request("BYE", Uri.parse("sip:a@b"))
    assert reason_of(bye) == Reason("")
    bye.headers.add("Reason", "SIP;cause=x")
    assert reason_of(bye) == Reason("")
    bye.headers.add("Reason", 'Q.850;cause=16;text="done", sip;cause=200')
    assert reason_of(bye) == Reason("SIP", 200)


def test_a_cancel_says_that_somebody_else_answered() -> None:
    pair = Pair()
    ours = pair.call()
    pair.run(0.1)
    pair.b.take(CallReceived).call.ring(pair.now)
    pair.run(0.1)
    ours.hang_up(pair.now, "Call completed elsewhere")
    pair.run(0.1)
    ended = pair.b.take(CallTerminated)
    assert (ended.cause, ended.status, ended.reason) == ("cancelled", 487, "Call completed elsewhere")
    assert ended.why == Reason("SIP", 200, "Call completed elsewhere")


def test_a_bye_says_why() -> None:
    pair = Pair()
    ours, _ = pair.established()
    ours.hang_up(pair.now, "time is over", 480)
    pair.run(0.1)
    assert pair.b.take(CallTerminated).why == Reason("SIP", 480, "time is over")
    assert pair.a.take(CallTerminated).why is None
