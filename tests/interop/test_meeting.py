"""A meeting of stock phones from its making to its end: factory, PIN, keys, texts, roles, a host who loses their power.

baresip 1.0.0 has an account, keys and sound, but sends no MESSAGE inside a call; linphonec 5.1.65 hears and subscribes. What
neither can do (orders by text, REFER of a member out of the room) SIPp does, when a silent seat of ours tells it to in the
meeting's chat (`tests.helpers.director`): who does what next waits for what was seen, never for a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from confero.testing import Server, start_server
from tests.helpers import tones
from tests.helpers.capture import Capture
from tests.helpers.conference_schema import faults
from tests.helpers.director import Director
from tests.helpers.phones import Phone, Phones

pytestmark = pytest.mark.interop

PASSWORD = "correct-horse-battery"
MEMBERS = ("anna", "bernd", "clara")
TONES_HZ = {"anna": 440.0, "bernd": 850.0, "clara": 1300.0, "dora": 440.0, "emil": 850.0, "fritz": 1300.0}
LONG_S = 60
PIN = "246810"
CONFIGURATION = "open = true\nsilence_s = 4\nsuccession_s = 2\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which a host who dropped is missed soon."""
    folder = tmp_path_factory.mktemp("server")
    file = folder / "confero.toml"
    file.write_text(CONFIGURATION)
    running = start_server(folder / "data", "--config", str(file))
    try:
        for name in TONES_HZ:
            running.json("user", "add", name, "--password", PASSWORD)
        running.json("room", "create", "board", "--pin", PIN)
        yield running
    finally:
        running.stop()


class Desk:
    """A baresip that is given commands while it is in a call."""

    def __init__(self, phones: Phones, server: Server, name: str, room: str, folder: Path) -> None:
        self._orders = folder / f"orders-{name}-{len(phones.started)}"
        self._orders.touch()
        self.phone = phones.baresip(server.uri(room), tone=TONES_HZ[name], seconds=LONG_S, user=name, password=PASSWORD,
                                    registrar=f"{server.host}:{server.port}", extra=("--orders", str(self._orders)))

    def press(self, keys: str) -> None:
        """Press keys (RFC 4733)."""
        with self._orders.open("a") as file:
            file.write(f"keys {keys}\n")


def talker(phones: Phones, server: Server, name: str, room: str) -> Phone:
    """A SIPp that does as it is told."""
    return phones.sipp(server.uri(room), tone=TONES_HZ[name], seconds=LONG_S, user=name, password=PASSWORD, extra=("--obeys",))


async def until_known(server: Server, find: Callable[[list[dict[str, Any]]], Any]) -> Any:
    """Ask the server who calls until something is found in it; the others go on meanwhile."""
    deadline = time.monotonic() + 30
    while not (found := find(await asyncio.to_thread(server.json, "call", "list"))):
        assert time.monotonic() < deadline, "it did not come about"
    return found


def room_of(name: str) -> Callable[[list[dict[str, Any]]], Any]:
    """Finds the meeting that somebody is in."""
    return lambda calls: next((call["room"] for call in calls if call["account"] == name and call["room"]), None)


@pytest.fixture(scope="module")
def outcomes(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, BaseException | None]:
    """What came of each scene; they are played at the same time, in rooms of their own."""
    scenes = {scene.__name__: scene for scene in (meeting, succession, keyed_pin)}

    async def play(phones: Phones) -> list[BaseException | None]:
        played = (scene(server, phones, tmp_path_factory.mktemp(name)) for name, scene in scenes.items())
        return await asyncio.gather(*played, return_exceptions=True)

    with Phones(tmp_path_factory.mktemp("phones")) as phones:
        return dict(zip(scenes, asyncio.run(play(phones)), strict=True))


@pytest.mark.parametrize("scene", ["meeting", "succession", "keyed_pin"])
def test_scene_of_stock_phones_goes_as_written(outcomes: dict[str, BaseException | None], scene: str) -> None:
    outcome = outcomes[scene]
    if outcome is not None:
        raise outcome


