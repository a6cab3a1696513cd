"""Calls: set-up, the 2xx and its ACK, CANCEL and the end (RFC 3261 §9, §13, §15), both ends and a peer played by hand."""

from __future__ import annotations

import itertools

import pytest

from sip.errors import LocalProtocolError
from sip.events import (
    AnswerReceived,
    CallAnswered,
    CallConfirmed,
    CallProgressed,
    CallReceived,
    CallTerminated,
)
from sip.flow import Flow
from sip.invite import CallState
from tests.helpers.pair import ANSWER, OFFER, A, B, Pair, assert_all_gone, is_message
from tests.helpers.sip_messages import request

# ---- set-up and end


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_call_with_an_early_offer_is_set_up_and_ended(transport: str) -> None:
    pair = Pair(transport=transport)
    ours = pair.call(OFFER)
    pair.run(0.1)
    received = pair.b.take(CallReceived)
    assert received.offer == OFFER and received.request.uri.user == "room"
    received.call.ring(pair.now)
    pair.run(0.1)
    assert pair.a.take(CallProgressed).response.status == 180
    received.call.accept(ANSWER, pair.now)
    pair.run(0.1)
    assert pair.a.take(CallAnswered).answer == ANSWER
    assert pair.b.take(CallConfirmed).call is received.call
    assert ours.is_up and received.call.state is CallState.UP
    ours.hang_up(pair.now, 'bye, "then"')
    pair.run(0.1)
    ended = pair.b.take(CallTerminated)
    assert (ended.cause, ended.reason, ended.by_remote) == ("hung_up", "bye, 'then'", True)
    assert not pair.a.take(CallTerminated).by_remote
    assert pair.a.summary() == ["INVITE", "ACK", "BYE"]
    assert pair.b.summary() == ["100 INVITE", "180 INVITE", "200 INVITE", "200 BYE"]
    pair.run(40)
    assert_all_gone(pair)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_call_with_a_delayed_offer_has_the_answer_in_its_ack(transport: str) -> None:
    pair = Pair(transport=transport)
    ours = pair.call(None)
    pair.run(0.1)
    received = pair.b.take(CallReceived)
    assert received.offer is None
    received.call.accept(OFFER, pair.now)
    pair.run(0.1)
    assert pair.a.take(CallAnswered).answer == OFFER
    assert "ACK" not in pair.a.summary()
    ours.acknowledge(ANSWER, pair.now)
    pair.run(0.1)
    assert pair.b.take(AnswerReceived).answer == ANSWER
    pair.b.take(CallConfirmed)
    with pytest.raises(LocalProtocolError):
        ours.acknowledge(ANSWER, pair.now)


def test_an_ack_without_the_answer_it_owes_ends_the_call() -> None:
    pair = Pair()
    ours = pair.call(None)
    pair.run(0.1)
    pair.b.take(CallReceived).call.accept(OFFER, pair.now)
    pair.run(0.1)
    ours.acknowledge(b"", pair.now)
    pair.run(0.1)
    assert pair.b.take(CallTerminated).cause == "error"
    assert pair.a.take(CallTerminated).reason == "no answer in the ACK"


def test_hanging_up_before_the_delayed_answer_acknowledges_first() -> None:
    pair = Pair()
    ours = pair.call(None)
    pair.run(0.1)
    pair.b.take(CallReceived).call.accept(OFFER, pair.now)
    pair.run(0.1)
    ours.hang_up(pair.now)
    pair.run(40)
    assert pair.a.summary()[:3] == ["INVITE", "ACK", "BYE"]
    assert_all_gone(pair)


@pytest.mark.parametrize("seed", range(12))
def test_calls_come_about_and_end_over_a_bad_network(seed: int) -> None:
    pair = Pair(loss=0.25, duplication=0.2, jitter_s=0.3, seed=seed)
    pair.b.handler = lambda event, now: event.call.accept(ANSWER, now) if isinstance(event, CallReceived) else None
    ours = pair.call(OFFER)
    pair.run(25)
    assert ours.state is CallState.UP
    assert len([event for event in pair.b.events if isinstance(event, CallReceived)]) == 1
    assert len([event for event in pair.a.events if isinstance(event, CallAnswered)]) == 1
    assert len([event for event in pair.b.events if isinstance(event, CallConfirmed)]) == 1
    ours.hang_up(pair.now)
    pair.run(80)
    assert pair.b.take(CallTerminated).by_remote
    assert_all_gone(pair)


