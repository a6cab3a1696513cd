"""Doors of floor control on loopback: TCP, TLS and UDP with real sockets, and who is not let in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from mcu.floor import Event, FloorEnded, FloorGranted, FloorId, Floors, FloorSettings, RevokeFloor
from mcu.floor_control import FloorControl
from mcu.floor_door import MAX_PER_S, Budget, FloorDoors
from mcu.participant import ParticipantId
from rtp.keying.certificate import Certificate
from rtp.sdp.floor_control import TCP, TLS, UDP, FloorStream, NegotiatedFloors
from sip.bfcp.attributes import ErrorCode, ErrorValue, Status
from sip.bfcp.client import ClientSession
from sip.bfcp.events import ErrorReceived, FloorStatusChanged, GoodbyeReceived, HelloAcknowledged, UserStatusReceived
from sip.bfcp.message import Message, Primitive, parse
from tests.helpers.floor_phone import FloorPhone
from tests.helpers.ports import free_port
from tests.rtp.keying.certificates import ALICE, BOB, MALLORY

pytestmark = pytest.mark.loopback

HOST, CONFERENCE = "127.0.0.1", 0xBFC
CERTIFICATES = {1: ALICE, 2: MALLORY}
"""Of members 1 and 2. BOB's is the server's."""


@dataclass
class Room:
    """A conference with doors, and phones at them."""

    doors: FloorDoors
    events: list[Event]
    addresses: dict[int, tuple[str, int]] = field(default_factory=dict)
    phones: list[FloorPhone] = field(default_factory=list)

    async def door(self, number: int, protocol: str, *, hosts: frozenset[str] = frozenset({HOST}),
                   remote: tuple[str, int] | None = None) -> int:
        """A member with a door that awaits them; their user id. remote: that we connect to."""
        participant = ParticipantId(number)
        user_id = self.doors.control.join(participant, f"Member {number}", f"sip:{number}@example.org")
        self.addresses[number] = self.doors.open(participant, protocol, HOST)
        prints = (CERTIFICATES[number].fingerprint(),) if protocol == TLS else ()
        setup = "" if protocol == UDP else "active" if remote else "passive"
        peer = FloorStream(protocol, *(remote or (None, 9)), fingerprints=prints)
        self.doors.admit(participant, NegotiatedFloors(0, protocol, "s-only", setup, True, peer), hosts)
        return user_id

    async def phone(self, number: int, protocol: str, user_id: int, certificate: Certificate | None = None) -> FloorPhone:
        """A phone that connects to a member's door."""
        certificate = certificate or CERTIFICATES[number]
        phone = await FloorPhone.connect(protocol, self.addresses[number], CONFERENCE, user_id, certificate, BOB.fingerprint())
        self.phones.append(phone)
        return phone

    async def member(self, number: int, protocol: str) -> FloorPhone:
        """A member whose phone is there, and has been answered."""
        phone = await self.phone(number, protocol, await self.door(number, protocol))
        phone.session.say_hello(asyncio.get_running_loop().time())
        phone.flush()
        await phone.wait_for(HelloAcknowledged)
        return phone


@asynccontextmanager
async def room(**settings: float) -> AsyncIterator[Room]:
    """A conference whose host is member 9."""
    events: list[Event] = []
    floors = Floors(FloorSettings(**settings))            # type: ignore[arg-type]
    made = Room(FloorDoors(FloorControl(CONFERENCE, floors, lambda who: who == 9), events.append, BOB), events)
    try:
        yield made
    finally:
        for phone in made.phones:
            await phone.close()
        made.doors.close()
        await made.doors.wait_closed()


@pytest.mark.parametrize("protocol", [TCP, TLS, UDP])
async def test_two_phones_pass_the_floor_between_them(protocol: str) -> None:
    async with room() as made:
        alice, bob = await made.member(1, protocol), await made.member(2, protocol)
        first = await alice.ask(FloorId.SCREEN)
        second = await bob.ask(FloorId.SCREEN)
        assert (first.status, second.status) == (Status.GRANTED, Status.ACCEPTED)
        alice.session.release(first.request_id, 0.0)
        alice.flush()
        await alice.status(Status.RELEASED)
        await bob.status(Status.GRANTED)
        made.doors.execute(RevokeFloor(second.request_id), None)
        await bob.status(Status.REVOKED)
        assert [type(event) for event in made.events if isinstance(event, FloorGranted | FloorEnded)] == [
            FloorGranted, FloorEnded, FloorGranted, FloorEnded]


