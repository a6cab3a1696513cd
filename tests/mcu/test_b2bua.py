"""Calls between people: ring all phones, first answer wins, busy, decline, no answer, hang-up, hold, texts."""

from __future__ import annotations

import pytest

from mcu.b2bua import RING_S, capabilities_for
from mcu.floor import FloorId, ReleaseFloor, Requested, RequestFloor
from mcu.participant import Identity, ParticipantId
from rtp.sdp import negotiation
from rtp.sdp.negotiation import Capabilities, LocalMedia
from sip import events
from sip.auth import make_challenge
from sip.events import (
    CallAnswered,
    CallProgressed,
    CallReceived,
    CallTerminated,
    DialogRequestReceived,
    ReferProgressed,
    ResponseReceived,
)
from sip.invite import Call
from sip.uri import Uri
from tests.helpers.house import House, Phone, sdp


def registered(house: House, name: str) -> Phone:
    """A phone of an account, registered."""
    phone = house.member(name)
    phone.side.endpoint.register(Uri("sip", None, "house.example"), aor=phone.aor, contact=phone.contact, flow=phone.flow,
                                 now=house.time, credentials=phone.credentials, expires_s=3600)
    house.run(0.1)
    return phone


def ringing(phone: Phone, house: House, status: int = 180) -> Call:
    """The call that has come to a phone, ringing there."""
    call = phone.side.take(CallReceived).call
    call.ring(house.time, status)
    house.run(0.01)
    return call


def answered(house: House) -> tuple[Phone, Call, Phone, Call]:
    """Alice and Bob in a call."""
    alice, bob = registered(house, "alice"), registered(house, "bob")
    ours = alice.call("sip:bob@house.example")
    theirs = ringing(bob, house)
    theirs.accept(sdp(bob.address[0]), house.time)
    house.run(0.1)
    return alice, ours, bob, theirs


def test_call_to_a_user_rings_and_is_answered() -> None:
    house = House()
    alice, ours, bob, theirs = answered(house)
    assert alice.side.take(CallProgressed).response.status == 180
    assert alice.side.has(CallAnswered)
    assert ours.is_up and theirs.is_up
    assert len([media for media in house.rooms[0].legs.values() if media.negotiated and not media.is_released]) == 2
    invite = bob.side.requests("INVITE") or theirs.invite
    assert invite is not None and theirs.remote.uri == Uri("sip", "alice", "house.example")
    assert {record.account for record in house.records.values()} == {"alice", "bob"}


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_either_side_hangs_up_on_both(who: str) -> None:
    house = House()
    alice, ours, bob, theirs = answered(house)
    (ours if who == "caller" else theirs).hang_up(house.time, "enough")
    house.run(0.1)
    ended = (bob if who == "caller" else alice).side.take(CallTerminated)
    assert (ended.cause, ended.reason, ended.by_remote) == ("hung_up", "enough", True)
    assert house.switchboard.user_calls == set()
    assert house.rooms[0].is_closed
    assert all(media.is_released for media in house.rooms[0].legs.values())
    assert all(record.ended_at for record in house.records.values())


def test_progress_that_nobody_knows_is_progress() -> None:
    house = House()
    alice, bob = registered(house, "alice"), registered(house, "bob")
    alice.call("sip:bob@house.example")
    ringing(bob, house, 155)
    assert [event.response.status for event in alice.side.events if isinstance(event, CallProgressed)] == [180]


def test_all_phones_ring_the_first_answer_wins_and_the_others_are_cancelled() -> None:
    house = House()
    alice = registered(house, "alice")
    desk, mobile = registered(house, "bob"), registered(house, "bob")
    ours = alice.call("sip:bob@house.example")
    calls = [ringing(phone, house) for phone in (desk, mobile)]
    calls[1].accept(sdp(mobile.address[0]), house.time)
    house.run(0.1)
    assert ours.is_up
    assert desk.side.take(CallTerminated).cause == "cancelled"
    assert len([media for media in house.rooms[0].legs.values() if not media.is_released]) == 2


