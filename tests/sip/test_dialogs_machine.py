"""Dialogs as a hypothesis state machine: once the network has been good for a while, both ends know the same calls.

Calls begin, fork, are answered, refused, cancelled, hung up by either end, in any weather. No sequence may leave a dialog half
open: up at one end and over at the other; nor two dialogs where there is one call.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sip.endpoint import EndpointSettings
from sip.errors import LocalProtocolError
from sip.events import CallReceived, OfferReceived
from sip.invite import Call, CallState
from tests.helpers.pair import ANSWER, Pair, Side, assert_all_gone

SETTINGS = EndpointSettings(session_expires_s=90)
LONG_ENOUGH_S = 300.0
"""Everything gives up within 64·T1, and a session that nobody refreshes within its interval of 90 s."""
SIDES = st.booleans()


class Machine(RuleBasedStateMachine):
    """Two ends and the calls between them, in either direction."""

    @initialize(transport=st.sampled_from(["UDP", "UDP", "TCP"]), seed=st.integers(0, 999))
    def begin(self, transport: str, seed: int) -> None:
        """Both are there."""
        self.pair = Pair(transport=transport, seed=seed, settings=SETTINGS)
        self.calls: dict[bool, dict[str, Call]] = {True: {}, False: {}}
        for is_a in (True, False):
            self.side(is_a).handler = self.handler(is_a)

    def side(self, is_a: bool) -> Side:
        """One of the ends."""
        return self.pair.a if is_a else self.pair.b

    def handler(self, is_a: bool):  # type: ignore[no-untyped-def]
        """Learns of calls, and answers what is offered in them."""

        def handle(event: object, now: float) -> None:
            if isinstance(event, CallReceived):
                self.calls[is_a][event.call.id] = event.call
            elif isinstance(event, OfferReceived):
                event.call.accept_offer(ANSWER, now)

        return handle

    @rule()
    def call(self) -> None:
        """Side a calls."""
        if len(self.calls[True]) < 4:
            call = self.pair.call()
            self.calls[True][call.id] = call

    @rule(is_yes=st.booleans(), rings=st.booleans())
    def answer(self, is_yes: bool, rings: bool) -> None:
        """Side b takes or refuses what rings."""
        for call in self.calls[False].values():
            if call.state is CallState.RINGING:
                if rings:
                    call.ring(self.pair.now)
                elif is_yes:
                    call.accept(ANSWER, self.pair.now)
                else:
                    call.reject(486, now=self.pair.now)

    @rule(is_a=SIDES, which=st.integers(0, 3))
    def hang_up(self, is_a: bool, which: int) -> None:
        """One end gives up or hangs up one of its calls."""
        calls = list(self.calls[is_a].values())
        if which < len(calls):
            calls[which].hang_up(self.pair.now)

    @rule(is_a=SIDES)
    def change(self, is_a: bool) -> None:
        """A new offer, which moves numbers and targets."""
        for call in self.calls[is_a].values():
            try:
                call.offer(f"v=0\r\no={self.pair.now}\r\n".encode(), self.pair.now)
            except LocalProtocolError:
                continue

    @rule(seconds=st.sampled_from([0.005, 0.05, 0.6, 4.0, 35.0, 70.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.pair.run(seconds)

    @rule(loss=st.sampled_from([0.0, 0.4, 1.0]), jitter_s=st.sampled_from([0.0, 0.8]), duplication=st.sampled_from([0.0, 0.5]))
    def weather(self, loss: float, jitter_s: float, duplication: float) -> None:
        """The network changes; a connection loses nothing."""
        if not self.pair.flow_a.is_reliable:
            self.pair.loss, self.pair.jitter_s, self.pair.duplication = loss, jitter_s, duplication

    @rule()
    def settle(self) -> None:
        """After a good time both ends agree on which calls are up, and on the state of their dialogs."""
        self.pair.loss = self.pair.jitter_s = self.pair.duplication = 0.0
        self.pair.run(LONG_ENOUGH_S)
        up = [{name for name, call in self.calls[is_a].items() if call.is_up} for is_a in (True, False)]
        assert up[0] == up[1]
        for name in up[0]:
            ours, theirs = self.calls[True][name].dialog, self.calls[False][name].dialog
            assert ours is not None and theirs is not None
            assert (ours.local.tag, ours.remote.tag) == (theirs.remote.tag, theirs.local.tag)
            assert theirs.remote_cseq is not None and theirs.remote_cseq <= ours.local_cseq
            assert ours.remote_cseq is None or ours.remote_cseq <= theirs.local_cseq
        for is_a in (True, False):
            owners = list(self.side(is_a).endpoint._dialogs._by_id.values())
            assert len(owners) == len(set(owners))                              # one dialog for a call, be it early
            assert all(isinstance(owner, Call) and owner.state is not CallState.ENDED for owner in owners)

    @invariant()
    def a_call_that_is_up_can_be_found_by_its_dialog(self) -> None:
        """Requests in it reach it."""
        for is_a in (True, False) if hasattr(self, "calls") else ():
            for call in self.calls[is_a].values():
                if call.is_up:
                    assert call.dialog is not None
                    assert self.side(is_a).endpoint._dialogs.find_call(call.dialog.id) is call

    def teardown(self) -> None:
        """Agree, hang up, and nothing is left."""
        if not hasattr(self, "pair"):
            return
        self.settle()
        for is_a in (True, False):
            for call in self.calls[is_a].values():
                call.hang_up(self.pair.now)
        self.pair.run(LONG_ENOUGH_S)
        assert_all_gone(self.pair)


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)
TestDialogsAsAMachine = Machine.TestCase
