"""A meeting of stock phones from its making to its end: factory, PIN, keys, texts, roles, a host who loses their power.

baresip 1.0.0 has an account, keys and sound, but sends no MESSAGE inside a call; linphonec 5.1.65 hears and subscribes. What
neither can do (orders by text, REFER of a member out of the room) SIPp does, when a silent seat of ours tells it to in the
meeting's chat (`tests.helpers.director`): who does what next waits for what was seen, never for a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from confero.testing import Server, start_server
from tests.helpers import tones
from tests.helpers.capture import Capture
from tests.helpers.director import Director
from tests.helpers.phones import Phone, Phones

pytestmark = pytest.mark.interop

PASSWORD = "correct-horse-battery"
ACCOUNTS = ("anna", "bernd", "clara")
TONES_HZ = {"anna": 440.0, "bernd": 850.0, "clara": 1300.0}
LONG_S = 120
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
        for name in ACCOUNTS:
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


async def made_room(director: Director, server: Server) -> str:
    """The name of the meeting that somebody has just made."""
    names: list[str] = []

    def is_made() -> bool:
        names[:] = [room["name"] for room in server.json("room", "list") if not room["is_permanent"] and room["members"]]
        return bool(names)

    await director.until(is_made, what="a meeting")
    return names[0]


def server_host(server: Server, room: str) -> object:
    """The id of who is host."""
    return next((one["id"] for one in server.json("room", "people", room) if one["role"] == "host"), None)


async def test_meeting_is_made_run_and_closed_by_stock_phones(server: Server, tmp_path: Path) -> None:
    capture = Capture(tmp_path / "meeting.pcapng", capture_filter=f"udp port {server.port}")
    with capture, Phones(tmp_path / "phones") as phones:
        async with Director(server) as director:
            anna = Desk(phones, server, "anna", "conference", tmp_path)
            room = await made_room(director, server)
            await director.take_seat(room)
            clara = phones.linphone(server.uri(room), tone=TONES_HZ["clara"], codec="pcmu", seconds=LONG_S, user="clara",
                                    password=PASSWORD, registrar=f"{server.host}:{server.port}")
            bernd = talker(phones, server, "bernd", room)
            await director.until(lambda: set(ACCOUNTS) <= set(director.users()), what="all three")
            assert [director.role(name) for name in ACCOUNTS] == ["host", "attendee", "attendee"]
            await director.until(lambda: all(director.is_heard(hz) for hz in TONES_HZ.values()), what="three tones")

            anna.press("*9")
            await director.until(lambda: director.users()["anna"].decided.hand > 0, what="a hand")
            anna.press("*9")
            await director.until(lambda: director.users()["anna"].decided.hand == 0, what="a lowered hand")
            anna.press("*6")
            await director.until(lambda: director.status("anna") == "recvonly", what="muted")
            await director.until(lambda: director.is_silent(TONES_HZ["anna"]), what="silence of hers")
            assert director.is_heard(TONES_HZ["bernd"]) and director.is_heard(TONES_HZ["clara"])
            anna.press("*6")
            await director.until(lambda: director.status("anna") == "sendrecv", what="unmuted")
            await director.until(lambda: director.is_heard(TONES_HZ["anna"]), what="her tone")
            anna.press("*5")
            await director.until(director.is_locked, what="the lock")
            with pytest.raises(ConnectionRefusedError, match="403"):
                await director.join(room, 700)
            anna.press("*5")
            await director.until(lambda: not director.is_locked(), what="the lock's opening")

            second = phones.sipp(server.uri(room), seconds=LONG_S, user="anna", password=PASSWORD, extra=("--obeys",))
            await director.until(lambda: len(director.users()["anna"].endpoints) == 2, what="a second phone of hers")
            first, texts = [one["id"] for one in server.json("room", "people", room) if one["name"] == "anna"]
            await director.tell(second, "anna", "say", "/reclaim")
            await director.tell(second, "anna", "say", "/appoint bernd co-host")
            await director.until(lambda: director.role("bernd") == "co-host", what="a co-host")
            await director.tell(bernd, "bernd", "say", "/lock")
            await director.until(director.is_locked, what="the co-host's lock")
            await director.tell(bernd, "bernd", "kick", director.users()["clara"].entity)
            await director.until(lambda: "clara" not in director.users(), what="that she is put out")
            await director.until(lambda: director.is_silent(TONES_HZ["clara"]), what="silence of hers")
            assert clara.finish().facts["ended_by"] == "peer"

            await director.tell(second, "anna", "say", "/dismiss bernd")
            await director.until(lambda: director.role("bernd") == "attendee", what="the dismissal")
            assert await director.tell(bernd, "bernd", "say", "/unlock") == 403
            await director.tell(second, "anna", "say", "/transfer bernd")
            await director.until(lambda: director.role("bernd") == "host", what="another host")
            assert director.is_locked()
            await director.tell(second, "anna", "say", "/reclaim")
            await director.until(lambda: director.role("bernd") == "attendee", what="her return as host")
            await director.tell(second, "anna", "say", f"/transfer {first}")
            await director.until(lambda: server_host(server, room) == first, what="her first phone as host")
            anna.press("*4#")
            await director.until(lambda: director.me.ended is not None, what="the end")
            assert director.faults() == []
            results = [phone.finish() for phone in (anna.phone, bernd, second)]
    assert all(result.is_connected for result in results), [result.errors[-300:] for result in results]
    assert results[0].facts["ended_by"] == "peer" and texts != first
    rate, heard = tones.read_wav(results[0].recording)
    levels = {name: tones.level_dbfs(rate, tones.steady(rate, heard), hz) for name, hz in TONES_HZ.items()}
    assert levels["anna"] < min(levels["bernd"], levels["clara"]) - 10, levels              # nobody hears themselves
    reasons = capture.fields(f'sip.Method == "BYE" and udp.srcport == {server.port}', "sip.to.user", "sip.Reason")
    over = 'SIP;cause=200;text="the host has ended the meeting"'
    put_out = 'SIP;cause=200;text="removed by the host"'
    ends = {("clara", put_out), *((name, over) for name in ("anna", "bernd", "director"))}
    assert {(to, reason) for to, reason in reasons} == ends


async def test_host_whose_phone_loses_its_power_is_followed_and_comes_back_as_host(server: Server, tmp_path: Path) -> None:
    with Phones(tmp_path / "phones") as phones:
        async with Director(server) as director:
            anna = Desk(phones, server, "anna", "conference", tmp_path)
            room = await made_room(director, server)
            talker(phones, server, "bernd", room)
            await director.until(lambda: len(server.json("room", "people", room)) == 2, what="his coming")
            await director.take_seat(room)                                  # after him: the longest present takes over
            await director.until(lambda: director.role("bernd") == "attendee" and director.role("anna") == "host", what="both")
            await director.until(lambda: director.is_heard(TONES_HZ["anna"]), what="her tone")
            anna.phone.kill_all()
            await director.until(lambda: director.role("anna") == "", what="that she is missed")
            assert director.role("bernd") == "attendee"                     # she may come back first
            await director.until(lambda: director.role("bernd") == "host", what="a successor")
            assert director.is_silent(TONES_HZ["anna"]) and director.is_heard(TONES_HZ["bernd"])
            Desk(phones, server, "anna", room, tmp_path)
            await director.until(lambda: director.role("anna") == "host", what="her return")
            await director.until(lambda: director.role("bernd") == "attendee", what="that he steps back")
            await director.until(lambda: director.is_heard(TONES_HZ["anna"]), what="her tone again")
            assert director.faults() == []
    (record,) = [one for one in server.json("call", "list", "--all") if one["room"] == room and one["status"] == 408]
    assert "no media" in record["reason"]


async def test_pin_is_asked_for_by_a_voice_and_keyed(server: Server, tmp_path: Path) -> None:
    with Phones(tmp_path / "phones") as phones:
        async with Director(server) as director:
            await director.take_seat(f"board.{PIN}")
            clara = Desk(phones, server, "clara", "board", tmp_path)
            await director.until(lambda: len(server.json("call", "list")) == 2, what="a call that is answered")
            assert set(director.me.names) == {"director"}                    # asked, not let in
            clara.press("111111#")
            clara.press(f"{PIN}#")
            await director.until(lambda: director.role("clara") != "", what="her coming in")
            await director.until(lambda: director.is_heard(TONES_HZ["clara"]), what="her tone")
            assert director.faults() == []
