"""Transfers into rooms, blind and attended; phones that take each other's place there; who is told with whom they talk now."""

from __future__ import annotations

import pytest

from mcu.commands import LockConference, MuteParticipant
from sip import events
from sip.events import CallAnswered, CallTerminated, PeerTold, ReferProgressed
from sip.headers import NameAddr
from sip.invite import Call
from sip.uri import Uri
from tests.helpers.house import House, Phone, sdp
from tests.mcu.test_b2bua import answered, media_of, progress, registered, ringing

ROOM = Uri.parse("sip:daily@house.example")


def people(house: House, room: str = "daily") -> dict[str, str]:
    """Who is in a room, and as what."""
    return {person["name"]: person["role"] for person in house.live.people(room)}


def told(phone: Phone) -> list[str]:
    """Whom the phone was told to talk to, in order."""
    found = [event.request for event in phone.side.events if isinstance(event, PeerTold)]
    return [str(NameAddr.parse(value)) for request in found for value in request.headers.get_all("P-Asserted-Identity")]


def in_two_calls(house: House) -> tuple[Phone, Call, Phone, Call, Call]:
    """Alice talks to Bob, and Bob is in the room as well: alice, hers; bob, his with her, his in the room."""
    house.directory.add_room("daily", pin="123456")
    alice, ours, bob, theirs = answered(house)
    meeting = bob.call("sip:daily.123456@house.example")
    house.run(0.1)
    assert meeting.is_up
    return alice, ours, bob, theirs, meeting


@pytest.mark.parametrize("by", ["caller", "callee"])
def test_blind_transfer_into_a_room_brings_the_partner_there_as_they_are(by: str) -> None:
    house = House()
    house.directory.add_room("daily")
    alice, ours, bob, theirs = answered(house)
    who, call, partner, other = (alice, ours, bob, theirs) if by == "caller" else (bob, theirs, alice, ours)
    invites = len(partner.side.responses("INVITE")) + len(partner.side.requests("INVITE"))
    call.refer(ROOM, now=house.time)
    house.run(0.2)
    assert progress(who)[-1] == 200
    assert who.side.take(CallTerminated).reason == "transferred" and other.is_up
    assert people(house) == {"Alice" if partner is alice else "bob": "host"}       # From's name, and the account's
    assert media_of(house) == [1] and house.switchboard.user_calls == set()
    assert len(partner.side.responses("INVITE")) + len(partner.side.requests("INVITE")) == invites      # nothing negotiated
    (update,) = [event.request for event in partner.side.events if isinstance(event, PeerTold)]
    assert update.contacts[0].parameter("isfocus") is not None and update.contacts[0].uri.user == "daily"
    other.hang_up(house.time)
    house.run(0.1)
    assert house.switchboard.foci == {} and media_of(house) == []


def test_transfer_into_a_room_takes_its_pin_and_counts_wrong_ones() -> None:
    house = House()
    house.directory.add_room("daily", pin="123456")
    alice, ours, _, theirs = answered(house)
    for _ in range(11):
        ours.refer(Uri.parse("sip:daily.654321@house.example"), now=house.time)
        house.run(0.1)
    reasons = [event.reason for event in alice.side.events if isinstance(event, ReferProgressed) and event.is_final]
    assert reasons[:10] == ["wrong PIN"] * 10 and reasons[10].startswith("too many wrong PINs")
    assert ours.is_up and theirs.is_up and media_of(house) == [2] and house.switchboard.foci == {}
    house.run(700.0)
    ours.refer(Uri.parse("sip:daily.123456@house.example"), now=house.time)
    house.run(0.1)
    assert progress(alice)[-1] == 200 and people(house) == {"bob": "host"}


def test_transfer_into_a_room_that_is_not_there_is_refused_in_words() -> None:
    house = House()
    alice, ours, _, theirs = answered(house)
    ours.refer(ROOM, now=house.time)
    house.run(0.1)
    assert progress(alice) == [404] and ours.is_up and theirs.is_up


@pytest.mark.parametrize("inside", ["the call", "the meeting"])
def test_attended_transfer_into_a_room_puts_the_partner_in_ones_place_past_pin_and_lock(inside: str) -> None:
    house = House()
    _alice, ours, bob, theirs, meeting = in_two_calls(house)
    house.switchboard.foci["daily"].execute(LockConference(True))
    if inside == "the call":
        theirs.refer(ROOM, now=house.time, replaces=meeting)
    else:
        meeting.refer(Uri.parse("sip:alice@house.example"), now=house.time, replaces=theirs)
    house.run(0.2)
    assert progress(bob)[-1] == 200
    assert [bob.side.take(CallTerminated).reason for _ in range(2)] == ["transferred"] * 2
    assert ours.is_up and people(house) == {"Alice": "host"}
    assert media_of(house) == [1] and house.switchboard.user_calls == set()


