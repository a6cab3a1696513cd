"""The transactions of an endpoint as a hypothesis state machine: whatever comes, or is lost or late, each has one outcome.

Requests and responses come in any order and number, also when they make no sense; their user answers or does not, and time
passes in jumps. At the end the user does what it owes, and nothing may be left.
"""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sip.flow import Flow
from sip.message import Request, Response
from sip.parser import parse_message
from sip.timers import Timers
from sip.transaction import State, Transaction
from sip.transactions import Transactions
from tests.helpers.pair import A, B
from tests.helpers.sip_messages import request

METHODS = st.sampled_from(["INVITE", "INVITE", "OPTIONS"])
STATUSES = st.sampled_from([100, 180, 200, 200, 404, 603])
WHICH = st.integers(0, 5)
MOST = 6


class Owner:
    """Who sent a request: what they were told, in order; a failure is its status, negative."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response."""
        self.told.append(response.status)

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """None will come."""
        self.told.append(-status)


class Machine(RuleBasedStateMachine):
    """Transactions of both kinds over one flow."""

    @initialize(transport=st.sampled_from(["UDP", "TCP"]))
    def begin(self, transport: str) -> None:
        """An endpoint without anything."""
        self.flow = Flow(transport, A, B, 7 if transport == "TCP" else 0)
        self.timers = Timers()
        self.now = 0.0
        self.sent: dict[bytes, int] = defaultdict(int)
        self.is_timer_running = False
        self.repeated = 0
        self.transactions = Transactions(self.send, self.timers)
        self.clients: list[tuple[Transaction, Owner]] = []
        self.servers: list[Transaction] = []
        self.asked: list[Request] = []
        self.count = 0

    def send(self, data: bytes, flow: Flow) -> None:
        """Something goes out."""
        self.sent[data] += 1
        self.repeated += self.is_timer_running

    def message(self, method: str, number: int, via: str = "") -> Request:
        """A request with a branch of its own."""
        transport = self.flow.transport
        made = parse_message(request(method, Call_ID=f"c{number}", CSeq=f"1 {method}",
                                     Via=via or f"SIP/2.0/{transport} {A[0]}:{A[1]};branch=z9hG4bK{number}"))
        assert isinstance(made, Request)
        return made

    @rule(method=METHODS)
    def ask(self, method: str) -> None:
        """Send a request."""
        if len(self.clients) < MOST:
            self.count += 1
            owner, asked = Owner(), self.message(method, self.count)
            self.clients.append((self.transactions.start_client(asked, self.flow, owner, self.now), owner))

    @rule(which=WHICH, status=STATUSES)
    def be_answered(self, which: int, status: int) -> None:
        """A response comes, the first or another one."""
        if which < len(self.clients):
            self.transactions.receive_response(self.clients[which][0].request.respond(status, to_tag="t"), self.now)

    @rule(method=METHODS)
    def be_asked(self, method: str) -> None:
        """A request comes."""
        if len(self.servers) < MOST:
            self.count += 1
            self.asked.append(self.message(method, self.count))
            self.servers.append(self.transactions.start_server(self.asked[-1], self.flow, self.now))

    @rule(which=WHICH, is_ack=st.booleans())
    def be_asked_again(self, which: int, is_ack: bool) -> None:
        """It comes again, or an ACK does."""
        if which < len(self.servers):
            old = self.asked[which]
            again = self.message("ACK", 0, str(old.via)) if is_ack and old.method == "INVITE" else old
            found = self.transactions.find_server(again)
            if found is not None:
                assert found is self.servers[which]
                self.transactions.receive_again(found, again, self.now)

    @rule(which=WHICH, status=STATUSES)
    def answer(self, which: int, status: int) -> None:
        """The user answers, the first time or once more."""
        if which < len(self.servers):
            self.transactions.respond(self.servers[which], self.asked[which].respond(status, to_tag="s"), self.now)

    @rule()
    def lose(self) -> None:
        """The connection breaks."""
        if self.flow.is_reliable:
            self.transactions.flow_lost(self.flow, self.now)

    @rule(seconds=st.sampled_from([0.1, 0.5, 3.0, 10.0, 33.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        end, before = self.now + seconds, self.repeated
        while (at := self.timers.next()) is not None and at <= end:
            self.now = max(self.now, at)
            self.is_timer_running = True
            for owner, name in self.timers.due(self.now):
                self.transactions.handle_timer(owner, name, self.now)
            self.is_timer_running = False
        self.now = end
        assert not self.flow.is_reliable or self.repeated == before              # a connection repeats by itself

    @invariant()
    def each_request_has_one_outcome_and_nothing_comes_after_it(self) -> None:
        """One final response or one failure; an INVITE may have several 2xx, of a fork."""
        for transaction, owner in getattr(self, "clients", ()):
            outcomes = [status for status in owner.told if status < 0 or status >= 200]
            if transaction.request.method == "INVITE" and all(200 <= status < 300 for status in outcomes):
                assert not outcomes or 100 not in owner.told[owner.told.index(outcomes[0]):]
                continue
            assert len(outcomes) <= 1 and (not outcomes or owner.told[-1] == outcomes[0])

    @invariant()
    def only_what_lives_is_kept(self) -> None:
        """A transaction that is over is in no table."""
        if hasattr(self, "transactions"):
            known = [*(client for client, _ in self.clients), *self.servers]
            alive = [one for one in known if one.state is not State.TERMINATED]
            assert len(self.transactions) == len(alive)
            assert len(self.timers) <= 3 * len(alive)

    def teardown(self) -> None:
        """The user answers what waits, and gives up INVITEs that only ring (as timer C does); then nothing may be left."""
        if not hasattr(self, "transactions"):
            return
        for one, asked in zip(self.servers, self.asked, strict=True):
            self.transactions.respond(one, asked.respond(480, to_tag="s"), self.now)
        for transaction, _ in self.clients:
            if transaction.request.method == "INVITE" and transaction.state is State.PROCEEDING:
                self.transactions.abandon(transaction)
                transaction.state = State.TERMINATED
        self.wait(200.0)
        assert len(self.transactions) == 0 and self.timers.next() is None
        inside = self.transactions
        assert not (inside._clients or inside._servers or inside._merged or inside._by_flow)


Machine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None, derandomize=True)
TestTransactionsAsAMachine = Machine.TestCase
