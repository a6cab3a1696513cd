"""Control's end of the line to a worker: descriptors travel, a busy worker is waited for within bounds, junk is counted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcu.engine import channel as channel_module
from mcu.engine.channel import Channel
from mcu.messages import MAX_MESSAGE, CloseRoom, Heartbeat, Message, OpenRoom, pack, parse

pytestmark = pytest.mark.loopback


@pytest.fixture
def messages() -> list[Message]:
    return []


@pytest.fixture
async def channel(messages: list[Message]) -> AsyncIterator[Channel]:
    channel = Channel(messages.append)
    channel.worker_end.setblocking(False)
    yield channel
    channel.close()
    channel.close()


async def test_descriptors_travel_and_stay_with_the_sender(channel: Channel) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        channel.send(CloseRoom(3), [sock.fileno()])
        data, descriptors, _, _ = socket.recv_fds(channel.worker_end, MAX_MESSAGE, 2)
        with socket.socket(fileno=descriptors[0]) as received:
            assert parse(data) == CloseRoom(3)
            assert received.fileno() != sock.fileno() and received.getsockname() == sock.getsockname()


async def test_a_busy_worker_gets_everything_in_order_when_it_reads_again(channel: Channel) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        name = sock.getsockname()
        for number in range(2000):
            channel.send(CloseRoom(number), [sock.fileno()] if number == 1999 else [])
    assert not channel.is_broken
    received: list[Message] = []
    descriptors: list[int] = []
    async with asyncio.timeout(30):
        while len(received) < 2000:
            try:
                data, descriptors, _, _ = socket.recv_fds(channel.worker_end, MAX_MESSAGE, 2)
                received.append(parse(data))
            except BlockingIOError:
                await asyncio.sleep(0)
    assert received == [CloseRoom(number) for number in range(2000)]
    with socket.socket(fileno=descriptors[0]) as last:
        assert last.getsockname() == name


async def test_a_worker_that_never_reads_breaks_the_line_and_nothing_leaks(channel: Channel,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "MAX_WAITING", 50)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number in range(5000):
            channel.send(OpenRoom(number, "mix", 8), [sock.fileno()] if number % 100 == 0 else [])
    assert channel.is_broken
    channel.close()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


async def test_reports_are_handed_on_and_junk_is_counted(channel: Channel, messages: list[Message]) -> None:
    beat = Heartbeat(1, 2, 3, 4, 5, 6)
    for data in (pack(beat), b"junk", pack(CloseRoom(1))):
        channel.worker_end.send(data)
    async with asyncio.timeout(30):
        while len(messages) < 2:
            await asyncio.sleep(0)
    assert messages == [beat, CloseRoom(1)]
    assert (channel.heartbeats, channel.bad) == (1, 1)


async def test_the_end_of_the_worker_breaks_the_line(channel: Channel) -> None:
    channel.worker_end.close()
    async with asyncio.timeout(30):
        while not channel.is_broken:
            await asyncio.sleep(0)
    channel.send(CloseRoom(1))
