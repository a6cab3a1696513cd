"""The media ports under fire: packets of strangers, before and during a call, and nonsense from the right address."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from confero.testing import Server, start_server
from tests.helpers.crowd import LEVEL_DBFS, Crowd, Person, tone_frames
from tests.helpers.stranger import figures

pytestmark = pytest.mark.loopback

FOREIGN_HOST = "127.0.0.2"
FOREIGN_HZ = 1500
PORTS = 24
RELEARN_S = 2.0
"""How long the known address must be silent before another port of the same host is believed."""
PROBATION = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with so few media ports that all of them can be sprayed on."""
    first = free_range(PORTS)
    running = start_server(tmp_path_factory.mktemp("media-ports") / "server", "--open", "--workers", "1",
                           "--rtp-ports", f"{first}-{first + PORTS - 1}")
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(errors="replace")


def free_range(count: int) -> int:
    """The first of so many ports in a row that are all free, below those that the system hands out."""
    for _ in range(200):
        first = random.randrange(10000, 32000 - count, 2)
        taken: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                taken.append(socket.socket(type=socket.SOCK_DGRAM))
                taken[-1].bind(("127.0.0.1", port))
        except OSError:
            continue
        finally:
            for sock in taken:
                sock.close()
        return first
    raise RuntimeError("no free range of ports")


def rtp(sequence: int, payload: bytes, *, kind: int = 0, first: int = 0x80, ssrc: int = 0xBAD) -> bytes:
    """A packet with a header of our choice."""
    return struct.pack("!BBHII", first, kind, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, ssrc) + payload


class Spray:
    """A thread that sends a loud tone and empty packets to every media port, from one socket. `answers`: what it got back."""

    def __init__(self, ports: range, host: str) -> None:
        self._ports = ports
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self._stop = threading.Event()
        self.sent = self.answers = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Spray:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._count()
        self._socket.close()

    def _run(self) -> None:
        frames = tone_frames(FOREIGN_HZ, -3.0)
        while not self._stop.wait(0.02):
            for port in self._ports:
                for payload in (frames[self.sent % len(frames)], b""):
                    try:
                        self._socket.sendto(rtp(self.sent, payload), ("127.0.0.1", port))
                    except OSError:
                        continue
            self.sent += 1
            self._count()

    def _count(self) -> None:
        while True:
            try:
                self._socket.recv(2048)
            except ConnectionRefusedError:
                continue
            except OSError:
                return
            self.answers += 1


def ports_of(server: Server) -> range:
    """The server's media ports."""
    arguments = server.process.args
    assert isinstance(arguments, list)
    first, last = str(arguments[arguments.index("--rtp-ports") + 1]).split("-")
    return range(int(first), int(last) + 1)


async def seen(server: Server, room: str, count: int = 2) -> dict[str, Any]:
    """The server's figures of a room's members by name, when at least two more rounds of reports have come."""
    await asyncio.sleep(2.2)
    people = await asyncio.to_thread(server.json, "room", "people", room)
    assert len(people) == count
    return {person["name"]: person for person in people}


async def hear_each_other(crowd: Crowd, people: list[Person]) -> None:
    """Assert a clean second of talk: the other's tone at its level, nothing missing."""
    crowd.forget()
    await crowd.talk(2.0)
    for person, other in zip(people, reversed(people), strict=True):
        assert person.level_dbfs(other.hz) == pytest.approx(LEVEL_DBFS, abs=1.0)
        assert person.level_dbfs(person.hz) < LEVEL_DBFS - 30
        assert person.missing == 0


async def test_what_comes_from_another_host_is_not_heard_and_never_answered(server: Server) -> None:
    with Spray(ports_of(server), FOREIGN_HOST) as spray:
        await asyncio.sleep(0.2)
        async with Crowd(server) as crowd:
            people = [await crowd.join("strangers", hz) for hz in (440, 700)]
            await asyncio.sleep(0.5)                # strangers are there before the first packet of the phones
            await crowd.talk(1.0)
            await hear_each_other(crowd, people)
            assert max(person.level_dbfs(FOREIGN_HZ) for person in people) < -60
            facts = await seen(server, "strangers")
            for person in people:
                assert facts[person.name]["packets_in"] == person.position
                assert facts[person.name]["foreign"] > 100
                assert person.stray == 0
    assert spray.sent > 100 and spray.answers == 0


