"""The four machines (RFC 3261 §17 figures 5 to 8, RFC 6026 §8): every row, and the timers of table 4."""

from __future__ import annotations

import pytest

from sip.flow import Flow
from sip.message import Request, Response
from sip.parser import parse_message
from sip.timers import T1, T2, Timers
from sip.transaction import TABLES, Kind, State, Transaction
from sip.transactions import Transactions
from tests.helpers.sip_messages import request, response

UDP = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
TCP = Flow("TCP", ("192.0.2.1", 5060), ("192.0.2.2", 5060), 3)
STATUS = {"1xx": 180, "2xx": 200, "refusal": 486}


class Bench:
    """One transaction, driven event by event; `sent` and `told` are what the last event brought."""

    def __init__(self, kind: Kind, flow: Flow = UDP) -> None:
        self.sent: list[str] = []
        self.told: list[str] = []
        self.timers = Timers()
        self.transactions = Transactions(self._send, self.timers)
        self.method = "INVITE" if kind in (Kind.INVITE_CLIENT, Kind.INVITE_SERVER) else "OPTIONS"
        message = parse_message(request(self.method))
        assert isinstance(message, Request)
        self.request = message
        if kind in (Kind.INVITE_CLIENT, Kind.CLIENT):
            self.transaction = self.transactions.start_client(message, flow, self, 0.0)
        else:
            self.transaction = self.transactions.start_server(message, flow, 0.0)
            self.transaction.owner = self

    def _send(self, data: bytes, flow: Flow) -> None:
        message = parse_message(data)
        self.sent.append(message.method if isinstance(message, Request) else str(message.status))

    def on_response(self, transaction: Transaction, answer: Response, now: float) -> None:
        """A response was handed up."""
        self.told.append(str(answer.status))

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """A failure was handed up."""
        self.told.append(f"failed {status}")

    def step(self, event: str, now: float = 0.0) -> None:
        """One event: a class of response, `request`, `ack`, `send_…`, `transport`, or a timer's letter."""
        self.sent.clear()
        self.told.clear()
        if event in STATUS:
            answer = parse_message(response(STATUS[event], CSeq=f"1 {self.method}", To="<sip:room@b.example>;tag=r"))
            assert isinstance(answer, Response)
            self.transactions.receive_response(answer, now)
        elif event == "request":
            self.transactions.receive_again(self.transaction, self.request, now)
        elif event == "ack":
            ack = parse_message(request("ACK"))
            assert isinstance(ack, Request)
            self.transactions.receive_again(self.transaction, ack, now)
        elif event.startswith("send_"):
            self.transactions.respond(self.transaction, self.request.respond(STATUS[event[5:]], to_tag="t"), now)
        elif event == "transport":
            self.transactions.flow_lost(self.transaction.flow, now)
        else:
            self.transactions.handle_timer(self.transaction, event, now)


