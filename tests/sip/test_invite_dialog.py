"""What happens inside a call: re-INVITE, UPDATE and glare (RFC 3261 §14, RFC 3311), other requests, new flows."""

from __future__ import annotations

import pytest

from sip.errors import LocalProtocolError
from sip.events import (
    AnswerReceived,
    CallAnswered,
    CallReceived,
    CallTerminated,
    DialogRequestReceived,
    Event,
    OfferReceived,
    OfferRefused,
    RequestFailed,
    ResponseReceived,
)
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import CallState
from sip.own_offers import glare_delay
from sip.uri import Uri
from tests.helpers.pair import ANSWER, OFFER, A, B, Pair, assert_all_gone
from tests.helpers.sip_messages import request, response

# ---- re-INVITE, UPDATE, glare


@pytest.mark.parametrize("from_caller", [True, False])
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_re_invite_of_either_side_is_answered(from_caller: bool, transport: str) -> None:
    pair = Pair(transport=transport)
    ours, theirs = pair.established()
    if from_caller:
        sender, taker, sender_side, taker_side = ours, theirs, pair.a, pair.b
    else:
        sender, taker, sender_side, taker_side = theirs, ours, pair.b, pair.a
    sender.offer(b"hold", pair.now)
    pair.run(0.2)
    assert taker_side.take(OfferReceived).offer == b"hold"
    taker.accept_offer(b"held", pair.now)
    pair.run(0.2)
    assert sender_side.take(AnswerReceived).answer == b"held"
    sender.offer(b"resume", pair.now)
    pair.run(0.2)
    taker.reject_offer(488, pair.now)
    pair.run(0.2)
    assert sender_side.take(OfferRefused).status == 488
    assert ours.is_up and theirs.is_up
    pair.run(40)
    ours.hang_up(pair.now)
    pair.run(40)
    assert_all_gone(pair)


def test_a_re_invite_without_an_offer_gets_ours_and_its_answer_in_the_ack() -> None:
    pair = Pair()
    _, theirs = pair.established()
    invite = pair.a.requests("INVITE")[0]
    tag = pair.b.responses("INVITE")[-1].to.tag
    asks = request(
        "INVITE", CSeq="2 INVITE", Call_ID=invite.call_id, From=str(invite.from_), To=f"<sip:room@b.example>;tag={tag}"
    )
    pair.inject(asks)
    assert pair.b.take(OfferReceived).offer is None
    theirs.accept_offer(OFFER, pair.now)
    pair.flush()
    assert pair.b.responses("INVITE")[-1].body == OFFER
    pair.inject(
        request(
            "ACK",
            CSeq="2 ACK",
            Call_ID=invite.call_id,
            From=str(invite.from_),
            To=f"<sip:room@b.example>;tag={tag}",
            body=ANSWER,
            Via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKack",
        )
    )
    assert pair.b.take(AnswerReceived).answer == ANSWER
    assert theirs.is_up


def test_glare_is_refused_with_491_at_both_ends_and_reported_after_the_wait_of_14_1() -> None:
    pair = Pair()
    ours, theirs = pair.established()
    ours.offer(b"ours", pair.now)
    theirs.offer(b"theirs", pair.now)
    started = pair.now
    pair.run(0.1)
    assert "491 INVITE" in pair.a.summary() and "491 INVITE" in pair.b.summary()
    assert not pair.a.has(OfferRefused)
    times = {}
    for _ in range(500):
        pair.run(0.01)
        for name, side in (("a", pair.a), ("b", pair.b)):
            if name not in times and side.has(OfferRefused):
                times[name] = pair.now - started
    assert pair.a.take(OfferRefused).status == pair.b.take(OfferRefused).status == 491
    assert 2.1 <= times["a"] <= 4.2 and times["b"] <= 2.2
    theirs.offer(b"again", pair.now)
    pair.run(0.1)
    assert pair.a.take(OfferReceived).offer == b"again"


def test_the_wait_after_a_491_is_drawn_by_lot() -> None:
    pairs = [Pair(seed=seed) for seed in range(20)]
    delays = {glare_delay(pair.a.endpoint, pair.established()[0]) for pair in pairs}
    assert len(delays) > 10 and all(2.1 <= delay <= 4.0 for delay in delays)


