"""A call between two through a real worker: payloads untouched, keys by event, delay and CPU time beside the mix."""

from __future__ import annotations

import asyncio
import secrets
import socket
import statistics
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from confero.testing import Server
from mcu.engine.handles import RoomMedia
from mcu.engine.leg import LegMedia
from mcu.engine.notices import DtmfPressed, MediaNotice
from mcu.engine.pool import EngineSettings, WorkerPool
from rtp.dtmf import event_payloads, parse_event
from rtp.packet import RtpPacket, is_rtcp
from rtp.sdp import negotiation
from rtp.sdp.negotiation import LocalMedia
from rtp.sdp.parser import parse
from sip import events
from sip.auth import DigestClient
from sip.headers import NameAddr
from sip.invite import Call
from sip.uri import Uri
from tests.helpers.crowd import CODECS, Crowd, Person, tone_frames
from tests.helpers.ports import free_port
from tests.mcu.test_engine_handles import sdp

pytestmark = pytest.mark.loopback

HOST = "127.0.0.1"
CALLS = 20
SECRET = "swordfish"


class Phone:
    """A plain socket on a leg. `heard`: (packet, when it came)."""

    def __init__(self, leg: LegMedia, formats: str = "0 101") -> None:
        self.leg = leg
        self.heard: list[tuple[RtpPacket, float]] = []
        self.sent: dict[bytes, float] = {}
        self.sequence = self.timestamp = 0
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        leg.answer(sdp(formats=formats, port=self._socket.getsockname()[1], extra="a=rtcp-mux\r\n"))
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def send(self, payload: bytes | None = None, kind: int = 0, units: int = 160) -> None:
        """Send a packet, of noise that is like no other."""
        payload = payload or secrets.token_bytes(160)
        self.sequence += 1
        self.sent[payload] = time.monotonic()
        packet = RtpPacket(kind, self.sequence, self.timestamp, self.leg.leg_id + 1, payload)
        self._socket.sendto(bytes(packet), (HOST, self.leg.local_port))
        self.timestamp += units

    def _read(self) -> None:
        data = self._socket.recv(2048)
        if not is_rtcp(data):
            self.heard.append((RtpPacket.parse(data), time.monotonic()))

    def close(self) -> None:
        """Hang up."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self.leg.release()
        self._socket.close()


class Exchange:
    """A pool with one worker, its notices and phones."""

    def __init__(self) -> None:
        first = free_port()
        self.notices: list[MediaNotice] = []
        self.pool = WorkerPool(EngineSettings(first_port=first, last_port=first + 399), self.notices.append)
        self.phones: list[Phone] = []

    def pair(self, kind: str = "relay") -> tuple[Phone, Phone, RoomMedia]:
        """Two phones in a call."""
        room = self.pool.open_room(kind)
        legs = [room.create_leg(1000 + len(self.phones) + n, local_host=HOST, signalling_host=HOST) for n in range(2)]
        one, other = Phone(legs[0]), Phone(legs[1])
        self.phones += (one, other)
        return one, other, room

    async def talk(self, ticks: int) -> None:
        """Everybody sends a packet every 20 ms."""
        due = time.monotonic()
        for _ in range(ticks):
            for phone in self.phones:
                phone.send()
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def cpu_s(self) -> float:
        """CPU time of the worker so far, as of a heartbeat from now on."""
        before = self.pool.figures()[0].cpu_s
        async with asyncio.timeout(20):
            while (now := self.pool.figures()[0].cpu_s) == before:
                await asyncio.sleep(0.02)
        return now


class Users(Crowd):
    """Light phones of accounts: they register, call each other and answer."""

    async def register(self, name: str) -> DigestClient:
        """Make an account and register its phone; the credentials."""
        await asyncio.to_thread(self.server.cli, "user", "add", name, "--password", SECRET)
        credentials = DigestClient(name, SECRET)
        registration = self.endpoint.register(Uri("sip", None, self.server.host), aor=self._aor(name), flow=self._flow(),
                                              contact=self._contact(name), now=self.driver.now(), credentials=credentials)
        self.driver.pump()
        async with asyncio.timeout(10):
            while not registration.is_active:
                await asyncio.sleep(0.02)
        return credentials

    async def call(self, name: str, caller: str, credentials: DigestClient, hz: float) -> Person:
        """Call somebody and wait for the answer."""
        sock = self._media_socket()
        port = sock.getsockname()[1]
        offer = negotiation.offer(CODECS, LocalMedia(self.host, port, port), session_id=1, version=1)
        call = self.endpoint.invite(Uri.parse(self.server.uri(name)), from_=self._aor(caller), flow=self._flow(),
                                    contact=self._contact(caller), now=self.driver.now(), offer=bytes(offer),
                                    credentials=credentials)
        person = self._seat(caller, hz, call, sock)
        call.data = (person, offer)
        self.driver.pump()
        async with asyncio.timeout(10):
            await person.answered
        return person

    def _seat(self, name: str, hz: float, call: Call, sock: socket.socket) -> Person:
        person = Person(name, hz, call, sock, tone_frames(hz), asyncio.get_running_loop().create_future())
        asyncio.get_running_loop().add_reader(sock.fileno(), self._on_media, person)
        self.people.append(person)
        return person

    def _on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.CallReceived):
            super()._on_event(event)
            return
        sock = self._media_socket()
        port = sock.getsockname()[1]
        person = self._seat("callee", 700, event.call, sock)
        answer, person.agreed = negotiation.answer(parse(event.offer or b""), CODECS, LocalMedia(self.host, port, port),
                                                   session_id=2, version=1)
        event.call.data = (person, answer)
        person.answered.set_result(None)
        event.call.accept(bytes(answer), self.driver.now(), contact=self._contact("bob"),
                          headers=[("Contact", NameAddr(self._contact("bob")))])


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    exchange = Exchange()
    async with exchange.pool:
        yield exchange
        for phone in exchange.phones:
            phone.close()


async def test_noise_goes_over_bit_by_bit_both_ways_without_waiting_for_the_tick(exchange: Exchange) -> None:
    one, other, _ = exchange.pair()
    async with asyncio.timeout(20):
        while exchange.pool.figures()[0].legs < 2:
            await asyncio.sleep(0.02)
    await exchange.talk(100)
    await asyncio.sleep(0.2)
    for sender, receiver in ((one, other), (other, one)):
        assert [packet.payload for packet, _ in receiver.heard] == list(sender.sent)
        numbers = [packet.sequence for packet, _ in receiver.heard]
        assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
        delays = [came - sender.sent[packet.payload] for packet, came in receiver.heard]
        print(f"delay: {statistics.median(delays) * 1000:.1f} ms at the median")
        assert statistics.median(delays) < 3 * 0.01


async def test_keys_arrive_as_events_also_where_the_codecs_differ(exchange: Exchange) -> None:
    room = exchange.pool.open_room("relay")
    legs = [room.create_leg(n, local_host=HOST, signalling_host=HOST) for n in (1, 2)]
    one, other = Phone(legs[0]), Phone(legs[1], "8 101")
    exchange.phones += (one, other)
    await exchange.talk(30)
    for payload, _ in event_payloads("9", 160, 5):
        one.send(payload, 101, 0)
    await exchange.talk(30)
    assert {parse_event(packet.payload)[0] for packet, _ in other.heard if packet.payload_type == 101} == {9}
    assert sum(packet.payload_type == 8 for packet, _ in other.heard) > 30
    assert exchange.notices.count(DtmfPressed(room.room_id, 1, "9")) == 1


async def test_a_relayed_call_costs_less_than_a_mixed_one(exchange: Exchange) -> None:
    cost = {}
    for kind in ("mix", "relay"):
        calls = [exchange.pair(kind) for _ in range(CALLS)]
        await exchange.talk(25)
        begun = await exchange.cpu_s()
        await exchange.talk(100)
        cost[kind] = (await exchange.cpu_s() - begun) / CALLS / 2 * 1000
        for one, other, room in calls:
            one.close()
            other.close()
            room.close()
        exchange.phones.clear()
    print({kind: f"{ms:.2f} ms of CPU a call-second" for kind, ms in cost.items()})
    assert cost["relay"] < cost["mix"]


async def test_two_users_hear_each_others_very_packets(server: Server) -> None:
    async with Users(server) as users:
        await users.register("bob")
        alice = await users.call("bob", "alice", await users.register("alice"), 440)
        (bob,) = [person for person in users.people if person is not alice]
        await users.talk(2.0)
        await asyncio.sleep(0.2)
        for person, other in ((alice, bob), (bob, alice)):
            payloads = [payload for *_, payload, _ in person.heard]
            assert other.position - 5 <= len(payloads) <= other.position and set(payloads) <= set(other.frames)
            assert (person.missing, person.stray) == (0, 0)
