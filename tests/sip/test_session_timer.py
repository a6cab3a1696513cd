"""Session timers (RFC 4028): what is asked and granted, who refreshes, and the end of a session that nobody refreshes."""

from __future__ import annotations

import pytest

from sip.endpoint import EndpointSettings
from sip.errors import ParseError
from sip.events import AnswerReceived, CallAnswered, CallReceived, CallTerminated, OfferReceived
from sip.invite import Call
from sip.message import Request, Response
from sip.session_timer import Session, SessionExpires, is_too_small
from sip.uri import Uri
from tests.helpers.pair import ANSWER, OFFER, Pair, assert_all_gone, is_message
from tests.helpers.sip_messages import request

SHORT = EndpointSettings(session_expires_s=90)


def invite(*headers: tuple[str, str]) -> Request:
    """An INVITE with these headers alone."""
    made = Request("INVITE", Uri.parse("sip:a@b"))
    for name, value in headers:
        made.headers.add(name, value)
    return made


# ---- values and the table


@pytest.mark.parametrize(("text", "seconds", "refresher"), [
    ("90", 90, ""),
    (" 1800 ; refresher=uac", 1800, "uac"), ("100;x=1;refresher=uas", 100, "uas"), ("100;refresher=me", 100, "")])
def test_a_session_expires_is_read(text: str, seconds: int, refresher: str) -> None:
    assert SessionExpires.parse(text) == SessionExpires(seconds, refresher)


@pytest.mark.parametrize("text", ["", "x", "-1", "90 90", ";refresher=uac", "99999999999"])
def test_what_is_no_session_expires_is_an_error(text: str) -> None:
    with pytest.raises(ParseError):
        SessionExpires.parse(text)


@pytest.mark.parametrize(("headers", "wanted", "given", "required"), [
    ((), 1800, None, False),                                                                   # table 2 of §9, row by row
    ((("Session-Expires", "600"),), 1800, "600;refresher=uas", False),
    ((("Session-Expires", "600;refresher=uac"),), 1800, "600;refresher=uas", False),
    ((("Supported", "timer"),), 1800, "1800;refresher=uas", True),
    ((("Supported", "timer"),), 0, None, False),
    ((("Supported", "timer"), ("Session-Expires", "600")), 0, "600;refresher=uas", True),
    ((("Supported", "timer"), ("Session-Expires", "600;refresher=uac")), 1800, "600;refresher=uac", True),
    ((("Supported", "timer"), ("Session-Expires", "3600;refresher=uas")), 1800, "1800;refresher=uas", True),
    ((("Supported", "timer"), ("Session-Expires", "3600"), ("Min-SE", "2000")), 1800, "2000;refresher=uas", True),
    ((("Supported", "timer"), ("Session-Expires", "rubbish"), ("Min-SE", "rubbish")), 1800, "1800;refresher=uas", True),
])
def test_the_answer_follows_the_table_of_section_9(headers: tuple[tuple[str, str], ...], wanted: int, given: str | None,
                                                   required: bool) -> None:
    answer = dict(Session(wanted, 90).answer(invite(*headers)))
    assert (None if given is None else str(answer["Session-Expires"])) == given
    assert ("Require" in answer) is required


def test_only_a_peer_that_knows_422_is_refused_with_it() -> None:
    assert is_too_small(invite(("Supported", "timer"), ("Session-Expires", "89")), 90)
    assert not is_too_small(invite(("Supported", "timer"), ("Session-Expires", "90")), 90)
    assert not is_too_small(invite(("Session-Expires", "10")), 90)
    assert is_too_small(invite(("k", "timer"), ("x", "100")), 120)


def test_an_interval_that_a_peer_grants_is_kept_between_90_s_and_a_day() -> None:
    session = Session(1800, 90)
    for text, seconds in (("1", 90), ("999999", 86400), ("300", 300)):
        response = Response(200, "OK")
        response.headers.add("Session-Expires", text)
        session.receive(response)
        assert session.interval_s == seconds


# ---- calls


def established(pair: Pair) -> tuple[Call, Call]:
    """A call that is up, with no events waiting: (the caller's, the callee's)."""
    return pair.established()


def answer_offers(pair: Pair) -> None:
    """Both sides answer what the other offers."""
    for side in (pair.a, pair.b):
        side.handler = lambda event, now: event.call.accept_offer(ANSWER, now) if isinstance(event, OfferReceived) else None


def test_a_call_lives_as_long_as_it_is_refreshed_by_update() -> None:
    pair = Pair(settings=SHORT)
    ours, _ = established(pair)
    assert pair.a.requests("INVITE")[0].headers.get("Session-Expires") == "90"
    assert pair.b.responses("INVITE")[-1].headers.get("Session-Expires") == "90;refresher=uas"
    pair.run(1000)
    assert ours.is_up and not pair.a.has(AnswerReceived)
    updates = pair.b.requests("UPDATE")
    assert 20 <= len(updates) <= 23 and {m.body for m in updates} == {b""}          # one in 45 s
    assert {m.headers.get("Session-Expires") for m in updates} == {"90;refresher=uac"}
    assert pair.a.requests("UPDATE") == []
    ours.hang_up(pair.now)
    pair.run(40)
    assert_all_gone(pair)