async def meeting(server: Server, phones: Phones, folder: Path) -> None:
    """Made by calling the factory; hand, mute and lock by keys; a co-host by text, who locks and kicks; closed by keys."""
    capture = Capture(folder / "meeting.pcapng", capture_filter=f"udp port {server.port}")
    with capture:
        async with Director(server) as director:
            anna = Desk(phones, server, "anna", "conference", folder)
            room = await until_known(server, room_of("anna"))
            await director.take_seat(room)
            clara = phones.linphone(server.uri(room), tone=TONES_HZ["clara"], codec="pcmu", seconds=LONG_S, user="clara",
                                    password=PASSWORD, registrar=f"{server.host}:{server.port}")
            bernd = talker(phones, server, "bernd", room)
            second = phones.sipp(server.uri(room), seconds=LONG_S, user="anna", password=PASSWORD, extra=("--obeys",))
            await director.until(lambda: set(MEMBERS) <= set(director.users()), what="all three")
            await director.until(lambda: len(director.users()["anna"].endpoints) == 2, what="a second phone of hers")
            assert [director.role(name) for name in MEMBERS] == ["host", "attendee", "attendee"]
            await director.until(lambda: all(director.is_heard(TONES_HZ[name]) for name in MEMBERS), what="three tones")

            anna.press("*9")
            await director.until(lambda: director.users()["anna"].decided.hand > 0, what="a hand")
            anna.press("*9")
            await director.until(lambda: director.users()["anna"].decided.hand == 0, what="a lowered hand")
            anna.press("*6")
            await director.until(lambda: director.status("anna") == "recvonly", what="muted")
            await director.until(lambda: director.is_silent(TONES_HZ["anna"]), what="silence of hers")
            await director.until(lambda: all(director.is_heard(TONES_HZ[name]) for name in MEMBERS[1:]), what="the others")
            anna.press("*6")
            await director.until(lambda: director.status("anna") == "sendrecv", what="unmuted")
            await director.until(lambda: director.is_heard(TONES_HZ["anna"]), what="her tone")
            anna.press("*5")
            await director.until(director.is_locked, what="the lock")
            with pytest.raises(ConnectionRefusedError, match="403"):
                await director.join(room, 700)
            anna.press("*5")
            await director.until(lambda: not director.is_locked(), what="the lock's opening")

            first, _ = [one.media[0].src_id for one in director.users()["anna"].endpoints]
            await director.tell(second, "anna", "say", "/reclaim")
            await director.tell(second, "anna", "say", "/appoint bernd co-host")
            await director.until(lambda: director.role("bernd") == "co-host", what="a co-host")
            await director.tell(bernd, "bernd", "say", "/lock")
            await director.until(director.is_locked, what="the co-host's lock")
            await director.tell(bernd, "bernd", "kick", director.users()["clara"].entity)
            await director.until(lambda: "clara" not in director.users(), what="that she is put out")
            await director.until(lambda: director.is_silent(TONES_HZ["clara"]), what="silence of hers")

            await director.tell(second, "anna", "say", "/dismiss bernd")
            await director.until(lambda: director.role("bernd") == "attendee", what="the dismissal")
            assert await director.tell(bernd, "bernd", "say", "/unlock") == 403
            await director.tell(second, "anna", "say", "/transfer bernd")
            await director.until(lambda: director.role("bernd") == "host", what="another host")
            assert director.is_locked()
            await director.tell(second, "anna", "say", "/reclaim")
            await director.until(lambda: director.role("bernd") == "attendee", what="her return as host")
            assert await director.tell(second, "anna", "say", f"/transfer {first}") == 200
            anna.press("*4#")
            await director.until(lambda: director.me.ended is not None, what="the end")
            assert director.faults() == []
            results = [await asyncio.to_thread(phone.finish) for phone in (anna.phone, bernd, clara, second)]
    assert all(result.is_connected for result in results), [result.errors[-300:] for result in results]
    assert [results[at].facts["ended_by"] for at in (0, 2)] == ["peer", "peer"]
    for name, result in zip(MEMBERS, results, strict=False):
        rate, heard = tones.read_wav(result.recording)
        levels = {other: tones.level_dbfs(rate, tones.steady(rate, heard), TONES_HZ[other]) for other in MEMBERS}
        own = levels.pop(name)
        assert own < min(levels.values()) - 10, (name, own, levels)                         # nobody hears themselves
    to_clara = [each.payload.partition(b"\r\n\r\n")[2] for each in capture.datagrams()
                if each.source[1] == server.port and each.payload.startswith(b"NOTIFY sip:clara@")]
    assert len(to_clara) > 3
    assert [fault for body in to_clara if body for fault in faults(body)] == []
    reasons = await asyncio.to_thread(capture.fields, f'sip.Method == "BYE" and udp.srcport == {server.port}', "sip.to.user",
                                      "sip.Reason")
    over = 'SIP;cause=200;text="the host has ended the meeting"'
    put_out = 'SIP;cause=200;text="removed by the host"'
    ends = {("clara", put_out), *((name, over) for name in ("anna", "bernd", "director"))}
    assert {(to, reason) for to, reason in reasons if to in (*MEMBERS, "director")} == ends


async def succession(server: Server, phones: Phones, folder: Path) -> None:
    """The host's phone loses its power: another member is host after the grace time, until they are back."""
    async with Director(server) as director:
        dora = Desk(phones, server, "dora", "conference", folder)
        room = await until_known(server, room_of("dora"))
        talker(phones, server, "emil", room)
        await until_known(server, room_of("emil"))
        await director.take_seat(room)                                  # after him: the longest present takes over
        await director.until(lambda: director.role("emil") == "attendee" and director.role("dora") == "host", what="both")
        await director.until(lambda: director.is_heard(TONES_HZ["dora"]), what="her tone")
        dora.phone.kill_all()
        await director.until(lambda: director.role("dora") == "", what="that she is missed")
        await director.until(lambda: director.role("emil") == "host", what="a successor")
        assert ("", "attendee") in director.seen("dora", "emil")        # for a while nobody was host: she may come back first
        await director.until(lambda: director.is_silent(TONES_HZ["dora"]), what="silence of hers")
        await director.until(lambda: director.is_heard(TONES_HZ["emil"]), what="his tone")
        Desk(phones, server, "dora", room, folder)
        await director.until(lambda: director.role("dora") == "host", what="her return")
        await director.until(lambda: director.role("emil") == "attendee", what="that he steps back")
        await director.until(lambda: director.is_heard(TONES_HZ["dora"]), what="her tone again")
        assert director.faults() == []
    records = await asyncio.to_thread(server.json, "call", "list", "--all")
    (record,) = [one for one in records if one["room"] == room and one["status"] == 408]
    assert "no media" in record["reason"]


async def keyed_pin(server: Server, phones: Phones, folder: Path) -> None:
    """A voice asks for the PIN; a wrong one does not open the room, the right one does."""
    async with Director(server) as director:
        await director.take_seat(f"board.{PIN}")
        fritz = Desk(phones, server, "fritz", "board", folder)
        await until_known(server, room_of("fritz"))
        assert set(director.me.names) == {"director"}                   # asked, not let in
        fritz.press("111111#")
        fritz.press(f"{PIN}#")
        await director.until(lambda: director.role("fritz") != "", what="his coming in")
        await director.until(lambda: director.is_heard(TONES_HZ["fritz"]), what="his tone")
        assert director.faults() == []
