"""Calls out of a room to addresses of others: names are looked up while the room goes on."""

from __future__ import annotations

import pytest

from mcu.errors import CommandError
from sip.events import CallAnswered, CallReceived
from tests.helpers.house import House, sdp

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
    assert house.live.dial("daily", TARGET) == 1
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
    assert house.live.dial("daily", TARGET) == 1
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