async def test_other_ports_of_the_phones_own_host_stay_out_while_it_sends(server: Server) -> None:
    async with Crowd(server) as crowd:
        people = [await crowd.join("neighbours", hz) for hz in (440, 700)]
        await crowd.talk(0.5)
        with Spray(ports_of(server), "127.0.0.1") as spray:
            await hear_each_other(crowd, people)
            assert max(person.level_dbfs(FOREIGN_HZ) for person in people) < -60
        assert spray.sent > 50 and spray.answers == 0


async def test_nonsense_from_the_right_address_is_counted_and_costs_nothing_else(server: Server) -> None:
    noise = random.Random(5)
    async with Crowd(server) as crowd:
        people = [await crowd.join("nonsense", hz) for hz in (440, 700)]
        await crowd.talk(0.5)
        alice = people[0]
        assert alice.agreed is not None and alice.agreed.remote is not None
        host, port = alice.agreed.remote
        junk = [
            b"", b"\x80", bytes(11), noise.randbytes(160), rtp(1, b"", kind=0), rtp(1, bytes(160), kind=77),
            rtp(1, bytes(160), first=0x40), rtp(1, bytes(160), first=0xC0), rtp(1, b"\xbe\xde", first=0x90),
            rtp(1, b"\xbe\xde\xff\xff" + bytes(156), first=0x90), rtp(1, bytes(8), first=0x8F),
            rtp(1, bytes(159) + b"\xff", first=0xA0), rtp(1, bytes(160), first=0xA0),
            struct.pack("!BBH", 0x80, 200, 6), struct.pack("!BBHI", 0x81, 201, 1, 7), struct.pack("!BBH", 0x9F, 203, 0),
            struct.pack("!BBH", 0x81, 202, 0xFFFF) + bytes(40), b"\x81\xca" + noise.randbytes(62), noise.randbytes(1400),
        ]
        crowd.forget()
        for _ in range(5):
            for data in junk:
                alice.sock.sendto(data, (host, port))
                alice.sock.sendto(data, (host, port + 1))
            await crowd.talk(0.1)
        await crowd.talk(1.0)
        assert [person.missing for person in people] == [0, 0]
        await hear_each_other(crowd, people)
        facts = (await seen(server, "nonsense"))[alice.name]
        assert facts["junk"] >= 5 * 2 * (len(junk) - 3)
        assert facts["packets_in"] == alice.position
        assert [worker["failures"] for worker in figures(server)["workers"]] == [0]


async def test_new_port_of_the_phone_is_learnt_and_answered_there(server: Server) -> None:
    async with Crowd(server) as crowd:
        people = [await crowd.join("moved", hz) for hz in (440, 700)]
        await crowd.talk(1.0)
        alice = people[0]
        before = alice.position
        crowd.rebind(alice)
        alice.heard.clear()
        while not alice.heard and alice.position - before < 3 * RELEARN_S * 50:
            await crowd.talk(0.1)
        assert PROBATION <= alice.position - before < 3 * RELEARN_S * 50
        await crowd.talk(0.5)
        await hear_each_other(crowd, people)


async def test_four_packets_of_another_port_are_not_enough(server: Server) -> None:
    async with Crowd(server) as crowd:
        people = [await crowd.join("probation", hz) for hz in (440, 700)]
        await crowd.talk(1.0)
        alice = people[0]
        assert alice.agreed is not None and alice.agreed.remote is not None
        await asyncio.sleep(RELEARN_S + 0.5)
        with socket.socket(type=socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            other.setblocking(False)
            numbers = [*range(100, 104), *range(200, 204), 7, 9, 11, 13, 15]
            for number in numbers:
                other.sendto(rtp(number, bytes(160)), alice.agreed.remote)
            await crowd.talk(1.0)
            with pytest.raises(BlockingIOError):
                other.recv(2048)
        await hear_each_other(crowd, people)
        assert (await seen(server, "probation"))[alice.name]["foreign"] == len(numbers)