def test_it_is_refreshed_by_re_invite_where_the_peer_takes_no_update() -> None:
    pair = Pair(settings=EndpointSettings(session_expires_s=90, allow="INVITE, ACK, CANCEL, BYE, OPTIONS"))
    answer_offers(pair)
    ours, _ = established(pair)
    pair.run(200)
    assert ours.is_up and pair.b.requests("UPDATE") == []
    again = pair.b.requests("INVITE")
    assert len(again) == 4 and {m.body for m in again} == {ANSWER}
    answers = [event.answer for event in pair.b.events if isinstance(event, AnswerReceived)]
    assert answers == [ANSWER]                                     # it said so once, and then what it had said


def test_a_session_that_nobody_refreshes_ends_with_a_bye_at_both_ends() -> None:
    pair = Pair(settings=SHORT)
    established(pair)
    pair.drop = lambda data, from_a: b"UPDATE" in data
    pair.run(59)
    assert not pair.a.has(CallTerminated)
    pair.run(60)
    ended = pair.b.take(CallTerminated)
    assert (ended.cause, ended.status, ended.reason) == ("timeout", 408, "the session was not refreshed")
    assert pair.a.take(CallTerminated).reason == "the session was not refreshed"
    pair.run(60)
    assert_all_gone(pair)


def test_the_caller_refreshes_when_it_is_told_to() -> None:
    pair = Pair(settings=EndpointSettings(session_expires_s=0))
    ours = pair.a.endpoint.invite(
        Uri.parse("sip:room@b.example"), from_=pair.call().invite.from_.with_tag(""),            # type: ignore[union-attr]
        flow=pair.flow_a, contact=Uri.parse("sip:alice@192.0.2.1:5060"), now=0.0, offer=OFFER,
        headers=[("Session-Expires", "100;refresher=uac")])
    pair.run(0.1)
    for event in pair.b.events:
        if isinstance(event, CallReceived):
            event.call.accept(ANSWER, pair.now)
    pair.run(330)
    assert ours.is_up and len(pair.a.requests("UPDATE")) == 6 and pair.b.requests("UPDATE") == []


def test_peers_that_want_none_and_stock_phones_have_no_timer() -> None:
    pair = Pair(settings=EndpointSettings(session_expires_s=0))
    established(pair)
    assert pair.a.endpoint.next_timer() is None or pair.a.endpoint.next_timer() < 60             # type: ignore[operator]
    pair.run(5000)
    assert pair.a.endpoint.next_timer() is None and pair.b.endpoint.next_timer() is None
    pair = Pair()
    pair.inject(request("INVITE", body=OFFER))
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.flush()
    assert "Session-Expires" not in pair.b.responses("INVITE")[-1].headers


def test_too_short_an_interval_is_refused_with_422_and_min_se_and_asked_for_again() -> None:
    pair = Pair(settings=EndpointSettings(session_expires_s=120))
    pair.b.endpoint.settings = EndpointSettings(session_expires_s=0, min_se_s=300)
    ours = pair.call()
    pair.run(0.5)
    pair.b.take(CallReceived).call.accept(ANSWER, pair.now)
    pair.run(0.5)
    first, second = pair.a.requests("INVITE")
    assert (first.headers.get("Session-Expires"), first.headers.get("Min-SE")) == ("120", None)
    assert (second.headers.get("Session-Expires"), second.headers.get("Min-SE")) == ("300", "300")
    assert second.cseq.number == 2 and second.call_id == first.call_id and second.via.branch != first.via.branch
    assert pair.b.responses("INVITE")[0].headers.get("Min-SE") == "300"
    pair.a.take(CallAnswered)
    assert ours.is_up


def test_a_peer_that_always_says_422_can_not_make_us_run_in_circles() -> None:
    pair = Pair(settings=SHORT)
    pair.b.endpoint.admit = lambda request, flow, now: request.respond(422, headers=[("Min-SE", "100")])
    pair.call()
    pair.run(5)
    assert len(pair.a.requests("INVITE")) == 4
    assert pair.a.take(CallTerminated).status == 422


def test_a_refresh_that_is_refused_is_tried_again_until_the_time_is_over() -> None:
    pair = Pair(settings=SHORT)
    ours, _ = established(pair)
    refused = 0

    def refuse(data: bytes, from_a: bool) -> bool:
        nonlocal refused
        if from_a and is_message(data, b"SIP/2.0 200", b" UPDATE") and refused < 2:
            refused += 1
            pair.inject(data.replace(b"200 OK", b"500 Busy"))
            return True
        return False

    pair.drop = refuse
    pair.run(200)
    assert refused == 2 and ours.is_up
    assert len({m.cseq.number for m in pair.b.requests("UPDATE")}) >= 5


def test_a_refresh_refused_with_481_ends_the_call() -> None:
    pair = Pair(settings=SHORT)
    _, theirs = established(pair)
    pair.a.endpoint._dialogs._by_id.clear()
    pair.run(60)
    assert pair.b.take(CallTerminated).cause == "lost" and not theirs.is_up