@pytest.mark.parametrize("status", [404, 486, 488, 603])
def test_a_refused_call_is_acknowledged_and_gone(status: int) -> None:
    pair = Pair()
    pair.call()
    pair.run(0.1)
    pair.b.take(CallReceived).call.reject(status, "Words for it", [("Warning", '399 b "x"')], now=pair.now)
    pair.run(0.1)
    ended = pair.a.take(CallTerminated)
    assert (ended.cause, ended.status, ended.reason, ended.by_remote) == ("rejected", status, "Words for it", True)
    assert pair.a.summary() == ["INVITE", "ACK"]
    pair.run(40)
    assert_all_gone(pair)


def test_a_call_that_nobody_answers_times_out_after_64_t1() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: True
    pair.call()
    pair.run(31.9)
    assert not pair.a.has(CallTerminated)
    pair.run(0.2)
    ended = pair.a.take(CallTerminated)
    assert (ended.cause, ended.status) == ("timeout", 408)
    assert_all_gone(pair)


@pytest.mark.parametrize("reliable", [False, True])
def test_a_phone_that_rings_says_so_every_minute(reliable: bool) -> None:
    pair = Pair()
    ours = pair.call()
    pair.run(0.1)
    theirs = pair.b.take(CallReceived).call
    theirs.ring(pair.now, reliable=reliable)
    pair.run(605)
    assert len(pair.b.responses("INVITE")) == 1 + 1 + 10                       # 100, 180, and once a minute
    assert ours.state is theirs.state is CallState.RINGING
    theirs.accept(ANSWER, pair.now)
    pair.run(1)
    sent = len(pair.b.responses("INVITE"))
    pair.run(200)
    assert ours.is_up and len(pair.b.responses("INVITE")) == sent
    ours.hang_up(pair.now)
    pair.run(100)
    assert_all_gone(pair)


def test_a_call_that_rings_once_and_is_never_heard_of_again_is_cancelled_by_timer_c() -> None:
    pair = Pair()
    pair.call()
    pair.run(0.1)
    pair.b.take(CallReceived).call.ring(pair.now)
    pair.run(0.1)
    pair.drop = lambda data, from_a: is_message(data, b"SIP/2.0 180")
    pair.run(178.9)
    assert "CANCEL" not in pair.a.summary()
    pair.run(2)
    assert "CANCEL" in pair.a.summary()
    assert pair.b.take(CallTerminated).cause == "cancelled"


def test_commands_out_of_season_are_our_own_fault() -> None:
    pair = Pair()
    ours, theirs = pair.established()
    for misuse in (
        lambda: theirs.accept(ANSWER, pair.now),
        lambda: ours.accept(ANSWER, pair.now),
        lambda: ours.accept_offer(ANSWER, pair.now),
        lambda: ours.acknowledge(ANSWER, pair.now),
    ):
        with pytest.raises(LocalProtocolError):
            misuse()
    theirs.ring(pair.now)
    theirs.reject(486, now=pair.now)
    ours.hang_up(pair.now)
    ours.hang_up(pair.now)
    for misuse in (lambda: ours.offer(OFFER, pair.now), lambda: ours.request("INFO", now=pair.now)):
        with pytest.raises(LocalProtocolError):
            misuse()
    pair.run(1)
    assert pair.a.summary().count("BYE") == 1


# ---- the 2xx and its ACK


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_the_2xx_is_repeated_until_its_ack_and_given_up_after_64_t1_with_a_bye(transport: str) -> None:
    pair = Pair(transport=transport)
    pair.drop = lambda data, from_a: is_message(data, b"ACK")
    pair.call()
    pair.run(0.1)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(31.0)
    times = [at for at, data, _ in pair.b.sent if is_message(data, b"SIP/2.0 200", b"1 INVITE")]
    assert [round(after - before, 1) for before, after in itertools.pairwise(times)][:6] == [
        0.5,
        1.0,
        2.0,
        4.0,
        4.0,
        4.0,
    ]
    assert pair.a.summary().count("ACK") == len(times)
    assert not pair.b.has(CallTerminated) and "BYE" not in pair.b.summary()
    pair.run(1.5)
    assert pair.b.take(CallTerminated).cause == "timeout"
    assert pair.b.summary().count("BYE") == 1
    assert pair.a.take(CallTerminated).reason == "no ACK came"


