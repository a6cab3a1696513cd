"""Calls as a hypothesis state machine: whatever two ends do and the network loses, it comes to an end, and each offer to one.

Both ends ring, answer, refuse, offer, transfer and hang up as they like, at times at which it makes no sense; datagrams are
lost, doubled and late. At the end the network is good again, both hang up, and nothing may be left at either end.
"""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sip.endpoint import EndpointSettings
from sip.errors import LocalProtocolError
from sip.events import (
    AnswerReceived,
    CallAnswered,
    CallConfirmed,
    CallReceived,
    CallTerminated,
    OfferReceived,
    OfferRefused,
    ReferReceived,
)
from sip.invite import Call, CallState
from sip.refer import Referral
from sip.settings import ALLOW
from sip.transaction import State
from sip.uri import Uri
from tests.helpers.pair import Pair, Side, assert_all_gone

SETTINGS = EndpointSettings(allow=f"{ALLOW}, REFER", session_expires_s=90)
SIDES = st.booleans()


class Calls(RuleBasedStateMachine):
    """Two ends, the calls between them, and a network of changing temper."""

    @initialize(transport=st.sampled_from(["UDP", "UDP", "TCP"]), seed=st.integers(0, 999))
    def begin(self, transport: str, seed: int) -> None:
        """Both ends are there."""
        self.pair = Pair(transport=transport, seed=seed, settings=SETTINGS)
        self.calls: dict[bool, list[Call]] = {True: [], False: []}
        self.offers: Counter[Call] = Counter()
        self.referrals: list[Referral] = []
        self.numbers = itertools.count()

    def sdp(self) -> bytes:
        """A description that was never sent before."""
        return f"v=0\r\no={next(self.numbers)}\r\n".encode()

    def side(self, is_a: bool) -> Side:
        """One of the ends."""
        return self.pair.a if is_a else self.pair.b

    def gather(self) -> None:
        """Learn of calls that came in."""
        self.pair.flush()
        for is_a in (True, False):
            for event in self.side(is_a).events:
                if isinstance(event, CallReceived) and event.call not in self.calls[is_a]:
                    self.calls[is_a].append(event.call)
                elif isinstance(event, ReferReceived) and event.referral not in self.referrals:
                    self.referrals.append(event.referral)

    def each(self, is_a: bool) -> list[Call]:
        """The calls of an end."""
        self.gather()
        return list(self.calls[is_a])

    @rule()
    def call(self) -> None:
        """Side a calls, a few times at most."""
        if len(self.calls[True]) < 3:
            self.calls[True].append(self.pair.call(self.sdp()))

    @rule(is_a=SIDES, reliable=st.booleans(), early=st.booleans())
    def ring(self, is_a: bool, reliable: bool, early: bool) -> None:
        """Ring, with early media or without."""
        for call in self.each(is_a):
            call.ring(self.pair.now, 183 if early else 180, self.sdp() if early else b"", reliable=reliable)

    @rule(is_a=SIDES, is_yes=st.booleans())
    def answer(self, is_a: bool, is_yes: bool) -> None:
        """Accept or refuse what rings."""
        for call in self.each(is_a):
            if not call.is_outgoing and call.state is CallState.RINGING:
                if is_yes:
                    call.accept(self.sdp(), self.pair.now)
                else:
                    call.reject(486, now=self.pair.now)

    @rule(is_a=SIDES, by_update=st.booleans())
    def offer(self, is_a: bool, by_update: bool) -> None:
        """Offer another session."""
        for call in self.each(is_a):
            try:
                (call.update if by_update else call.offer)(self.sdp(), self.pair.now)
            except LocalProtocolError:
                continue
            self.offers[call] += 1

    @rule(is_a=SIDES, is_yes=st.booleans())
    def answer_offer(self, is_a: bool, is_yes: bool) -> None:
        """Answer an offer, or refuse it."""
        for call in self.each(is_a):
            try:
                if is_yes:
                    call.accept_offer(self.sdp(), self.pair.now)
                else:
                    call.reject_offer(488, self.pair.now)
            except LocalProtocolError:
                continue

    @rule(is_a=SIDES)
    def transfer(self, is_a: bool) -> None:
        """Ask the other end to call somebody."""
        for call in self.each(is_a)[:1]:
            try:
                call.refer(Uri.parse("sip:carol@c.example"), now=self.pair.now)
            except LocalProtocolError:
                continue

    @rule(is_yes=st.booleans())
    def answer_transfer(self, is_yes: bool) -> None:
        """Do what was asked, or not."""
        self.gather()
        for referral in self.referrals:
            if is_yes:
                referral.accept(self.pair.now)
                referral.notify(200, self.pair.now)
            else:
                referral.reject(603, self.pair.now)

    @rule(is_a=SIDES)
    def hang_up(self, is_a: bool) -> None:
        """Hang up the newest call."""
        for call in self.each(is_a)[-1:]:
            call.hang_up(self.pair.now, "enough")

    @rule(seconds=st.sampled_from([0.005, 0.05, 0.6, 4.0, 33.0, 70.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.pair.run(seconds)

    @rule(loss=st.sampled_from([0.0, 0.3, 1.0]), jitter_s=st.sampled_from([0.0, 0.7]), duplication=st.sampled_from([0.0, 0.5]))
    def weather(self, loss: float, jitter_s: float, duplication: float) -> None:
        """The network gets better or worse; a connection loses and reorders nothing."""
        if not self.pair.flow_a.is_reliable:
            self.pair.loss, self.pair.jitter_s, self.pair.duplication = loss, jitter_s, duplication

    @invariant()
    def each_call_is_answered_confirmed_and_ended_once_and_each_offer_settled_once(self) -> None:
        """No event comes twice."""
        for is_a in (True, False):
            once: Counter[tuple[type, int]] = Counter()
            settled: Counter[Call] = Counter()
            for event in self.side(is_a).events:
                if isinstance(event, CallAnswered | CallConfirmed | CallTerminated | CallReceived):
                    once[(type(event), id(event.call))] += 1
                elif isinstance(event, OfferRefused | AnswerReceived):
                    settled[event.call] += 1
            assert not once or max(once.values()) == 1
            assert all(count <= self.offers[call] for call, count in settled.items())

    @invariant()
    def a_call_that_is_over_takes_no_offer(self) -> None:
        """After the end nothing is handed out."""
        for is_a in (True, False):
            ended: set[int] = set()
            for event in self.side(is_a).events:
                if isinstance(event, CallTerminated):
                    ended.add(id(event.call))
                elif isinstance(event, OfferReceived | AnswerReceived | CallAnswered):
                    assert id(event.call) not in ended

    def teardown(self) -> None:
        """Hang up all; whatever happened, nothing is left after the longest time that anything may take."""
        if not hasattr(self, "pair"):
            return
        self.pair.loss = self.pair.jitter_s = self.pair.duplication = 0.0
        self.pair.run(40)
        for is_a in (True, False):
            for call in self.each(is_a):
                call.hang_up(self.pair.now)
        for referral in self.referrals:
            referral.reject(603, self.pair.now)
        self.pair.run(400)
        for is_a in (True, False):
            assert all(call.state is CallState.ENDED for call in self.calls[is_a])
            assert not any(t.state is not State.TERMINATED for t in self.side(is_a).endpoint._transactions._by_id.values())
        assert_all_gone(self.pair)


Calls.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None, derandomize=True)
TestCallsAsAMachine = Calls.TestCase