def test_an_offer_while_one_of_the_same_peer_waits_is_refused_with_500_and_retry_after() -> None:
    pair = Pair()
    ours, theirs = pair.established()
    ours.offer(b"one", pair.now)
    pair.run(0.1)
    ours.request("UPDATE", body=b"two", content_type="application/sdp", now=pair.now)
    pair.run(0.1)
    refusal = pair.b.responses("UPDATE")[0]
    assert refusal.status == 500 and 0 <= int(refusal.headers.get("Retry-After") or "-1") <= 10
    theirs.accept_offer(ANSWER, pair.now)
    pair.run(0.1)
    assert pair.a.take(AnswerReceived).answer == ANSWER


def test_an_update_with_an_offer_is_answered_and_one_without_refreshes_the_target() -> None:
    pair = Pair()
    ours, theirs = pair.established()
    ours.request("UPDATE", body=b"changed", content_type="application/sdp", now=pair.now)
    pair.run(0.1)
    assert pair.b.take(OfferReceived).offer == b"changed"
    theirs.accept_offer(ANSWER, pair.now)
    pair.run(0.1)
    assert pair.a.take(ResponseReceived).response.body == ANSWER
    ours.request("UPDATE", now=pair.now)
    pair.run(0.1)
    assert pair.a.take(ResponseReceived).response.status == 200 and not pair.b.has(OfferReceived)


def test_an_update_that_meets_our_own_offer_is_refused_with_491() -> None:
    pair = Pair(delay_s=0.1)
    ours, theirs = pair.established()
    theirs.offer(b"theirs", pair.now)
    ours.request("UPDATE", body=b"ours", content_type="application/sdp", now=pair.now)
    pair.run(0.15)
    assert "491 UPDATE" in pair.b.summary()


def test_we_do_not_offer_while_another_offer_is_under_way() -> None:
    pair = Pair()
    ours, theirs = pair.established()
    ours.offer(b"one", pair.now)
    with pytest.raises(LocalProtocolError):
        ours.offer(b"two", pair.now)
    pair.run(0.1)
    with pytest.raises(LocalProtocolError):
        theirs.offer(b"three", pair.now)


def test_a_cancelled_re_invite_is_refused_with_487_and_the_call_goes_on() -> None:
    pair = Pair()
    _, theirs = pair.established()
    invite, tag = pair.a.requests("INVITE")[0], pair.b.responses("INVITE")[-1].to.tag
    fields = {"Call_ID": invite.call_id, "From": str(invite.from_), "To": f"<sip:room@b.example>;tag={tag}"}
    pair.inject(request("INVITE", body=OFFER, CSeq="2 INVITE", **fields))
    pair.inject(request("CANCEL", CSeq="2 CANCEL", **fields))
    assert pair.b.summary()[-2:] == ["200 CANCEL", "487 INVITE"]
    assert theirs.state is CallState.UP and not pair.b.has(CallTerminated)
    theirs.accept_offer(ANSWER, pair.now)
    pair.flush()
    assert pair.b.summary()[-2:] == ["200 CANCEL", "487 INVITE"]
    with pytest.raises(LocalProtocolError):
        theirs.accept_offer(ANSWER, pair.now)


def test_an_invite_and_its_cancel_in_one_read_of_a_stream() -> None:
    pair = Pair(transport="TCP")
    pair.b.handler = lambda event, now: event.call.accept(ANSWER, now) if isinstance(event, CallReceived) else None
    pair.inject(request("INVITE", body=OFFER) + request("CANCEL"))
    assert pair.b.summary() == ["100 INVITE", "200 CANCEL", "487 INVITE"]
    assert pair.b.take(CallTerminated).cause == "cancelled"


def test_an_offer_that_waits_when_the_call_ends_is_refused_with_487() -> None:
    for ender in ("caller", "callee"):
        pair = Pair()
        ours, theirs = pair.established()
        ours.offer(b"one", pair.now)
        pair.run(0.1)
        (ours if ender == "caller" else theirs).hang_up(pair.now)
        pair.run(0.2)
        assert "487 INVITE" in pair.b.summary(), ender
        pair.run(60)
        assert_all_gone(pair)


