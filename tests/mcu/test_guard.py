"""Requests in a call from another host: somebody who listened gets nothing, a phone that has moved is known again."""

from __future__ import annotations

import pytest

from sip.auth import DigestClient
from sip.events import CallTerminated, Registered
from sip.flow import Address, Flow
from sip.invite import Call
from sip.message import Response
from sip.parser import parse_message
from sip.uri import Uri
from tests.helpers.house import HOUSE, House, Phone, sdp
from tests.helpers.sip_messages import request

EVE: Address = ("203.0.113.9", 5060)


def overheard(call: Call, method: str, number: int = 50, **more: str) -> bytes:
    """A request of the phone's in its call, written by somebody who has read the dialog on the way."""
    dialog = call.dialog
    assert dialog is not None
    return request(method, str(dialog.target), CSeq=f"{number} {method}", Call_ID=dialog.call_id, From=str(dialog.local),
                   To=str(dialog.remote), Via=f"SIP/2.0/UDP {EVE[0]};branch=z9hG4bK{method}{number};rport", **more)


def answer_to(house: House, data: bytes, source: Address = EVE) -> Response | None:
    """What the house answers to a datagram from somewhere else."""
    house.endpoint.receive_datagram(data, Flow("UDP", HOUSE, source), house.time)
    for sent, flow in house.endpoint.datagrams_to_send():
        if flow.remote == source:
            message = parse_message(sent)
            assert isinstance(message, Response)
            return message
    return None


def in_a_room(house: House, phone: Phone) -> Call:
    """The phone's call into a room, up."""
    call = phone.call("sip:daily@house.example")
    house.run(0.1)
    assert call.is_up
    return call


def move(house: House, phone: Phone, host: str) -> None:
    """The phone gets another address, and goes on with all that it has."""
    phone.address = phone.side.address = (host, 5099)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "REFER", "INFO", "MESSAGE", "OPTIONS", "SUBSCRIBE"])
def test_a_guests_call_takes_nothing_from_another_host(method: str) -> None:
    house = House(is_open=True)
    guest = house.phone("guest")
    call = in_a_room(house, guest)
    more = {"Refer-To": "<sip:eve@house.example>"} if method == "REFER" else {}
    refusal = answer_to(house, overheard(call, method, **more, Event="conference"))
    assert refusal is not None and (refusal.status, refusal.reason) == (403, "this call is not yours")
    house.run(1.0)
    assert call.is_up and not guest.side.has(CallTerminated)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "REFER"])
def test_who_listened_to_a_members_call_is_asked_for_the_password(method: str) -> None:
    house = House(is_open=True)
    alice = house.member("alice")
    call = in_a_room(house, alice)
    data = overheard(call, method, **{"Refer-To": "<sip:eve@house.example>"})
    challenge = answer_to(house, data)
    assert challenge is not None and challenge.status == 401
    message = parse_message(data)
    assert not isinstance(message, Response)
    house.directory.add_account("eve", "secret-of-eve")
    assert DigestClient("eve", "secret-of-eve").authorize(message, challenge)
    message.headers.set("Via", f"SIP/2.0/UDP {EVE[0]};branch=z9hG4bKagain;rport")
    refusal = answer_to(house, bytes(message))
    assert refusal is not None and refusal.status == 403                       # another account than the call's
    house.run(1.0)
    assert call.is_up


def test_a_phone_that_has_moved_proves_who_it_is_and_its_call_and_media_go_on_there() -> None:
    house = House()
    house.directory.add_room("daily")
    alice = house.member("alice")
    call = in_a_room(house, alice)
    move(house, alice, "198.51.100.7")
    call.offer(sdp("198.51.100.7"), house.time)
    house.run(0.5)
    assert [response.status for response in alice.side.responses("INVITE")] == []
    (leg,) = house.switchboard.legs()
    assert leg.call.flow.remote == alice.address and call.is_up
    media = house.rooms[0].legs[leg.media.leg_id]
    assert media.followed[-1] == "198.51.100.7"
    house.live.close_room("daily", "good night")
    house.run(3.0)
    assert alice.side.has(CallTerminated)                                      # the BYE found it


def test_a_phone_that_registers_from_another_host_takes_its_calls_with_it() -> None:
    house = House()
    house.directory.add_room("daily")
    alice = house.member("alice")
    registration = alice.side.endpoint.register(
        Uri("sip", None, "house.example"), aor=alice.aor, contact=alice.contact, flow=alice.flow, now=house.time,
        credentials=alice.credentials, expires_s=3600)
    house.run(0.1)
    assert alice.side.has(Registered)
    call = in_a_room(house, alice)
    move(house, alice, "198.51.100.7")
    registration.refresh(house.time)
    house.run(0.1)
    (leg,) = house.switchboard.legs()
    assert leg.call.flow.remote == alice.address
    assert house.rooms[0].legs[leg.media.leg_id].followed == ["198.51.100.7"]
    assert answer_to(house, overheard(call, "OPTIONS")).status == 401          # type: ignore[union-attr]
    call.hang_up(house.time)
    house.run(0.1)
    assert list(house.switchboard.legs()) == []


def test_an_ack_can_not_be_challenged_and_is_dropped() -> None:
    house = House(is_open=True)
    alice = house.member("alice")
    call = in_a_room(house, alice)
    assert answer_to(house, overheard(call, "ACK", 1)) is None
    assert house.endpoint.counters["foreign requests"] == 1
