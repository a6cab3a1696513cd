"""Mutated SIP messages into an endpoint with calls and subscriptions going on, by datagram and by stream; RFC 3261 as prey.

Each run takes a fixed number of rounds from a seed and is cut off after 30 s. Nothing may raise, state stays within its
limits, and when the noise is over and the time has passed, nothing is left.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from sip.endpoint import Endpoint, EndpointSettings
from sip.events import CallReceived, DialogRequestReceived, Event, OfferReceived, RequestReceived, SubscriptionReceived
from sip.flow import Flow
from sip.headers import NameAddr
from sip.parser import parse_message
from sip.uri import Uri
from tests.helpers.pair import ANSWER, OFFER, A, B
from tests.helpers.sip_messages import request, response

pytestmark = pytest.mark.long
ROUNDS = 30_000
MOST_SECONDS = 30.0
LIMIT = 500
DICTIONARY = [
    b"\r\n",
    b"\r\n ",
    b"\r",
    b"\n",
    b"\0",
    b"\x0b",
    b"\x85",
    b",",
    b";",
    b'"',
    b"<",
    b">",
    b"sip:",
    b"tag=",
    b"branch=z9hG4bK",
    b"SIP/2.0 ",
    b"Via: ",
    b"Content-Length: ",
    b"99999999999",
    b"-1",
    b"*",
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"%00",
    b"[::1]",
    b"\xff\xfe",
    b" " * 500,
]
SEEDS = [
    request("INVITE", body=OFFER),
    request("ACK"),
    request("BYE"),
    request("CANCEL"),
    request("OPTIONS"),
    request("REGISTER"),
    request("SUBSCRIBE", extra=("Event: conference", "Expires: 60")),
    request("NOTIFY", extra=("Event: x", "Subscription-State: active")),
    request("MESSAGE", body=b"hi", Content_Type="text/plain"),
    request("UPDATE", body=OFFER),
    response(200, body=ANSWER),
    response(401),
    response(180),
]


def mutate(data: bytes, chance: random.Random) -> bytes:
    """A message with a few things wrong."""
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data = data[:at] + chance.choice(DICTIONARY) + data[at:]
            case 1:
                data = data[:at] + data[at + chance.randrange(40) :]
            case 2:
                data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 3:
                lines = data.split(b"\r\n")
                chance.shuffle(lines)
                data = b"\r\n".join(lines)
            case 4:
                data = data[:at] + data[chance.randrange(len(data) + 1) :][:300] + data[at:]
            case _:
                data = data.replace(b"z9hG4bKhand1", b"z9hG4bK%d" % chance.randrange(50)).replace(
                    b"hand-made", b"c%d" % chance.randrange(50)
                )
    return data


class Target:
    """The endpoint under fire, with a user who answers at random."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.endpoint = Endpoint(EndpointSettings(max_transactions=LIMIT, max_dialogs=LIMIT), chance.randbytes)
        self.heard: list[bytes] = []
        self.now = 0.0

    def settle(self) -> None:
        """Handle every event and take what is sent."""
        while (event := self.endpoint.next_event()) is not None:
            self.answer(event)
        for data, _ in self.endpoint.datagrams_to_send():
            if data != b"\r\n":
                parse_message(data)
                self.heard = [*self.heard[-50:], data]

    def answer(self, event: Event) -> None:
        """Do something that the state allows."""
        accepts = self.chance.random() < 0.7
        match event:
            case CallReceived(call):
                call.accept(ANSWER, self.now) if accepts else call.reject(486, now=self.now)
            case OfferReceived(call):
                call.accept_offer(ANSWER, self.now) if accepts else call.reject_offer(488, self.now)
            case SubscriptionReceived(subscription):
                if accepts:
                    subscription.accept(self.now)
                    subscription.notify(b"<x/>", "text/xml", self.now)
                else:
                    subscription.reject(489, self.now)
            case RequestReceived(number, _, _) | DialogRequestReceived(_, number, _):
                self.endpoint.respond(number, 200, now=self.now)

    def original(self) -> bytes:
        """A message to spoil: one of the seeds, or one that fits the dialogs that are there."""
        if not self.heard or self.chance.random() < 0.5:
            return self.chance.choice(SEEDS)
        data = self.chance.choice(self.heard)
        message = parse_message(data)
        if data.startswith(b"SIP/2.0"):
            method = self.chance.choice(["ACK", "BYE", "INFO", "INVITE", "UPDATE", "SUBSCRIBE", "CANCEL"])
            number = message.cseq.number + self.chance.randrange(3)
            return request(
                method,
                CSeq=f"{number} {method}",
                From=str(message.from_),
                To=str(message.to),
                Call_ID=message.call_id,
                extra=("Event: conference",),
                Via=f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{self.chance.randrange(10**6)}",
            )
        status = self.chance.choice([100, 180, 200, 401, 408, 481, 486, 491, 500])
        return data.replace(data.split(b"\r\n", 1)[0], b"SIP/2.0 %d X" % status, 1)

    def act(self) -> None:
        """Call, subscribe or register now and then, and let the time pass."""
        if self.chance.random() < 0.02:
            flow = Flow("UDP", B, A)
            who, target, contact = NameAddr.parse("<sip:me@b>"), Uri.parse("sip:you@a"), Uri.parse("sip:me@192.0.2.2")
            call = self.endpoint.invite(target, from_=who, flow=flow, contact=contact, now=self.now, offer=OFFER)
            if self.chance.random() < 0.5:
                call.hang_up(self.now)
            self.endpoint.subscribe(
                target, package="conference", accept="x/y", from_=who, flow=flow, contact=contact, now=self.now, expires_s=60
            )
        self.now += self.chance.random() * 0.2
        self.endpoint.handle_timer(self.now)

    def assert_bounded(self) -> None:
        """State stays within the limits, whatever comes."""
        assert len(self.endpoint._transactions) <= 20 * LIMIT
        assert len(self.endpoint._dialogs) <= 2 * LIMIT

    def assert_empties(self) -> None:
        """After an hour of silence and a hang-up of what stands, nothing is left."""
        for owner in list(self.endpoint._dialogs._by_id.values()):
            if hasattr(owner, "hang_up"):
                owner.hang_up(self.now)
        while (at := self.endpoint.next_timer()) is not None and at < self.now + 3 * 3600:
            self.endpoint.handle_timer(max(at, self.now))
            self.settle()
            for owner in list(self.endpoint._dialogs._by_id.values()):
                if hasattr(owner, "hang_up"):
                    owner.hang_up(at)
        self.settle()
        dialogs = self.endpoint._dialogs
        assert dialogs._by_id == {} and dialogs._usages == {} and dialogs._unconfirmed == {}
        assert len(self.endpoint._transactions) == 0