def test_caller_gives_up_and_the_phones_stop_ringing() -> None:
    house = House()
    alice, bob = registered(house, "alice"), registered(house, "bob")
    ours = alice.call("sip:bob@house.example")
    ringing(bob, house)
    ours.hang_up(house.time)
    house.run(0.1)
    assert bob.side.take(CallTerminated).cause == "cancelled"
    assert house.switchboard.user_calls == set()
    assert house.rooms[0].is_closed


@pytest.mark.parametrize("status", [486, 603, 480])
def test_refusal_of_the_only_phone_is_handed_on(status: int) -> None:
    house = House()
    alice, bob = registered(house, "alice"), registered(house, "bob")
    alice.call("sip:bob@house.example")
    ringing(bob, house).reject(status, now=house.time)
    house.run(0.1)
    assert alice.side.take(CallTerminated).status == status
    assert house.switchboard.user_calls == set()


def test_busy_on_one_phone_leaves_the_other_ringing_and_a_decline_ends_all() -> None:
    house = House()
    alice = registered(house, "alice")
    desk, mobile = registered(house, "bob"), registered(house, "bob")
    ours = alice.call("sip:bob@house.example")
    calls = [ringing(phone, house) for phone in (desk, mobile)]
    calls[0].reject(486, now=house.time)
    house.run(0.1)
    assert not alice.side.has(CallTerminated)
    calls[1].reject(603, now=house.time)
    house.run(0.1)
    assert alice.side.take(CallTerminated).status == 603
    assert not ours.is_up


def test_nobody_answers_and_the_caller_is_told() -> None:
    house = House()
    alice, bob = registered(house, "alice"), registered(house, "bob")
    alice.call("sip:bob@house.example")
    ringing(bob, house)
    house.run(RING_S + 1)
    ended = alice.side.take(CallTerminated)
    assert (ended.status, ended.reason) == (480, "bob does not answer")
    assert bob.side.take(CallTerminated).cause == "cancelled"


def test_user_without_a_phone_is_480_in_words() -> None:
    house = House()
    house.directory.add_account("bob", "secret")
    alice = registered(house, "alice")
    alice.call("sip:bob@house.example")
    ended = alice.side.take(CallTerminated)
    assert (ended.status, ended.reason) == (480, "bob is not there")
    assert house.rooms[0].is_closed


def test_stranger_can_not_call_a_user() -> None:
    house = House(is_open=True)
    registered(house, "bob")
    stranger = house.phone("stranger")
    stranger.call("sip:bob@house.example")
    assert stranger.side.take(CallTerminated).status == 401


def test_who_calls_is_what_the_password_says_whatever_else_the_headers_do() -> None:
    house = House()
    alice, bob = registered(house, "alice"), registered(house, "bob")
    forged = [(name, "<sip:boss@house.example>") for name in ("P-Asserted-Identity", "P-Preferred-Identity", "Referred-By",
                                                              "Remote-Party-ID", "Diversion", "History-Info")]
    alice.call("sip:bob@house.example", headers=[*forged, ("Privacy", "none"), ("X-Anything", "boss")])
    invite = bob.side.take(CallReceived).request
    assert str(invite.from_.uri) == "sip:alice@house.example" and b"boss" not in bytes(invite)


def test_a_call_in_a_circle_ends_with_483_and_leaves_nothing() -> None:
    house = House()
    alice, bob = registered(house, "alice"), registered(house, "bob")      # Bob's phone is a server that sends calls back
    ours, rounds = alice.call("sip:bob@house.example"), []
    while bob.side.has(CallReceived):
        received = bob.side.take(CallReceived)
        hops = received.request.max_forwards
        assert hops is not None
        onward = bob.side.endpoint.invite(
            Uri.parse("sip:bob@house.example"), from_=bob.aor, flow=bob.flow, contact=bob.contact, now=house.time,
            offer=sdp(bob.address[0]), credentials=bob.credentials, max_forwards=max(0, hops - 1))
        rounds.append((received.call, onward))
        house.run(0.01)
    assert len(rounds) == 35 and house.time < 1001.0                       # two hops a round, and no second gone by
    assert bob.side.take(CallTerminated).status == 483
    for received_call, _ in reversed(rounds):
        received_call.reject(483, now=house.time)
        house.run(0.01)
    assert alice.side.take(CallTerminated).status == 483 and not ours.is_up
    assert house.switchboard.user_calls == set()


