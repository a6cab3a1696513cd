"""Event subscriptions at both ends (RFC 6665), alone and inside the dialog of a call (RFC 5057)."""

from __future__ import annotations

import pytest

from sip.auth import DigestClient, make_challenge
from sip.errors import LocalProtocolError
from sip.events import (
    CallReceived,
    CallTerminated,
    Event,
    NotifyReceived,
    SubscriptionReceived,
    SubscriptionRefreshed,
    SubscriptionTerminated,
)
from sip.flow import Flow
from sip.headers import NameAddr
from sip.message import Request, Response
from sip.subscription import Subscription
from sip.uri import Uri
from tests.helpers.pair import ANSWER, OFFER, A, B, Pair, assert_all_gone
from tests.helpers.sip_messages import request


class Notifier:
    """Takes each subscription at side b and tells its state, as a focus does."""

    def __init__(self, pair: Pair, expires_s: int | None = None) -> None:
        self.expires_s = expires_s
        self.subscriptions: list[Subscription] = []
        pair.b.handler = self.handle

    def handle(self, event: Event, now: float) -> None:
        """The events of side b."""
        if isinstance(event, SubscriptionReceived):
            self.subscriptions.append(event.subscription)
            event.subscription.accept(now, self.expires_s)
            event.subscription.notify(b"<full/>", "application/conference-info+xml", now)
        elif isinstance(event, SubscriptionRefreshed):
            event.subscription.notify(b"<again/>", "application/conference-info+xml", now)


def subscribe(pair: Pair, expires_s: int = 600, credentials: DigestClient | None = None) -> Subscription:
    """Side a subscribes to a conference at side b."""
    subscription = pair.a.endpoint.subscribe(
        Uri.parse("sip:room@b.example"),
        package="conference",
        accept="application/conference-info+xml",
        from_=NameAddr.parse("<sip:alice@a.example>"),
        flow=pair.flow_a,
        contact=Uri.parse("sip:alice@192.0.2.1:5060"),
        now=pair.now,
        expires_s=expires_s,
        credentials=credentials,
    )
    pair.flush()
    return subscription


def bodies(pair: Pair) -> list[bytes]:
    """The bodies of the NOTIFYs that side a was given."""
    return [event.request.body for event in pair.a.events if isinstance(event, NotifyReceived)]


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_subscription_is_accepted_told_and_ended(transport: str) -> None:
    pair = Pair(transport=transport)
    notifier = Notifier(pair)
    subscription = subscribe(pair)
    pair.run(1)
    assert bodies(pair) == [b"<full/>"] and subscription.is_active
    notifier.subscriptions[0].notify(b"<partial/>", "application/conference-info+xml", pair.now)
    pair.run(1)
    assert bodies(pair) == [b"<full/>", b"<partial/>"]
    notify = pair.b.requests("NOTIFY")[-1]
    assert notify.headers.get("Subscription-State") == "active;expires=599"
    assert notify.headers.get("Event") == "conference"
    subscription.end(pair.now)
    pair.run(1)
    assert pair.a.requests("SUBSCRIBE")[-1].expires == 0
    assert pair.b.requests("NOTIFY")[-1].headers.get("Subscription-State") == "terminated;reason=timeout"
    assert pair.a.take(SubscriptionTerminated).reason == "timeout"
    pair.b.take(SubscriptionTerminated)
    pair.run(60)
    for side in (pair.a, pair.b):
        assert side.endpoint._dialogs._by_id == {} and side.endpoint._dialogs._unconfirmed == {}
        assert side.endpoint.next_timer() is None


def test_it_is_refreshed_in_time_and_told_again() -> None:
    pair = Pair()
    Notifier(pair, expires_s=60)
    subscription = subscribe(pair)
    pair.run(200)
    assert subscription.is_active
    assert len(pair.a.requests("SUBSCRIBE")) == 4
    assert bodies(pair) == [b"<full/>"] + [b"<again/>"] * 3
    subscription.refresh(pair.now)
    pair.run(1)
    assert bodies(pair)[-1] == b"<again/>" and len(bodies(pair)) == 5


