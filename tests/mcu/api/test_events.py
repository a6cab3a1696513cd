"""The bus and the event feed on a real socket: what is told, to whom, and what happens to who is slow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mcu.api.server import HttpServer
from mcu.bus import Bus
from mcu.floor import FloorId, RequestFloor, StopFloors
from tests.helpers.front import Front
from tests.helpers.house import DOMAIN, House

pytestmark = pytest.mark.loopback
PATH = "api/v1/events"


class Served(Front):
    """An open house behind a real port."""

    url: str

    def events(self, token: str | None, **headers: str) -> connect:
        """A listener."""
        bearer = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return connect(self.url.replace("http", "ws") + PATH, additional_headers={**bearer, **headers}, proxy=None)


@pytest.fixture
async def front() -> AsyncIterator[Served]:
    """An open server."""
    served = Served(House(is_open=True))
    async with HttpServer(served.app, ("127.0.0.1",), 0) as server:
        served.url = server.urls[0]
        yield served


async def until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of a kind."""
    async with asyncio.timeout(20):
        while True:
            event: dict[str, Any] = json.loads(await socket.recv())
            if event["event"] == kind:
                return event


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """Code and words of the end, after what else comes."""
    async with asyncio.timeout(20):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as error:
            assert error.rcvd is not None
            return error.rcvd.code, error.rcvd.reason


async def test_who_joins_is_muted_and_leaves_is_told_in_order(front: Served) -> None:
    house = front.house
    async with front.events(front.token("read")) as socket:
        call = house.phone("ann").call(f"sip:daily@{DOMAIN}")
        house.run(1.0)
        front.administration.execute("room.mute", {"name": "daily", "who": "ann"})
        front.administration.execute("room.lock", {"name": "daily"})
        call.hang_up(house.time)
        house.run(1.0)
        joined = await until(socket, "participant-joined")
        assert (joined["room"], joined["participant"]["name"]) == ("daily", "Ann")
        changed = await until(socket, "participant-changed")
        assert changed["participant"]["is_muted"] is True and changed["number"] > joined["number"]
        assert (await until(socket, "lock-changed"))["locked"] is True
        assert (await until(socket, "participant-left"))["participant"]["id"] == joined["participant"]["id"]


async def test_a_room_that_is_watched_comes_with_its_figures_whatever_else_is_said(front: Served) -> None:
    front.house.phone("ann").call(f"sip:daily@{DOMAIN}")
    front.house.run(1.0)
    async with front.events(front.token("read")) as socket:
        for nonsense in ("{", "[]", '{"watch": 7}', "[" * 3000, '{"listen": "daily"}', '{"watch": "Daily"}'):
            await socket.send(nonsense)
        shown = await until(socket, "people")
        while not shown["people"]:
            shown = await until(socket, "people")
        assert shown["people"][0]["name"] == "Ann" and shown["room"] == "daily"
        assert {"level_dbov", "loss_percent", "jitter_ms", "mos"} <= shown["people"][0].keys()
    async with front.events(front.token("read")) as socket:
        await socket.send("x" * 100_000)
        assert (await closed(socket))[0] == 1009


async def test_an_owner_is_told_of_the_own_rooms_alone(front: Served) -> None:
    front.house.member("alice")
    front.house.directory.add_room("mine", owner="alice")
    origin = front.url.rstrip("/")
    client = await asyncio.to_thread(front.page, "alice", "secret-of-alice", origin)
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    async with front.events(None, Cookie=cookie, Origin=origin) as socket:
        front.bus.publish("lock-changed", room="other", locked=True)
        front.bus.publish("call-ended", room=None)
        front.bus.publish("lock-changed", room="mine", locked=True)
        assert json.loads(await socket.recv())["room"] == "mine"
    with pytest.raises(InvalidStatus, match="403"):
        await front.events(None, Cookie=cookie, Origin="https://evil.example")


@pytest.mark.parametrize("token", [None, "confero_AAAA"])
async def test_a_stranger_gets_no_events(front: Served, token: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await front.events(token)
    assert refused.value.response.status_code == 401 and b"token" in refused.value.response.body
    assert front.bus.subscribers == 0


async def test_a_slow_feed_ends_and_the_others_go_on() -> None:
    bus = Bus(lambda: 5.0)
    slow, quick = bus.subscribe(size=3), bus.subscribe(size=10)
    for number in range(5):
        bus.publish("tick", n=number)
    assert await slow.next() is None and slow.is_overrun
    assert [(await quick.next() or {})["n"] for _ in range(5)] == list(range(5))
    assert (bus.subscribers, bus.overruns, bus.published) == (1, 1, 5)


async def test_a_listener_that_is_too_slow_is_told_so(front: Served) -> None:
    async with front.events(front.token("read")) as socket:
        for number in range(2000):
            front.bus.publish("tick", n=number)
        code, reason = await closed(socket)
        assert code == 1013 and "too slow" in reason
    assert front.bus.subscribers == 0


async def test_the_feed_ends_with_its_token(front: Served) -> None:
    token = front.administration.tokens.add("short", "read")[1]
    async with front.events(token) as socket:
        front.bus.publish("lock-changed", room="daily")
        await until(socket, "lock-changed")
        front.administration.execute("token.del", {"name": "short"})
        front.bus.publish("lock-changed", room="daily")
        assert await closed(socket) == (1008, "the token, the session or the account is gone")


async def test_a_floor_that_is_granted_and_taken_is_told(front: Served) -> None:
    house = front.house
    call = house.phone("ann").call(f"sip:daily@{DOMAIN}")
    house.run(1.0)
    focus = house.switchboard.foci["daily"]
    (member,) = focus.members.values()
    feed = front.bus.subscribe()
    focus.floors.execute(RequestFloor(FloorId.SCREEN), member.id)
    focus.floors.execute(StopFloors("enough"), None)
    call.hang_up(house.time)
    house.run(1.0)
    told: list[dict[str, Any]] = []
    while not told or told[-1]["event"] != "participant-left":
        event = await feed.next()
        assert event is not None
        told.append(event)
    granted, ended = (event for event in told if event["event"].startswith("floor-"))
    assert (granted["event"], granted["floor"], granted["participant"]) == ("floor-granted", "screen", str(member.id))
    assert (ended["event"], ended["reason"]) == ("floor-ended", "enough")
