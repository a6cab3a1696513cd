"""The window's agent: commands in, events out, against a phone and against a server on loopback."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from confero.testing import Server, start_server
from softphone import model
from softphone.agent import Agent
from softphone.config import Account, Config, load
from softphone.desk import Desk
from softphone.errors import CallFailed
from softphone.media.devices import Device, DeviceError, SourceDevice
from softphone.media.player import Tone
from softphone.model import Event, Registration, Screen, State, reduce
from softphone.phone import Phone
from softphone.registering import LineSettings
from tests.helpers.ports import free_port

pytestmark = pytest.mark.loopback
E = TypeVar("E")
WAIT_S = 15.0


class Window:
    """What the window would do: takes events, keeps the state."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.state = State()
        self._news = asyncio.Event()

    def publish(self, event: Event) -> None:
        self.events.append(event)
        self.state = reduce(self.state, event)
        self._news.set()

    async def until(self, condition: Callable[[State], object]) -> State:
        """Wait until the state is so."""
        async with asyncio.timeout(WAIT_S):
            while not condition(self.state):
                self._news.clear()
                await self._news.wait()
        return self.state

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


class Fixture:
    """An agent that runs, with its window."""

    def __init__(self, agent: Agent, window: Window, path: Path) -> None:
        self.agent, self.window, self.path = agent, window, path
        self.send = agent.handle
        self.until = window.until


def tone_desk(hz: float) -> Callable[[Callable[[model.Banner], None]], Desk]:
    return lambda tell: Desk(tell, lambda _m, _s: SourceDevice(Tone(hz)), is_real=False)