def test_one_that_is_not_refreshed_ends_with_a_notify() -> None:
    pair = Pair()
    notifier = Notifier(pair, expires_s=60)
    subscribe(pair)
    pair.run(1)
    pair.drop = lambda data, from_a: from_a and data.startswith(b"SUBSCRIBE")
    pair.run(62)
    assert pair.b.take(SubscriptionTerminated).reason == "timeout"
    assert pair.b.requests("NOTIFY")[-1].headers.get("Subscription-State") == "terminated;reason=timeout"
    notifier.subscriptions[0].notify(b"late", "x/y", pair.now)
    pair.run(1)
    assert b"late" not in bodies(pair)


@pytest.mark.parametrize("seed", range(6))
def test_subscriptions_live_over_a_bad_network(seed: int) -> None:
    pair = Pair(loss=0.2, duplication=0.2, jitter_s=0.3, seed=seed)
    Notifier(pair)
    subscription = subscribe(pair)
    pair.run(40)
    assert subscription.is_active and bodies(pair) == [b"<full/>"]
    subscription.end(pair.now)
    pair.run(100)
    assert pair.a.take(SubscriptionTerminated) and pair.b.take(SubscriptionTerminated)


def test_a_notify_before_the_200_is_taken() -> None:
    pair = Pair()
    Notifier(pair)
    delayed: list[bytes] = []
    pair.drop = lambda data, from_a: (
        not from_a and data.startswith(b"SIP/2.0 200") and b"SUBSCRIBE" in data and not delayed.append(data)
    )
    subscription = subscribe(pair)
    pair.run(0.3)
    assert bodies(pair) == [b"<full/>"] and not subscription.is_active
    pair.inject(delayed[0], to_a=True)
    assert subscription.is_active


def test_a_terminating_notify_before_the_200_ends_it_for_good() -> None:
    pair = Pair()
    Notifier(pair, expires_s=0)
    delayed: list[bytes] = []
    pair.drop = lambda data, from_a: (
        not from_a and data.startswith(b"SIP/2.0 200") and b"SUBSCRIBE" in data and not delayed.append(data)
    )
    subscription = subscribe(pair)
    pair.run(0.3)
    pair.inject(delayed[0], to_a=True)
    pair.run(60)
    assert not subscription.is_active and pair.a.take(SubscriptionTerminated)
    assert pair.a.endpoint._dialogs._by_id == {} and pair.a.endpoint.next_timer() is None


def test_expires_0_at_first_gets_the_state_once() -> None:
    pair = Pair()
    Notifier(pair)
    subscribe(pair, expires_s=0)
    pair.run(60)
    notifies = pair.b.requests("NOTIFY")
    assert [(m.body, m.headers.get("Subscription-State")) for m in notifies] == [(b"<full/>", "terminated;reason=timeout")]
    assert pair.b.take(SubscriptionTerminated) and pair.b.endpoint._dialogs._by_id == {}


def test_ending_before_the_answer_ends_it_as_soon_as_it_is_answered() -> None:
    pair = Pair()
    Notifier(pair)
    subscription = subscribe(pair)
    subscription.end(pair.now)
    pair.run(60)
    assert [m.expires for m in pair.a.requests("SUBSCRIBE")] == [600, 0]
    assert pair.a.take(SubscriptionTerminated) and pair.b.take(SubscriptionTerminated)


def test_the_last_notify_is_not_waited_for_for_ever() -> None:
    pair = Pair()
    Notifier(pair)
    subscription = subscribe(pair)
    pair.run(1)
    pair.drop = lambda data, from_a: not from_a and data.startswith(b"NOTIFY")
    subscription.end(pair.now)
    pair.run(33)
    assert pair.a.take(SubscriptionTerminated).reason == "timeout"


@pytest.mark.parametrize("status", [403, 489])
def test_a_refused_subscription_is_over(status: int) -> None:
    pair = Pair()
    pair.b.handler = lambda event, now: (
        event.subscription.reject(status, now) if isinstance(event, SubscriptionReceived) else None
    )
    subscribe(pair)
    pair.run(60)
    assert pair.a.take(SubscriptionTerminated).reason.startswith(str(status))
    assert pair.a.endpoint._dialogs._unconfirmed == {} and pair.b.endpoint._dialogs._by_id == {}


