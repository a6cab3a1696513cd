"""What stock clients do besides talking: register, be refused, press keys, hold, hang up, be hung up on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from confero.testing import Server
from tests.helpers import tones
from tests.helpers.crowd import Crowd, Person
from tests.helpers.phones import Phone, Phones
from tests.interop.conftest import PASSWORD

pytestmark = pytest.mark.interop

LONG_S = 40.0
"""Longer than any test: the other side ends these calls."""
HEARD_DBFS, SILENT_DBFS = -23.0, -60.0


async def until(condition: Callable[[], Any], limit_s: float = 30.0, pause: Callable[[float], Any] = asyncio.sleep) -> None:
    """Wait until something is so; fails when it does not come about. pause: what is done meanwhile for some seconds."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await pause(0.3)


def members(server: Server, room: str) -> list[dict[str, Any]]:
    """Who is in a room; nobody when there is no such room yet."""
    done = server.cli("room", "people", room, "--json")
    return server.json("room", "people", room) if done.returncode == 0 else []


def registrar(server: Server) -> str:
    """The server as clients write it."""
    return f"{server.host}:{server.port}"


async def test_phones_register_call_and_unregister(house: Server, tmp_path: Path) -> None:
    with Phones(tmp_path) as phones:
        account = {"password": PASSWORD, "registrar": registrar(house), "seconds": 5, "tone": 440}
        calls = [phones.baresip(house.uri("echo"), user="anna", transport="tcp", **account),
                 phones.linphone(house.uri("echo"), user="bernd", **account)]
        await until(lambda: {one["aor"].split("@")[0].removeprefix("sip:") for one in house.json("reg", "list")}
                    == {"anna", "bernd"})
        for call in calls:
            result = call.finish()
            assert result.is_connected, result.facts
            assert result.facts["registered"] is True
    await until(lambda: house.json("reg", "list") == [], 10)
    records = [record for record in house.json("call", "list", "--all") if record["account"] in ("anna", "bernd")]
    assert {record["account"] for record in records} == {"anna", "bernd"}


def test_wrong_password_is_refused_and_said(house: Server, tmp_path: Path) -> None:
    with Phones(tmp_path) as phones:
        account = {"user": "clara", "password": "wrong", "seconds": 2, "wait": 5}
        calls = [phones.baresip(house.uri("echo"), registrar=registrar(house), **account),
                 phones.linphone(house.uri("echo"), registrar=registrar(house), **account),
                 phones.sipp(house.uri("echo"), **account)]
        calls.append(phones.confero(house.uri("echo"), user="clara", password="wrong", server=registrar(house), seconds=2))
        for call in calls:
            result = call.finish()
            assert not result.is_connected, (call.name, result.facts)
            assert result.facts.get("registered", False) is False, call.name
        assert "password" in calls[-1].finish().errors
    assert "wrong user name or password" in house.log.read_text()
    assert not [one for one in house.json("call", "list", "--all") if one["account"] == "clara"]


async def test_star_six_mutes_by_rfc_4733_and_by_info(house: Server, tmp_path: Path) -> None:
    room, info = house.uri("keys"), ("--dtmf-info",)
    with Phones(tmp_path) as phones:
        callers = [phones.baresip(room, user="b1", tone=500, dtmf="*6", seconds=LONG_S),
                   phones.baresip(room, user="b2", tone=600, dtmf="*6", seconds=LONG_S, extra=info),
                   phones.linphone(room, user="l1", tone=700, dtmf="*6", seconds=LONG_S),
                   phones.linphone(room, user="l2", tone=800, dtmf="*6", seconds=LONG_S, extra=info),
                   phones.sipp(room, user="s1", tone=900, dtmf="*6", seconds=LONG_S),
                   phones.confero(room, tone=1000, seconds=LONG_S, extra=("--dtmf", "2s:*6"))]
        async with Crowd(house) as crowd:
            listener = await crowd.join("keys", 1500)
            listener.is_talking = False
            await until(lambda: len(members(house, "keys")) == len(callers) + 1)
            await until(lambda: all(one["is_muted"] or one["name"] == listener.name for one in members(house, "keys")),
                        pause=crowd.talk)
            await crowd.talk(0.5)
            crowd.forget()
            await crowd.talk(1.0)
            assert tones.rms_dbfs(listener.sound()) < SILENT_DBFS


def recent(person: Person, hz: float) -> float:
    """How loud a tone was in the last half second."""
    return tones.level_dbfs(8000, person.sound()[-4000:], hz)


async def test_hold_and_resume(house: Server, tmp_path: Path) -> None:
    with Phones(tmp_path) as phones:
        call = phones.baresip(house.uri("hold"), tone=500, seconds=8, extra=("--script", "2:hold,5:resume"))
        async with Crowd(house) as crowd:
            listener = await crowd.join("hold", 1500)
            await until(lambda: recent(listener, 500) > HEARD_DBFS, pause=crowd.talk)
            await until(lambda: recent(listener, 500) < SILENT_DBFS, pause=crowd.talk)
            crowd.forget()
            await until(lambda: recent(listener, 500) > HEARD_DBFS, pause=crowd.talk)
            assert call.process.poll() is None
            assert call.finish().is_connected
            assert call.finish().facts["ended_by"] == "us"
            assert listener.missing == 0


async def test_closing_a_room_hangs_up_on_every_client(house: Server, tmp_path: Path) -> None:
    with Phones(tmp_path) as phones:
        room = house.uri("closing")
        calls: dict[str, Phone] = {
            "baresip": phones.baresip(room, user="b1", tone=500, seconds=LONG_S),
            "baresip-tcp": phones.baresip(room, user="b2", tone=600, seconds=LONG_S, transport="tcp"),
            "linphone": phones.linphone(room, user="l1", tone=700, seconds=LONG_S),
            "sipp": phones.sipp(room, user="s1", tone=900, seconds=LONG_S, extra=("--until-bye",)),
            "confero": phones.confero(room, tone=1000, seconds=LONG_S),
        }
        await until(lambda: len(members(house, "closing")) == len(calls))
        await asyncio.sleep(1)
        assert "5 members left" in house.cli("room", "close", "closing").stdout
        await until(lambda: all(call.process.poll() is not None for call in calls.values()), 15)
        for name, call in calls.items():
            assert call.finish().is_connected, (name, call.finish().facts, call.finish().errors)
        assert calls["baresip"].finish().facts["ended_by"] == "peer"
        assert calls["linphone"].finish().facts["ended_by"] == "peer"
        assert calls["confero"].finish().facts["ended_by"] == "them"
        assert "closed by the administrator" in calls["confero"].finish().facts["reason"].lower()
    assert members(house, "closing") == []


async def test_removed_client_is_hung_up_on_and_the_others_stay(house: Server, tmp_path: Path) -> None:
    with Phones(tmp_path) as phones:
        async with Crowd(house) as crowd:
            await crowd.join("kick", 1500)
            call = phones.baresip(house.uri("kick"), user="b1", tone=500, seconds=LONG_S)
            await until(lambda: len(members(house, "kick")) == 2, pause=crowd.talk)
            house.json("room", "kick", "kick", "b1")
            await until(lambda: call.process.poll() is not None, 15, crowd.talk)
            assert call.finish().facts["ended_by"] == "peer"
            assert len(members(house, "kick")) == 1
