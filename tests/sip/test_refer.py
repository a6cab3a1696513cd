"""REFER (RFC 3515): in a call and out of one, with reports and without (RFC 4488), at both ends."""

from __future__ import annotations

import pytest

from sip.endpoint import EndpointSettings
from sip.errors import LocalProtocolError
from sip.events import CallTerminated, NotifyReceived, ReferProgressed, ReferReceived, SubscriptionTerminated
from sip.headers import NameAddr
from sip.refer import Reference, Referral
from sip.settings import ALLOW, SUPPORTED
from sip.uri import Uri
from tests.helpers.pair import Pair, assert_all_gone
from tests.helpers.sip_messages import request, response

SETTINGS = EndpointSettings(allow=f"{ALLOW}, REFER", supported=SUPPORTED | {"replaces", "norefersub"}, session_expires_s=0)
CAROL = Uri.parse("sip:carol@c.example")


def told(pair: Pair) -> list[tuple[int, bool]]:
    """What side a was told: (status, whether it is final)."""
    return [(event.status, event.is_final) for event in pair.a.events if isinstance(event, ReferProgressed)]


def out_of_dialog(pair: Pair, **more: bool) -> Reference:
    """Side a asks side b, outside of any call, to call Carol."""
    return pair.a.endpoint.refer(
        Uri.parse("sip:room@b.example"), CAROL, from_=NameAddr.parse("<sip:alice@a.example>"), flow=pair.flow_a,
        contact=Uri.parse("sip:alice@192.0.2.1:5060"), now=pair.now, **more)