@asynccontextmanager
async def running(path: Path, account: Account | None = None, hz: float = 440,
                  make_desk: Callable[[Callable[[model.Banner], None]], Desk] | None = None,
                  instance: str = "") -> AsyncIterator[Fixture]:
    window = Window()
    config = replace(Config(), account=account or Account(), instance=instance)
    agent = Agent(window.publish, config, path, make_desk or tone_desk(hz), line=LineSettings(("127.0.0.1", 0)))
    task = asyncio.create_task(agent.run())
    try:
        async with asyncio.timeout(WAIT_S):
            while agent.phone is None:
                await asyncio.sleep(0.01)
        yield Fixture(agent, window, path)
    finally:
        agent.handle(model.Quit())
        await asyncio.wait_for(task, WAIT_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server open to all."""
    found = start_server(tmp_path_factory.mktemp("server"), "--open")
    for name in ("alice", "bob", "carol"):
        found.json("user", "add", name, "--password", "correct-horse")
    found.json("room", "create", "board", "--pin", "123456")
    yield found
    found.stop()


async def test_a_call_to_a_person_goes_through_all_its_screens(tmp_path: Path) -> None:
    async with running(tmp_path / "phone.toml") as ours, Phone(listen="127.0.0.1", display_name="Bo") as other:
        uri = other.addresses[0]
        ours.send(model.OpenPrejoin(uri))
        await ours.until(lambda s: s.screen is Screen.PREJOIN and s.microphone_level_dbov > -30)
        ours.send(model.Dial(uri, muted=True))
        theirs = await other.next_call()
        await ours.until(lambda s: s.screen is Screen.CALLING and s.calling_text == "Ringing …")
        await theirs.answer()
        state = await ours.until(lambda s: s.meeting and len(s.meeting.members) == 2)
        assert state.meeting is not None and state.meeting.is_muted and not state.meeting.is_conference
        assert theirs.figures.level_dbov == -127
        ours.send(model.SetMuted(False))
        await ours.until(lambda s: s.meeting and any(m.is_self and m.is_speaking for m in s.meeting.members))
        async with asyncio.timeout(WAIT_S):
            while theirs.figures.level_dbov < -25:
                await asyncio.sleep(0.02)
        ours.send(model.SetHold(True))
        await ours.until(lambda s: s.meeting and s.meeting.is_held)
        ours.send(model.SetHold(False))
        await ours.until(lambda s: s.meeting and not s.meeting.is_held)
        await ours.until(lambda s: s.meeting and s.meeting.quality.codec == "opus")
        theirs.hang_up()
        state = await ours.until(lambda s: s.screen is Screen.HOME)
        assert state.banner == model.Banner("The other side hung up")
        assert state.recent[0].uri == uri
        assert load(ours.path)[0].recent[0].uri == uri


async def test_an_incoming_call_rings_is_answered_and_is_left(tmp_path: Path) -> None:
    async with running(tmp_path / "phone.toml") as ours, Phone(listen="127.0.0.1", display_name="Bo") as other:
        assert ours.agent.phone is not None
        calling = asyncio.create_task(other.call(ours.agent.phone.addresses[0]))
        state = await ours.until(lambda s: s.incoming)
        assert state.incoming[0].name == "Bo"
        await ours.until(lambda s: s.speaker_level_dbov > -60)              # the ring is heard
        ours.send(model.Answer(state.incoming[0].call_id))
        await ours.until(lambda s: s.screen is Screen.MEETING and not s.incoming)
        call = await calling
        ours.send(model.Leave())
        await ours.until(lambda s: s.screen is Screen.HOME)
        assert (await asyncio.wait_for(call.ended(), WAIT_S)).text == "The other side hung up"


async def test_a_call_that_is_declined_and_one_that_is_missed_leave_no_ring_behind(tmp_path: Path) -> None:
    async with running(tmp_path / "phone.toml") as ours, Phone(listen="127.0.0.1", display_name="Bo") as other:
        assert ours.agent.phone is not None
        first = await other.dial(ours.agent.phone.addresses[0])
        state = await ours.until(lambda s: s.incoming)
        ours.send(model.Decline(state.incoming[0].call_id))
        assert (await asyncio.wait_for(first.ended(), WAIT_S)).status == 603
        await ours.until(lambda s: not s.incoming)
        second = await other.dial(ours.agent.phone.addresses[0])
        await ours.until(lambda s: s.incoming)
        second.hang_up()
        state = await ours.until(lambda s: not s.incoming)
        await ours.until(lambda s: s.banner == model.Banner("Missed call from Bo"))
        assert state.screen is Screen.HOME


async def test_answering_a_second_call_ends_the_first(tmp_path: Path) -> None:
    async with running(tmp_path / "phone.toml") as ours, Phone(listen="127.0.0.1", display_name="Bo") as other:
        assert ours.agent.phone is not None
        uri = ours.agent.phone.addresses[0]
        first = await other.dial(uri)
        state = await ours.until(lambda s: s.incoming)
        ours.send(model.Answer(state.incoming[0].call_id))
        await ours.until(lambda s: s.screen is Screen.MEETING)
        second = await other.dial(uri)
        state = await ours.until(lambda s: s.incoming)
        ours.send(model.Answer(state.incoming[0].call_id))
        await asyncio.wait_for(second.established(), WAIT_S)
        await asyncio.wait_for(first.ended(), WAIT_S)
        await ours.until(lambda s: s.screen is Screen.MEETING and not s.incoming)
        assert not ours.window.of(model.CallEnded)


async def test_a_wrong_address_is_a_banner_and_nobody_is_called(tmp_path: Path) -> None:
    async with running(tmp_path / "phone.toml") as ours:
        ours.send(model.Dial("daily"))
        state = await ours.until(lambda s: s.banner)
        assert state.banner is not None and "sign in to a server first" in state.banner.text
        assert state.screen is Screen.HOME


async def test_calling_is_given_up_at_once(tmp_path: Path) -> None:
    silent = free_port()
    async with running(tmp_path / "phone.toml") as ours:
        ours.send(model.Dial(f"sip:x@127.0.0.1:{silent}"))
        await ours.until(lambda s: s.screen is Screen.CALLING)
        ours.send(model.Leave())
        await ours.until(lambda s: s.screen is Screen.HOME)
        assert ours.window.state.banner is None


async def test_a_device_that_cannot_be_had_is_a_banner_and_the_call_goes_on(tmp_path: Path) -> None:
    def broken(_microphone: str, _speaker: str) -> Device:
        raise DeviceError("no microphone was found; plug one in")

    async with (running(tmp_path / "phone.toml", make_desk=lambda tell: Desk(tell, broken, is_real=False)) as ours,
                Phone(listen="127.0.0.1") as other):
        ours.send(model.Dial(other.addresses[0]))
        await (await other.next_call()).answer()
        await ours.until(lambda s: s.screen is Screen.MEETING)
        assert [event.banner.text for event in ours.window.of(model.BannerShown)] == ["No microphone was found; plug one in"]


async def test_without_pyaudio_the_phone_works_in_silence_and_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    async with running(tmp_path / "phone.toml", make_desk=Desk) as ours, Phone(listen="127.0.0.1") as other:
        state = await ours.until(lambda s: s.banner)
        assert state.banner is not None and "python3-pyaudio" in state.banner.text
        assert [device.key for device in state.microphones + state.speakers] == ["null", "null"]
        ours.send(model.Dial(other.addresses[0]))
        await (await other.next_call()).answer()
        await ours.until(lambda s: s.screen is Screen.MEETING)


async def test_a_device_that_goes_away_in_a_call_is_told_and_the_call_goes_on_in_silence(tmp_path: Path) -> None:
    class Pluggable(SourceDevice):
        is_gone = False

        def is_lost(self) -> bool:
            return self.is_gone

    devices: list[Pluggable] = []

    def plug(_microphone: str, _speaker: str) -> Device:
        if devices:
            raise DeviceError("it is not there")
        devices.append(Pluggable(Tone(440)))
        return devices[0]

    async with (running(tmp_path / "phone.toml", make_desk=lambda tell: Desk(tell, plug, is_real=False)) as ours,
                Phone(listen="127.0.0.1") as other):
        ours.send(model.Dial(other.addresses[0]))
        theirs = await other.next_call()
        await theirs.answer()
        await ours.until(lambda s: s.screen is Screen.MEETING and s.microphone_level_dbov > -30)
        devices[0].is_gone = True
        await ours.until(lambda s: s.banner is not None and "gone away" in s.banner.text)
        await ours.until(lambda s: s.microphone_level_dbov == -127)
        assert theirs.is_up


async def test_settings_and_devices_persist(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "phone.toml"
    async with running(path) as ours:
        ours.send(model.ChangeSetting("theme", "light"))
        ours.send(model.ChangeSetting("echo_cancelling", False))
        ours.send(model.ChangeSetting("ring", "loud"))
        ours.send(model.ChooseDevice(microphone="Headset"))
        await ours.until(lambda s: s.settings.get("echo_cancelling") is False)
        await ours.until(lambda s: s.banner is not None and "the setting ring" in s.banner.text.lower())
        async with asyncio.timeout(WAIT_S):
            while load(path)[0].microphone != "Headset":
                await asyncio.sleep(0.01)
    found, trouble = load(path)
    assert trouble == "" and found.settings["theme"] == "light" and found.settings["ring"] is True
    assert path.stat().st_mode & 0o777 == 0o600


async def test_signing_in_tells_what_the_server_says(tmp_path: Path, server: Server) -> None:
    async with running(tmp_path / "phone.toml") as ours:
        ours.send(model.SignIn("alice", "wrong", f"{server.host}:{server.port}"))
        state = await ours.until(lambda s: s.registration is Registration.FAILED)
        assert state.registration_text == "wrong user name or password"
        ours.send(model.SignIn("alice", "correct-horse", f"{server.host}:{server.port}", "tcp", "Alice"))
        await ours.until(lambda s: s.registration is Registration.REGISTERED)
        assert [row["aor"] for row in server.json("reg", "list")] == ["alice"]
        ours.send(model.SignIn("alice", "x", "no such host"))
        state = await ours.until(lambda s: s.registration is Registration.FAILED)
        assert "HOST" in state.registration_text
    assert load(ours.path)[0].account.display_name == "Alice"
    assert server.json("reg", "list") == []


async def test_the_roster_shows_who_is_there_who_is_muted_and_who_speaks(tmp_path: Path, server: Server) -> None:
    account = Account(server=f"{server.host}:{server.port}", display_name="Ann")
    other = replace(account, display_name="Ben")
    async with running(tmp_path / "a.toml", account, 440) as ann, running(tmp_path / "b.toml", other, 900) as ben:
        ann.send(model.NewMeeting())
        state = await ann.until(lambda s: s.meeting and s.meeting.is_host and s.meeting.members)
        assert state.meeting is not None and state.meeting.is_conference
        ben.send(model.Dial(state.meeting.uri))
        await ann.until(lambda s: s.meeting and [m.name for m in s.meeting.members] == ["Ann", "Ben"])
        await ben.until(lambda s: s.meeting and [m.name for m in s.meeting.members] == ["Ben", "Ann"])
        await ann.until(lambda s: s.meeting and all(m.is_speaking for m in s.meeting.members))
        ben.send(model.SetMuted(True))
        await ann.until(lambda s: s.meeting and s.meeting.members[1].is_muted and not s.meeting.members[1].is_speaking)
        ben.send(model.SetMuted(False))
        await ann.until(lambda s: s.meeting and not s.meeting.members[1].is_muted and s.meeting.members[1].is_speaking)
        room = state.meeting.title
        server.json("room", "mute", room, "Ben")
        await ben.until(lambda s: s.meeting and s.meeting.is_muted)
        assert ben.window.of(model.MuteChanged)[-1] == model.MuteChanged(True, by_host=True)
        ben.send(model.Leave(end_for_all=True))
        await ben.until(lambda s: s.banner is not None and "Only the host" in s.banner.text)
        ann.send(model.Leave(end_for_all=True))
        state = await ben.until(lambda s: s.screen is Screen.HOME)
        assert state.banner == model.Banner("The host has ended the meeting")
        await ann.until(lambda s: s.screen is Screen.HOME)


async def test_a_phone_that_starts_again_takes_the_place_of_its_old_self(tmp_path: Path, server: Server) -> None:
    path, account = tmp_path / "phone.toml", Account("carol", "correct-horse", f"{server.host}:{server.port}")
    async with running(path, account) as before:
        await before.until(lambda s: s.registration is Registration.REGISTERED)
        name = load(path)[0].instance
        assert name.startswith("urn:uuid:")
        async with running(path, account, instance=name) as after:          # as if the first had died without a word
            await after.until(lambda s: s.registration is Registration.REGISTERED)
            assert after.agent.phone is not None
            contacts = [row["contact"] for row in server.json("reg", "list") if row["aor"] == "carol"]
            assert len(contacts) == 1 and after.agent.phone.addresses[0].removeprefix("sip:") in contacts[0]
        assert load(path)[0].instance == name


async def test_a_room_entered_with_a_pin_is_remembered_without_it(tmp_path: Path, server: Server) -> None:
    account = Account(server=f"{server.host}:{server.port}")
    async with running(tmp_path / "phone.toml", account) as ours:
        for target in ("board.123456", "daily"):
            ours.send(model.Dial(target))
            await ours.until(lambda s: s.screen is Screen.MEETING)
            ours.send(model.Leave())
            state = await ours.until(lambda s: s.screen is Screen.HOME)
        assert [(recent.title, recent.has_pin) for recent in state.recent] == [("daily", False), ("board", True)]
    assert "123456" not in ours.path.read_text() and load(ours.path)[0].recent == state.recent


async def test_a_call_is_transferred_and_one_that_is_not_goes_on_with_a_banner(tmp_path: Path, server: Server) -> None:
    host = f"{server.host}:{server.port}"
    async with (running(tmp_path / "b.toml", Account("bob", "correct-horse", host)) as bob,
                Phone("alice", "correct-horse", host, listen="127.0.0.1") as alice,
                Phone("carol", "correct-horse", host, listen="127.0.0.1") as carol):
        await bob.until(lambda s: s.registration is Registration.REGISTERED)
        bob.send(model.Dial("alice"))
        theirs = await alice.next_call()
        await theirs.answer()
        await bob.until(lambda s: s.screen is Screen.MEETING)
        bob.send(model.Transfer("no_body"))                     # no name of a room, which an open server would make
        state = await bob.until(lambda s: s.banner is not None and s.banner.kind == "warning")
        assert state.banner is not None and state.banner.text.startswith("The call was not transferred: ")
        assert state.screen is Screen.MEETING
        bob.send(model.Transfer("carol"))
        third = await carol.next_call()
        await bob.until(lambda s: s.banner == model.Banner("Transfer to carol: ringing …"))
        await third.answer()
        state = await bob.until(lambda s: s.screen is Screen.HOME)
        assert state.banner == model.Banner("The call was transferred")
        assert theirs.is_up and third.is_up


async def test_who_is_handed_on_is_asked_by_a_card_and_goes_over_or_stays(tmp_path: Path) -> None:
    async with (running(tmp_path / "phone.toml") as ours, Phone(listen="127.0.0.1", display_name="Bo") as bo,
                Phone(listen="127.0.0.1", display_name="Cy") as cy):
        assert ours.agent.phone is not None
        theirs = await bo.dial(ours.agent.phone.addresses[0])
        state = await ours.until(lambda s: s.incoming)
        ours.send(model.Answer(state.incoming[0].call_id))
        await ours.until(lambda s: s.screen is Screen.MEETING)
        for command in (model.Decline, model.Answer):
            transferring = asyncio.create_task(theirs.transfer(cy.addresses[0]))
            state = await ours.until(lambda s: s.incoming)
            assert state.incoming[0].name.endswith("(transfer by Bo)")
            ours.send(command(state.incoming[0].call_id))
            await ours.until(lambda s: not s.incoming)
            if command is model.Decline:
                with pytest.raises(CallFailed, match="the transfer was declined"):
                    await asyncio.wait_for(transferring, WAIT_S)
        arrived = await asyncio.wait_for(cy.next_call(), WAIT_S)
        await arrived.answer()
        await asyncio.wait_for(transferring, WAIT_S)
        await asyncio.wait_for(theirs.ended(), WAIT_S)
        assert ours.agent.call is not None and ours.window.state.screen is Screen.MEETING
        assert str(ours.agent.call.uri) == cy.addresses[0] and arrived.is_up