async def test_consent_across_transports() -> None:
    async with room() as made:
        alice, bob = await made.member(1, TLS), await made.member(2, UDP)
        await alice.ask(FloorId.SCREEN)
        alice.session.watch_floors((FloorId.CONTROL,), 0.0)
        alice.flush()
        await alice.wait_for(FloorStatusChanged)
        request = await bob.ask(FloorId.CONTROL, "let me show you")
        told = await alice.wait_for(FloorStatusChanged)
        assert [(each.request_id, each.info) for each in told.requests] == [(request.request_id, "let me show you")]
        alice.session.decide(request.request_id, FloorId.CONTROL, Status.GRANTED, 0.0)
        alice.flush()
        await bob.status(Status.GRANTED)


async def test_an_owner_who_does_not_answer_has_said_no() -> None:
    async with room(answer_s=0.1) as made:
        alice, bob = await made.member(1, TCP), await made.member(2, TCP)
        await alice.ask(FloorId.SCREEN)
        await bob.ask(FloorId.CONTROL)
        await bob.status(Status.DENIED)


async def test_a_controller_who_does_nothing_loses_control() -> None:
    async with room(idle_s=0.1) as made:
        alice, bob = await made.member(1, TCP), await made.member(2, TCP)
        await alice.ask(FloorId.SCREEN)
        request = await bob.ask(FloorId.CONTROL)
        alice.session.decide(request.request_id, FloorId.CONTROL, Status.GRANTED, 0.0)
        alice.flush()
        await bob.status(Status.GRANTED)
        await bob.status(Status.REVOKED)


async def test_a_connection_that_breaks_gives_the_floor_back() -> None:
    async with room() as made:
        alice, bob = await made.member(1, TCP), await made.member(2, TCP)
        await alice.ask(FloorId.SCREEN)
        await bob.ask(FloorId.SCREEN)
        await alice.close()
        await bob.status(Status.GRANTED)


async def test_a_member_who_leaves_hears_goodbye() -> None:
    async with room() as made:
        alice = await made.member(1, TCP)
        made.doors.leave(ParticipantId(1))
        await alice.wait_for(GoodbyeReceived)
        await alice.is_closed()


async def test_we_connect_to_a_phone_that_waits() -> None:
    arrived: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await arrived.put((reader, writer))

    server = await asyncio.start_server(accept, HOST, 0)
    async with room() as made:
        user_id = await made.door(1, TCP, remote=server.sockets[0].getsockname()[:2])
        phone = FloorPhone(ClientSession(CONFERENCE, user_id, is_reliable=True))
        made.phones.append(phone)
        phone.attach(*await asyncio.wait_for(arrived.get(), 10.0))
        assert (await phone.ask(FloorId.SCREEN)).status == Status.GRANTED
    server.close()


async def test_another_certificate_is_not_let_in_and_the_right_one_is() -> None:
    async with room() as made:
        user_id = await made.door(1, TLS)
        stranger = await made.phone(1, TLS, user_id, MALLORY)
        await stranger.is_closed()
        assert made.doors.control.users[ParticipantId(1)].session is None
        phone = await made.phone(1, TLS, user_id)
        phone.session.say_hello(0.0)
        phone.flush()
        await phone.wait_for(HelloAcknowledged)


async def test_another_host_is_not_let_in() -> None:
    async with room() as made:
        user_id = await made.door(1, TCP, hosts=frozenset({"192.0.2.7"}))
        stranger = await made.phone(1, TCP, user_id)
        await stranger.is_closed()
        assert made.doors.refused == 1
        user_id = await made.door(2, UDP, hosts=frozenset({"192.0.2.7"}))
        await _is_ignored(await made.phone(2, UDP, user_id), made, 2)


async def test_a_second_connection_is_not_let_in_while_the_first_lives() -> None:
    async with room() as made:
        alice = await made.member(1, TCP)
        await (await made.phone(1, TCP, 1)).is_closed()
        assert (await alice.ask(FloorId.SCREEN)).status == Status.GRANTED


async def test_over_udp_the_first_right_message_fixes_the_address() -> None:
    async with room() as made:
        user_id = await made.door(1, UDP)
        await _is_ignored(await made.phone(1, UDP, 4000), made, 1)
        phone = await made.phone(1, UDP, user_id)
        assert (await phone.ask(FloorId.SCREEN)).status == Status.GRANTED
        await _is_ignored(await made.phone(1, UDP, user_id), made, 1)


