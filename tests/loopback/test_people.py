"""Calls from person to person through the server, with our own phones: sound both ways, hold, keys, texts, all phones ring."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from confero.testing import Server, start_server
from softphone.errors import CallFailed
from softphone.media.player import Tone
from softphone.phone import Phone
from tests.helpers import tones
from tests.softphone.ears import Ear, talk

pytestmark = pytest.mark.loopback

PASSWORD = "correct-horse-battery"
LEVEL_DBFS = -20.0


@pytest.fixture
def members_only(tmp_path: Path) -> Iterator[Server]:
    """A server with accounts for alice and bob."""
    server = start_server(tmp_path / "server")
    try:
        for name in ("alice", "bob"):
            server.json("user", "add", name, "--password", PASSWORD)
        yield server
    finally:
        server.stop()


def phone(server: Server, user: str, **options: object) -> Phone:
    """A phone of an account."""
    return Phone(user, PASSWORD, f"{server.host}:{server.port}", listen="127.0.0.1", **options)       # type: ignore[arg-type]


async def test_alice_calls_bob_and_they_hear_each_other_only_through_the_server(members_only: Server) -> None:
    server = members_only
    async with phone(server, "alice", transport="tcp") as alice, phone(server, "bob", codecs=("pcmu",)) as bob:
        assert {binding["aor"] for binding in server.json("reg", "list")} == {"alice", "bob"}
        calling = asyncio.create_task(alice.call("bob"))
        theirs = await asyncio.wait_for(bob.next_call(), 10)
        assert "alice" in str(theirs.uri)
        await theirs.answer()
        ours = await asyncio.wait_for(calling, 10)
        ears = Ear(), Ear()
        await asyncio.gather(talk(ours, Tone(440, LEVEL_DBFS), 3, ears[0]), talk(theirs, Tone(1000, LEVEL_DBFS), 3, ears[1]))
        for ear, own, other in ((ears[0], 440, 1000), (ears[1], 1000, 440)):
            middle = tones.steady(48000, ear.samples)
            assert tones.level_dbfs(48000, middle, other) == pytest.approx(LEVEL_DBFS, abs=1.0)
            assert tones.level_dbfs(48000, middle, own) < LEVEL_DBFS - 40
        assert ours.figures.foreign == theirs.figures.foreign == 0
        assert len(server.json("call", "list")) == 2
        theirs.hang_up()
        end = await asyncio.wait_for(ours.ended(), 10)
        assert not end.is_error
    assert server.json("call", "list") == []
    assert {call["account"] for call in server.json("call", "list", "--all")} == {"alice", "bob"}


async def test_all_phones_of_bob_ring_and_the_first_answer_wins(members_only: Server) -> None:
    server = members_only
    async with phone(server, "alice") as alice, phone(server, "bob") as desk, phone(server, "bob") as mobile:
        calling = asyncio.create_task(alice.call("bob"))
        at_desk, at_mobile = await asyncio.gather(desk.next_call(), mobile.next_call())
        await at_mobile.answer()
        ours = await asyncio.wait_for(calling, 10)
        await asyncio.wait_for(at_desk.ended(), 10)
        assert ours in alice.calls and not desk.calls
        ours.hang_up()
        await asyncio.wait_for(at_mobile.ended(), 10)


async def test_decline_and_absence_are_said_in_words(members_only: Server) -> None:
    server = members_only
    async with phone(server, "alice") as alice:
        with pytest.raises(CallFailed, match=r"not there|not available"):
            await alice.call("bob")
        async with phone(server, "bob") as bob:
            calling = asyncio.create_task(alice.call("bob"))
            theirs = await asyncio.wait_for(bob.next_call(), 10)
            theirs.decline()
            with pytest.raises(CallFailed, match="declined"):
                await asyncio.wait_for(calling, 10)


async def test_operator_calls_bob_into_a_room(members_only: Server) -> None:
    server = members_only
    server.json("room", "create", "daily")
    async with phone(server, "alice") as alice, phone(server, "bob") as bob:
        ours = await alice.call("daily")
        assert server.json("room", "dial", "daily", "bob")["count"] == 1
        theirs = await asyncio.wait_for(bob.next_call(), 10)
        await theirs.answer()
        async with asyncio.timeout(10):
            while sorted(member.name for member in ours.roster) != ["alice", "bob"]:
                await asyncio.sleep(0.02)
        theirs.hang_up()
        ours.hang_up()
