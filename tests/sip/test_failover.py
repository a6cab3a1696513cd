"""An INVITE that goes on to the next destination when one fails, is silent, or says 503 (RFC 3263 §4.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sip.auth import DigestClient
from sip.events import CallAnswered, CallReceived, CallTerminated
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.uri import Uri
from tests.helpers.pair import ANSWER, OFFER, A, Pair, assert_all_gone

DEAD = ("192.0.2.66", 5060)


def call_with_alternatives(pair: Pair, first: Flow, *others: Flow, credentials: DigestClient | None = None) -> Call:
    """Side a calls; what goes to `DEAD` is lost."""
    pair.drop = lambda data, from_a: from_a and pair.a.sent[-1][2].remote == DEAD
    call = pair.a.endpoint.invite(
        Uri.parse("sip:room@b.example"), from_=NameAddr.parse("<sip:alice@a.example>"), flow=first, alternatives=others,
        contact=Uri.parse(f"sip:alice@{A[0]}:{A[1]}"), now=pair.now, offer=OFFER, credentials=credentials)
    pair.flush()
    return call


def test_a_silent_server_is_left_for_the_next_one() -> None:
    pair = Pair()
    call = call_with_alternatives(pair, replace(pair.flow_a, remote=DEAD), pair.flow_a)
    pair.run(33.0)
    received = pair.b.take(CallReceived)
    received.call.accept(ANSWER, pair.now)
    pair.run(0.5)
    assert pair.a.take(CallAnswered).call is call and call.flow == pair.flow_a
    first, last = pair.a.requests("INVITE")[0], pair.a.requests("INVITE")[-1]
    assert first.via.branch != last.via.branch
    assert (first.call_id, str(first.cseq), first.from_.tag) == (last.call_id, str(last.cseq), last.from_.tag)
    call.hang_up(pair.now)
    pair.run(40.0)
    assert pair.b.has(CallTerminated)
    assert_all_gone(pair)


def test_a_connection_that_breaks_is_left_at_once() -> None:
    pair = Pair()
    broken = Flow("TCP", A, DEAD)
    call = call_with_alternatives(pair, broken, pair.flow_a)
    pair.a.endpoint.flow_lost(broken, pair.now)
    pair.run(0.1)
    received = pair.b.take(CallReceived)
    assert received.request.via.transport == "UDP" and call.contact.parameter("transport") is None
    assert str(received.request.contacts[0].uri) == str(call.contact)


def test_503_is_no_answer_of_the_callee_but_of_one_server() -> None:
    pair = Pair()
    call = call_with_alternatives(pair, pair.flow_a, replace(pair.flow_a, remote=DEAD))
    pair.run(0.1)
    pair.b.take(CallReceived).call.reject(503, now=pair.now)
    pair.run(0.1)
    assert not pair.a.has(CallTerminated) and call.flow.remote == DEAD
    assert [flow.remote for _, data, flow in pair.a.sent if data.startswith(b"INVITE")] == [pair.flow_a.remote, DEAD]


@pytest.mark.parametrize("status", [486, 603, 404])
def test_a_refusal_of_the_callee_goes_nowhere_else(status: int) -> None:
    pair = Pair()
    call_with_alternatives(pair, pair.flow_a, replace(pair.flow_a, remote=DEAD))
    pair.run(0.1)
    pair.b.take(CallReceived).call.reject(status, now=pair.now)
    pair.run(0.1)
    assert pair.a.take(CallTerminated).status == status
    assert {flow.remote for _, _, flow in pair.a.sent} == {pair.flow_a.remote}


def test_when_all_are_silent_the_call_fails() -> None:
    pair = Pair()
    call_with_alternatives(pair, replace(pair.flow_a, remote=DEAD), replace(pair.flow_a, remote=DEAD))
    pair.run(63.0)
    assert not pair.a.has(CallTerminated)
    pair.run(3.0)
    assert pair.a.take(CallTerminated).status == 408
    pair.run(40.0)
    assert_all_gone(pair)


def test_a_call_that_was_given_up_goes_nowhere_else() -> None:
    pair = Pair()
    call = call_with_alternatives(pair, replace(pair.flow_a, remote=DEAD), pair.flow_a)
    pair.run(5.0)
    call.hang_up(pair.now, "no patience")
    pair.run(40.0)
    assert pair.a.has(CallTerminated) and not pair.b.has(CallReceived)
