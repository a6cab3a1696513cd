"""Offer and answer as a hypothesis state machine (RFC 3264, RFC 6337): each offer has one answer, and both ends hold the same.

Both ends of a call that is up offer by re-INVITE and UPDATE, also without an offer and against each other, answer or refuse at
once or later, while datagrams are lost, doubled and late. No offer is answered twice, and when all is quiet, what one end
described last is what the other end knows.
"""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sip.endpoint import EndpointSettings
from sip.errors import LocalProtocolError
from sip.events import AnswerReceived, CallTerminated, Event, OfferReceived, OfferRefused
from sip.invite import Call
from tests.helpers.pair import ANSWER, OFFER, Pair, Side, assert_all_gone

SIDES = st.booleans()
QUIET_S = 150.0


class Machine(RuleBasedStateMachine):
    """One call, whose both ends offer."""

    @initialize(transport=st.sampled_from(["UDP", "UDP", "TCP"]), seed=st.integers(0, 999), session_s=st.sampled_from([0, 90]))
    def begin(self, transport: str, seed: int, session_s: int) -> None:
        """The call is up."""
        self.pair = Pair(transport=transport, seed=seed, settings=EndpointSettings(session_expires_s=session_s))
        ours, theirs = self.pair.established()
        self.calls: dict[bool, Call] = {True: ours, False: theirs}
        self.known = {True: (OFFER, ANSWER), False: (ANSWER, OFFER)}            # what each user holds: own, the other's
        self.offered: dict[bool, bytes] = {}
        self.waiting: dict[bool, bytes | None] = {}
        self.made, self.settled = Counter[bool](), Counter[bool]()
        self.numbers = itertools.count()
        for is_a in (True, False):
            self.side(is_a).handler = lambda event, now, is_a=is_a: self.on_event(is_a, event)      # type: ignore[misc]

    def side(self, is_a: bool) -> Side:
        """One of the ends."""
        return self.pair.a if is_a else self.pair.b

    def sdp(self) -> bytes:
        """A description that nobody has seen."""
        return f"v=0\r\no=new {next(self.numbers)}\r\n".encode()

    def on_event(self, is_a: bool, event: Event) -> None:
        """What the user of an end learns."""
        match event:
            case OfferReceived(_, offer, _):
                assert is_a not in self.waiting                                # no second offer before the first is answered
                self.waiting[is_a] = offer
            case AnswerReceived(_, answer):
                if is_a in self.offered:
                    self.known[is_a] = (self.offered.pop(is_a), answer)
                    self.settled[is_a] += 1
                else:                                                          # to our offer in the answer to an empty one
                    self.known[is_a] = (self.known[is_a][0], answer)
            case OfferRefused():
                self.offered.pop(is_a, None)
                self.settled[is_a] += 1
            case CallTerminated():
                self.waiting.pop(is_a, None)
                self.offered.pop(is_a, None)

    @rule(is_a=SIDES, by_update=st.booleans())
    def offer(self, is_a: bool, by_update: bool) -> None:
        """Offer something new."""
        description, call = self.sdp(), self.calls[is_a]
        try:
            (call.update if by_update else call.offer)(description, self.pair.now)
        except LocalProtocolError:
            return
        assert is_a not in self.offered
        self.offered[is_a] = description
        self.made[is_a] += 1
        self.pair.flush()

    @rule(is_a=SIDES, is_yes=st.booleans())
    def answer(self, is_a: bool, is_yes: bool) -> None:
        """Answer what waits, or refuse it."""
        if is_a not in self.waiting:
            return
        offer = self.waiting.pop(is_a)
        try:
            if is_yes:
                description = self.sdp()
                self.calls[is_a].accept_offer(description, self.pair.now)
                self.known[is_a] = (description, offer or self.known[is_a][1])
            else:
                self.calls[is_a].reject_offer(488, self.pair.now)
        except LocalProtocolError:
            pass
        self.pair.flush()

    @rule(seconds=st.sampled_from([0.005, 0.05, 0.6, 4.0, 33.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.pair.run(seconds)

    @rule(loss=st.sampled_from([0.0, 0.3, 0.6]), jitter_s=st.sampled_from([0.0, 0.7]), duplication=st.sampled_from([0.0, 0.5]))
    def weather(self, loss: float, jitter_s: float, duplication: float) -> None:
        """The network changes; a connection loses nothing."""
        if not self.pair.flow_a.is_reliable:
            self.pair.loss, self.pair.jitter_s, self.pair.duplication = loss, jitter_s, duplication

    @invariant()
    def no_offer_is_settled_twice(self) -> None:
        """One answer or one refusal for each."""
        for is_a in (True, False) if hasattr(self, "made") else ():
            assert self.settled[is_a] <= self.made[is_a]

    @rule()
    def settle(self) -> None:
        """When all is answered and quiet, both ends hold the same session."""
        self.pair.loss = self.pair.jitter_s = self.pair.duplication = 0.0
        for _ in range(3):
            for is_a in (True, False):
                self.answer(is_a, True)
            self.pair.run(QUIET_S / 3)
        ours, theirs = self.calls[True], self.calls[False]
        assert ours.is_up == theirs.is_up
        if not ours.is_up:
            return
        assert not self.offered and not self.waiting
        assert self.known[True] == self.known[False][::-1]
        for is_a, call in self.calls.items():
            exchange = call._exchange
            assert (exchange.local, exchange.remote) == self.known[is_a]        # which a refresh of the session would repeat
            assert exchange.own is exchange.pending is None and not exchange.is_answer_due

    def teardown(self) -> None:
        """Agree, hang up, and nothing is left."""
        if not hasattr(self, "pair"):
            return
        self.settle()
        for call in self.calls.values():
            call.hang_up(self.pair.now)
        self.pair.run(300.0)
        assert_all_gone(self.pair)


Machine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None, derandomize=True)
TestOffersAsAMachine = Machine.TestCase
