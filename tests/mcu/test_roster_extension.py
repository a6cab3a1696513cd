"""Hands, lobby and settings in conference-info: what hosts, members and those who wait are told."""

from __future__ import annotations

import pytest

from sip.conference_extension import Meeting, UserState, Waiting
from sip.conference_info import ConferenceInfo, User, merge, parse
from tests.helpers.house import House, Phone

ROOM = "sip:daily@house.example"


def last(phone: Phone) -> ConferenceInfo:
    """What a phone knows after all its documents."""
    known = None
    for body in phone.notified():
        known = merge(known, parse(body))
        assert known is not None
    assert known is not None
    return known


def test_what_is_written_is_read_again() -> None:
    user = User("sip:a@example.org", "A", decided=UserState(3, True, False, True, True))
    meeting = Meeting((Waiting("7", "sip:b@example.org", "B <&>"),), (("chat", "hosts"),), True, False)
    info = ConferenceInfo("sip:r@example.org", 1, users=(user,), recording="paused", meeting=meeting)
    assert parse(bytes(info)) == ConferenceInfo("sip:r@example.org", 1, users=(user,), user_count=0, recording="paused",
                                                meeting=meeting)
    plain = bytes(ConferenceInfo("sip:r@example.org", 1, users=(User("sip:a@example.org"),)))
    assert b"urn:confero" not in plain


@pytest.mark.parametrize("text", ['hand="x"', 'hand="99999999999999"', 'hand="-1"', 'deaf="true"', "hand=\"١\""])
def test_a_state_that_makes_no_sense_is_none(text: str) -> None:
    body = bytes(ConferenceInfo("sip:r@example.org", 1, users=(User("sip:a@example.org", decided=UserState(is_deaf=True)),)))
    assert parse(body.replace(b'deaf="1"', text.encode())).users[0].decided == UserState()


def test_who_waits_sees_themselves_alone_and_the_roster_once_admitted() -> None:
    house = House()
    house.directory.add_account("alice", "secret-of-alice")
    house.directory.add_room("daily", owner="alice", lobby=True)
    alice, bob, carol = (house.member(name) for name in ("alice", "bob", "carol"))
    alice.call(ROOM)
    alice.subscribe(ROOM)
    call = bob.call(ROOM)
    bob.subscribe(ROOM)
    (alone,) = bob.notified()
    seen = parse(alone)
    assert [(user.display_text, user.endpoints[0].status, user.endpoints[0].call_id) for user in seen.users] == [
        ("Bob", "pending", call.id)]
    assert seen.meeting.is_waiting and b"alice" not in alone.lower()
    house.run(1.5)
    assert [one.display_text for one in last(alice).meeting.lobby] == ["Bob"]
    assert [user.display_text for user in last(alice).users] == ["Alice"]
    house.order("admit", who=last(alice).meeting.lobby[0].id)
    house.run(1.5)
    assert {user.display_text for user in last(bob).users} == {"Alice", "Bob"} and not last(bob).meeting.is_waiting
    carol.call(ROOM)
    house.run(1.5)
    assert [one.display_text for one in last(alice).meeting.lobby] == ["Carol"] and last(bob).meeting.lobby == ()
    house.order("lobby", who="bob")
    house.run(1.5)
    assert [user.display_text for user in last(bob).users] == ["Bob"] and last(bob).meeting.is_waiting
    assert {one.display_text for one in last(alice).meeting.lobby} == {"Bob", "Carol"}


def test_who_could_not_come_in_is_not_told_who_is_in() -> None:
    house = House()
    house.directory.add_account("alice", "secret-of-alice")
    house.directory.add_room("daily", owner="alice", lobby=True)
    house.member("alice").call(ROOM)
    stranger = house.member("bob")
    stranger.subscribe(ROOM)
    assert stranger.notified() == []


def test_hands_and_what_the_host_decided_are_told_to_all() -> None:
    house = House(is_open=True)
    alice, bob, carol = (house.phone(name) for name in ("alice", "bob", "carol"))
    for phone in (alice, bob, carol):
        phone.call(ROOM)
    alice.subscribe(ROOM)
    focus = house.switchboard.foci["daily"]
    for leg in (2, 1):
        for key in "*9":
            focus.pressed(list(focus.members)[leg], key)
    house.order("mute", who="bob")
    house.order("set", switch="unmute", value="hosts")
    house.run(1.5)
    known = last(alice)
    decided = {user.display_text: user.decided for user in known.users}
    assert 0 < decided["Carol"].hand < decided["Bob"].hand and decided["Alice"].hand == 0
    assert decided["Bob"].is_muted_by_host and not decided["Carol"].is_muted_by_host
    assert known.meeting.switches == (("unmute", "hosts"),)
