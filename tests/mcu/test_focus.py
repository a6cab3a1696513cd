"""A conference as phones see it: joining, roster, keys, commands, holding, the end."""

from __future__ import annotations

import pytest

from mcu.commands import RenameParticipant
from mcu.errors import CommandError
from mcu.floor import FloorId, ReleaseFloor, Requested, RequestFloor
from mcu.participant import Role
from mcu.switchboard import Limits
from sip.conference_info import parse
from sip.events import (
    AnswerReceived,
    CallAnswered,
    CallReceived,
    CallTerminated,
    ResponseReceived,
    SubscriptionTerminated,
)
from sip.uri import Uri
from tests.helpers.house import House, sdp

ROOM = "sip:daily@house.example"


def press(house: House, keys: str, leg: int = 0) -> None:
    """Keys of the nth member."""
    focus = house.switchboard.foci["daily"]
    member = list(focus.members)[leg]
    for key in keys:
        focus.pressed(member, key)
    house.run(0.01)


def test_call_into_a_room_is_answered_as_a_focus() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    call = alice.call(ROOM)
    answered = alice.side.take(CallAnswered)
    contact = answered.response.contacts[0]
    assert contact.parameter("isfocus") == ""
    assert contact.uri == Uri("sip", "daily", "192.0.2.100", 5060)
    assert call.is_up
    assert [room.kind for room in house.rooms] == ["mix"]
    assert house.rooms[0].played == ["join"]
    record = house.records[call.id]
    assert (record.room, record.codec, record.ended_at) == ("daily", "opus", None)


def test_roster_goes_out_at_once_and_then_at_most_once_a_second() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    call = alice.call(ROOM)
    alice.subscribe(ROOM)
    (first,) = alice.notified()
    (user,) = parse(first).users
    assert (user.display_text, user.roles) == ("Alice", ("host", "guest"))
    assert user.endpoints[0].call_id == call.id
    house.run(2.0)
    before = len(alice.notified())
    for name in ("bob", "carol", "dave"):
        house.phone(name).call(ROOM)
    assert len(alice.notified()) <= before + 1
    house.run(1.1)
    assert len(alice.notified()) <= before + 2
    known = [parse(body) for body in alice.notified()]
    assert known[-1].user_count == 4
    assert [info.state for info in known] == ["full", *["partial"] * (len(known) - 1)]
    assert [info.version for info in known] == sorted({info.version for info in known})


def test_subscription_before_the_ack_is_served() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    alice.side.endpoint.invite(
        Uri.parse(ROOM), from_=alice.aor, flow=alice.flow, contact=alice.contact, now=house.time, offer=sdp("192.0.2.1"))
    for data, _ in alice.side.endpoint.datagrams_to_send():
        house.endpoint.receive_datagram(data, type(alice.flow)("UDP", alice.flow.remote, alice.address), house.time)
    while (event := house.endpoint.next_event()) is not None:
        house.switchboard.receive_event(event)
    house.endpoint.datagrams_to_send()                       # the 200 is lost for now
    alice.subscribe(ROOM)
    assert alice.notified()


def test_star_six_mutes_oneself_and_unmutes() -> None:
    house = House(is_open=True)
    house.phone("alice").call(ROOM)
    (media,) = house.rooms[0].legs.values()
    press(house, "*6")
    assert media.is_muted
    press(house, "*6")
    assert not media.is_muted


def test_host_closes_by_keypad_and_everybody_is_told_why() -> None:
    house = House(is_open=True)
    phones = [house.phone(name) for name in ("alice", "bob")]
    for phone in phones:
        phone.call(ROOM)
    press(house, "*4#", leg=1)
    house.run(2.0)
    assert len(house.switchboard.foci["daily"].members) == 2       # bob is no host
    press(house, "*4")
    house.run(6.0)
    press(house, "#")
    house.run(2.0)
    assert len(house.switchboard.foci["daily"].members) == 2       # too late
    press(house, "*4#")
    assert house.rooms[0].played[-1] == "closing"
    house.run(2.0)
    for phone in phones:
        ended = phone.side.take(CallTerminated)
        assert (ended.cause, ended.by_remote, ended.reason) == ("hung_up", True, "the host has ended the meeting")
    assert house.switchboard.foci == {}
    assert house.rooms[0].is_closed
    assert all(media.is_released for media in house.rooms[0].legs.values())
    assert {record.cause for record in house.records.values()} == {"closed"}


@pytest.mark.parametrize(("who", "text", "status"), [
    (0, "/close", 200), (1, "/close", 403), (1, "/mute", 200), (0, "hello", 200), (0, "/nonsense", 400), (0, "/lock", 200)])