async def _is_ignored(phone: FloorPhone, made: Room, number: int) -> None:
    """The phone says Hello, which is dropped and not answered."""
    door = made.doors._doors[ParticipantId(number)]
    before = door.dropped                                                  # type: ignore[union-attr]
    phone.session.say_hello(0.0)
    phone.flush()
    async with asyncio.timeout(10.0):
        while door.dropped == before:                                      # type: ignore[union-attr]
            await asyncio.sleep(0.01)
    assert phone.received.empty()


@pytest.mark.parametrize("protocol", [TCP, UDP])
async def test_forged_user_and_conference_get_an_error(protocol: str) -> None:
    async with room() as made:
        alice, _ = await made.member(1, protocol), await made.member(2, protocol)
        alice.received = asyncio.Queue()
        version = 2 if protocol == UDP else 1
        for conference, user, code in ((CONFERENCE, 2, ErrorValue.UNAUTHORIZED), (CONFERENCE, 77, ErrorValue.NO_SUCH_USER),
                                       (1, 1, ErrorValue.NO_SUCH_CONFERENCE)):
            alice.say(bytes(Message(Primitive.HELLO, conference, 1000 + code, user, version=version)))
            answer = parse(await asyncio.wait_for(alice.received.get(), 10.0))
            assert (answer.primitive, answer.transaction_id) == (Primitive.ERROR, 1000 + code)
            assert answer.attributes[0] == ErrorCode(code)
        assert made.doors.control.floors.requests() == ()


async def test_bytes_that_are_no_bfcp_end_their_own_connection_only() -> None:
    async with room() as made:
        alice, bob = await made.member(1, TCP), await made.member(2, TCP)
        await bob.ask(FloorId.SCREEN)
        alice.say(b"GET / HTTP/1.1\r\n\r\n")
        await alice.is_closed()
        assert made.doors.control.floors.grant_of(FloorId.SCREEN) is not None
        bob.session.query_user(0.0)
        bob.flush()
        assert len((await bob.wait_for(UserStatusReceived)).requests) == 1


async def test_a_stream_that_sends_too_much_is_closed() -> None:
    async with room() as made:
        alice, bob = await made.member(1, TCP), await made.member(2, TCP)
        (line,) = made.doors._doors[ParticipantId(1)]._lines.values()                               # type: ignore[union-attr]
        line.budget = Budget(0)
        alice.session.say_hello(0.0)
        alice.flush()
        await alice.is_closed()
        assert (await bob.ask(FloorId.SCREEN)).status == Status.GRANTED


async def test_a_flood_is_not_answered_and_costs_nobody_else_anything() -> None:
    async with room() as made:
        alice, bob = await made.member(1, UDP), await made.member(2, UDP)
        for number in range(1000, 3000):
            alice.say(bytes(Message(Primitive.HELLO, CONFERENCE, number, 1, version=2)))
        assert (await bob.ask(FloorId.SCREEN)).status == Status.GRANTED
        assert alice.received.qsize() <= 3 * MAX_PER_S


def test_a_budget_counts_each_second_anew() -> None:
    budget = Budget(2)
    assert [budget.allows(12, now) for now in (0.1, 0.2, 0.3, 1.0)] == [True, True, False, True]


def test_many_messages_in_one_piece_cost_as_much_as_many_pieces() -> None:
    assert not Budget(100).allows(12 * 600, 0.0) and Budget(100).allows(3000, 0.0)


async def test_a_refusal_arrives_with_its_code() -> None:
    async with room() as made:
        alice = await made.member(1, TCP)
        alice.session.request_floor(3, 0.0)
        alice.flush()
        assert (await alice.wait_for(ErrorReceived)).code == ErrorValue.INVALID_FLOOR_ID


@pytest.mark.parametrize("protocol", [TCP, UDP])
async def test_a_door_takes_the_first_free_port_of_those_it_may_use(protocol: str) -> None:
    taken = socket.socket(type=socket.SOCK_DGRAM if protocol == UDP else socket.SOCK_STREAM)
    with taken:
        taken.bind((HOST, 0))
        if protocol == TCP:
            taken.listen()
        first, second = taken.getsockname()[1], free_port()
        doors = FloorDoors(FloorControl(CONFERENCE, Floors(FloorSettings()), lambda _: False), lambda _: None,
                           ports=lambda: (first, second))
        assert doors.open(ParticipantId(1), protocol, HOST)[1] == second
        with pytest.raises(OSError):
            doors.open(ParticipantId(2), protocol, HOST)
        doors.close()
        await doors.wait_closed()