def test_a_phone_that_wants_our_password_gets_none() -> None:
    house = House()
    alice, bob = registered(house, "alice"), registered(house, "bob")
    challenge = [("WWW-Authenticate", make_challenge("house.example", "n")), ("Proxy-Authenticate", make_challenge("x", "n"))]
    alice.call("sip:bob@house.example")
    bob.side.take(CallReceived).call.reject(401, None, challenge, now=house.time)
    house.run(0.1)
    assert alice.side.take(CallTerminated).status == 500
    ours = alice.call("sip:bob@house.example")
    theirs = ringing(bob, house)
    theirs.accept(sdp(bob.address[0]), house.time)
    house.run(0.1)
    (leg,) = [leg for leg in house.switchboard.legs() if leg.identity.account == "bob"]
    leg.call.offer(b"v=0\r\n", house.time)
    house.run(0.1)
    offered = bob.side.take(events.OfferReceived)
    assert "Authorization" not in offered.request.headers
    theirs.reject_offer(407, house.time)
    house.run(1.0)
    assert not bob.side.has(events.OfferReceived) and ours.is_up              # nothing was sent again, with or without


def test_text_goes_to_the_other_side_and_its_answer_back() -> None:
    house = House()
    alice, ours, bob, theirs = answered(house)
    ours.request("MESSAGE", body=b"hello", content_type="text/plain", now=house.time)
    house.run(0.1)
    received = bob.side.take(DialogRequestReceived)
    assert (received.request.method, received.request.body) == ("MESSAGE", b"hello")
    assert alice.side.take(ResponseReceived).response.status == 200
    theirs.request("INFO", body=b"Signal=5\r\n", content_type="application/dtmf-relay", now=house.time)
    house.run(0.1)
    assert alice.side.take(DialogRequestReceived).request.body == b"Signal=5\r\n"


@pytest.mark.parametrize(("alice_events", "bob_events", "told"), [
    (True, False, ["bob"]), (True, True, []), (False, True, []), (False, False, [])])
def test_key_goes_by_info_only_where_neither_event_nor_tone_brings_it(alice_events: bool, bob_events: bool,
                                                                      told: list[str]) -> None:
    house = House()
    alice, bob = registered(house, "alice"), registered(house, "bob")
    bodies = {phone: bytes(negotiation.offer(Capabilities(dtmf=has_events), LocalMedia(phone.address[0], 40000, 40001),
                                             session_id=1, version=1))
              for phone, has_events in ((alice, alice_events), (bob, bob_events))}
    alice.call("sip:bob@house.example", bodies[alice])
    ringing(bob, house).accept(bodies[bob], house.time)
    house.run(0.1)
    (user_call,) = house.switchboard.user_calls
    user_call.pressed(next(leg.media.leg_id for leg in user_call.legs if leg.identity.account == "alice"), "5")
    house.run(0.1)
    assert [phone.name for phone in (alice, bob) if phone.side.has(DialogRequestReceived)] == told


def test_call_between_two_has_a_relay_for_its_media() -> None:
    house = House()
    answered(house)
    assert [room.kind for room in house.rooms] == ["relay"]


def test_hold_of_one_side_is_no_business_of_the_other() -> None:
    house = House()
    _, ours, bob, _ = answered(house)
    ours.offer(sdp("192.0.2.1", direction="sendonly"), house.time)
    house.run(0.1)
    assert not bob.side.has(events.OfferReceived)
    (held, other) = [leg for user_call in house.switchboard.user_calls for leg in user_call.legs]
    assert (held.is_held, other.is_held) == (True, False)


