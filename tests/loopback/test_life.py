"""The life of a room as members, the operator and the database see it: create, join, leave, close, restart."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from confero.testing import Server, start_server
from tests.helpers.crowd import Crowd

pytestmark = pytest.mark.loopback


async def until(condition, limit_s: float = 9.0) -> None:       # type: ignore[no-untyped-def]
    """Wait until something is so; fails when it does not come about."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.02)


async def test_members_are_told_of_who_comes_and_goes(server: Server) -> None:
    async with Crowd(server) as crowd:
        alice = await crowd.join("daily", 440, name="alice", subscribes=True)
        bob = await crowd.join("daily", 700, name="bob", subscribes=True)
        await until(lambda: alice.names == bob.names == ["alice", "bob"])
        people = server.json("room", "people", "daily")
        assert [(person["name"], person["role"]) for person in people] == [("alice", "host"), ("bob", "attendee")]
        crowd.hang_up(bob)
        await until(lambda: alice.names == ["alice"])


async def test_host_closes_by_text_and_everybody_is_hung_up_on(server: Server) -> None:
    async with Crowd(server) as crowd:
        alice, bob = await crowd.join("daily", 440), await crowd.join("daily", 700)
        assert await crowd.say(bob, "/close") == 403
        assert await crowd.say(alice, "/close") == 200
        await until(lambda: alice.ended is not None and bob.ended is not None)
        assert bob.ended is not None and bob.ended.reason == "the host has ended the meeting"
        assert server.json("room", "list") == []
        finished = server.json("call", "list", "--all")
        assert [(call["cause"], call["room"]) for call in finished] == [("closed", "daily")] * 2


async def test_operator_closes_mutes_and_removes(server: Server) -> None:
    async with Crowd(server) as crowd:
        alice, bob = await crowd.join("daily", 440, name="alice"), await crowd.join("daily", 700, name="bob")
        server.json("room", "mute", "daily", "bob")
        await crowd.talk(1.0)
        crowd.forget()
        await crowd.talk(2.0)
        assert alice.level_dbfs(700) < -60
        server.json("room", "unmute", "daily", "bob")
        await crowd.talk(1.0)
        crowd.forget()
        await crowd.talk(2.0)
        assert alice.level_dbfs(700) == pytest.approx(-20, abs=1)
        server.json("room", "kick", "daily", "bob")
        await until(lambda: bob.ended is not None)
        server.json("room", "lock", "daily")
        with pytest.raises(ConnectionRefusedError, match="the room is locked"):
            await crowd.join("daily", 1000)
        server.json("room", "close", "daily")
        await until(lambda: alice.ended is not None)
        assert alice.ended is not None and alice.ended.reason == "closed by the administrator"


async def test_star_six_mutes_at_the_server(server: Server) -> None:
    async with Crowd(server) as crowd:
        alice, bob = await crowd.join("daily", 440, name="alice"), await crowd.join("daily", 700)
        await crowd.talk(0.5)
        alice.call.request("INFO", body=b"Signal=*\r\nDuration=100\r\n", content_type="application/dtmf-relay",
                           now=crowd.driver.now())
        alice.call.request("INFO", body=b"Signal=6\r\nDuration=100\r\n", content_type="application/dtmf-relay",
                           now=crowd.driver.now())
        crowd.driver.pump()
        await crowd.talk(0.5)
        crowd.forget()
        async with asyncio.timeout(20):
            while abs(alice.level_dbfs(700) + 20) > 1:                 # while she is told of it, the others are less loud
                crowd.forget()
                await crowd.talk(1.0)
        assert bob.level_dbfs(440) < -60


async def test_ad_hoc_room_is_gone_after_its_grace_time(tmp_path: Path) -> None:
    configuration = tmp_path / "confero.toml"
    configuration.write_text("grace_s = 3\nopen = true\n")
    server = start_server(tmp_path / "server", "--config", str(configuration))
    try:
        async with Crowd(server) as crowd:
            alice = await crowd.join("daily", 440)
            crowd.hang_up(alice)
            assert [room["state"] for room in server.json("room", "list")] == ["created"]
            again = await crowd.join("daily", 440)
            assert server.json("room", "list")[0]["state"] == "active"
            crowd.hang_up(again)
            await until(lambda: server.json("room", "list") == [])
    finally:
        server.stop()


async def test_rooms_accounts_and_records_survive_a_restart_and_members_hear_of_the_end(tmp_path: Path) -> None:
    server = start_server(tmp_path / "server")
    try:
        server.json("user", "add", "alice", "--password", "correct-horse")
        server.json("room", "create", "daily", "--pin", "123456")
        async with Crowd(server) as crowd:
            with pytest.raises(ConnectionRefusedError, match="wrong PIN"):
                await crowd.join("daily.000000", 440)
            guest = await crowd.join("daily.123456", 440, name="guest")
            assert server.stop() == 0
            await until(lambda: guest.ended is not None)
            assert guest.ended is not None and guest.ended.reason == "the server is shutting down"
        server = start_server(tmp_path / "server")
        assert [user["name"] for user in server.json("user", "list")] == ["admin", "alice"]
        assert [(room["name"], room["state"]) for room in server.json("room", "list")] == [("daily", "created")]
        (record,) = server.json("call", "list", "--all")
        assert (record["room"], record["display_name"], record["is_running"]) == ("daily", "guest", False)
        assert b"123456" not in (tmp_path / "server" / "serve.log").read_bytes()
    finally:
        server.stop()


async def test_full_unknown_and_forbidden_are_told_apart(tmp_path: Path) -> None:
    server = start_server(tmp_path / "server")
    try:
        server.json("room", "create", "small", "--pin", "123456", "--max", "1")
        async with Crowd(server) as crowd:
            await crowd.join("small.123456", 440)
            for uri, status, words in (
                ("small.123456", 486, "full"), ("small.1234", 403, "wrong PIN"), ("small", 403, "this room wants its PIN"),
                ("nothing", 401, "Unauthorized"), ("echo", 401, "Unauthorized"),
            ):
                with pytest.raises(ConnectionRefusedError, match=words) as refused:
                    await crowd.join(uri, 700)
                assert refused.value.args[0] == status, uri
    finally:
        server.stop()


def test_second_server_on_the_port_or_the_folder_is_refused_in_one_sentence(server: Server, tmp_path: Path) -> None:
    for options, words in ((("--data", str(tmp_path / "other"), "--sip-port", str(server.port)), "is in use"),
                           (("--data", str(server.data), "--sip-port", str(server.port)), "another server is running")):
        command = [sys.executable, "-m", "mcu", "serve", "--open", "--listen", "127.0.0.1", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 1, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr
