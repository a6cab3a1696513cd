"""Calls out of a room to addresses of others: names are looked up while the room goes on."""

from __future__ import annotations

import pytest

from mcu.dial_outs import MAX_PENDING
from mcu.errors import CommandError
from sip.conference_info import parse
from sip.events import CallAnswered, CallReceived, CallTerminated
from sip.uri import Uri
from tests.helpers.house import House, Phone, sdp

TARGET = "sip:bob@elsewhere.example"


@pytest.fixture
def house() -> House:
    """A house with one room."""
    house = House(is_open=True)
    house.directory.add_room("daily", pin="123456")
    return house


def test_a_name_is_looked_up_and_then_called(house: House) -> None:
    bob = house.phone("bob")
    house.names["elsewhere.example"] = [bob.address]
    assert house.live.dial("daily", TARGET)["state"] == "looking-up"
    house.run(0.1)
    assert not bob.side.has(CallReceived)
    house.run(0.6)
    theirs = bob.side.take(CallReceived)
    assert str(theirs.request.uri) == TARGET
    theirs.call.accept(sdp(bob.address[0]), house.time)
    house.run(0.1)
    assert [person["name"] for person in house.live.people("daily")] == ["bob"]


def test_a_server_that_is_silent_is_left_for_the_next_of_the_same_name(house: House) -> None:
    bob = house.phone("bob")
    house.names["elsewhere.example"] = [("192.0.2.77", 5060), bob.address]
    house.live.dial("daily", TARGET)
    house.run(34.0)
    bob.side.take(CallReceived).call.accept(sdp(bob.address[0]), house.time)
    house.run(0.5)
    assert len(house.live.people("daily")) == 1


def test_a_name_that_leads_nowhere_is_in_the_call_records(house: House) -> None:
    assert house.live.dial("daily", TARGET)["state"] == "looking-up"
    house.run(1.0)
    (record,) = house.records.values()
    assert (record.room, record.status, record.reason) == ("daily", 404, "there is no way to elsewhere.example")
    assert record.ended_at is not None and house.switchboard.foci == {}


def test_a_room_that_is_not_there_looks_nothing_up() -> None:
    house = House()
    with pytest.raises(CommandError, match="there is no room 'daily'"):
        house.live.dial("daily", TARGET)
    house.run(1.0)
    assert house.records == {}


def test_the_room_of_the_caller_goes_on_while_a_name_is_looked_up(house: House) -> None:
    alice = house.phone("alice")
    house.live.dial("daily", TARGET)
    alice.call("sip:daily.123456@house.example")
    assert alice.side.has(CallAnswered)
    house.run(1.0)
    assert [person["name"] for person in house.live.people("daily")] == ["Alice"]


# ---- what becomes of a call


def endpoints(phone: Phone) -> list[tuple[str, str, str, str]]:
    """Of the last document that had users: name, status, how they joined, how they were lost."""
    for body in reversed(phone.notified()):
        found = [(user.display_text, one.status, one.joining_method, one.disconnection_method)
                 for user in parse(body).users for one in user.endpoints]
        if found:
            return found
    return []


def called(house: House, name: str = "bob") -> tuple[Phone, Phone, int]:
    """A member who watches, a phone that is called into their room, and the number of the call."""
    alice, bob = house.phone("alice"), house.phone(name)
    alice.call("sip:daily.123456@house.example")
    alice.subscribe("sip:daily@house.example")
    house.run(2.0)
    dial = house.live.dial("daily", f"sip:{name}@{bob.address[0]}:{bob.address[1]}")
    house.run(1.1)
    return alice, bob, dial["dial"]


def state(house: House, number: int) -> tuple[str, int]:
    """State and status of a call out."""
    facts = house.live.dialled("daily", number, False)
    return facts["state"], facts["status"]