def test_the_ack_stops_the_repetition() -> None:
    pair = Pair()
    pair.established()
    pair.run(40)
    assert pair.b.summary().count("200 INVITE") == 1


def test_a_repeated_2xx_is_acknowledged_again_with_the_same_ack() -> None:
    lost = [True, True]
    pair = Pair()
    pair.drop = lambda data, from_a: is_message(data, b"ACK") and bool(lost) and lost.pop()
    pair.established()
    pair.run(5)
    acks = [data for _, data, _ in pair.a.sent if data.startswith(b"ACK")]
    assert len(acks) == 3 and len(set(acks)) == 1
    pair.run(60)
    assert not pair.a.has(CallTerminated)


def test_the_callee_does_not_send_bye_before_the_ack() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: is_message(data, b"ACK") and pair.now < 3.0
    pair.call()
    pair.run(0.1)
    theirs = pair.b.take(CallReceived).call
    theirs.accept(ANSWER, pair.now)
    theirs.hang_up(pair.now, "changed our mind")
    pair.flush()
    assert pair.b.take(CallTerminated).reason == "changed our mind"
    pair.run(2.0)
    assert "BYE" not in pair.b.summary() and pair.b.summary().count("200 INVITE") > 1
    pair.run(3.0)
    assert pair.b.summary().count("BYE") == 1
    assert pair.a.take(CallTerminated).reason == "changed our mind"
    assert not pair.b.has(CallTerminated)
    pair.run(40)
    assert_all_gone(pair)


def test_the_callee_that_hung_up_and_never_gets_its_ack_sends_its_bye_in_the_end() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: is_message(data, b"ACK")
    pair.call()
    pair.run(0.1)
    theirs = pair.b.take(CallReceived).call
    theirs.accept(ANSWER, pair.now)
    theirs.hang_up(pair.now)
    pair.run(33)
    assert pair.b.summary().count("BYE") == 1
    pair.run(40)
    assert_all_gone(pair)


def test_a_repeated_2xx_is_the_same_message_byte_by_byte() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: is_message(data, b"ACK")
    pair.call()
    pair.run(0.1)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(5.0)
    sent = [data for _, data, _ in pair.b.sent if is_message(data, b"SIP/2.0 200", b"1 INVITE")]
    assert len(sent) > 3 and len(set(sent)) == 1 and b"\r\nServer: " in sent[0]


def test_the_2xx_is_repeated_to_where_the_first_one_went() -> None:
    pair = Pair()
    elsewhere = Flow("UDP", B, (A[0], 40000))
    pair.inject(request("INVITE", body=OFFER, Via="SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKnorport"), flow=elsewhere)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(2)
    assert {flow.remote for _, data, flow in pair.b.sent if is_message(data, b"SIP/2.0 200")} == {("192.0.2.1", 5070)}


def test_a_second_2xx_of_a_fork_is_acknowledged_and_hung_up_once() -> None:
    pair = Pair()
    ours = pair.call()
    pair.run(0.1)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(0.1)
    invite = pair.a.requests("INVITE")[0]
    other = invite.respond(
        200, to_tag="otherphone", headers=[("Contact", "<sip:other@192.0.2.3>")], body=ANSWER, content_type="application/sdp"
    )
    pair.inject(bytes(other), to_a=True)
    pair.inject(bytes(other), to_a=True)
    acks = [m for m in pair.a.requests("ACK") if m.to.tag == "otherphone"]
    byes = [m for m in pair.a.requests("BYE") if m.to.tag == "otherphone"]
    assert (len(acks), len(byes)) == (2, 1)
    assert str(byes[0].uri) == "sip:other@192.0.2.3"
    pair.run(1)
    assert ours.state is CallState.UP and not pair.a.has(CallTerminated)