def rounds(seed: int, feed: Callable[[Target, bytes], None]) -> Target:
    """The noise itself."""
    chance = random.Random(seed)
    target, started = Target(chance), time.monotonic()
    for number in range(ROUNDS):
        feed(target, mutate(target.original(), chance))
        target.settle()
        target.act()
        target.settle()
        if number % 1000 == 0:
            target.assert_bounded()
            if time.monotonic() - started > MOST_SECONDS:
                break
    return target


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_datagrams_neither_crash_nor_fill_an_endpoint(seed: int) -> None:
    flow = Flow("UDP", B, A)
    target = rounds(seed, lambda target, data: target.endpoint.receive_datagram(data, flow, target.now))
    assert target.endpoint.counters["parse errors"] > 0 and target.heard
    target.assert_empties()


@pytest.mark.parametrize("seed", [3, 4])
def test_mutated_streams_neither_crash_nor_fill_an_endpoint(seed: int) -> None:
    connection = [1]

    def feed(target: Target, data: bytes) -> None:
        at = target.chance.randrange(len(data) + 1)
        for piece in (data[:at], data[at:]):
            flow = Flow("TCP", B, A, connection[0])
            if not target.endpoint.receive_stream(piece, flow, target.now):
                target.endpoint.flow_lost(flow, target.now)
                connection[0] += 1

    target = rounds(seed, feed)
    assert target.endpoint.counters["stream errors"] > 0 and target.heard
    target.assert_empties()