@pytest.mark.parametrize(("status", "byes"), [(481, 0), (408, 1)])
def test_a_re_invite_refused_with_481_or_408_ends_the_call(status: int, byes: int) -> None:
    pair = Pair()
    ours, theirs = pair.established()
    ours.offer(b"one", pair.now)
    pair.run(0.1)
    theirs.reject_offer(status, pair.now)
    pair.run(0.1)
    assert pair.a.take(CallTerminated).cause == "lost"
    assert pair.a.summary().count("BYE") == byes


def test_a_re_invite_that_nobody_answers_ends_the_call() -> None:
    pair = Pair()
    ours, _ = pair.established()
    pair.drop = lambda data, from_a: True
    ours.offer(b"one", pair.now)
    pair.run(33)
    assert pair.a.take(CallTerminated).cause == "lost"
    pair.run(40)
    assert len(pair.a.endpoint._transactions) == 0 and pair.a.endpoint._dialogs._by_id == {}


def test_a_re_invite_that_gets_no_more_than_a_100_ends_the_call_after_timer_c() -> None:
    pair = Pair()
    ours, _ = pair.established()
    ours.offer(b"one", pair.now)
    pair.run(0.1)
    pair.drop = lambda data, from_a: b"SIP/2.0 2" in data and b"INVITE" in data
    pair.run(170)
    assert ours.is_up and pair.a.endpoint.has_unanswered
    pair.run(20)
    ended = pair.a.take(CallTerminated)
    assert (ended.cause, ended.status) == ("lost", 408) and pair.a.summary().count("BYE") == 1
    pair.run(60)
    assert_all_gone(pair)


def test_a_re_invite_that_never_gets_its_final_response_is_forgotten_after_the_end_of_its_call() -> None:
    pair = Pair()
    ours, _ = pair.established()
    ours.offer(b"one", pair.now)
    pair.run(0.1)
    pair.drop = lambda data, from_a: b" 487 " in data
    ours.hang_up(pair.now)
    pair.run(200)
    assert_all_gone(pair)


def test_the_target_moves_when_a_re_invite_is_accepted_and_not_when_it_is_refused() -> None:
    pair = Pair()
    ours, theirs = pair.established()
    assert theirs.dialog is not None
    before = theirs.dialog.target
    ours.contact = ours.dialog.contact = before.with_parameter("moved") if ours.dialog is not None else before
    ours.offer(b"one", pair.now)
    pair.run(0.1)
    theirs.reject_offer(488, pair.now)
    assert theirs.dialog.target == before
    pair.run(0.1)
    ours.offer(b"two", pair.now)
    pair.run(0.1)
    theirs.accept_offer(ANSWER, pair.now)
    assert theirs.dialog.target.has_parameter("moved")


def test_a_re_invite_whose_2xx_comes_after_our_bye_is_acknowledged_and_not_reported() -> None:
    pair = Pair(delay_s=0.1)
    ours, theirs = pair.established()
    ours.offer(b"one", pair.now)
    pair.run(0.15)
    theirs.accept_offer(ANSWER, pair.now)
    ours.hang_up(pair.now)
    pair.run(0.5)
    assert pair.a.summary()[-2:] == ["BYE", "ACK"]
    assert not pair.a.has(AnswerReceived)
    pair.run(60)
    assert_all_gone(pair)


# ---- other requests in the dialog


def test_info_and_message_in_the_dialog_reach_the_call_and_their_answers_come_back() -> None:
    pair = Pair()
    ours, theirs = pair.established()
    for sender, side, other, method in ((ours, pair.b, pair.a, "INFO"), (theirs, pair.a, pair.b, "MESSAGE")):
        request_id = sender.request(method, body=b"hi", content_type="text/x", headers=[("Info-Package", "p")], now=pair.now)
        pair.run(0.1)
        event = side.take(DialogRequestReceived)
        assert (event.request.method, event.request.body, event.request.content_type) == (method, b"hi", "text/x")
        side.endpoint.respond(event.transaction_id, 469, now=pair.now)
        pair.run(0.1)
        answer = other.take(ResponseReceived)
        assert (answer.request_id, answer.response.status) == (request_id, 469)


def test_a_request_in_the_dialog_that_nobody_answers_fails_with_408() -> None:
    pair = Pair()
    ours, _ = pair.established()
    pair.drop = lambda data, from_a: True
    request_id = ours.request("INFO", now=pair.now)
    pair.run(33)
    assert pair.a.take(RequestFailed) == RequestFailed(request_id, 408)
    assert ours.is_up