def test_roster_and_operator_see_that_it_is_called_rings_and_is_answered(house: House) -> None:
    alice, bob, number = called(house)
    assert endpoints(alice) == [("bob", "dialing-out", "dialed-out", "")]
    assert parse(alice.notified()[-1]).user_count == 1
    theirs = bob.side.take(CallReceived)
    theirs.call.ring(house.time)
    house.run(1.1)
    assert endpoints(alice) == [("bob", "alerting", "dialed-out", "")]
    assert state(house, number) == ("alerting", 0)
    theirs.call.accept(sdp(bob.address[0]), house.time)
    house.run(1.1)
    assert endpoints(alice) == [("bob", "connected", "dialed-out", "")]
    assert (state(house, number), parse(alice.notified()[-1]).user_count) == (("answered", 200), 2)
    theirs.call.hang_up(house.time)
    house.run(2.1)
    assert (state(house, number), len(house.live.people("daily"))) == (("answered", 200), 1)


@pytest.mark.parametrize(("status", "outcome", "method"), [
    (486, "busy", "busy"), (603, "declined", "failed"), (480, "no-answer", "failed"), (404, "failed", "failed")])
def test_a_refusal_is_told_with_its_meaning_and_leaves_the_roster_after_a_while(house: House, status: int, outcome: str,
                                                                               method: str) -> None:
    alice, bob, number = called(house)
    bob.side.take(CallReceived).call.reject(status, now=house.time)
    house.run(1.1)
    assert state(house, number) == (outcome, status)
    assert endpoints(alice) == [("bob", "disconnected", "dialed-out", method)]
    house.run(10.0)
    assert [user.state for user in parse(alice.notified()[-1]).users] == ["deleted"]
    assert parse(alice.notified()[-1]).user_count == 1


def test_a_phone_that_rings_for_a_minute_is_left(house: House) -> None:
    _, bob, number = called(house)
    bob.side.take(CallReceived).call.ring(house.time)
    house.run(65.0)
    assert state(house, number) == ("no-answer", 408)
    assert bob.side.has(CallTerminated)
    assert len([room for room in house.rooms if not room.is_closed]) == 1


def test_a_call_that_is_not_wanted_any_more_is_cancelled(house: House) -> None:
    _, bob, number = called(house)
    bob.side.take(CallReceived).call.ring(house.time)
    house.run(0.1)
    assert house.live.dialled("daily", number, True)["state"] == "cancelled"
    house.run(1.0)
    assert bob.side.has(CallTerminated)
    assert state(house, number) == ("cancelled", 487)
    with pytest.raises(CommandError, match="called nobody by the number 99"):
        house.live.dialled("daily", 99, False)


def test_of_two_phones_the_first_that_answers_stops_the_other(house: House) -> None:
    first, second = house.member("bob"), house.member("bob")
    second.contact = Uri("sip", "bob", *second.address)
    for phone in (first, second):
        phone.side.endpoint.register(Uri.parse("sip:house.example"), aor=phone.aor, contact=phone.contact, flow=phone.flow,
                                     now=house.time, credentials=phone.credentials, expires_s=600, keep_alive_s=0.0)
        house.run(0.5)
    dial = house.live.dial("daily", "bob")
    house.run(0.1)
    assert dial["phones"] == 2
    theirs = [phone.side.take(CallReceived).call for phone in (first, second)]
    theirs[0].ring(house.time)
    theirs[1].accept(sdp(second.address[0]), house.time)
    house.run(1.0)
    assert first.side.has(CallTerminated) and not second.side.has(CallTerminated)
    assert (state(house, dial["dial"]), len(house.live.people("daily"))) == (("answered", 200), 1)


def test_a_room_calls_a_bounded_number_of_people_at_once(house: House) -> None:
    for number in range(MAX_PENDING):
        house.live.dial("daily", f"sip:x{number}@192.0.2.200:5060")
    with pytest.raises(CommandError, match="already"):
        house.live.dial("daily", "sip:one-more@192.0.2.200:5060")
    assert [facts["state"] for facts in house.live.dialling("daily")] == ["dialing-out"] * MAX_PENDING