IC, C, IS, S = Kind.INVITE_CLIENT, Kind.CLIENT, Kind.INVITE_SERVER, Kind.SERVER
ROWS = [
    # machine, events before, event, next state, sent, told to the user
    (IC, "", "A", "calling", ["INVITE"], []),
    (IC, "", "B", "terminated", [], ["failed 408"]),
    (IC, "", "1xx", "proceeding", [], ["180"]),
    (IC, "", "2xx", "accepted", [], ["200"]),
    (IC, "", "refusal", "completed", ["ACK"], ["486"]),
    (IC, "1xx", "1xx", "proceeding", [], ["180"]),
    (IC, "1xx", "2xx", "accepted", [], ["200"]),
    (IC, "1xx", "refusal", "completed", ["ACK"], ["486"]),
    (IC, "2xx", "2xx", "accepted", [], ["200"]),
    (IC, "2xx", "M", "terminated", [], []),
    (IC, "refusal", "refusal", "completed", ["ACK"], []),
    (IC, "refusal", "D", "terminated", [], []),
    (C, "", "E", "trying", ["OPTIONS"], []),
    (C, "", "F", "terminated", [], ["failed 408"]),
    (C, "", "1xx", "proceeding", [], ["180"]),
    (C, "", "2xx", "completed", [], ["200"]),
    (C, "", "refusal", "completed", [], ["486"]),
    (C, "1xx", "E", "proceeding", ["OPTIONS"], []),
    (C, "1xx", "F", "terminated", [], ["failed 408"]),
    (C, "1xx", "1xx", "proceeding", [], ["180"]),
    (C, "1xx", "2xx", "completed", [], ["200"]),
    (C, "1xx", "refusal", "completed", [], ["486"]),
    (C, "2xx", "K", "terminated", [], []),
    (IS, "send_1xx", "request", "proceeding", ["180"], []),
    (IS, "", "send_1xx", "proceeding", ["180"], []),
    (IS, "send_1xx", "send_2xx", "accepted", ["200"], []),
    (IS, "send_1xx", "send_refusal", "completed", ["486"], []),
    (IS, "send_2xx", "request", "accepted", [], []),
    (IS, "send_2xx", "send_2xx", "accepted", ["200"], []),
    (IS, "send_2xx", "L", "terminated", [], []),
    (IS, "send_refusal", "request", "completed", ["486"], []),
    (IS, "send_refusal", "G", "completed", ["486"], []),
    (IS, "send_refusal", "H", "terminated", [], []),
    (IS, "send_refusal", "ack", "confirmed", [], []),
    (IS, "send_refusal ack", "I", "terminated", [], []),
    (S, "", "U", "terminated", [], []),
    (S, "send_1xx", "U", "terminated", [], []),
    (S, "", "send_1xx", "proceeding", ["180"], []),
    (S, "", "send_2xx", "completed", ["200"], []),
    (S, "", "send_refusal", "completed", ["486"], []),
    (S, "send_1xx", "request", "proceeding", ["180"], []),
    (S, "send_1xx", "send_1xx", "proceeding", ["180"], []),
    (S, "send_1xx", "send_2xx", "completed", ["200"], []),
    (S, "send_1xx", "send_refusal", "completed", ["486"], []),
    (S, "send_2xx", "request", "completed", ["200"], []),
    (S, "send_2xx", "J", "terminated", [], []),
]
NOTHING = [
    (IC, "1xx", "A"),
    (IC, "1xx", "B"),
    (IC, "2xx", "1xx"),
    (IC, "2xx", "refusal"),
    (IC, "refusal", "1xx"),
    (IC, "refusal", "2xx"),
    (C, "2xx", "2xx"),
    (C, "2xx", "1xx"),
    (C, "2xx", "E"),
    (C, "refusal", "2xx"),
    (IS, "", "request"),
    (IS, "", "ack"),
    (IS, "send_2xx", "ack"),
    (IS, "send_2xx", "send_refusal"),
    (IS, "send_2xx", "send_1xx"),
    (IS, "send_refusal", "send_2xx"),
    (IS, "send_refusal ack", "ack"),
    (IS, "send_refusal ack", "request"),
    (S, "", "request"),
    (S, "send_2xx", "send_refusal"),
    (S, "send_refusal", "send_2xx"),
    (S, "send_2xx", "send_1xx"),
]


@pytest.mark.parametrize(("kind", "before", "event", "after", "sent", "told"), ROWS)
def test_each_row_of_the_tables(kind: Kind, before: str, event: str, after: str, sent: list[str], told: list[str]) -> None:
    bench = Bench(kind)
    for earlier in before.split():
        bench.step(earlier)
    bench.step(event)
    assert (bench.transaction.state, bench.sent, bench.told) == (State(after), sent, told)
    assert len(bench.transactions) == (after != "terminated")


@pytest.mark.parametrize(("kind", "before", "event"), NOTHING)
def test_other_events_do_nothing(kind: Kind, before: str, event: str) -> None:
    bench = Bench(kind)
    for earlier in before.split():
        bench.step(earlier)
    state = bench.transaction.state
    bench.step(event)
    assert (bench.transaction.state, bench.sent, bench.told) == (state, [], [])