def test_an_old_number_in_the_dialog_is_refused_with_500() -> None:
    pair = Pair()
    _, theirs = pair.established()
    invite, tag = pair.a.requests("INVITE")[0], pair.b.responses("INVITE")[-1].to.tag
    pair.inject(
        request("BYE", CSeq="1 BYE", Call_ID=invite.call_id, From=str(invite.from_), To=f"<sip:room@b.example>;tag={tag}")
    )
    assert pair.b.summary()[-1] == "500 BYE" and theirs.is_up


@pytest.mark.parametrize("wrong", ["call", "local", "remote"])
def test_a_request_with_one_wrong_tag_is_of_no_dialog(wrong: str) -> None:
    pair = Pair()
    _, theirs = pair.established()
    invite, tag = pair.a.requests("INVITE")[0], pair.b.responses("INVITE")[-1].to.tag
    fields = {"Call_ID": invite.call_id, "From": str(invite.from_), "To": f"<sip:room@b.example>;tag={tag}", "CSeq": "9 BYE"}
    fields |= {"call": {"Call_ID": "x"}, "local": {"To": "<sip:room@b.example>;tag=x"}, "remote": {"From": "<sip:a@b>;tag=x"}}[
        wrong
    ]
    pair.inject(request("BYE", **fields))
    assert pair.b.summary()[-1] == "481 BYE" and theirs.is_up


def test_both_hang_up_at_once() -> None:
    pair = Pair(delay_s=0.1)
    ours, theirs = pair.established()
    ours.hang_up(pair.now)
    theirs.hang_up(pair.now)
    pair.run(60)
    assert pair.a.take(CallTerminated).cause == pair.b.take(CallTerminated).cause == "hung_up"
    assert_all_gone(pair)


def test_a_bye_for_an_early_dialog_refuses_the_invite_with_487() -> None:
    pair = Pair()
    pair.call()
    pair.run(0.1)
    pair.b.take(CallReceived).call.ring(pair.now)
    pair.run(0.1)
    invite, tag = pair.a.requests("INVITE")[0], pair.b.responses("INVITE")[-1].to.tag
    pair.inject(
        request("BYE", CSeq="2 BYE", Call_ID=invite.call_id, From=str(invite.from_), To=f"<sip:room@b.example>;tag={tag}")
    )
    assert pair.b.summary()[-2:] == ["200 BYE", "487 INVITE"]
    assert pair.b.take(CallTerminated).by_remote


# ---- flows


def bye(pair: Pair, number: int = 2, method: str = "BYE", via: str = "z9hG4bKnew") -> bytes:
    """A request of the caller's in the dialog, written by hand."""
    invite, tag = pair.a.requests("INVITE")[0], pair.b.responses("INVITE")[-1].to.tag
    return request(
        method,
        CSeq=f"{number} {method}",
        Call_ID=invite.call_id,
        From=str(invite.from_),
        To=f"<sip:room@b.example>;tag={tag}",
        Via=f"SIP/2.0/TCP 192.0.2.1:5060;branch={via};rport",
    )


def test_a_lost_connection_does_not_end_an_answered_call_and_a_new_one_takes_its_place() -> None:
    pair = Pair(transport="TCP")
    _, theirs = pair.established()
    pair.b.endpoint.flow_lost(pair.flow_b, pair.now)
    pair.flush()
    assert theirs.is_up and not pair.b.has(CallTerminated)
    again = Flow("TCP", B, (A[0], 40123), 99)
    pair.inject(bye(pair, 2, "INFO"), flow=again)
    assert pair.b.take(DialogRequestReceived).call is theirs
    theirs.hang_up(pair.now)
    pair.flush()
    assert pair.b.sent[-1][2] == again and pair.b.summary()[-1] == "BYE"


def test_a_call_whose_connection_is_gone_ends_when_a_request_fails() -> None:
    pair = Pair(transport="TCP")
    _, theirs = pair.established()
    pair.b.endpoint.flow_lost(pair.flow_b, pair.now)
    theirs.offer(OFFER, pair.now)
    pair.b.endpoint.flow_lost(pair.flow_b, pair.now)  # the driver could not open it again
    pair.flush()
    assert pair.b.take(CallTerminated).cause == "lost"