def test_callee_is_offered_the_callers_codec_first() -> None:
    offer = b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n"
    names = [codec.name for codec in capabilities_for(offer).codecs]
    assert names[:2] == ["PCMA", "PCMU"]
    assert len(names) == 4
    assert capabilities_for(b"junk") == capabilities_for(None)


def progress(phone: Phone) -> list[int]:
    """What the reports of a transfer said."""
    return [event.status for event in phone.side.events if isinstance(event, ReferProgressed)]


def media_of(house: House) -> list[int]:
    """How many legs with media each open room has."""
    is_open = [room for room in house.rooms if not room.is_closed]
    return [len([media for media in room.legs.values() if media.negotiated and not media.is_released]) for room in is_open]


@pytest.mark.parametrize("by", ["caller", "callee"])
def test_blind_transfer_puts_another_user_in_ones_place(by: str) -> None:
    house = House()
    alice, ours, bob, theirs = answered(house)
    carol = registered(house, "carol")
    who, call, other = (alice, ours, theirs) if by == "caller" else (bob, theirs, ours)
    call.refer(Uri.parse("sip:carol@house.example"), now=house.time)
    house.run(0.1)
    third = ringing(carol, house)
    partner = "bob" if by == "caller" else "alice"
    assert third.remote.uri == Uri("sip", partner, "house.example")
    assert other.is_up and call.is_up
    third.accept(sdp(carol.address[0]), house.time)
    house.run(0.2)
    assert progress(who)[-1] == 200
    assert who.side.take(CallTerminated).reason == "transferred"
    assert other.is_up and third.is_up
    assert media_of(house) == [2]
    other.hang_up(house.time)
    house.run(0.1)
    assert carol.side.has(CallTerminated)
    assert house.switchboard.user_calls == set() and media_of(house) == []


def test_refused_transfer_leaves_the_call_as_it_was() -> None:
    house = House()
    alice, ours, _, theirs = answered(house)
    carol = registered(house, "carol")
    ours.refer(Uri.parse("sip:carol@house.example"), now=house.time)
    house.run(0.1)
    ringing(carol, house).reject(486, now=house.time)
    house.run(0.1)
    assert progress(alice)[-1] == 486
    assert ours.is_up and theirs.is_up and media_of(house) == [2]


def test_who_transfers_may_hang_up_before_the_answer() -> None:
    house = House()
    _, ours, _, theirs = answered(house)
    carol = registered(house, "carol")
    theirs.refer(Uri.parse("sip:carol@house.example"), now=house.time)
    house.run(0.1)
    third = ringing(carol, house)
    theirs.hang_up(house.time)
    house.run(0.1)
    assert ours.is_up
    third.accept(sdp(carol.address[0]), house.time)
    house.run(0.1)
    assert ours.is_up and third.is_up and media_of(house) == [2]


def test_whom_they_transferred_gives_up_and_nothing_rings_any_more() -> None:
    house = House()
    _, ours, _, theirs = answered(house)
    carol = registered(house, "carol")
    theirs.refer(Uri.parse("sip:carol@house.example"), now=house.time)
    house.run(0.1)
    ringing(carol, house)
    theirs.hang_up(house.time)
    house.run(0.1)
    ours.hang_up(house.time)
    house.run(0.1)
    assert carol.side.take(CallTerminated).cause == "cancelled"
    assert house.switchboard.user_calls == set() and media_of(house) == []


