"""The phone's floor control from the SDP to the grant, against the server's own doors on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import pytest

from mcu.floor import FloorId, Floors, FloorSettings
from mcu.floor_control import FloorControl
from mcu.floor_door import FloorDoors
from mcu.participant import ParticipantId
from rtp.errors import HandshakeFailed
from rtp.sdp.floor_client import LocalClient, apply_answer_as_client, offer_as_client
from rtp.sdp.floor_control import TCP, TLS, UDP, Floor, FloorStream, LocalFloors, NegotiatedFloors, answer_line
from rtp.sdp.model import SessionDescription
from rtp.sdp.parser import parse
from sip.bfcp.attributes import Status
from sip.bfcp.events import ClientEvent, ConnectionLost, FloorStatusChanged, RequestStatusChanged
from sip.errors import LocalProtocolError
from softphone.floor_link import FloorLink
from tests.rtp.keying.certificates import ALICE, BOB, MALLORY

pytestmark = pytest.mark.loopback

HOST, CONFERENCE, MEMBER = "127.0.0.1", 77, ParticipantId(5)
E = TypeVar("E", bound=ClientEvent)


class Phone:
    """A link with its events in a queue."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[ClientEvent] = asyncio.Queue()
        self.link = FloorLink(self.events.put_nowait)

    async def hears(self, kind: type[E]) -> E:
        """The next event of a kind."""
        async with asyncio.timeout(10.0):
            while True:
                event = await self.events.get()
                if isinstance(event, kind):
                    return event


async def negotiate(doors: FloorDoors, phone: Phone, protocol: str) -> NegotiatedFloors:
    """Offer and answer, and the door opened by them; what the phone has agreed."""
    port = phone.link.bind(HOST) if protocol == UDP else 0
    offer = offer_as_client(LocalClient(HOST, port, ALICE.fingerprint()), protocol)
    theirs = parse(bytes(SessionDescription(1, 1, HOST, media=(offer,))))
    user_id = doors.control.join(MEMBER, "Alice")
    address = doors.open(MEMBER, protocol, HOST)
    local = LocalFloors(*address, CONFERENCE, user_id, (Floor(1), Floor(2)), BOB.fingerprint())
    line, agreed = answer_line(theirs, 0, local)
    doors.admit(MEMBER, agreed, {HOST})
    return apply_answer_as_client(offer, 0, parse(bytes(SessionDescription(1, 1, HOST, media=(line,)))))


@asynccontextmanager
async def meeting() -> AsyncIterator[tuple[FloorDoors, Phone]]:
    """A server's doors and a phone."""
    control = FloorControl(CONFERENCE, Floors(FloorSettings()), lambda who: False)
    doors, phone = FloorDoors(control, lambda event: None, BOB), Phone()
    try:
        yield doors, phone
    finally:
        await phone.link.close()
        doors.close()
        await doors.wait_closed()


@pytest.mark.parametrize("protocol", [TCP, TLS, UDP])
async def test_a_phone_gets_the_floor_that_its_sdp_has_opened(protocol: str) -> None:
    async with meeting() as (doors, phone):
        await phone.link.open(await negotiate(doors, phone, protocol), ALICE)
        phone.link.ask(lambda session, now: session.watch_floors((1,), now))
        assert (await phone.hears(FloorStatusChanged)).requests == ()
        transaction = phone.link.ask(lambda session, now: session.request_floor(FloorId.SCREEN, now))
        news = await phone.hears(RequestStatusChanged)
        assert (news.transaction, news.information.status) == (transaction, Status.GRANTED)
        doors.leave(MEMBER)
        if protocol != UDP:
            await phone.hears(ConnectionLost)
            with pytest.raises(LocalProtocolError):
                phone.link.ask(lambda session, now: session.say_hello(now))


async def test_a_server_with_another_certificate_is_not_trusted() -> None:
    async with meeting() as (doors, phone):
        agreed = await negotiate(doors, phone, TLS)
        wrong = replace(agreed, peer=replace(agreed.peer, fingerprints=(MALLORY.fingerprint(),)))
        with pytest.raises(HandshakeFailed):
            await phone.link.open(wrong, ALICE)


async def test_a_server_that_is_not_there_is_told_at_once() -> None:
    async with meeting() as (doors, phone):
        agreed = await negotiate(doors, phone, TCP)
        doors.close()
        await doors.wait_closed()
        with pytest.raises(ConnectionRefusedError):
            await phone.link.open(agreed)


async def test_closing_ends_with_connection_lost() -> None:
    async with meeting() as (doors, phone):
        await phone.link.open(await negotiate(doors, phone, TCP))
        await phone.link.close()
        assert await phone.hears(ConnectionLost) == ConnectionLost("closed")


async def test_without_a_connection_nothing_can_be_asked() -> None:
    phone = Phone()
    with pytest.raises(LocalProtocolError):
        phone.link.ask(lambda session, now: session.say_hello(now))
    with pytest.raises(HandshakeFailed):
        await phone.link.open(NegotiatedFloors(0, TCP, "c-only", "active", True, FloorStream(TCP, HOST, 9)))
