"""A meeting with a lobby over real sockets: who hears whom at each verb of its host, and what is left of it after kill -9."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from confero.testing import start_server
from tests.helpers import tones
from tests.helpers.crowd import Crowd, Person

pytestmark = pytest.mark.loopback

HEARD_DBFS, SILENT_DBFS = -26.0, -36.0
"""Tones are sent at -20 dBFS; prompts and music have something everywhere."""
PIN, HOST_PIN = "246810", "135790"


def hears(person: Person, hz: float) -> bool | None:
    """Whether a tone is in the last 0.2 s of what came to somebody; None when it is neither there nor gone."""
    sound = person.sound()[-1600:]
    level = tones.level_dbfs(8000, sound, hz) if len(sound) == 1600 else tones.FLOOR_DBFS
    return True if level > HEARD_DBFS else False if level < SILENT_DBFS else None


async def until(crowd: Crowd, condition: Callable[[], bool]) -> None:
    """Talk until something is so of what came in the last third of a second, 15 s at most."""
    async with asyncio.timeout(15):
        while True:
            crowd.forget()                                      # in another room a stream begins anew, with other numbers
            await crowd.talk(0.34)
            if condition():
                return


async def test_what_the_host_says_is_heard_and_outlasts_a_killed_server(tmp_path: Path) -> None:
    server = start_server(tmp_path / "server")
    try:
        server.json("room", "create", "daily", "--pin", PIN, "--host-pin", HOST_PIN, "--lobby")
        async with Crowd(server) as crowd:
            host = await crowd.join(f"daily.{HOST_PIN}", 440, subscribes=True)
            guest = await crowd.join(f"daily.{PIN}", 700, name="guest", subscribes=True)
            await until(crowd, lambda: tones.rms_dbfs(guest.sound()) > -50)                 # music
            assert not hears(host, 700) and not hears(guest, 440)
            assert guest.names == ["guest"] and guest.roster is not None and guest.roster.meeting.is_waiting
            await until(crowd, lambda: host.roster is not None and len(host.roster.meeting.lobby) == 1)
            assert await crowd.say(guest, "/admit guest") == 403
            assert await crowd.say(host, "/admit guest") == 200
            await until(crowd, lambda: bool(hears(host, 700) and hears(guest, 440)))
            for verb, undone, ear, hz in (("/mute guest", "/unmute guest", host, 700), ("/suspend", "/resume", guest, 440)):
                assert await crowd.say(host, verb) == 200
                await until(crowd, lambda ear=ear, hz=hz: hears(ear, hz) is False)                  # type: ignore[misc]
                assert await crowd.say(host, undone) == 200
                await until(crowd, lambda ear=ear, hz=hz: hears(ear, hz) is True)                   # type: ignore[misc]
            assert await crowd.say(host, "/deafen guest") == 200
            await crowd.talk(0.2)
            crowd.forget()
            await crowd.talk(0.6)
            assert guest.heard == [] and hears(host, 700)
            assert await crowd.say(host, "/ban guest") == 200
            await until(crowd, lambda: guest.ended is not None and guest.ended.reason == "banned by the host")
            assert await crowd.say(host, "/set chat hosts") == 200
        assert [row["verb"] for row in server.json("room", "audit", "daily", "--limit", "3")] == ["set", "ban", "deafen"]
        server.process.kill()
        server.process.wait(10)
        server = start_server(tmp_path / "server")
        async with Crowd(server) as crowd:
            with pytest.raises(ConnectionRefusedError, match="you are banned from this room"):
                await crowd.join(f"daily.{PIN}", 700)
            host = await crowd.join(f"daily.{HOST_PIN}", 440)
            assert await crowd.say(host, "/unban 127.0.0.1") == 200
            await crowd.join(f"daily.{PIN}", 700)
    finally:
        server.stop()
