"""A meeting with lobby, keys, texts, roles and a restart of the server, as phones see it."""

from __future__ import annotations

import pytest

from mcu.participant import Role
from mcu.storage.base import AuditRecord
from mcu.storage.memory import MemoryStorage
from sip.events import CallReceived, CallTerminated, ResponseReceived
from sip.invite import Call
from sip.settings import ASKS_FOR_PIN
from sip.uri import Uri
from tests.helpers.house import House, Phone

ROOM = "sip:daily@house.example"


def press(house: House, keys: str, leg: int = 0) -> None:
    """Keys of the nth member."""
    focus = house.switchboard.foci["daily"]
    member = list(focus.members)[leg]
    for key in keys:
        focus.pressed(member, key)
    house.run(0.01)


def say(house: House, phone: Phone, call: Call, text: str) -> int:
    """The answer to a text inside a call."""
    call.request("MESSAGE", body=text.encode(), content_type="text/plain", now=house.time)
    house.run(0.1)
    return phone.side.take(ResponseReceived).response.status


def roles(house: House) -> dict[str, str]:
    """Who is what."""
    return {person["name"]: person["role"] for person in house.live.people("daily") if not person["is_in_lobby"]}


def test_who_waits_has_a_leg_in_a_room_with_music_until_the_host_admits() -> None:
    house = House()
    house.directory.add_account("alice", "secret-of-alice")
    house.directory.add_room("daily", owner="alice", lobby=True)
    house.member("alice").call(ROOM)
    bob = house.member("bob")
    bob.call(ROOM)
    meeting, lobby = house.rooms
    assert (meeting.kind, len(meeting.legs), lobby.kind, len(lobby.legs)) == ("mix", 1, "music", 1)
    assert [(one["name"], one["is_in_lobby"]) for one in house.live.people("daily")] == [("Alice", False), ("Bob", True)]
    assert house.order("admit", who="bob") == 1
    assert (len(meeting.legs), len(lobby.legs), lobby.is_closed) == (2, 0, True)
    house.order("lobby", who="Bob")
    assert (len(meeting.legs), len(house.rooms[2].legs)) == (1, 1)
    house.order("deny", who="bob", reason="not today")
    house.run(0.1)
    assert bob.side.take(CallTerminated).reason == "not today"
    assert len(house.switchboard.foci["daily"].legs) == 1


def test_in_the_lobby_keys_do_nothing() -> None:
    house = House()
    house.directory.add_account("alice", "secret-of-alice")
    house.directory.add_room("daily", owner="alice", lobby=True)
    house.member("alice").call(ROOM)
    house.member("bob").call(ROOM)
    focus = house.switchboard.foci["daily"]
    (waiting,) = focus.waiting.members
    for key in "*6*9*5":
        focus.pressed(waiting, key)
    assert not focus.conference.is_locked and focus.conference.hands == []


def test_keys_raise_the_hand_record_and_count() -> None:
    house = House(is_open=True)
    for name in ("alice", "bob"):
        house.phone(name).call(ROOM)
    conference = house.switchboard.foci["daily"].conference
    press(house, "*9", leg=1)
    assert len(conference.hands) == 1
    press(house, "*9", leg=1)
    assert conference.hands == []
    press(house, "*7", leg=1)
    assert conference.recording == "stop"
    for state in ("start", "pause", "resume"):
        press(house, "*7")
        assert conference.recording == state
    assert [type(event).__name__ for _, event in house.performed] == ["RecordingRequested"] * 3


def test_a_cohost_appointed_by_text_locks_and_kicks_and_is_dismissed() -> None:
    house = House(is_open=True)
    alice, bob, carol = (house.phone(name) for name in ("alice", "bob", "carol"))
    host, cohost, third = (phone.call(ROOM) for phone in (alice, bob, carol))
    assert say(house, bob, cohost, "/kick carol") == 403
    assert say(house, alice, host, "/appoint Bob co-host") == 200
    assert say(house, bob, cohost, "/lock") == 200
    assert say(house, bob, cohost, "/kick carol") == 200
    assert carol.side.take(CallTerminated).reason == "removed by the host" and not third.is_up
    assert say(house, bob, cohost, "/close") == 403
    assert say(house, alice, host, "/dismiss bob") == 200
    assert say(house, bob, cohost, "/unlock") == 403
    assert say(house, alice, host, "/transfer bob") == 200
    assert roles(house) == {"Alice": "attendee", "Bob": "host"}
    assert say(house, alice, host, "/reclaim") == 200
    assert roles(house) == {"Alice": "host", "Bob": "attendee"}
    assert say(house, alice, host, "/kick nobody") == 404
    refused = [row for row in house.storage.audit("daily") if row.refusal]
    assert [row.verb for row in refused] == ["unlock", "close", "kick"]


def test_a_name_that_two_have_is_asked_back() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    host = alice.call(ROOM)
    for _ in range(2):
        house.phone("bob").call(ROOM)
    assert say(house, alice, host, "/mute bob") == 409
    assert say(house, alice, host, "/mute all") == 200
    assert [one["is_muted"] for one in house.live.people("daily")] == [False, True, True]


def test_a_restart_in_a_meeting_of_twenty_changes_nobodys_rights() -> None:
    storage = MemoryStorage()
    house = House(storage=storage)
    names = [f"user{number:02}" for number in range(20)]
    for name in names:
        house.directory.add_account(name, "secret-of-" + name)
    house.directory.add_room("daily", owner="user03")
    for name in names[3:]:
        house.member(name).call(ROOM)
    for verb, arguments in (("appoint", {"who": "user05", "role": "co-host"}),
                            ("appoint", {"who": "user06", "role": "listener"}), ("mute", {"who": "user07"}),
                            ("set", {"switch": "unmute", "value": "hosts"}), ("ban", {"who": "user19"}), ("lock", {})):
        assert house.order(verb, **arguments) == 1
    before = roles(house)

    after = House(storage=storage)                    # as after kill -9: nobody said goodbye
    banned = after.member("user19")
    banned.call(ROOM)
    after.run(0.1)
    assert banned.side.take(CallTerminated).reason == "you are banned from this room"
    for name in reversed(names[3:19]):
        after.member(name).call(ROOM)
    assert roles(after) == before
    people = {one["name"]: one for one in after.live.people("daily")}
    assert people["User07"]["is_muted"] and people["User06"]["is_muted"] and not people["User08"]["is_muted"]
    (room,) = after.live.rooms()
    assert (room["is_locked"], room["bans"], room["switches"]["unmute"]) == (True, ["user19"], "hosts")
    stranger = after.member("user00")
    stranger.call(ROOM)
    after.run(0.1)
    assert stranger.side.take(CallTerminated).reason == "the room is locked"


def test_what_was_decided_about_people_is_forgotten_when_a_room_has_been_empty_for_long() -> None:
    house = House()
    house.directory.add_room("daily")
    alice, bob = house.member("alice"), house.member("bob")
    calls = [phone.call(ROOM) for phone in (alice, bob)]
    house.order("appoint", who="bob", role="co-host")
    house.order("set", switch="chat", value="hosts")
    for call in calls:
        call.hang_up(house.time)
    house.run(700.0)
    bob.call(ROOM)
    alice.call(ROOM)
    assert roles(house) == {"Bob": "host", "Alice": "attendee"}
    assert house.live.rooms()[0]["switches"]["chat"] == "hosts"


def test_host_who_drops_comes_back_as_host() -> None:
    house = House()
    house.directory.add_room("daily")
    alice, bob = house.member("alice"), house.member("bob")
    alice.call(ROOM)
    bob.call(ROOM)
    focus = house.switchboard.foci["daily"]
    house.switchboard.silent(focus.room_id, next(iter(focus.members)))
    house.run(1.0)
    assert roles(house) == {"Bob": "attendee"}
    house.run(25.0)
    assert roles(house) == {"Bob": "host"}
    alice.call(ROOM)
    assert roles(house) == {"Bob": "attendee", "Alice": "host"}


@pytest.mark.parametrize("keys", ["*5", "*4#"])
def test_keys_of_who_may_not_change_nothing_and_are_in_the_audit_log(keys: str) -> None:
    house = House(is_open=True)
    for name in ("alice", "bob"):
        house.phone(name).call(ROOM)
    press(house, keys, leg=1)
    (row,) = house.storage.audit("daily")
    assert isinstance(row, AuditRecord) and row.refusal.startswith("only a host")
    assert (house.live.rooms()[0]["state"], house.live.rooms()[0]["is_locked"]) == ("active", False)


def test_a_host_arranges_the_composed_picture() -> None:
    house = House(is_open=True)
    house.directory.add_room("daily")
    house.member("alice").call(ROOM)
    house.order("layout", layout="speaker")
    assert {room.layout for room in house.rooms} == {"speaker"}
    assert house.live.rooms()[0]["layout"] == "speaker"


def test_a_guest_is_host_of_their_own_meeting_alone() -> None:
    house = House(is_open=True)
    house.phone("alice").call(ROOM)
    house.phone("bob").call(ROOM)
    assert [one.role for one in house.switchboard.foci["daily"].conference.participants.values()] == [Role.HOST, Role.ATTENDEE]


def test_a_phone_that_brings_no_pin_is_asked_by_a_voice_and_comes_in_with_the_leg_it_has() -> None:
    house = House()
    house.directory.add_room("daily", pin="246810", host_pin="135791")
    guest = house.phone("guest")
    call = guest.call(ROOM)
    house.run(1.0)
    (asking,) = house.rooms[1:] if len(house.rooms) > 1 else house.rooms
    assert call.is_up and asking.sound.announced[-1][1] == "enter-pin"
    key_in(house, "999999#")
    assert asking.sound.announced[-1][1] == "wrong-pin" and house.live.rooms() == []
    key_in(house, "135791#")
    assert roles(house) == {"Guest": "host"} and asking.is_closed


def test_three_wrong_pins_and_the_caller_is_out_and_after_ten_nobody_is_asked_there() -> None:
    house = House()
    house.directory.add_room("daily", pin="246810")
    guest = house.phone("guest")
    for _ in range(3):
        guest.call(ROOM)
        house.run(1.0)
        for _ in range(3):
            key_in(house, "999999#")
        house.run(10.0)
        assert guest.side.take(CallTerminated).reason == "too many wrong PINs"
    guest.call(ROOM)
    house.run(1.0)
    key_in(house, "999999#")
    key_in(house, "246810#")
    house.run(10.0)
    assert guest.side.take(CallTerminated).reason.startswith("too many wrong PINs; try again")
    assert house.live.rooms() == []


def test_a_phone_that_asks_by_itself_is_refused_in_words() -> None:
    house = House(is_open=True)
    house.directory.add_room("daily", pin="246810")
    guest = house.phone("guest")
    guest.call(ROOM, headers=[("Supported", ASKS_FOR_PIN)])
    house.run(0.1)
    assert guest.side.take(CallTerminated).status == 403


def key_in(house: House, keys: str) -> None:
    """Keys of the caller who is being asked."""
    for key in keys:
        for attendant in list(house.switchboard.attendants):
            if attendant.legs:
                attendant.pressed(attendant.legs[0].media.leg_id, key)
        house.run(0.2)


def test_refer_with_bye_puts_a_member_out_and_with_invite_calls_somebody_in() -> None:
    house = House(is_open=True)
    alice, bob, carol = (house.phone(name) for name in ("alice", "bob", "carol"))
    host, other = alice.call(ROOM), bob.call(ROOM)
    entity = house.live.people("daily")[1]["uri"]
    other.refer(Uri.parse(f"{entity};method=BYE"), now=house.time)
    house.run(0.2)
    assert len(house.live.people("daily")) == 2
    host.refer(Uri.parse(f"{entity};method=BYE"), now=house.time)
    house.run(0.2)
    assert bob.side.take(CallTerminated).reason == "removed by the host"
    host.refer(Uri.parse(f"sip:carol@{carol.address[0]}:{carol.address[1]}"), now=house.time)
    house.run(0.2)
    assert carol.side.has(CallReceived)
    rows = {(row.verb, bool(row.refusal)) for row in house.storage.audit("daily")}
    assert rows == {("kick", True), ("kick", False), ("invite", False)}


def test_members_call_in_users_of_this_server_alone() -> None:
    house = House()
    house.directory.add_room("daily")
    alice = house.member("alice")
    call = alice.call(ROOM)
    stranger = house.phone("stranger")
    assert say(house, alice, call, f"/invite sip:stranger@{stranger.address[0]}:{stranger.address[1]}") == 403
    assert not stranger.side.has(CallReceived)
    assert house.order("invite", uri=f"sip:stranger@{stranger.address[0]}:{stranger.address[1]}") == 1
    house.run(0.1)
    assert stranger.side.has(CallReceived)


def test_the_spotlight_and_the_layout_are_for_all() -> None:
    house = House(is_open=True)
    alice, bob = house.phone("alice"), house.phone("bob")
    host, other = alice.call(ROOM), bob.call(ROOM)
    first, second = house.switchboard.foci["daily"].members
    assert say(house, alice, host, "/spotlight bob") == 200
    house.phone("carol").call(ROOM)
    *_, third = house.switchboard.foci["daily"].members
    assert (house.rooms[0].pins[first], house.rooms[0].pins[third]) == ((second,), (second,))
    assert say(house, alice, host, "/layout speaker") == 200 and house.rooms[0].layout == "speaker"
    other.hang_up(house.time)
    house.run(0.1)
    assert house.rooms[0].pins[first] == house.rooms[0].pins[third] == ()