def test_commands_by_text_inside_the_call(who: int, text: str, status: int) -> None:
    house = House(is_open=True)
    phones = [house.phone(name) for name in ("alice", "bob")]
    calls = [phone.call(ROOM) for phone in phones]
    calls[who].request("MESSAGE", body=text.encode(), content_type="text/plain", now=house.time)
    house.run(0.1)
    assert phones[who].side.take(ResponseReceived).response.status == status
    house.run(2.0)
    assert (house.switchboard.foci == {}) == (text == "/close" and status == 200)


def test_leaving_ends_with_the_room_after_its_grace_time() -> None:
    house = House(is_open=True, limits=Limits(grace_s=30))
    alice = house.phone("alice")
    call = alice.call(ROOM)
    call.hang_up(house.time)
    house.run(29.0)
    assert "daily" in house.switchboard.foci
    house.run(2.0)
    assert house.switchboard.foci == {}
    record = house.records[call.id]
    assert (record.cause, record.ended_at is not None) == ("hung_up", True)


def test_permanent_room_is_put_away_when_empty_and_opens_again() -> None:
    house = House()
    house.directory.add_room("daily", pin="123456")
    guest = house.phone("guest")
    for _ in range(2):
        call = guest.call("sip:daily.123456@house.example")
        assert call.is_up
        assert house.switchboard.foci["daily"].conference.participants
        call.hang_up(house.time)
        house.run(1.0)
        assert house.switchboard.foci == {}
    assert not any("123456" in str(record) for record in house.records.values())


def test_hold_is_shown_and_resume_too() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    call = alice.call(ROOM)
    member = next(iter(house.switchboard.foci["daily"].members.values()))
    call.offer(sdp("192.0.2.1", direction="sendonly"), house.time)
    house.run(0.1)
    assert alice.side.has(AnswerReceived)
    assert member.leg.is_held
    call.offer(sdp("192.0.2.1"), house.time)
    house.run(0.1)
    assert not member.leg.is_held