def test_a_2xx_whose_contact_can_not_be_read_is_dropped_and_the_call_times_out() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: not from_a
    pair.call()
    invite = pair.a.requests("INVITE")[0]
    pair.inject(bytes(invite.respond(200, to_tag="x", headers=[("Contact", "<broken")])), to_a=True)
    pair.run(33)
    assert pair.a.take(CallTerminated).cause == "timeout"
    assert_all_gone(Pair()) and len(pair.a.endpoint._transactions) == 0


# ---- CANCEL


def test_cancel_while_it_rings() -> None:
    pair = Pair()
    ours = pair.call()
    pair.run(0.1)
    pair.b.take(CallReceived).call.ring(pair.now)
    pair.run(0.1)
    ours.hang_up(pair.now, "no patience")
    ours.hang_up(pair.now)
    pair.run(0.1)
    ended = pair.b.take(CallTerminated)
    assert (ended.cause, ended.status, ended.by_remote) == ("cancelled", 487, True)
    ended = pair.a.take(CallTerminated)
    assert (ended.cause, ended.status, ended.by_remote) == ("cancelled", 487, False)
    assert pair.a.summary() == ["INVITE", "CANCEL", "ACK"]
    assert pair.b.summary() == ["100 INVITE", "180 INVITE", "200 CANCEL", "487 INVITE"]
    invite, cancel = pair.a.requests("INVITE")[0], pair.a.requests("CANCEL")[0]
    assert (cancel.via, cancel.call_id, cancel.from_, cancel.to, cancel.uri) == (
        invite.via,
        invite.call_id,
        invite.from_,
        invite.to,
        invite.uri,
    )
    assert str(cancel.cseq) == "1 CANCEL"
    assert pair.b.responses("CANCEL")[0].to.tag == pair.b.responses("INVITE")[-1].to.tag
    pair.run(40)
    assert_all_gone(pair)


def test_cancel_after_100_alone_goes_out_at_once() -> None:
    pair = Pair()
    ours = pair.call()
    pair.run(0.1)
    ours.hang_up(pair.now)
    pair.run(0.1)
    assert pair.a.summary() == ["INVITE", "CANCEL", "ACK"]
    assert pair.b.take(CallTerminated).cause == "cancelled"


def test_cancel_waits_for_the_first_provisional_response() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: not from_a and pair.now < 1.0
    ours = pair.call()
    pair.run(0.2)
    ours.hang_up(pair.now)
    pair.run(0.2)
    assert pair.a.summary() == ["INVITE"]
    pair.run(3.0)
    assert "CANCEL" in pair.a.summary()
    assert pair.a.take(CallTerminated).cause == "cancelled"
    pair.run(60)
    assert_all_gone(pair)


def test_cancel_that_crosses_the_200_is_followed_by_ack_and_bye() -> None:
    pair = Pair(delay_s=0.1)
    ours = pair.call()
    pair.run(0.25)
    theirs = pair.b.take(CallReceived).call
    theirs.accept(ANSWER, pair.now)
    ours.hang_up(pair.now)
    pair.run(0.5)
    assert pair.a.summary() == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert "487 INVITE" not in pair.b.summary() and "200 CANCEL" in pair.b.summary()
    assert not pair.a.has(CallAnswered)
    assert pair.b.take(CallTerminated).by_remote
    pair.run(60)
    assert_all_gone(pair)


def test_a_cancelled_call_whose_final_response_never_comes_is_forgotten_after_64_t1() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: is_message(data, b"SIP/2.0 487")
    ours = pair.call()
    pair.run(0.1)
    ours.hang_up(pair.now)
    pair.run(32.5)
    assert pair.a.take(CallTerminated).cause == "cancelled"
    assert len(pair.a.endpoint._transactions) == 0


def test_a_cancel_for_nothing_is_answered_with_481() -> None:
    pair = Pair()
    pair.inject(request("CANCEL"))
    assert pair.b.summary() == ["481 CANCEL"]
    assert len(pair.b.endpoint._transactions) == 0


def test_a_further_provisional_response_brings_no_second_cancel() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: from_a and is_message(data, b"CANCEL")
    ours = pair.call()
    pair.run(0.1)
    theirs = pair.b.take(CallReceived).call
    ours.hang_up(pair.now)
    theirs.ring(pair.now)
    theirs.ring(pair.now, 183)
    pair.run(0.1)
    assert pair.a.summary() == ["INVITE", "CANCEL"]
    assert not pair.a.has(CallProgressed)
