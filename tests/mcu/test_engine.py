"""The pool with real workers and sockets: a room end to end, the death of a worker, many rooms beside each other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import numpy as np
import pytest

from mcu.engine.handles import RoomMedia
from mcu.engine.leg import LegMedia
from mcu.engine.notices import DtmfPressed, LegSilent, MediaNotice, RoomLost, SpeakersChanged
from mcu.engine.pool import EngineSettings, WorkerPool
from rtp.codecs.registry import create_decoder, create_encoder
from rtp.dtmf import event_payloads
from rtp.packet import RtpPacket, is_rtcp
from tests.helpers.ports import free_port
from tests.helpers.tones import Signal, level_dbfs
from tests.mcu.test_engine_handles import sdp

pytestmark = pytest.mark.loopback

LIMIT_S = 30.0


class Phone:
    """A plain socket that sends a tone and keeps what it gets."""

    def __init__(self, leg: LegMedia, hz: float, host: str = "127.0.0.1") -> None:
        self.leg = leg
        self.host = host
        self.hz = hz
        self.packets: list[RtpPacket] = []
        self.sequence = self.timestamp = 0
        self._encoder = create_encoder("pcmu")
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        leg.answer(sdp(host=host, port=self._socket.getsockname()[1], extra="a=rtcp-mux\r\n"))

    def send(self, payload: bytes, kind: int = 0) -> None:
        """Send a packet."""
        self.sequence += 1
        packet = RtpPacket(kind, self.sequence, self.timestamp, self.leg.leg_id + 1, payload)
        self._socket.sendto(bytes(packet), (self.host, self.leg.local_port))

    def talk(self) -> None:
        """Send 20 ms of tone and read what is there."""
        phase = (np.arange(960) + self.timestamp * 6) * (2 * np.pi * self.hz / 48000)
        self.send(self._encoder.encode(np.rint(4600 * np.sin(phase)).astype(np.int16)))
        self.timestamp += 160
        with contextlib.suppress(BlockingIOError):
            while data := self._socket.recv(2048):
                if not is_rtcp(data):
                    self.packets.append(RtpPacket.parse(data))

    def heard(self) -> Signal:
        """The last second."""
        decoder = create_decoder("pcmu")
        return np.concatenate([decoder.decode(packet.payload) for packet in self.packets[-50:]]) / 32768.0

    def close(self) -> None:
        """Hang up."""
        self.leg.release()
        self._socket.close()


class Engine:
    """A pool and the notices that came from it."""

    def __init__(self, settings: EngineSettings) -> None:
        self.notices: list[MediaNotice] = []
        self.pool = WorkerPool(settings, self.notices.append)
        self.phones: list[Phone] = []

    def phone(self, room: RoomMedia, hz: float, host: str = "127.0.0.1") -> Phone:
        """A phone in a room."""
        leg = room.create_leg(1000 + len(self.phones), local_host=host, signalling_host=host)
        self.phones.append(Phone(leg, hz, host))
        return self.phones[-1]

    async def talk(self, ticks: int) -> None:
        """All talk for a while, on an absolute clock."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for tick in range(1, ticks + 1):
            for phone in self.phones:
                phone.talk()
            await asyncio.sleep(begun + tick * 0.02 - loop.time())


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    first = free_port()
    engine = Engine(EngineSettings(workers=2, first_port=first, last_port=first + 399, silence_s=1.5))
    async with engine.pool:
        yield engine
        for phone in engine.phones:
            phone.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to be so, not for long."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.05)


def lost(engine: Engine) -> list[int]:
    return [notice.room_id for notice in engine.notices if isinstance(notice, RoomLost)]


async def test_three_phones_hear_each_other_and_not_themselves_in_contiguous_packets(engine: Engine) -> None:
    room = engine.pool.open_room()
    tones = (450.0, 710.0, 1130.0)
    phones = [engine.phone(room, hz) for hz in tones]
    await engine.talk(120)
    for phone in phones:
        for hz in tones:
            level = level_dbfs(48000, phone.heard(), hz)
            assert level < -55 if hz == phone.hz else abs(level + 20.1) < 1.5
        sequences = [packet.sequence for packet in phone.packets]
        assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(sequences))
    assert any(isinstance(notice, SpeakersChanged) and len(notice.leg_ids) == 3 for notice in engine.notices)
    await until(lambda: phones[0].leg.statistics.packets_in >= 120)
    assert phones[0].leg.statistics.lost == 0