def test_attended_transfer_connects_the_two_others() -> None:
    house = House()
    alice, ours, bob, theirs = answered(house)
    carol = registered(house, "carol")
    second = bob.call("sip:carol@house.example")
    third = ringing(carol, house)
    third.accept(sdp(carol.address[0]), house.time)
    house.run(0.1)
    assert second.is_up
    theirs.refer(Uri.parse("sip:carol@house.example"), now=house.time, replaces=second)
    house.run(0.3)
    assert not carol.side.has(events.OfferReceived)          # its ports, codec and keys stay as they are
    assert progress(bob)[-1] == 200
    assert ours.is_up and third.is_up and not theirs.is_up and not second.is_up
    assert media_of(house) == [2]
    assert len(house.switchboard.user_calls) == 1
    third.hang_up(house.time)
    house.run(0.1)
    assert alice.side.has(CallTerminated)
    assert house.switchboard.user_calls == set() and media_of(house) == []


def test_invite_with_replaces_takes_the_place_of_a_call() -> None:
    house = House()
    _, ours, _, theirs = answered(house)
    mobile = registered(house, "bob")
    taken = mobile.call("sip:bob@house.example", headers=[("Replaces", theirs.replaces_value())])
    house.run(0.1)
    assert taken.is_up and ours.is_up and not theirs.is_up
    assert media_of(house) == [2]


@pytest.mark.parametrize(("target", "status"), [("sip:nobody@house.example", 404), ("sip:dave@elsewhere.example", 404)])
def test_transfer_to_where_nobody_is_is_refused(target: str, status: int) -> None:
    house = House()
    alice, ours, _, theirs = answered(house)
    ours.refer(Uri.parse(target), now=house.time)
    house.run(0.1)
    assert progress(alice) == [status]
    assert ours.is_up and theirs.is_up


def test_refer_to_a_room_calls_somebody_in_and_tells_how_that_fares() -> None:
    house = House(is_open=True)
    alice, bob = house.phone("alice"), house.phone("bob")
    call = alice.call("sip:daily@house.example")
    call.refer(Uri.parse("sip:nobody@house.example"), now=house.time)
    house.run(1.0)
    assert progress(alice)[-1] == 404
    call.refer(Uri.parse(f"sip:bob@{bob.address[0]}:{bob.address[1]}"), now=house.time)
    house.run(0.1)
    theirs = bob.side.take(CallReceived).call
    theirs.ring(house.time)
    house.run(0.1)
    theirs.accept(sdp(bob.address[0]), house.time)
    house.run(0.1)
    assert progress(alice)[-3:] == [100, 180, 200]
    assert call.is_up and len(house.live.people("daily")) == 2


def test_pictures_pass_once_both_are_there_and_are_asked_for_only_where_the_caller_brings_some() -> None:
    house = House()
    alice, bob = registered(house, "alice"), registered(house, "bob")
    alice.call("sip:bob@house.example", sdp(alice.address[0]) + b"m=video 41000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n")
    (leg,) = house.rooms[0].legs.values()
    assert leg.has_pictures and leg.passing == []
    theirs = ringing(bob, house)
    assert leg.passing == []
    theirs.accept(sdp(bob.address[0]), house.time)
    house.run(0.1)
    assert [(media.has_pictures, media.passing) for media in house.rooms[0].legs.values()] == [(True, [("main", True)])] * 2


def test_a_call_without_pictures_asks_for_none() -> None:
    house = House()
    answered(house)
    assert [media.has_pictures for media in house.rooms[0].legs.values()] == [False, False]


def test_slides_pass_between_two_while_one_of_them_has_the_screen() -> None:
    house = House()
    answered(house)
    (call,) = house.switchboard.user_calls
    sharer, viewer = house.rooms[0].legs.values()
    assert call._desk is not None
    for media in (sharer, viewer):
        call._desk.floors.join(ParticipantId(media.leg_id), Identity(f"sip:{media.leg_id}@example.org", "somebody"))
    sharer.passing.clear()
    asked = call._desk.floors.execute(RequestFloor(FloorId.SCREEN), ParticipantId(sharer.leg_id))
    assert isinstance(asked, Requested) and sharer.passing == [("slides", True)]
    call._desk.floors.execute(ReleaseFloor(asked.request.id), ParticipantId(sharer.leg_id))
    assert sharer.passing == [("slides", True), ("slides", False)]