def test_a_challenged_subscribe_is_sent_again_in_the_same_call() -> None:
    pair = Pair()
    Notifier(pair)

    def admit(message: Request, flow: Flow, now: float) -> Response | None:
        if "Authorization" in message.headers:
            return None
        return message.respond(401, to_tag="t", headers=[("WWW-Authenticate", make_challenge("b", "n"))])

    pair.b.endpoint.admit = admit
    subscription = subscribe(pair, credentials=DigestClient("alice", "secret"))
    pair.run(1)
    assert subscription.is_active and bodies(pair) == [b"<full/>"]
    first, second = pair.a.requests("SUBSCRIBE")
    assert (first.call_id, first.from_.tag, first.cseq.number + 1) == (second.call_id, second.from_.tag, second.cseq.number)
    subscription.refresh(pair.now)
    pair.run(1)
    assert [m.cseq.number for m in pair.a.requests("SUBSCRIBE")] == [1, 2, 3]
    assert bodies(pair)[-1] == b"<again/>"


@pytest.mark.parametrize(("status", "is_over"), [(481, True), (404, True), (500, False), (503, False)])
def test_a_refused_notify_ends_the_subscription_unless_the_refusal_passes(status: int, is_over: bool) -> None:
    pair = Pair()
    Notifier(pair)
    subscribe(pair)
    pair.run(1)
    pair.drop = lambda data, from_a: from_a
    pair.b.take(SubscriptionReceived).subscription.notify(b"x", "x/y", pair.now)
    pair.flush()
    pair.inject(bytes(pair.b.requests("NOTIFY")[-1].respond(status)), flow=pair.flow_b)
    assert pair.b.has(SubscriptionTerminated) == is_over


def test_a_subscriber_that_is_gone_is_noticed_by_its_silence() -> None:
    pair = Pair()
    notifier = Notifier(pair)
    subscribe(pair)
    pair.run(1)
    pair.drop = lambda data, from_a: True
    notifier.subscriptions[0].notify(b"x", "x/y", pair.now)
    pair.run(33)
    assert pair.b.take(SubscriptionTerminated).reason == "no answer"
    assert pair.b.endpoint._dialogs._by_id == {}


def test_a_refresh_that_fails_leaves_the_subscription_until_it_expires() -> None:
    pair = Pair()
    Notifier(pair, expires_s=600)
    subscription = subscribe(pair)
    pair.run(1)
    pair.drop = lambda data, from_a: True
    subscription.refresh(pair.now)
    pair.run(100)
    assert subscription.is_active
    pair.run(600)
    assert pair.a.take(SubscriptionTerminated).reason == "timeout"


def test_the_first_subscribe_that_nobody_answers_is_over() -> None:
    pair = Pair()
    pair.drop = lambda data, from_a: True
    subscribe(pair)
    pair.run(33)
    assert pair.a.take(SubscriptionTerminated).reason == "no answer"


