"""Media workers that die or hang under rooms: their rooms come back by themselves, the others notice nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from confero.testing import Server, start_server
from tests.helpers.crowd import LEVEL_DBFS, Crowd, Person
from tests.helpers.stranger import figures

pytestmark = [pytest.mark.loopback, pytest.mark.alone]

ROOMS = 5
BACK_S = 3.0
"""How long a room may be without sound; tests allow three times as much."""


@pytest.fixture
def server(tmp_path: Any) -> Iterator[Server]:
    """A server with two workers."""
    running = start_server(tmp_path / "server", "--open", "--workers", "2")
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(errors="replace")


async def workers(server: Server) -> list[dict[str, Any]]:
    """The server's figures of its workers."""
    found: list[dict[str, Any]] = (await asyncio.to_thread(figures, server))["workers"]
    return found


def streams(person: Person) -> set[int]:
    """The SSRCs that a phone has heard."""
    return {ssrc for _, _, ssrc, _, _ in person.heard}


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
async def test_rooms_of_a_failed_worker_come_back_and_those_of_the_other_hear_no_gap(server: Server, blow: int) -> None:
    async with Crowd(server) as crowd:
        pairs = [[await crowd.join(f"room-{number}", hz) for hz in (440, 700)] for number in range(ROOMS)]
        await crowd.talk(2.4)                 # by then each leg has a socket of its own
        victim = next(worker for worker in await workers(server) if worker["rooms"] == 3)
        crowd.forget()
        await crowd.talk(0.2)
        before = {person.name: streams(person) for person in crowd.people}
        ports = {person.name: person.agreed for person in crowd.people}
        struck = time.monotonic()
        os.kill(victim["pid"], blow)
        back_s = 0.0
        while time.monotonic() - struck < 3 * BACK_S:
            await crowd.talk(0.1)
            moved = [person for person in crowd.people if streams(person) != before[person.name]]
            if len(moved) == 6 and not back_s:
                back_s = time.monotonic() - struck
                break
        print(f"audio is back after {back_s:.2f} s")
        assert 0 < back_s < 3 * BACK_S
        stayed = [person for person in crowd.people if person not in moved]
        assert len(stayed) == 4 and [person.missing for person in stayed] == [0] * 4
        crowd.forget()
        await crowd.talk(2.0)
        for pair in pairs:
            for person, other in zip(pair, reversed(pair), strict=True):
                assert person.level_dbfs(other.hz) == pytest.approx(LEVEL_DBFS, abs=1.0)
                assert person.level_dbfs(person.hz) < LEVEL_DBFS - 30
                assert (person.missing, len(streams(person)), person.ended) == (0, 1, None)
        assert ports == {person.name: person.agreed for person in crowd.people}
        facts = {worker["pid"]: worker for worker in await workers(server)}
        assert victim["pid"] not in facts
        assert sorted((worker["restarts"], worker["recovered"]) for worker in facts.values()) == [(0, 0), (1, 3)]
        people = await asyncio.to_thread(server.json, "room", "people", "room-0")
        assert all(person["packets_in"] > 100 for person in people)
    with pytest.raises(ProcessLookupError):
        os.kill(victim["pid"], 0)


async def test_mute_and_a_learnt_address_outlive_the_worker(server: Server) -> None:
    async with Crowd(server) as crowd:
        alice, _ = await crowd.join("daily", 440, name="alice"), await crowd.join("daily", 700, name="bob")
        await asyncio.to_thread(server.json, "room", "mute", "daily", "bob")
        await crowd.talk(0.5)
        crowd.rebind(alice)
        alice.heard.clear()
        begun = time.monotonic()
        while not alice.heard and time.monotonic() - begun < 9:
            await crowd.talk(0.1)
        await crowd.talk(1.5)
        before = streams(alice)
        os.kill(next(worker["pid"] for worker in await workers(server) if worker["rooms"]), signal.SIGKILL)
        alice.is_talking = False
        sent, alice_at = alice.position, time.monotonic()
        crowd.people.remove(alice)                  # sends nothing: what comes to it, comes to the address that was learnt
        while streams(alice) <= before and time.monotonic() - alice_at < 3 * BACK_S:
            await crowd.talk(0.1)
        assert streams(alice) > before and alice.position == sent
        alice.heard.clear()
        await crowd.talk(1.0)
        crowd.people.append(alice)
        assert alice.missing == 0 and alice.level_dbfs(700) < -60


async def test_a_room_whose_worker_dies_again_and_again_is_ended(server: Server) -> None:
    async with Crowd(server) as crowd:
        alice = await crowd.join("cursed", 440)
        await crowd.talk(0.6)
        begun = time.monotonic()
        slain: set[int] = set()
        while alice.ended is None and time.monotonic() - begun < 30:
            for worker in await workers(server):
                if worker["pid"] and worker["rooms"] and worker["pid"] not in slain:
                    slain.add(worker["pid"])
                    os.kill(worker["pid"], signal.SIGKILL)
            await crowd.talk(0.1)
        assert len(slain) == 3
        assert alice.ended is not None and "failed" in alice.ended.reason