async def test_rooms_go_to_the_least_loaded_worker_and_nothing_leaks_between_them(engine: Engine) -> None:
    rooms = [engine.pool.open_room() for _ in range(4)]
    pairs = [(engine.phone(room, 400 + 130 * n), engine.phone(room, 460 + 130 * n)) for n, room in enumerate(rooms)]
    await until(lambda: [worker.rooms for worker in engine.pool.figures()] == [2, 2])
    await until(lambda: [worker.legs for worker in engine.pool.figures()] == [4, 4])       # as their heartbeats tell
    await engine.talk(90)
    for number, (phone, other) in enumerate(pairs):
        heard = phone.heard()
        assert abs(level_dbfs(48000, heard, other.hz) + 20.1) < 1.5
        assert all(level_dbfs(48000, heard, 400 + 130 * n) < -50 for n in range(4) if abs(n - number) > 0)


async def test_media_over_ipv6_reaches_the_room(engine: Engine) -> None:
    room = engine.pool.open_room()
    six, four = engine.phone(room, 450, "::1"), engine.phone(room, 710)
    await engine.talk(80)
    assert level_dbfs(48000, six.heard(), 710) > -22 and level_dbfs(48000, four.heard(), 450) > -22


async def test_keys_are_told_and_a_muted_leg_is_not_heard(engine: Engine) -> None:
    room = engine.pool.open_room()
    talker, listener = engine.phone(room, 710), engine.phone(room, 450)
    await engine.talk(60)
    for payload, _ in event_payloads("6", 160, 4):
        listener.send(payload, 101)
    talker.leg.set_muted(True)
    await engine.talk(80)
    assert DtmfPressed(room.room_id, listener.leg.leg_id, "6") in engine.notices
    assert level_dbfs(48000, listener.heard(), 710) < -60


async def test_a_phone_that_sends_nothing_is_told_silent_once(engine: Engine) -> None:
    room = engine.pool.open_room()
    phone = engine.phone(room, 710)
    await engine.talk(20)
    await until(lambda: LegSilent(room.room_id, phone.leg.leg_id) in engine.notices)
    await until(lambda: phone.leg.statistics.silent_ms > 3500)
    assert engine.notices.count(LegSilent(room.room_id, phone.leg.leg_id)) == 1


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_worker_that_dies_or_hangs_is_replaced_and_its_rooms_go_on(engine: Engine, blow: int) -> None:
    rooms = [engine.pool.open_room() for _ in range(2)]
    pairs = [(engine.phone(room, 450), engine.phone(room, 710)) for room in rooms]
    await until(lambda: [worker.legs for worker in engine.pool.figures()] == [2, 2])
    await engine.talk(70)
    victim, counted = engine.pool.figures()[0].pid, pairs[0][0].leg.statistics.packets_in
    assert counted > 0
    os.kill(victim, blow)
    await until(lambda: engine.pool.figures()[0].legs == 2 and engine.pool.figures()[0].pid not in (0, victim))
    await engine.talk(90)
    for pair in pairs:
        assert level_dbfs(48000, pair[0].heard(), 710) > -22 and level_dbfs(48000, pair[1].heard(), 450) > -22
    for phone in pairs[1]:
        assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(phone.packets))
    await until(lambda: pairs[0][0].leg.statistics.packets_in > counted + 40)
    assert [(worker.restarts, worker.recovered) for worker in engine.pool.figures()] == [(1, 1), (0, 0)]
    assert engine.pool.figures()[0].recovery_s > 0 and not lost(engine)
    with pytest.raises(ProcessLookupError):
        os.kill(victim, 0)


async def test_a_room_whose_worker_dies_again_and_again_is_lost_and_its_handles_do_nothing(engine: Engine) -> None:
    room = engine.pool.open_room()
    phone = engine.phone(room, 450)
    slain: set[int] = set()

    def is_lost() -> bool:
        place = engine.pool.figures()[0]
        if place.pid and place.legs and place.pid not in slain:
            slain.add(place.pid)
            os.kill(place.pid, signal.SIGKILL)
        return lost(engine) == [room.room_id]

    await until(is_lost)
    assert len(slain) == 3
    phone.leg.set_muted(True)
    phone.close()
    engine.phones.remove(phone)
    room.close()


async def test_ports_come_back_when_calls_end(engine: Engine) -> None:
    room = engine.pool.open_room("echo")
    for _ in range(2):
        legs = [room.create_leg(5000 + n, local_host="127.0.0.1", signalling_host="127.0.0.1") for n in range(150)]
        for leg in legs:
            leg.answer(sdp())
        await until(lambda: sum(worker.legs for worker in engine.pool.figures()) == 150)
        for leg in legs:
            leg.release()
        await until(lambda: sum(worker.legs for worker in engine.pool.figures()) == 0)


async def test_workers_end_with_the_pool() -> None:
    first = free_port()
    async with WorkerPool(EngineSettings(first_port=first, last_port=first + 9), lambda notice: None) as pool:
        pids = [worker.pid for worker in pool.figures()]
    assert pids[0] > 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(ValueError, match="kind"):
        pool.open_room("disco")
