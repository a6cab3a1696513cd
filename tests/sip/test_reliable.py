"""Reliable provisional responses, early media and early dialogs (RFC 3262, RFC 3311), both ends and a peer played by hand."""

from __future__ import annotations

import itertools

import pytest

from sip.endpoint import EndpointSettings
from sip.errors import LocalProtocolError
from sip.events import (
    AnswerReceived,
    CallAnswered,
    CallConfirmed,
    CallProgressed,
    CallReceived,
    CallTerminated,
    OfferReceived,
    OfferRefused,
)
from sip.invite import Call, CallState
from sip.message import Request
from sip.reliable import rack_of
from tests.helpers.pair import ANSWER, OFFER, Pair, assert_all_gone, is_message
from tests.helpers.sip_messages import request, response

EARLY = b"v=0\r\no=early\r\n"
SETTINGS = EndpointSettings(session_expires_s=0)


def ringing(pair: Pair, body: bytes = ANSWER) -> tuple[Call, Call]:
    """A call that rings reliably: (the caller's, the callee's)."""
    ours = pair.call()
    pair.run(0.1)
    theirs = pair.b.take(CallReceived).call
    theirs.ring(pair.now, 183, body, reliable=True)
    pair.run(0.5)
    return ours, theirs


def by_hand(pair: Pair, status: int, rseq: int | None, tag: str = "one", body: bytes = b"", cseq: str = "") -> None:
    """A response to the newest INVITE of side a, from a phone of that To tag."""
    invite = pair.a.requests("INVITE")[-1]
    extra = ("Require: 100rel", f"RSeq: {rseq}") if rseq is not None else ()
    pair.inject(response(status, Via=str(invite.via), From=str(invite.from_), To=f"<sip:room@b.example>;tag={tag}", body=body,
                         Call_ID=invite.call_id, CSeq=cseq or str(invite.cseq), Contact=f"<sip:{tag}@192.0.2.2:5062>", extra=(
                             *extra, "Content-Type: application/sdp", "Allow: INVITE, UPDATE, PRACK")), to_a=True)


def racks(pair: Pair) -> list[tuple[str, str | None]]:
    """What side a acknowledged: (To tag, RAck)."""
    return [(prack.to.tag, prack.headers.get("RAck")) for prack in pair.a.requests("PRACK")]


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_early_media_is_answered_reliably_and_the_200_brings_no_other_answer(transport: str) -> None:
    pair = Pair(transport=transport, settings=SETTINGS)
    ours, theirs = ringing(pair)
    progressed = pair.a.take(CallProgressed)
    assert (progressed.response.status, progressed.answer) == (183, ANSWER)
    assert pair.a.summary() == ["INVITE", "PRACK"] and pair.b.summary()[-2:] == ["183 INVITE", "200 PRACK"]
    theirs.accept(b"v=0\r\no=another\r\n", pair.now)
    pair.run(0.5)
    assert pair.a.take(CallAnswered).answer == ANSWER
    assert pair.b.responses("INVITE")[-1].body == b""
    pair.b.take(CallConfirmed)
    ours.hang_up(pair.now)
    pair.run(40)
    assert_all_gone(pair)


@pytest.mark.parametrize("seed", range(10))
def test_early_media_comes_about_over_a_bad_network(seed: int) -> None:
    pair = Pair(loss=0.3, duplication=0.2, jitter_s=0.3, seed=seed, settings=SETTINGS)
    ours = pair.call()

    def answer(event: object, now: float) -> None:
        if isinstance(event, CallReceived):
            event.call.ring(now, 183, ANSWER, reliable=True)
            event.call.ring(now, 180, reliable=True)
            event.call.accept(ANSWER, now)

    pair.b.handler = answer
    pair.run(31)
    assert ours.state is CallState.UP
    progressed = [event for event in pair.a.events if isinstance(event, CallProgressed)]
    assert [event.response.status for event in progressed][:1] == [183]
    assert pair.a.take(CallAnswered).answer == ANSWER
    ours.hang_up(pair.now)
    pair.run(80)
    assert_all_gone(pair)