def test_a_lost_connection_ends_a_call_that_is_not_answered() -> None:
    pair = Pair(transport="TCP")
    pair.call()
    pair.run(0.1)
    pair.b.endpoint.flow_lost(pair.flow_b, pair.now)
    pair.a.endpoint.flow_lost(pair.flow_a, pair.now)
    pair.flush()
    assert pair.b.take(CallTerminated).cause == pair.a.take(CallTerminated).cause == "lost"
    assert_all_gone(pair)


def test_a_phone_whose_address_changes_is_followed_after_a_request_in_order() -> None:
    pair = Pair()
    _, theirs = pair.established()
    moved = Flow("UDP", B, (A[0], 6000))
    pair.inject(bye(pair, 1, "INFO", "z9hG4bKold"), flow=moved)
    assert theirs.flow == pair.flow_b
    pair.inject(bye(pair, 2, "INFO"), flow=moved)
    assert theirs.flow == moved


def test_one_request_that_moved_to_tcp_for_its_size_does_not_move_the_call() -> None:
    pair = Pair()
    _, theirs = pair.established()
    pair.inject(bye(pair, 2, "INFO"), flow=Flow("TCP", B, (A[0], 40123), 5))
    pair.b.take(DialogRequestReceived)
    assert theirs.flow == pair.flow_b


def test_events_carry_the_users_own_slot() -> None:
    pair = Pair()
    seen: list[Event] = []
    pair.a.handler = lambda event, now: seen.append(event)
    call = pair.call()
    call.data = "mine"
    pair.run(0.1)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(0.1)
    assert [event.call.data for event in seen if isinstance(event, CallAnswered)] == ["mine"]
    assert call.remote.uri.user == "room"


def test_a_peer_without_a_tag_in_from_can_call() -> None:
    pair = Pair()
    pair.inject(request("INVITE", From="sip:old@a.example", body=OFFER))
    theirs = pair.b.take(CallReceived).call
    theirs.accept(ANSWER, pair.now)
    pair.flush()
    tag = pair.b.responses("INVITE")[-1].to.tag
    pair.inject(
        request(
            "ACK",
            From="sip:old@a.example",
            To=f"<sip:room@b.example>;tag={tag}",
            Via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa",
        )
    )
    assert theirs.state is CallState.UP


def test_responses_to_a_call_that_is_over_do_nothing() -> None:
    pair = Pair()
    ours, _ = pair.established()
    ours.hang_up(pair.now)
    pair.run(60)
    invite = pair.a.requests("INVITE")[0]
    pair.inject(bytes(invite.respond(180, to_tag="x")), to_a=True)
    pair.inject(response(200), to_a=True)
    assert pair.a.endpoint.counters["stray responses"] == 2


@pytest.mark.parametrize("hops", [70, 5])
def test_a_call_made_for_another_one_has_the_hops_that_are_left(hops: int) -> None:
    pair = Pair()
    pair.a.endpoint.invite(
        Uri.parse("sip:room@b.example"), from_=NameAddr.parse("<sip:alice@a.example>"), flow=pair.flow_a,
        contact=Uri.parse("sip:alice@192.0.2.1:5060"), now=0.0, offer=OFFER, max_forwards=hops)
    pair.flush()
    assert pair.a.requests("INVITE")[0].max_forwards == hops


def test_a_lost_connection_concerns_the_calls_that_went_by_it_alone() -> None:
    pair = Pair(transport="TCP")
    ours = pair.call()
    other = pair.a.endpoint.invite(
        Uri.parse("sip:room@c.example"), from_=NameAddr.parse("<sip:alice@a.example>"),
        flow=Flow("TCP", pair.flow_a.local, ("192.0.2.3", 5060), 8), contact=ours.contact, now=0.0, offer=OFFER)
    pair.a.endpoint.datagrams_to_send()
    pair.a.endpoint.flow_lost(pair.flow_a, 0.0)
    assert ours.state is CallState.ENDED and other.state is CallState.CALLING
    pair.a.endpoint.flow_lost(other.flow, 0.0)
    assert other.state is CallState.ENDED
    assert pair.a.endpoint._transactions._by_flow == {}