def test_a_notify_for_nothing_and_one_without_a_contact_are_refused() -> None:
    pair = Pair()
    pair.inject(request("NOTIFY", To="<sip:x@b>;tag=mine", extra=("Event: conference", "Subscription-State: active")))
    pair.inject(request("NOTIFY", Via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK2"))
    assert pair.b.summary() == ["481 NOTIFY", "481 NOTIFY"]
    subscribe(pair)
    first = pair.a.requests("SUBSCRIBE")[0]
    pair.inject(
        request("NOTIFY", To=str(first.from_), Call_ID=first.call_id, From="<sip:room@b>;tag=n", Contact=None), to_a=True
    )
    assert pair.a.summary()[-1] == "400 NOTIFY"


@pytest.mark.parametrize("contact", [None, "*"])
def test_a_subscribe_without_a_contact_is_refused(contact: str | None) -> None:
    pair = Pair()
    pair.inject(request("SUBSCRIBE", Contact=contact, extra=("Event: conference",)))
    assert pair.b.summary() == ["400 SUBSCRIBE"] and not pair.b.has(SubscriptionReceived)


def test_other_methods_in_its_dialog_are_refused_with_405() -> None:
    pair = Pair()
    Notifier(pair)
    subscribe(pair)
    pair.run(1)
    first = pair.a.requests("SUBSCRIBE")[0]
    tag = pair.b.responses("SUBSCRIBE")[0].to.tag
    pair.inject(
        request("INFO", CSeq="2 INFO", Call_ID=first.call_id, From=str(first.from_), To=f"<sip:room@b.example>;tag={tag}")
    )
    assert pair.b.responses("INFO")[0].status == 405


def test_commands_out_of_season_are_our_own_fault() -> None:
    pair = Pair()
    notifier = Notifier(pair)
    subscribe(pair)
    pair.run(1)
    with pytest.raises(LocalProtocolError):
        notifier.subscriptions[0].accept(pair.now)


# ---- beside and inside a call


def test_a_subscribe_before_the_ack_of_the_invite_is_served() -> None:
    """As linphone 5.1 does: a dialog of its own, begun while the 200 waits for its ACK, ended with Expires 0."""
    pair = Pair()
    Notifier(pair)
    pair.inject(request("INVITE", body=OFFER))
    call = pair.b.take(CallReceived).call
    call.accept(ANSWER, pair.now)
    fields = {
        "Call_ID": "other@a.example",
        "From": "<sip:alice@a.example>;tag=sub",
        "Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs;rport",
    }
    pair.inject(request("SUBSCRIBE", extra=("Event: conference", "Expires: 600"), **fields))
    assert pair.b.summary()[:5] == ["100 INVITE", "200 INVITE", "200 SUBSCRIBE", "NOTIFY"]
    tag = pair.b.responses("INVITE")[-1].to.tag
    pair.inject(request("ACK", To=f"<sip:room@b.example>;tag={tag}", Via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa"))
    assert call.is_up
    subtag = pair.b.responses("SUBSCRIBE")[-1].to.tag
    fields |= {
        "To": f"<sip:room@b.example>;tag={subtag}",
        "Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKt",
        "CSeq": "2 SUBSCRIBE",
    }
    pair.inject(request("SUBSCRIBE", extra=("Event: conference", "Expires: 0"), **fields))
    assert pair.b.requests("NOTIFY")[-1].headers.get("Subscription-State") == "terminated;reason=timeout"
    assert call.is_up and not pair.b.has(CallTerminated)


def in_call(pair: Pair, method: str, number: int, *extra: str) -> bytes:
    """A request of side a's, by hand, in the call's dialog."""
    invite, tag = pair.a.requests("INVITE")[0], pair.b.responses("INVITE")[-1].to.tag
    return request(
        method,
        CSeq=f"{number} {method}",
        Call_ID=invite.call_id,
        From=str(invite.from_),
        To=f"<sip:room@b.example>;tag={tag}",
        Via=f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKin{number}",
        extra=extra,
    )


def test_a_subscription_inside_the_dialog_of_a_call_shares_it_and_leaves_it_alone() -> None:
    pair = Pair()
    notifier = Notifier(pair)
    _, theirs = pair.established()
    pair.drop = lambda data, from_a: not from_a
    pair.inject(in_call(pair, "SUBSCRIBE", 2, "Event: conference;id=7", "Expires: 600"))
    subscription = notifier.subscriptions[0]
    notify = pair.b.requests("NOTIFY")[-1]
    assert theirs.dialog is not None and subscription.dialog is theirs.dialog
    assert (notify.from_.tag, notify.to.tag, notify.call_id) == (
        theirs.dialog.local.tag,
        theirs.dialog.remote.tag,
        theirs.dialog.call_id,
    )
    assert notify.headers.get("Event") == "conference;id=7"
    pair.inject(in_call(pair, "SUBSCRIBE", 3, "Event: conference;id=7", "Expires: 500"))
    assert len(notifier.subscriptions) == 1 and pair.b.take(SubscriptionRefreshed).subscription is subscription
    pair.inject(in_call(pair, "SUBSCRIBE", 4, "Event: conference;id=8", "Expires: 500"))
    assert len(notifier.subscriptions) == 2
    theirs.request("INFO", now=pair.now)
    pair.flush()
    numbers = [m.cseq.number for m in pair.b.messages() if isinstance(m, Request)]
    assert numbers == sorted(set(numbers))
    pair.inject(in_call(pair, "SUBSCRIBE", 5, "Event: conference;id=7", "Expires: 0"))
    assert pair.b.take(SubscriptionTerminated).subscription is subscription
    assert theirs.is_up
    pair.inject(in_call(pair, "BYE", 6))
    assert pair.b.take(CallTerminated).call is theirs
    pair.inject(in_call(pair, "SUBSCRIBE", 7, "Event: conference;id=8", "Expires: 0"))
    assert pair.b.summary().count("481 SUBSCRIBE") == 0
    assert pair.b.endpoint._dialogs._by_id == {} and pair.b.endpoint._dialogs._usages == {}


def test_subscriptions_inside_one_call_are_limited() -> None:
    pair = Pair()
    notifier = Notifier(pair)
    pair.established()
    pair.drop = lambda data, from_a: True
    for number in range(12):
        pair.inject(in_call(pair, "SUBSCRIBE", number + 2, f"Event: conference;id={number}"))
    assert len(notifier.subscriptions) == 8
    assert pair.b.responses("SUBSCRIBE")[-1].status == 503


def test_an_old_subscribe_in_the_dialog_of_a_call_is_refused_with_500() -> None:
    pair = Pair()
    notifier = Notifier(pair)
    pair.established()
    pair.inject(in_call(pair, "SUBSCRIBE", 1, "Event: conference"))
    assert pair.b.responses("SUBSCRIBE")[0].status == 500 and notifier.subscriptions == []


def test_a_subscription_outlives_its_connection_and_follows_the_subscriber_to_a_new_one() -> None:
    pair = Pair(transport="TCP")
    notifier = Notifier(pair)
    subscribe(pair)
    pair.run(1)
    pair.b.endpoint.flow_lost(pair.flow_b, pair.now)
    pair.flush()
    assert not pair.b.has(SubscriptionTerminated)
    first, tag = pair.a.requests("SUBSCRIBE")[0], pair.b.responses("SUBSCRIBE")[0].to.tag
    again = Flow("TCP", B, (A[0], 40111), 55)
    pair.inject(
        request(
            "SUBSCRIBE",
            CSeq="2 SUBSCRIBE",
            Call_ID=first.call_id,
            From=str(first.from_),
            To=f"<sip:room@b.example>;tag={tag}",
            extra=("Event: conference",),
        ),
        flow=again,
    )
    assert notifier.subscriptions[0].flow == again
    assert pair.b.sent[-1][2] == again


def test_a_200_that_no_notify_follows_ends_it_by_timer_n() -> None:
    pair = Pair()
    Notifier(pair)
    pair.drop = lambda data, from_a: data.startswith(b"NOTIFY")
    subscription = subscribe(pair)
    pair.run(0.5)
    assert subscription.is_active
    pair.run(32)
    assert pair.a.take(SubscriptionTerminated).reason == "no NOTIFY came" and not subscription.is_active
    pair.run(40)
    assert_all_gone(pair)


def test_a_notifier_may_shorten_the_time_but_not_lengthen_it() -> None:
    pair = Pair()
    notifier = Notifier(pair)
    subscribe(pair, 600)
    pair.run(0.5)
    dialog = notifier.subscriptions[0].dialog
    assert dialog is not None

    def notify(state: str) -> None:
        message = dialog.make_request("NOTIFY", f"SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bK{dialog.local_cseq}x")
        message.headers.add("Event", "conference")
        message.headers.add("Subscription-State", state)
        pair.inject(bytes(message), to_a=True)

    notify("active;expires=100000")
    notify("active;expires=rubbish")
    pair.run(400)
    assert len(pair.a.requests("SUBSCRIBE")) == 1
    notify("pending ;expires=10")
    pair.run(9)
    assert len(pair.a.requests("SUBSCRIBE")) == 2