def refer(pair: Pair, tag: str = "", number: int = 1, *extra: str) -> int:
    """A REFER by hand; the status of the answer that the endpoint gives by itself, or 0."""
    pair.inject(request("REFER", CSeq=f"{number} REFER", To=f"<sip:room@b.example>{tag and ';tag=' + tag}", extra=extra,
                        Via=f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKr{number};rport"))
    found = [m for m in pair.b.responses("REFER") if m.cseq.number == number]
    return found[-1].status if found else 0


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_transfer_is_accepted_and_reported_to_its_end(transport: str, inside: bool) -> None:
    pair = Pair(transport=transport, settings=SETTINGS)
    ours, theirs = pair.established()
    reference = ours.refer(CAROL, now=pair.now) if inside else out_of_dialog(pair)
    pair.run(0.1)
    received = pair.b.take(ReferReceived)
    assert received.call is (theirs if inside else None)
    assert received.refer_to.uri == CAROL and received.referral.method == "INVITE" and received.replaces is None
    assert received.referred_by is not None and received.referred_by.uri.user == "alice"
    received.referral.accept(pair.now)
    pair.run(0.1)
    received.referral.notify(180, pair.now)
    pair.run(0.1)
    received.referral.notify(200, pair.now)
    received.referral.notify(486, pair.now)
    pair.run(0.1)
    assert told(pair) == [(202, False), (100, False), (180, False), (200, True)]
    assert reference.is_over and reference.status == 200
    notify = pair.b.requests("NOTIFY")[-1]
    assert notify.headers.get("Event") == "refer" and notify.headers.get("Content-Type") == "message/sipfrag;version=2.0"
    assert notify.headers.get("Subscription-State") == "terminated;reason=noresource"
    assert notify.body == b"SIP/2.0 200 OK\r\n"
    assert not any(isinstance(event, NotifyReceived | SubscriptionTerminated) for event in [*pair.a.events, *pair.b.events])
    ours.hang_up(pair.now)
    pair.run(40)
    assert_all_gone(pair)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("inside", [True, False])
def test_a_transfer_is_told_over_a_bad_network(seed: int, inside: bool) -> None:
    pair = Pair(settings=SETTINGS)
    ours, _ = pair.established()
    pair.loss, pair.duplication, pair.jitter_s = 0.25, 0.2, 0.3
    pair.b.handler = lambda event, now: finish(event.referral, now) if isinstance(event, ReferReceived) else None

    def finish(referral: Referral, now: float) -> None:
        referral.accept(now)
        referral.notify(200, now)

    reference = ours.refer(CAROL, now=pair.now) if inside else out_of_dialog(pair)
    pair.run(35)
    assert reference.is_over and reference.status == 200
    assert [final for _, final in told(pair)].count(True) == 1
    ours.hang_up(pair.now)
    pair.run(80)
    assert_all_gone(pair)


def test_a_refusal_is_final() -> None:
    pair = Pair(settings=SETTINGS)
    ours, _ = pair.established()
    ours.refer(CAROL, now=pair.now)
    pair.run(0.1)
    referral = pair.b.take(ReferReceived).referral
    referral.reject(603, pair.now)
    referral.accept(pair.now)
    pair.run(0.1)
    assert told(pair) == [(603, True)] and pair.b.requests("NOTIFY") == []
    assert ours.is_up


def test_an_attended_transfer_names_the_call_that_is_replaced() -> None:
    pair = Pair(settings=SETTINGS)
    ours, _ = pair.established()
    second, theirs = pair.established()
    ours.refer(Uri.parse("sip:carol@192.0.2.2:5062"), now=pair.now, replaces=second)
    pair.run(0.1)
    received = pair.b.take(ReferReceived)
    assert received.replaces is not None and theirs.dialog is not None
    assert received.replaces.dialog_id == theirs.dialog.id
    assert str(received.refer_to.uri) == "sip:carol@192.0.2.2:5062"


@pytest.mark.parametrize("inside", [True, False])
def test_without_reports_there_is_no_subscription(inside: bool) -> None:
    pair = Pair(settings=SETTINGS)
    ours, _ = pair.established()
    if inside:
        ours.refer(CAROL, now=pair.now, has_reports=False)
    else:
        out_of_dialog(pair, has_reports=False)
    pair.run(0.1)
    referral = pair.b.take(ReferReceived).referral
    assert not referral.wants_reports
    referral.accept(pair.now)
    referral.notify(200, pair.now)
    pair.run(0.1)
    assert pair.b.responses("REFER")[-1].headers.get("Refer-Sub") == "false"
    assert pair.b.requests("NOTIFY") == [] and told(pair) == [(202, True)]
    ours.hang_up(pair.now)
    pair.run(40)
    assert_all_gone(pair)


def test_a_second_transfer_in_the_same_call_has_an_id_of_its_own() -> None:
    pair = Pair(settings=SETTINGS)
    ours, _ = pair.established()
    first, second = ours.refer(CAROL, now=pair.now), ours.refer(Uri.parse("sip:dave@c.example"), now=pair.now)
    pair.run(0.1)
    for _ in range(2):
        referral = pair.b.take(ReferReceived).referral
        referral.accept(pair.now)
        referral.notify(486 if referral.refer_to.uri == CAROL else 200, pair.now)
    pair.run(0.1)
    assert (first.status, second.status) == (486, 200)
    events = {m.headers.get("Event") for m in pair.b.requests("NOTIFY")}
    assert events == {"refer", f"refer;id={pair.a.requests('REFER')[1].cseq.number}"}


def test_reports_go_on_after_the_call_has_ended() -> None:
    pair = Pair(settings=SETTINGS)
    ours, _ = pair.established()
    ours.refer(CAROL, now=pair.now)
    pair.run(0.1)
    referral = pair.b.take(ReferReceived).referral
    referral.accept(pair.now)
    pair.run(0.1)
    ours.hang_up(pair.now)
    pair.run(0.1)
    pair.b.take(CallTerminated)
    referral.notify(200, pair.now)
    pair.run(0.1)
    assert told(pair)[-1] == (200, True)
    pair.run(40)
    assert_all_gone(pair)


def test_who_accepts_and_tells_nothing_is_given_up() -> None:
    pair = Pair(settings=SETTINGS)
    ours, _ = pair.established()
    pair.drop = lambda data, from_a: data.startswith(b"NOTIFY")
    reference = ours.refer(CAROL, now=pair.now)
    pair.run(0.1)
    pair.b.take(ReferReceived).referral.accept(pair.now)
    pair.run(40)
    assert reference.is_over and told(pair)[-1][1]
    assert pair.a.endpoint._dialogs._usages == pair.b.endpoint._dialogs._usages == {}


def test_a_refer_that_nobody_answers_is_over_after_64_t1() -> None:
    pair = Pair(settings=SETTINGS)
    pair.drop = lambda data, from_a: True
    out_of_dialog(pair)
    pair.run(33)
    assert told(pair) == [(408, True)]
    assert_all_gone(pair)
    assert pair.a.endpoint._dialogs._unconfirmed == {}


def test_a_refer_without_one_target_or_of_a_call_that_rings_is_refused() -> None:
    pair = Pair(settings=SETTINGS)
    assert refer(pair, "", 1) == 400
    assert refer(pair, "", 2, "Refer-To: <sip:a@b>, <sip:c@d>") == 400
    assert refer(pair, "", 3, "Refer-To: <sip:a@b") == 400
    assert refer(pair, "", 4, "Refer-To: <sip:a@b?Replaces=rubbish>") == 400
    assert refer(pair, "", 5, "Refer-To: <sip:a@b>", "Referred-By: <") == 400
    assert refer(pair, "nobody", 6, "Refer-To: <sip:a@b>") == 481
    pair.inject(request("INVITE"))
    tag = pair.b.responses("INVITE")[0].to.tag or next(iter(pair.b.endpoint._dialogs._by_id))[1]
    assert refer(pair, tag, 7, "Refer-To: <sip:a@b>") == 403


def test_an_endpoint_that_does_not_say_refer_refuses_it_with_405() -> None:
    pair = Pair()
    assert refer(pair, "", 1, "Refer-To: <sip:a@b>") == 405


def test_only_a_call_that_is_up_can_be_transferred() -> None:
    pair = Pair(settings=SETTINGS)
    with pytest.raises(LocalProtocolError):
        pair.call().refer(CAROL, now=pair.now)


def test_a_report_that_is_no_status_line_is_passed_over() -> None:
    pair = Pair(settings=SETTINGS)
    reference = out_of_dialog(pair)
    pair.drop = lambda data, from_a: True
    pair.flush()
    sent = pair.a.requests("REFER")[0]
    pair.inject(response(202, "Accepted", Via=str(sent.via), From=str(sent.from_), To="<sip:room@b.example>;tag=r",
                         Call_ID=sent.call_id, CSeq="1 REFER", Contact="<sip:r@192.0.2.2>"), to_a=True)
    for number, body in enumerate((b"", b"\xff\xfe", b"HTTP/1.1 200 OK", b"SIP/2.0 999", b"SIP/2.0 183"), 1):
        pair.inject(request("NOTIFY", "sip:alice@192.0.2.1", From="<sip:room@b.example>;tag=r", To=str(sent.from_),
                            Call_ID=sent.call_id, CSeq=f"{number} NOTIFY", body=body, Content_Type="message/sipfrag",
                            Via=f"SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bKn{number}",
                            extra=("Event: refer", "Subscription-State: active;expires=60")), to_a=True)
    assert [m.status for m in pair.a.responses("NOTIFY")] == [200] * 5
    assert (reference.status, reference.is_over) == (183, False)