def test_offer_without_a_common_codec_is_refused_in_words_and_the_room_is_not_left_behind() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    alice.call(ROOM, b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n")
    ended = alice.side.take(CallTerminated)
    assert ended.status == 488
    assert house.switchboard.foci == {}
    assert all(room.is_closed for room in house.rooms)


def test_invite_without_an_offer_gets_one() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    call = alice.call(ROOM, None)
    answered = alice.side.take(CallAnswered)
    assert answered.answer is not None and b"m=audio" in answered.answer
    media = next(iter(house.rooms[0].legs.values()))
    assert media.negotiated is None
    ours = sdp("192.0.2.1").replace(b" 111 9 0 8 ", b" 0 ")
    call.acknowledge(ours, house.time)
    house.run(0.1)
    assert media.negotiated is not None


def test_operator_kicks_mutes_locks_and_closes() -> None:
    house = House(is_open=True)
    alice, bob = house.phone("alice"), house.phone("bob")
    alice.call(ROOM)
    bob.call(ROOM)
    assert house.order("mute", who="bob") == 1
    assert [person["is_muted"] for person in house.live.people("daily")] == [False, True]
    house.order("lock")
    house.phone("carol").call(ROOM)
    house.run(0.1)
    assert house.phones[-1].side.take(CallTerminated).status == 403
    assert house.order("kick", who="Bob") == 1
    house.run(0.1)
    assert bob.side.take(CallTerminated).reason == "removed by the host"
    assert house.live.close_room("daily", "tired") == 1
    house.run(2.0)
    assert alice.side.take(CallTerminated).reason == "tired"
    assert house.live.rooms() == []


def test_subscribers_learn_that_the_conference_is_over() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    alice.call(ROOM)
    alice.subscribe(ROOM)
    house.live.close_room("daily", "over")
    house.run(2.0)
    assert parse(alice.notified()[-1]).state == "deleted"
    assert alice.side.take(SubscriptionTerminated).reason == "noresource"


def test_silent_phone_is_hung_up_on() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    alice.call(ROOM)
    (leg_id,) = house.rooms[0].legs
    house.switchboard.silent(1, leg_id)
    house.run(0.1)
    assert alice.side.take(CallTerminated).reason == "no media came any more"


def test_listener_that_vanished_is_found_by_options() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    alice.call(ROOM, sdp("192.0.2.1", direction="recvonly"))
    house.switchboard.probe_quiet_legs()
    house.run(40.0)
    assert "daily" in house.switchboard.foci and house.switchboard.foci["daily"].members
    house.phones.remove(alice)
    house.switchboard.probe_quiet_legs()
    house.run(40.0)
    assert not house.switchboard.foci or not house.switchboard.foci["daily"].members


def test_host_leaves_and_the_next_account_is_host() -> None:
    house = House()
    house.directory.add_room("daily")
    alice, bob = house.member("alice"), house.member("bob")
    call = alice.call(ROOM)
    bob.call(ROOM)
    focus = house.switchboard.foci["daily"]
    call.hang_up(house.time)
    house.run(0.1)
    (participant,) = focus.conference.participants.values()
    assert (participant.identity.account, participant.role) == ("bob", Role.HOST)


def test_operator_calls_somebody_into_the_room_past_its_lock() -> None:
    house = House(is_open=True)
    house.directory.add_room("daily", pin="123456")
    alice, bob = house.phone("alice"), house.phone("bob")
    alice.call("sip:daily.123456@house.example")
    house.order("lock")
    assert house.live.dial("daily", f"sip:bob@{bob.address[0]}:{bob.address[1]}")["phones"] == 1
    house.run(0.1)
    theirs = bob.side.take(CallReceived)
    assert theirs.request.from_.uri == Uri("sip", "daily", "house.example")
    theirs.call.accept(sdp(bob.address[0]), house.time)
    house.run(0.1)
    assert [person["name"] for person in house.live.people("daily")] == ["Alice", "bob"]
    theirs.call.hang_up(house.time)
    house.run(0.1)
    assert len(house.live.people("daily")) == 1


def test_somebody_who_was_called_and_declines_leaves_nothing_behind() -> None:
    house = House(is_open=True)
    house.directory.add_room("daily", pin="123456")
    bob = house.phone("bob")
    house.live.dial("daily", f"sip:bob@{bob.address[0]}:{bob.address[1]}")
    house.run(0.1)
    bob.side.take(CallReceived).call.reject(603, now=house.time)
    house.run(1.0)
    assert house.switchboard.foci == {}
    assert all(room.is_closed for room in house.rooms)
    assert all(media.is_released for room in house.rooms for media in room.legs.values())


@pytest.mark.parametrize(("target", "words"), [
    ("nobody", "there is no user 'nobody'"), ("carol", "carol has no phone registered"), ("sip:", "a URI was expected")])
def test_calling_where_nobody_is_says_so(target: str, words: str) -> None:
    house = House(is_open=True)
    house.directory.add_account("carol", "secret")
    house.directory.add_room("daily")
    with pytest.raises(CommandError, match=words):
        house.live.dial("daily", target)
    house.run(1.0)
    assert house.switchboard.foci == {}


def test_who_leaves_is_not_notified_of_it_and_their_subscription_ends_soon() -> None:
    house = House(is_open=True)
    alice, bob = house.phone("alice"), house.phone("bob")
    alice.call(ROOM)
    call = bob.call(ROOM)
    bob.subscribe(ROOM)
    house.run(2.0)
    before = len(bob.notified())
    call.hang_up(house.time)
    house.run(1.5)
    assert len(bob.notified()) == before
    house.run(1.0)
    assert bob.side.take(SubscriptionTerminated).reason == "noresource"


def test_pictures_pass_while_the_phone_sends_them_and_slides_under_their_floor_alone() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    call = alice.call(ROOM)
    focus = house.switchboard.foci["daily"]
    (member,) = focus.members.values()
    media = house.rooms[0].legs[member.id]
    media.sent = {"main", "slides"}
    call.offer(sdp("192.0.2.1", port=41000), house.time)
    house.run(0.1)
    assert media.passing == [("main", True)]
    asked = focus.floors.execute(RequestFloor(FloorId.SCREEN), member.id)
    assert isinstance(asked, Requested) and media.passing[1:] == [("slides", True)]
    focus.floors.execute(ReleaseFloor(asked.request.id), member.id)
    assert media.passing[2:] == [("slides", False)]
    media.sent = set()
    call.offer(sdp("192.0.2.1", port=42000), house.time)
    house.run(0.1)
    assert media.passing[3:] == [("main", False)]


def test_who_holds_the_floor_and_leaves_gives_it_to_the_next() -> None:
    house = House(is_open=True)
    calls = [house.phone(name).call(ROOM) for name in ("alice", "bob")]
    focus = house.switchboard.foci["daily"]
    alice, bob = focus.members
    for who in (alice, bob):
        focus.floors.execute(RequestFloor(FloorId.SCREEN), who)
    calls[0].hang_up(house.time)
    house.run(0.1)
    grant = focus.floors.control.floors.grant_of(FloorId.SCREEN)
    assert grant is not None and grant.holder == bob


def test_a_new_name_is_told_to_who_draws_names_under_pictures() -> None:
    house = House(is_open=True)
    house.phone("alice").call(ROOM)
    focus = house.switchboard.foci["daily"]
    (alice,) = focus.members
    assert house.rooms[0].names == {alice: "Alice"}
    focus.execute(RenameParticipant(alice, "Alice of the Hills"))
    assert house.rooms[0].names == {alice: "Alice of the Hills"}
