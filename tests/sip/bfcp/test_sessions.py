"""A client and a server of BFCP between memory buffers: every primitive, both transports, and a network that loses."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.bfcp.attributes import (
    ErrorValue,
    FloorRequestInformation,
    Number,
    RequestStatus,
    Status,
    StatusOf,
    Type,
    Unknown,
    UserInformation,
)
from sip.bfcp.client import ClientSession
from sip.bfcp.connection import GIVE_UP_S, MAX_ANSWERS, MAX_WAITING, T1, T2
from sip.bfcp.events import (
    ChairActed,
    ChairActionAccepted,
    ClientEvent,
    ConnectionLost,
    ErrorReceived,
    FloorReleaseAsked,
    FloorRequested,
    FloorRequestQueried,
    FloorsQueried,
    FloorStatusChanged,
    GoodbyeReceived,
    HelloAcknowledged,
    HelloReceived,
    RequestStatusChanged,
    ServerEvent,
    UserQueried,
    UserStatusReceived,
)
from sip.bfcp.message import Header, Message, Primitive, parse
from sip.bfcp.server import ServerSession
from sip.errors import LocalProtocolError

CONFERENCE, ALICE, BOB = 4711, 10, 11
BOTH = pytest.mark.parametrize("is_reliable", [True, False], ids=["stream", "datagrams"])


class Pair:
    """Both ends, and a network between them that loses a share of what is sent, by a seed."""

    def __init__(self, is_reliable: bool, loss: float = 0.0, seed: int = 1) -> None:
        self.client = ClientSession(CONFERENCE, ALICE, is_reliable=is_reliable)
        self.server = ServerSession(CONFERENCE, ALICE, is_reliable=is_reliable)
        self.server.user_ids = frozenset({ALICE, BOB})
        self.now = 0.0
        self.sent: list[bytes] = []
        self._loss = loss
        self._random = random.Random(seed)

    def exchange(self) -> None:
        """Carry everything over until there is nothing more."""
        while pieces := [(self.server, data) for data in self.client.data_to_send()] + [
                (self.client, data) for data in self.server.data_to_send()]:
            for receiver, data in pieces:
                self.sent.append(data)
                if self._random.random() >= self._loss:
                    receiver.receive_data(data, self.now)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self.exchange()
        while (due := self._next_timer()) is not None and due < end:
            self.now = max(self.now, due)
            self.client.handle_timer(self.now)
            self.server.handle_timer(self.now)
            self.exchange()
        self.now = end

    def _next_timer(self) -> float | None:
        return min((at for at in (self.client.next_timer(), self.server.next_timer()) if at is not None), default=None)

    def asked(self) -> ServerEvent:
        """The next event of the server."""
        self.exchange()
        event = self.server.next_event()
        assert event is not None
        return event

    def told(self) -> ClientEvent:
        """The next event of the client."""
        self.exchange()
        event = self.client.next_event()
        assert event is not None
        return event


def information(status: Status = Status.PENDING, request_id: int = 1, text: str = "") -> FloorRequestInformation:
    """What a server says of a request for floor 1."""
    return FloorRequestInformation(request_id, (StatusOf(Type.FLOOR_REQUEST_STATUS, 1),),
                                   StatusOf(Type.OVERALL_REQUEST_STATUS, request_id, RequestStatus(status)), info=text)


@BOTH
def test_hello_is_answered_with_all_that_the_server_knows(is_reliable: bool) -> None:
    pair = Pair(is_reliable)
    pair.client.say_hello(0.0)
    assert pair.asked() == HelloReceived()
    assert pair.told() == HelloAcknowledged(tuple(range(1, 19)), tuple(range(1, 19)))


@BOTH
def test_a_floor_is_requested_granted_and_released(is_reliable: bool) -> None:
    pair = Pair(is_reliable)
    transaction = pair.client.request_floor(1, 0.0, info="slides", priority=2)
    asked = pair.asked()
    assert isinstance(asked, FloorRequested)
    assert (asked.floor_ids, asked.beneficiary, asked.priority, asked.info) == ((1,), None, 2, "slides")
    pair.server.tell_request(information(), 0.0, asked.request)
    pair.server.tell_request(information(Status.GRANTED), 0.0)
    assert pair.told() == RequestStatusChanged(information(), transaction)
    assert pair.told() == RequestStatusChanged(information(Status.GRANTED), None)
    transaction = pair.client.release(1, 0.0)
    asked = pair.asked()
    assert isinstance(asked, FloorReleaseAsked) and asked.request_id == 1
    pair.server.tell_request(information(Status.RELEASED), 0.0, asked.request)
    assert pair.told() == RequestStatusChanged(information(Status.RELEASED), transaction)
    assert pair.client.next_timer() is None and pair.server.next_timer() is None


@BOTH
def test_queries_get_their_answers(is_reliable: bool) -> None:
    pair = Pair(is_reliable)
    pair.client.query_request(1, 0.0)
    asked = pair.asked()
    assert isinstance(asked, FloorRequestQueried) and asked.request_id == 1
    pair.server.tell_request(information(), 0.0, asked.request)
    assert isinstance(pair.told(), RequestStatusChanged)
    pair.client.query_user(0.0, BOB)
    asked = pair.asked()
    assert isinstance(asked, UserQueried) and asked.beneficiary == BOB
    bob = UserInformation(Type.BENEFICIARY_INFORMATION, BOB, "Bob", "sip:bob@example.org")
    pair.server.tell_user(bob, (information(),), 0.0, asked.request)
    assert pair.told() == UserStatusReceived(bob, (information(),))
    pair.client.watch_floors((1, 2), 0.0)
    asked = pair.asked()
    assert isinstance(asked, FloorsQueried) and asked.floor_ids == (1, 2)
    pair.server.tell_floor(1, (information(),), 0.0, asked.request)
    pair.server.tell_floor(2, (), 0.0)
    assert pair.told() == FloorStatusChanged((1,), (information(),))
    assert pair.told() == FloorStatusChanged((2,), ())


@BOTH
def test_what_the_chair_decides_is_acknowledged(is_reliable: bool) -> None:
    pair = Pair(is_reliable)
    transaction = pair.client.decide(7, 2, Status.GRANTED, 0.0, info="go on")
    asked = pair.asked()
    assert isinstance(asked, ChairActed) and asked.request_id == 7
    assert asked.floors == (StatusOf(Type.FLOOR_REQUEST_STATUS, 2, RequestStatus(Status.GRANTED), "go on"),)
    pair.server.acknowledge(asked.request, 0.0)
    assert pair.told() == ChairActionAccepted(transaction)


@BOTH
def test_goodbye_goes_either_way(is_reliable: bool) -> None:
    pair = Pair(is_reliable)
    pair.client.say_goodbye(0.0)
    assert pair.asked() == GoodbyeReceived()
    pair.run(1.0)
    pair.server.say_goodbye(pair.now)
    assert pair.told() == GoodbyeReceived()
    pair.run(30.0)
    assert not pair.client.is_over and not pair.server.is_over


@BOTH
@pytest.mark.parametrize(("conference", "user", "code"), [
    (CONFERENCE + 1, ALICE, ErrorValue.NO_SUCH_CONFERENCE), (CONFERENCE, 999, ErrorValue.NO_SUCH_USER),
    (CONFERENCE, BOB, ErrorValue.UNAUTHORIZED)], ids=["conference", "nobody", "somebody else"])
def test_forged_identifiers_are_refused_and_reach_nobody(is_reliable: bool, conference: int, user: int,
                                                         code: ErrorValue) -> None:
    pair = Pair(is_reliable)
    pair.client = ClientSession(conference, user, is_reliable=is_reliable)
    transaction = pair.client.request_floor(1, 0.0)
    told = pair.told()
    assert isinstance(told, ErrorReceived) and (told.code, told.transaction) == (code, transaction)
    assert pair.server.next_event() is None


@BOTH
@pytest.mark.parametrize(("primitive", "attributes", "code"), [
    (Primitive.HELLO, (Unknown(99, True),), ErrorValue.UNKNOWN_MANDATORY_ATTRIBUTE),
    (Primitive.FLOOR_REQUEST, (), ErrorValue.UNABLE_TO_PARSE),
    (Primitive.FLOOR_STATUS, (Number(Type.FLOOR_ID, 1),), ErrorValue.UNKNOWN_PRIMITIVE),
], ids=["unknown mandatory attribute", "no floor", "not for a server"])
def test_what_is_no_request_gets_the_error_that_fits(is_reliable: bool, primitive: Primitive, attributes: tuple[Number, ...],
                                                     code: ErrorValue) -> None:
    server = ServerSession(CONFERENCE, ALICE, is_reliable=is_reliable)
    server.receive_data(bytes(Message(primitive, CONFERENCE, 5, ALICE, attributes, 1 if is_reliable else 2)), 0.0)
    (answer,) = map(parse, server.data_to_send())
    assert answer.primitive is Primitive.ERROR and answer.transaction_id == 5
    assert answer.attributes[0].code == code                                            # type: ignore[union-attr]
    assert server.next_event() is None and not server.is_over


def test_a_stream_of_another_version_is_told_so_and_ends() -> None:
    server = ServerSession(CONFERENCE, ALICE, is_reliable=True)
    server.receive_data(bytes(Message(Primitive.HELLO, CONFERENCE, 5, ALICE, version=2)), 0.0)
    (answer,) = map(parse, server.data_to_send())
    assert (answer.version, answer.attributes[0].code) == (1, ErrorValue.UNSUPPORTED_VERSION)    # type: ignore[union-attr]
    assert isinstance(server.next_event(), ConnectionLost) and server.is_over


def test_over_a_stream_notices_have_transaction_0_and_are_not_acknowledged() -> None:
    pair = Pair(True)
    pair.server.tell_request(information(Status.REVOKED), 0.0)
    assert isinstance(pair.told(), RequestStatusChanged)
    assert [Header.parse(data).transaction_id for data in pair.sent] == [0]


def test_over_udp_notices_are_acknowledged_one_after_the_other() -> None:
    pair = Pair(False)
    for number in range(1, 6):
        pair.server.tell_request(information(Status.GRANTED, number), 0.0)
    assert len(pair.server.data_to_send()) == 1
    pair.run(T1 + 0.01)
    events = [event for event in iter(pair.client.next_event, None) if isinstance(event, RequestStatusChanged)]
    assert [event.information.request_id for event in events] == [1, 2, 3, 4, 5]
    kinds = [Header.parse(data).primitive for data in pair.sent]
    assert kinds.count(Primitive.FLOOR_REQUEST_STATUS_ACK) == 5


def test_a_request_is_sent_again_after_t1_doubled_each_time_and_given_up() -> None:
    client = ClientSession(CONFERENCE, ALICE, is_reliable=False)
    client.say_hello(0.0)
    sent, now = [0.0], 0.0
    client.data_to_send()
    while (due := client.next_timer()) is not None:
        now = due
        client.handle_timer(now)
        sent += [now] * len(client.data_to_send())
    assert sent == [0.0, T1, 3 * T1, 7 * T1] and now == GIVE_UP_S
    assert client.next_event() == ConnectionLost("the peer does not answer")
    with pytest.raises(LocalProtocolError):
        client.say_hello(now)


def test_a_stream_without_an_answer_is_given_up_in_the_same_time() -> None:
    client = ClientSession(CONFERENCE, ALICE, is_reliable=True)
    client.say_hello(0.0)
    assert client.next_timer() == GIVE_UP_S
    client.handle_timer(GIVE_UP_S)
    assert client.is_over


def test_a_request_that_comes_again_gets_the_same_answer_and_is_acted_on_once() -> None:
    server = ServerSession(CONFERENCE, ALICE, is_reliable=False)
    request = bytes(Message(Primitive.FLOOR_REQUEST, CONFERENCE, 5, ALICE, (Number(Type.FLOOR_ID, 1),), 2))
    server.receive_data(request, 0.0)
    server.receive_data(request, 0.1)
    asked = server.next_event()
    assert isinstance(asked, FloorRequested) and server.next_event() is None
    assert server.data_to_send() == []
    server.tell_request(information(), 0.2, asked.request)
    first = server.data_to_send()
    server.receive_data(request, 0.5)
    assert server.data_to_send() == first and server.next_event() is None
    server.receive_data(request, 0.3 + T2)
    assert isinstance(server.next_event(), FloorRequested)


def test_answers_are_kept_for_so_many_requests_and_no_more() -> None:
    server = ServerSession(CONFERENCE, ALICE, is_reliable=False)
    for transaction in range(1, 2000):
        lying = Header(Primitive.HELLO, CONFERENCE, transaction, ALICE, 2, length=400)
        hello = Message(Primitive.HELLO, CONFERENCE, transaction + 5000, ALICE, version=2)
        server.receive_data(bytes(lying), 0.001 * transaction)
        server.receive_data(bytes(hello), 0.001 * transaction)
        server.data_to_send()
        while server.next_event() is not None:
            pass
    assert len(server._connection._answers) == MAX_ANSWERS


def test_an_answer_to_nothing_is_passed_over() -> None:
    client = ClientSession(CONFERENCE, ALICE, is_reliable=False)
    for transaction in (0, 1, 77):
        client.receive_data(bytes(Message(Primitive.CHAIR_ACTION_ACK, CONFERENCE, transaction, ALICE, (), 2, True)), 0.0)
    assert client.next_event() is None and client.data_to_send() == []


def test_a_peer_that_acknowledges_nothing_fills_no_memory() -> None:
    server = ServerSession(CONFERENCE, ALICE, is_reliable=False)
    for number in range(MAX_WAITING + 10):
        server.tell_request(information(Status.GRANTED, number), 0.0)
    assert server.is_over and server.next_event() == ConnectionLost("the peer acknowledges nothing")


def test_a_long_floor_status_goes_over_udp_in_fragments() -> None:
    pair = Pair(False)
    requests = tuple(information(Status.ACCEPTED, number, "x" * 60) for number in range(1, 40))
    pair.server.tell_floor(1, requests, 0.0)
    assert pair.told() == FloorStatusChanged((1,), requests)
    assert len([1 for data in pair.sent if Header.parse(data).fragment is not None]) > 2


@given(st.integers(0, 10_000))
def test_a_network_that_loses_a_fifth_changes_nothing_but_the_time(seed: int) -> None:
    pair = Pair(False, 0.2, seed)
    pair.client.request_floor(1, 0.0)
    pair.run(0.0)
    told: list[Status] = []
    for _ in range(60):
        for asked in iter(pair.server.next_event, None):
            if isinstance(asked, FloorRequested):
                pair.server.tell_request(information(), pair.now, asked.request)
                pair.server.tell_request(information(Status.GRANTED), pair.now)
        pair.run(0.2)
        told += [Status(event.information.status or 0) for event in iter(pair.client.next_event, None)
                 if isinstance(event, RequestStatusChanged)]
    if not pair.client.is_over and not pair.server.is_over:
        assert sorted(told) == [Status.PENDING, Status.GRANTED]
    else:
        assert len(told) == len(set(told))


@given(st.booleans(), st.lists(st.binary(max_size=80), max_size=6))
def test_no_bytes_crash_a_server_or_a_client(is_reliable: bool, pieces: list[bytes]) -> None:
    server = ServerSession(CONFERENCE, ALICE, is_reliable=is_reliable)
    client = ClientSession(CONFERENCE, ALICE, is_reliable=is_reliable)
    head = bytes(Message(Primitive.HELLO, CONFERENCE, 5, ALICE, (), 1 if is_reliable else 2))[:4]
    for piece in pieces:
        for side in (server, client):
            side.receive_data(piece, 0.0)
            side.receive_data(head + piece, 0.0)
    assert len(server.data_to_send()) <= 4 * len(pieces) + 2
