"""The floor control server of a conference: sessions of BFCP on one side, the rules of the floors on the other, no I/O."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mcu.floor import Event, FloorEnded, FloorGranted, FloorId, Floors, FloorSettings, RequestFloor, RevokeFloor
from mcu.floor_control import STATUS_INTERVAL_S, FloorControl
from mcu.participant import ParticipantId
from sip.bfcp.attributes import ErrorValue, FloorRequestInformation, Number, RequestStatus, Status, StatusOf, Type, write
from sip.bfcp.client import ClientSession
from sip.bfcp.events import (
    ChairActionAccepted,
    ClientEvent,
    ConnectionLost,
    ErrorReceived,
    FloorStatusChanged,
    GoodbyeReceived,
    RequestStatusChanged,
    UserStatusReceived,
)
from sip.bfcp.message import Message, Primitive, parse
from sip.bfcp.server import ServerSession

CONFERENCE = 0xC0FFEE
ALICE, BOB, CAROL = (ParticipantId(number) for number in (1001, 1002, 1003))


class House:
    """A conference of three with a session each; Carol is host."""

    def __init__(self, *, is_reliable: bool = True) -> None:
        self.now = 0.0
        self.control = FloorControl(CONFERENCE, Floors(FloorSettings()), lambda who: who == CAROL)
        self.ids: dict[ParticipantId, int] = {}
        self.clients: dict[ParticipantId, ClientSession] = {}
        self.sessions: dict[ParticipantId, ServerSession] = {}
        self.events: list[Event] = []
        self.heard: dict[ParticipantId, list[ClientEvent]] = {}
        for who, name in ((ALICE, "Alice"), (BOB, "Bob"), (CAROL, "Carol")):
            self.ids[who] = self.control.join(who, name, f"sip:{name.lower()}@example.org")
            self.sessions[who] = self.control.attach(who, is_reliable=is_reliable)
            self.clients[who] = ClientSession(CONFERENCE, self.ids[who], is_reliable=is_reliable)
            self.heard[who] = []

    def run(self) -> None:
        """Carry everything to and fro until there is nothing more."""
        is_busy = True
        while is_busy:
            is_busy = False
            for who, client in self.clients.items():
                for data in client.data_to_send():
                    self.sessions[who].receive_data(data, self.now)
                is_busy |= bool(self.control.handle(who, self.sessions[who], self.now))
                for data in self.sessions[who].data_to_send():
                    client.receive_data(data, self.now)
                    is_busy = True
                self.heard[who] += iter(client.next_event, None)
        self.events += iter(self.control.next_event, None)

    def take(self, who: ParticipantId) -> list[ClientEvent]:
        """What somebody has heard since last asked."""
        self.run()
        heard, self.heard[who] = self.heard[who], []
        return heard

    def ask(self, who: ParticipantId, floor: FloorId) -> FloorRequestInformation:
        """A floor request and its answer."""
        self.clients[who].request_floor(floor, self.now)
        first = next(event for event in self.take(who) if isinstance(event, RequestStatusChanged))
        assert first.transaction is not None
        return first.information

    def states(self, who: ParticipantId) -> Iterator[tuple[int, int | None]]:
        """(request, status) of the news that somebody has heard."""
        for event in self.take(who):
            if isinstance(event, RequestStatusChanged):
                yield event.information.request_id, event.information.status


@pytest.mark.parametrize("is_reliable", [True, False], ids=["stream", "datagrams"])
def test_request_queue_release_and_the_next_one(is_reliable: bool) -> None:
    house = House(is_reliable=is_reliable)
    alice, bob = house.ask(ALICE, FloorId.SCREEN), house.ask(BOB, FloorId.SCREEN)
    assert (alice.status, bob.status, bob.queue_position) == (Status.GRANTED, Status.ACCEPTED, 1)
    house.clients[ALICE].release(alice.request_id, 1.0)
    assert list(house.states(ALICE)) == [(alice.request_id, Status.RELEASED)]
    assert list(house.states(BOB)) == [(bob.request_id, Status.GRANTED)]
    assert [type(event) for event in house.events if isinstance(event, FloorGranted | FloorEnded)] == [
        FloorGranted, FloorEnded, FloorGranted]


def test_consent_by_the_owner_gives_control_and_names_desktop_and_expiry() -> None:
    house = House()
    house.ask(ALICE, FloorId.SCREEN)
    house.clients[ALICE].watch_floors((FloorId.SCREEN, FloorId.CONTROL), 0.0)
    house.take(ALICE)
    request = house.ask(BOB, FloorId.CONTROL)
    assert request.status is not None and Status(request.status) is Status.PENDING
    told = [event for event in house.take(ALICE) if isinstance(event, FloorStatusChanged)]
    assert told[-1].floor_ids == (FloorId.CONTROL,)
    assert [each.beneficiary.display_name for each in told[-1].requests if each.beneficiary] == ["Bob"]
    house.clients[ALICE].decide(request.request_id, FloorId.CONTROL, Status.GRANTED, 1.0)
    assert any(isinstance(event, ChairActionAccepted) for event in house.take(ALICE))
    granted = [event.information for event in house.take(BOB) if isinstance(event, RequestStatusChanged)][-1]
    assert granted.status == Status.GRANTED
    assert granted.beneficiary is not None and granted.beneficiary.user_id == house.ids[BOB]
    assert granted.overall is not None and granted.overall.info == f"desktop={house.ids[ALICE]}; expires=300"


@pytest.mark.parametrize(("status", "expected"), [(Status.DENIED, Status.DENIED), (Status.REVOKED, Status.DENIED)])
def test_the_owner_says_no_with_words(status: Status, expected: Status) -> None:
    house = House()
    house.ask(ALICE, FloorId.SCREEN)
    request = house.ask(BOB, FloorId.CONTROL)
    house.clients[ALICE].decide(request.request_id, FloorId.CONTROL, status, 1.0, info="not now")
    news = [event.information for event in house.take(BOB) if isinstance(event, RequestStatusChanged)]
    assert [each.status for each in news] == [expected] and news[0].overall is not None and news[0].overall.info == "not now"


def test_the_host_overrides_by_chair_action_and_from_elsewhere() -> None:
    house = House()
    alice, bob = house.ask(ALICE, FloorId.SCREEN), house.ask(BOB, FloorId.SCREEN)
    house.clients[CAROL].decide(bob.request_id, FloorId.SCREEN, Status.GRANTED, 1.0)
    assert list(house.states(ALICE)) == [(alice.request_id, Status.REVOKED)]
    assert list(house.states(BOB)) == [(bob.request_id, Status.GRANTED)]
    house.control.execute(RevokeFloor(bob.request_id), 2.0, None)
    assert list(house.states(BOB)) == [(bob.request_id, Status.REVOKED)]


def test_watchers_hear_of_each_change_and_others_of_none() -> None:
    house = House()
    house.clients[CAROL].watch_floors((FloorId.SCREEN,), 0.0)
    assert house.take(CAROL) == [FloorStatusChanged((1,), ())]
    house.ask(ALICE, FloorId.SCREEN)
    (told,) = house.take(CAROL)
    assert isinstance(told, FloorStatusChanged) and [each.status for each in told.requests] == [Status.GRANTED]
    house.clients[CAROL].watch_floors((), 0.0)
    assert house.take(CAROL) == [FloorStatusChanged((), ())]
    house.ask(BOB, FloorId.SCREEN)
    assert house.take(CAROL) == []


def test_a_member_who_asks_and_releases_without_end_makes_ten_messages_a_second() -> None:
    house = House()
    house.clients[CAROL].watch_floors((FloorId.SCREEN,), 0.0)
    house.take(CAROL)
    told = 0
    for step in range(200):
        house.now = 0.01 * step
        due = house.control.next_timer()
        if due is not None and due <= house.now:
            house.control.handle_timer(house.now)
        if step % 2:
            house.clients[ALICE].release(step // 2 + 1, house.now)
        else:
            house.clients[ALICE].request_floor(FloorId.SCREEN, house.now)
        told += len(house.take(CAROL))
    assert 15 <= told <= 21
    house.control.handle_timer(house.now + STATUS_INTERVAL_S)
    assert house.take(CAROL) == [FloorStatusChanged((1,), ())] and house.control.next_timer() is None


def test_users_and_requests_can_be_asked_about() -> None:
    house = House()
    request = house.ask(ALICE, FloorId.SCREEN)
    house.clients[BOB].query_user(0.0, house.ids[ALICE])
    (told,) = house.take(BOB)
    assert isinstance(told, UserStatusReceived) and told.user is not None
    assert (told.user.display_name, told.user.uri) == ("Alice", "sip:alice@example.org")
    assert [each.request_id for each in told.requests] == [request.request_id]
    house.clients[BOB].query_request(request.request_id, 0.0)
    assert list(house.states(BOB)) == [(request.request_id, Status.GRANTED)]


@pytest.mark.parametrize(("what", "code"), [
    ("floor 3", ErrorValue.INVALID_FLOOR_ID), ("watch floor 9", ErrorValue.INVALID_FLOOR_ID),
    ("for somebody else", ErrorValue.UNAUTHORIZED), ("twice", ErrorValue.TOO_MANY_REQUESTS),
    ("release of another's", ErrorValue.UNAUTHORIZED), ("release of nothing", ErrorValue.NO_SUCH_FLOOR_REQUEST),
    ("chair of nothing", ErrorValue.NO_SUCH_FLOOR_REQUEST), ("chair of the wrong floor", ErrorValue.INVALID_FLOOR_ID),
    ("chair by a member", ErrorValue.UNAUTHORIZED), ("a status that no chair gives", ErrorValue.GENERIC),
    ("a user that is none", ErrorValue.NO_SUCH_USER), ("a request that is none", ErrorValue.NO_SUCH_FLOOR_REQUEST),
])
def test_what_may_not_be_gets_its_error_and_changes_nothing(what: str, code: ErrorValue) -> None:
    house = House()
    held = house.ask(ALICE, FloorId.SCREEN).request_id
    house.run()
    house.events.clear()
    client = house.clients[BOB]
    match what:
        case "floor 3":
            client.request_floor(3, 0.0)
        case "watch floor 9":
            client.watch_floors((1, 9), 0.0)
        case "for somebody else":
            client.request_floor(1, 0.0, beneficiary=house.ids[ALICE])
        case "twice":
            client = house.clients[ALICE]
            client.request_floor(1, 0.0)
        case "release of another's":
            client.release(held, 0.0)
        case "release of nothing":
            client.release(999, 0.0)
        case "chair of nothing":
            client.decide(999, 1, Status.GRANTED, 0.0)
        case "chair of the wrong floor":
            client.decide(held, 2, Status.GRANTED, 0.0)
        case "chair by a member":
            client.decide(held, 1, Status.REVOKED, 0.0)
        case "a status that no chair gives":
            client.decide(held, 1, Status.RELEASED, 0.0)
        case "a user that is none":
            client.query_user(0.0, 4000)
        case _:
            client.query_request(999, 0.0)
    heard = house.take(BOB) + house.take(ALICE)
    assert [event.code for event in heard if isinstance(event, ErrorReceived)] == [code]
    assert house.events == [] and house.control.floors.grant_of(FloorId.SCREEN) is not None


def test_two_floors_in_one_request_are_refused() -> None:
    house = House()
    floors = (Number(Type.FLOOR_ID, 1), Number(Type.FLOOR_ID, 2))
    session = house.sessions[BOB]
    session.receive_data(bytes(Message(Primitive.FLOOR_REQUEST, CONFERENCE, 9, house.ids[BOB], floors)), 0.0)
    house.control.handle(BOB, session, 0.0)
    (answer,) = map(parse, session.data_to_send())
    assert answer.primitive is Primitive.ERROR and house.control.floors.requests() == ()


@pytest.mark.parametrize("how", ["goodbye", "lost", "leave"])
def test_who_is_gone_has_no_floor(how: str) -> None:
    house = House()
    house.ask(ALICE, FloorId.SCREEN)
    bob = house.ask(BOB, FloorId.SCREEN)
    match how:
        case "goodbye":
            house.clients[ALICE].say_goodbye(1.0)
        case "lost":
            house.sessions[ALICE].close("the connection is gone")
        case _:
            house.control.leave(ALICE, 1.0)
            assert GoodbyeReceived() in house.take(ALICE)
    assert list(house.states(BOB)) == [(bob.request_id, Status.GRANTED)]
    closed, opened = [event for event in house.events if isinstance(event, FloorGranted | FloorEnded)][-2:]
    assert (closed.grant.holder, opened.grant.holder) == (ALICE, BOB)


def test_a_connection_in_place_of_another_keeps_the_floor() -> None:
    house = House()
    request = house.ask(ALICE, FloorId.SCREEN)
    old, house.sessions[ALICE] = house.sessions[ALICE], house.control.attach(ALICE, is_reliable=True)
    old.close("replaced")
    house.control.handle(ALICE, old, 1.0)
    house.run()
    grant = house.control.floors.grant_of(FloorId.SCREEN)
    assert grant is not None and grant.request_id == request.request_id


def test_a_member_who_left_is_a_stranger_to_the_others() -> None:
    house = House()
    house.control.leave(ALICE, 1.0)
    house.clients[BOB] = ClientSession(CONFERENCE, house.ids[ALICE], is_reliable=True)
    house.clients[BOB].say_hello(1.0)
    (told,) = house.take(BOB)
    assert isinstance(told, ErrorReceived) and told.code == ErrorValue.NO_SUCH_USER


def test_user_ids_are_not_given_twice() -> None:
    house = House()
    house.control._last_id = 0xFFFF
    assert house.control.join(ParticipantId(7), "Dave") not in house.ids.values()
    assert house.control.join(BOB, "Bob") == house.ids[BOB]


def test_the_longest_names_and_texts_fit_into_what_is_told() -> None:
    house = House()
    longest = ParticipantId(7)
    house.control.join(longest, "名" * 64, "sip:" + "a" * 56)
    verdict = house.control.execute(RequestFloor(FloorId.SCREEN, "why" * 100), 0.0, longest)
    assert verdict.request.id == 1                                                          # type: ignore[union-attr]
    (request,) = house.control.floors.requests(FloorId.SCREEN)
    told = house.control.describe(request, 0.0)
    assert len(write((told,))) <= 252 and told.beneficiary is not None and told.beneficiary.uri == "sip:" + "a" * 56
    assert told.floors == (StatusOf(Type.FLOOR_REQUEST_STATUS, 1, RequestStatus(Status.GRANTED)),)


def test_a_peer_that_is_not_there_any_more_loses_its_floor() -> None:
    house = House(is_reliable=False)
    house.ask(ALICE, FloorId.SCREEN)
    house.control.execute(RevokeFloor(1), 0.0, None)
    session = house.sessions[ALICE]
    while (due := session.next_timer()) is not None:
        session.handle_timer(due)
        session.data_to_send()
    house.control.execute(RequestFloor(FloorId.SCREEN), 9.0, ALICE)
    assert house.control.handle(ALICE, session, 9.0) == 1
    assert house.control.floors.grant_of(FloorId.SCREEN) is None
    assert not any(isinstance(event, ConnectionLost) for event in house.heard[ALICE])