@pytest.mark.parametrize(("kind", "before"), [(IC, ""), (IC, "1xx"), (C, ""), (C, "1xx")])
def test_a_lost_connection_fails_who_waits_for_an_answer(kind: Kind, before: str) -> None:
    bench = Bench(kind, TCP)
    for earlier in before.split():
        bench.step(earlier)
    bench.step("transport")
    assert (bench.transaction.state, bench.told) == (State.TERMINATED, ["failed 503"])


def test_the_rows_tested_are_all_rows_there_are() -> None:
    rows = {kind: set() for kind in Kind}
    for kind, before, event, *_ in ROWS:
        bench = Bench(kind)
        for earlier in before.split():
            bench.step(earlier)
        rows[kind].add((bench.transaction.state, event))
    for kind, table in TABLES.items():
        assert {key for key in table if key[1] != "transport"} == rows[kind]


def fire_times(bench: Bench, until: float) -> list[float]:
    """When something was sent, up to a time, with the timers firing by themselves."""
    times = []
    while (at := bench.timers.next()) is not None and at <= until:
        bench.sent.clear()
        for transaction, name in bench.timers.due(at):
            bench.transactions.handle_timer(transaction, name, at)
        times += [at] * len(bench.sent)
    return times


def test_timer_a_doubles_until_timer_b_gives_up() -> None:
    bench = Bench(IC)
    assert fire_times(bench, 100) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.told == ["failed 408"] and len(bench.timers) == 0


def test_timer_e_doubles_up_to_t2_until_timer_f_gives_up() -> None:
    bench = Bench(C)
    assert fire_times(bench, 100) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.told == ["failed 408"] and len(bench.timers) == 0


def test_timer_e_runs_at_t2_once_a_provisional_response_came() -> None:
    bench = Bench(C)
    bench.step("1xx")
    assert fire_times(bench, 20) == [0.5, 4.5, 8.5, 12.5, 16.5]


def test_timer_g_repeats_a_refusal_until_the_ack_and_h_gives_up() -> None:
    bench = Bench(IS)
    bench.step("send_refusal")
    assert fire_times(bench, 100) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert len(bench.transactions) == 0
    bench = Bench(IS)
    bench.step("send_refusal")
    assert fire_times(bench, 2) == [0.5, 1.5]
    bench.step("ack", 2.0)
    assert fire_times(bench, 100) == []
    assert len(bench.transactions) == 0


@pytest.mark.parametrize(
    ("kind", "before", "last"),
    [
        (IC, "2xx", 32.0),
        (IC, "refusal", 32.0),
        (C, "2xx", 5.0),
        (IS, "send_2xx", 32.0),
        (IS, "send_refusal ack", 5.0),
        (S, "send_2xx", 32.0),
        (S, "", 32.0),
        (S, "send_1xx", 32.0),
    ],
)
def test_how_long_a_transaction_lives_on_over_udp(kind: Kind, before: str, last: float) -> None:
    bench = Bench(kind)
    for earlier in before.split():
        bench.step(earlier)
    fire_times(bench, last - 0.001)
    assert len(bench.transactions) == 1
    fire_times(bench, last)
    assert len(bench.transactions) == len(bench.timers) == 0


@pytest.mark.parametrize(
    ("kind", "before", "lives"),
    [
        (IC, "", True),
        (IC, "refusal", False),
        (C, "", True),
        (C, "2xx", False),
        (IS, "send_refusal", True),
        (IS, "send_refusal ack", False),
        (S, "send_2xx", False),
        (IC, "2xx", True),
        (IS, "send_2xx", True),
    ],
)
def test_over_a_reliable_transport_nothing_is_repeated_and_waiting_timers_are_zero(
    kind: Kind, before: str, lives: bool
) -> None:
    bench = Bench(kind, TCP)
    for earlier in before.split():
        bench.step(earlier)
    assert (len(bench.transactions) == 1) == lives
    assert fire_times(bench, 100) == []
    assert len(bench.transactions) == 0


def test_the_figures_are_those_of_table_4() -> None:
    assert (T1, T2) == (0.5, 4.0)