def test_attended_transfer_with_somebody_elses_call_is_refused() -> None:
    house = House()
    house.directory.add_room("daily")
    _, ours, bob, theirs = answered(house)
    carol = registered(house, "carol")
    meeting = carol.call("sip:daily@house.example")
    house.run(0.1)
    theirs.refer(ROOM, now=house.time, replaces=meeting)                       # Bob has read the tags of Carol's call
    house.run(0.2)
    assert progress(bob) == [403]
    assert ours.is_up and meeting.is_up and people(house) == {"Carol": "host"}


def test_another_phone_takes_ones_place_in_a_room_with_role_and_mute() -> None:
    house = House()
    house.directory.add_room("daily", pin="123456")
    alice, bob = registered(house, "alice"), registered(house, "bob")
    first, other = (phone.call("sip:daily.123456@house.example") for phone in (alice, bob))
    focus = house.switchboard.foci["daily"]
    focus.execute(MuteParticipant(next(iter(focus.members)), True))
    assert people(house) == {"Alice": "host", "Bob": "attendee"}
    mobile = registered(house, "alice")
    mobile.call("sip:daily@house.example", headers=[("Replaces", first.replaces_value())])
    house.run(0.1)
    assert mobile.side.has(CallAnswered) and alice.side.take(CallTerminated).reason == "replaced"
    assert people(house) == {"Alice": "host", "Bob": "attendee"} and other.is_up
    (muted,) = [person for person in house.live.people("daily") if person["name"] == "Alice"]
    assert muted["is_muted"]


def test_a_guest_takes_nobodys_place_in_a_room() -> None:
    house = House(is_open=True)
    alice, guest = house.phone("alice"), house.phone("guest")
    first = alice.call("sip:daily@house.example")
    guest.call("sip:daily@house.example", headers=[("Replaces", first.replaces_value())])
    assert guest.side.take(CallTerminated).status == 403
    assert first.is_up


# ---- who is told


def test_who_is_handed_on_is_told_with_whom_they_talk_now() -> None:
    house = House()
    alice, _ours, bob, theirs = answered(house)
    carol = registered(house, "carol")
    theirs.refer(Uri.parse("sip:carol@house.example"), now=house.time)
    house.run(0.1)
    third = ringing(carol, house)
    third.accept(sdp(carol.address[0]), house.time)
    house.run(0.2)
    assert told(alice) == ['"carol" <sip:carol@house.example>']
    assert third.remote.display_name == "Alice" and told(carol) == [] and told(bob) == []


def test_after_an_attended_transfer_both_are_told() -> None:
    house = House()
    alice, ours, bob, theirs = answered(house)
    carol = registered(house, "carol")
    second = bob.call("sip:carol@house.example")
    third = ringing(carol, house)
    third.accept(sdp(carol.address[0]), house.time)
    house.run(0.1)
    theirs.refer(Uri.parse("sip:carol@house.example"), now=house.time, replaces=second)
    house.run(0.3)
    assert told(alice) == ['"carol" <sip:carol@house.example>']
    assert told(carol) == ['"Alice" <sip:alice@house.example>'] and not carol.side.has(events.OfferReceived)
    assert third.is_up and ours.is_up


def test_a_phone_that_takes_no_update_is_told_by_re_invite() -> None:
    house = House()
    alice, ours, _, theirs = answered(house)
    (leg,) = [leg for leg in house.switchboard.legs() if leg.identity.account == "alice"]
    leg.call._exchange.peer_allows = frozenset(("INVITE", "ACK", "BYE"))
    carol = registered(house, "carol")
    theirs.refer(Uri.parse("sip:carol@house.example"), now=house.time)
    house.run(0.1)
    ringing(carol, house).accept(sdp(carol.address[0]), house.time)
    house.run(0.2)
    offered = alice.side.take(events.OfferReceived).request
    assert offered.headers.get("P-Asserted-Identity") == '"carol" <sip:carol@house.example>'
    ours.accept_offer(sdp(alice.address[0]), house.time)
    house.run(0.2)
    assert ours.is_up and told(alice) == []