def test_a_response_is_repeated_until_its_prack_and_given_up_with_504_after_64_t1() -> None:
    pair = Pair(settings=SETTINGS)
    pair.drop = lambda data, from_a: is_message(data, b"PRACK")
    ringing(pair)
    pair.run(40)
    at = [round(when, 1) for when, data, _ in pair.b.sent if is_message(data, b"SIP/2.0 183")]
    assert [round(b - a, 1) for a, b in itertools.pairwise(at)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    ended = pair.b.take(CallTerminated)
    assert (ended.cause, ended.status) == ("timeout", 504)
    assert pair.a.take(CallTerminated).status == 504
    pair.run(60)
    assert_all_gone(pair)


def test_a_peer_that_requires_it_gets_every_ringing_reliably_and_in_turn() -> None:
    pair = Pair(settings=SETTINGS)
    pair.inject(request("INVITE", body=OFFER, extra=("Require: 100rel",)))
    call = pair.b.take(CallReceived).call
    call.ring(pair.now)
    call.ring(pair.now, 183)
    pair.flush()
    sent = [m for m in pair.b.responses("INVITE") if m.status > 100]
    assert [m.status for m in sent] == [180] and sent[0].require == {"100rel"}         # the 183 waits for the PRACK
    rseq = int(sent[0].headers.get("RSeq") or "")

    def prack(rack: str, number: int) -> int:
        pair.inject(request("PRACK", To=f"<sip:room@b.example>;tag={sent[0].to.tag}", CSeq=f"{number} PRACK",
                            Via=f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number};rport", extra=(f"RAck: {rack}",)))
        return pair.b.responses("PRACK")[-1].status

    assert prack(f"{rseq + 1} 1 INVITE", 2) == 481
    assert prack(f"{rseq} 2 INVITE", 3) == 481
    assert prack("none", 4) == 481
    assert prack(f"{rseq} 1 INVITE", 5) == 200
    assert [m.status for m in pair.b.responses("INVITE")][-1] == 183
    assert prack(f"{rseq} 1 INVITE", 6) == 481
    assert prack(f"{rseq + 1} 1 INVITE", 7) == 200


def test_a_peer_that_does_not_know_it_gets_early_media_unreliably_and_again_in_the_200() -> None:
    pair = Pair(settings=SETTINGS)
    pair.inject(request("INVITE", body=OFFER))
    call = pair.b.take(CallReceived).call
    call.ring(pair.now, 183, ANSWER, reliable=True)
    call.accept(ANSWER, pair.now)
    pair.flush()
    early, ok = [m for m in pair.b.responses("INVITE") if m.status > 100]
    assert (early.status, early.body, early.headers.get("RSeq")) == (183, ANSWER, None)
    assert (ok.status, ok.body) == (200, ANSWER)


def test_without_an_offer_the_first_reliable_response_brings_ours_and_the_prack_its_answer() -> None:
    pair = Pair(settings=SETTINGS)
    pair.inject(request("INVITE", extra=("Require: 100rel",)))
    call = pair.b.take(CallReceived).call
    call.ring(pair.now)
    pair.flush()
    assert pair.b.summary() == ["100 INVITE"]                    # a 180 without an offer is forbidden (§5)
    call.ring(pair.now, 183, OFFER)
    pair.flush()
    early = pair.b.responses("INVITE")[-1]
    assert (early.status, early.body) == (183, OFFER)
    pair.inject(request("PRACK", To=f"<sip:room@b.example>;tag={early.to.tag}", CSeq="2 PRACK", body=ANSWER,
                        Via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKp;rport",
                        extra=(f"RAck: {early.headers.get('RSeq')} 1 INVITE",)))
    assert pair.b.take(AnswerReceived).answer == ANSWER
    call.accept(OFFER, pair.now)
    pair.flush()
    assert (pair.b.responses("INVITE")[-1].status, pair.b.responses("INVITE")[-1].body) == (200, b"")


def test_a_prack_that_owes_an_answer_and_brings_none_ends_the_call() -> None:
    pair = Pair(settings=SETTINGS)
    pair.inject(request("INVITE", extra=("Require: 100rel",)))
    pair.b.take(CallReceived).call.ring(pair.now, 183, OFFER)
    pair.flush()
    early = pair.b.responses("INVITE")[-1]
    pair.inject(request("PRACK", To=f"<sip:room@b.example>;tag={early.to.tag}", CSeq="2 PRACK",
                        Via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKp;rport",
                        extra=(f"RAck: {early.headers.get('RSeq')} 1 INVITE",)))
    assert pair.b.responses("PRACK")[-1].status == 400
    assert pair.b.take(CallTerminated).cause == "error"


@pytest.mark.parametrize("is_taken", [True, False])
def test_an_offer_in_a_prack_is_handed_out_and_the_200_waits_for_its_answer(is_taken: bool) -> None:
    pair = Pair(settings=SETTINGS)
    pair.inject(request("INVITE", body=OFFER, extra=("Supported: 100rel",)))
    call = pair.b.take(CallReceived).call
    call.ring(pair.now, 183, ANSWER, reliable=True)
    call.accept(ANSWER, pair.now)
    pair.flush()
    early = pair.b.responses("INVITE")[-1]
    assert early.status == 183
    pair.inject(request("PRACK", To=f"<sip:room@b.example>;tag={early.to.tag}", CSeq="2 PRACK", body=EARLY,
                        Via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKp;rport",
                        extra=(f"RAck: {early.headers.get('RSeq')} 1 INVITE",)))
    assert pair.b.take(OfferReceived).offer == EARLY
    assert pair.b.responses("INVITE")[-1].status == 183
    if is_taken:
        call.accept_offer(ANSWER, pair.now)
    else:
        call.reject_offer(488, pair.now)
    pair.flush()
    assert pair.b.responses("PRACK")[-1].status == (200 if is_taken else 488)
    assert pair.b.responses("INVITE")[-1].status == 200


def test_a_cancel_while_the_200_waits_for_a_prack_ends_the_call_with_487() -> None:
    pair = Pair(settings=SETTINGS)
    pair.drop = lambda data, from_a: is_message(data, b"PRACK")
    ours, theirs = ringing(pair)
    theirs.accept(ANSWER, pair.now)
    ours.hang_up(pair.now)
    pair.run(40)
    assert pair.a.take(CallTerminated).cause == pair.b.take(CallTerminated).cause == "cancelled"
    assert "200 INVITE" not in pair.b.summary()
    pair.run(40)
    assert_all_gone(pair)


# ---- the caller's end, with phones played by hand


def test_reliable_responses_are_acknowledged_in_order_and_once() -> None:
    pair = Pair(settings=SETTINGS)
    pair.drop = lambda data, from_a: True
    pair.call()
    for rseq in (7, 7, 9, 8, 9, 7):
        by_hand(pair, 180, rseq)
    assert racks(pair) == [("one", "7 1 INVITE"), ("one", "8 1 INVITE"), ("one", "9 1 INVITE")]
    assert len([event for event in pair.a.events if isinstance(event, CallProgressed)]) == 3


def test_phones_of_a_fork_have_dialogs_of_their_own_and_the_first_200_ends_the_others() -> None:
    pair = Pair(settings=SETTINGS)
    pair.drop = lambda data, from_a: True
    call = pair.call()
    by_hand(pair, 183, 1, "one", EARLY)
    by_hand(pair, 183, 40, "two", ANSWER)
    assert racks(pair) == [("one", "1 1 INVITE"), ("two", "40 1 INVITE")]
    assert [event.answer for event in pair.a.events if isinstance(event, CallProgressed)] == [EARLY, ANSWER]
    assert pair.a.endpoint.figures()["dialogs"] == 2
    by_hand(pair, 200, None, "one")
    assert pair.a.take(CallAnswered).answer == EARLY             # the 200 needs none
    assert call.dialog is not None and call.dialog.target.user == "one" and call.dialog.local_cseq == 2
    assert pair.a.endpoint.figures()["dialogs"] == 1
    by_hand(pair, 200, None, "two", ANSWER)
    assert [bye.to.tag for bye in pair.a.requests("BYE")] == ["two"]
    assert not pair.a.has(CallAnswered)


def test_more_phones_than_a_fork_may_have_are_not_kept() -> None:
    pair = Pair(settings=SETTINGS)
    pair.drop = lambda data, from_a: True
    pair.call()
    for number in range(30):
        by_hand(pair, 180, 1, f"phone{number}")
    assert pair.a.endpoint.figures()["dialogs"] == len(racks(pair)) == 10


def test_a_refusal_ends_all_early_dialogs() -> None:
    pair = Pair(settings=SETTINGS)
    pair.call()
    pair.drop = lambda data, from_a: True
    by_hand(pair, 183, 1, "one", EARLY)
    by_hand(pair, 183, 1, "two")
    by_hand(pair, 486, None, "one")
    assert pair.a.take(CallTerminated).status == 486
    assert pair.a.endpoint.figures()["dialogs"] == 0


def test_a_bye_from_one_phone_of_a_fork_leaves_the_call_ringing() -> None:
    pair = Pair(settings=SETTINGS)
    call = pair.call()
    pair.drop = lambda data, from_a: True
    by_hand(pair, 180, None, "one")
    invite = pair.a.requests("INVITE")[-1]
    pair.inject(request("BYE", "sip:alice@192.0.2.1", From="<sip:room@b.example>;tag=one", To=str(invite.from_),
                        Call_ID=invite.call_id), to_a=True)
    assert pair.a.responses("BYE")[-1].status == 200
    assert call.state is CallState.RINGING and not pair.a.has(CallTerminated)
    assert pair.a.endpoint.figures()["dialogs"] == 0


def test_a_call_without_an_offer_does_not_ask_for_reliable_responses() -> None:
    pair = Pair(settings=SETTINGS)
    pair.call(None)
    assert "100rel" not in pair.a.requests("INVITE")[0].supported
    pair.call()
    assert "100rel" in pair.a.requests("INVITE")[-1].supported


@pytest.mark.parametrize("rseq", ["", "0", "-1", "99999999999", "x"])
def test_an_rseq_that_can_not_be_read_is_not_acknowledged(rseq: str) -> None:
    pair = Pair(settings=SETTINGS)
    pair.call()
    invite = pair.a.requests("INVITE")[-1]
    pair.inject(response(180, Via=str(invite.via), From=str(invite.from_), To="<sip:room@b.example>;tag=one",
                         Call_ID=invite.call_id, extra=("Require: 100rel", f"RSeq: {rseq}")), to_a=True)
    assert pair.a.requests("PRACK") == []
    assert pair.a.take(CallProgressed).response.status == 180


@pytest.mark.parametrize("value", ["", "1", "1 2", "1 2 INVITE x", "x 1 INVITE", "1 99999999999 INVITE"])
def test_what_is_no_rack_acknowledges_nothing(value: str) -> None:
    prack = Request("PRACK", Pair().call().contact)
    prack.headers.add("RAck", value)
    assert rack_of(prack) is None


# ---- UPDATE before the answer


def test_either_end_may_change_the_early_session_by_update() -> None:
    pair = Pair(settings=SETTINGS)
    ours, theirs = ringing(pair)
    ours.offer(EARLY, pair.now)
    pair.run(0.1)
    assert pair.b.take(OfferReceived).offer == EARLY
    theirs.accept_offer(b"v=0\r\no=second\r\n", pair.now)
    pair.run(0.1)
    assert pair.a.take(AnswerReceived).answer == b"v=0\r\no=second\r\n"
    theirs.offer(b"v=0\r\no=third\r\n", pair.now)
    pair.run(0.1)
    assert pair.a.take(OfferReceived).offer == b"v=0\r\no=third\r\n"
    ours.accept_offer(EARLY, pair.now)
    pair.run(0.1)
    pair.b.take(AnswerReceived)
    assert "INVITE" not in pair.a.summary()[1:] and pair.a.summary().count("UPDATE") == 1
    theirs.accept(ANSWER, pair.now)
    pair.run(0.1)
    assert pair.a.take(CallAnswered).answer == b"v=0\r\no=third\r\n"
    assert ours.state is CallState.UP


def test_before_offer_and_answer_are_exchanged_there_is_no_other_offer() -> None:
    pair = Pair(settings=SETTINGS)
    ours = pair.call()
    pair.run(0.1)
    theirs = pair.b.take(CallReceived).call
    theirs.ring(pair.now)
    pair.run(0.1)
    for call in (ours, theirs):
        with pytest.raises(LocalProtocolError):
            call.offer(EARLY, pair.now)


def test_updates_that_cross_are_refused_with_491_at_both_ends_also_before_the_answer() -> None:
    pair = Pair(settings=SETTINGS)
    ours, theirs = ringing(pair)
    ours.offer(EARLY, pair.now)
    theirs.offer(EARLY, pair.now)
    pair.run(0.2)
    assert pair.a.summary()[-1] == pair.b.summary()[-1] == "491 UPDATE"
    pair.run(5)
    assert pair.a.take(OfferRefused).status == pair.b.take(OfferRefused).status == 491


def update(pair: Pair, number: int, tag: str) -> int:
    """An UPDATE with an offer from the caller played by hand; the status of its response."""
    pair.inject(request("UPDATE", To=f"<sip:room@b.example>;tag={tag}", CSeq=f"{number} UPDATE", body=EARLY,
                        Via=f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number};rport"))
    found = [m for m in pair.b.responses("UPDATE") if m.cseq.number == number]
    return found[-1].status if found else 0


def test_an_update_before_our_answer_or_while_another_waits_gets_500_with_retry_after() -> None:
    pair = Pair(settings=SETTINGS)
    pair.inject(request("INVITE", body=OFFER))
    call = pair.b.take(CallReceived).call
    call.ring(pair.now)
    pair.flush()
    tag = pair.b.responses("INVITE")[-1].to.tag
    assert update(pair, 2, tag) == 500
    assert 0 <= int(pair.b.responses("UPDATE")[-1].headers.get("Retry-After") or "-1") <= 10
    call.accept(ANSWER, pair.now)
    pair.flush()
    assert update(pair, 3, tag) == 0                             # handed out
    assert update(pair, 4, tag) == 500


def test_an_update_to_a_caller_whose_offer_has_no_answer_gets_491() -> None:
    pair = Pair(settings=SETTINGS)
    pair.call()
    pair.drop = lambda data, from_a: True
    by_hand(pair, 180, 1, "one")
    invite = pair.a.requests("INVITE")[-1]
    pair.inject(request("UPDATE", "sip:alice@192.0.2.1", From="<sip:room@b.example>;tag=one", To=str(invite.from_),
                        Call_ID=invite.call_id, body=EARLY), to_a=True)
    assert pair.a.responses("UPDATE")[-1].status == 491
