"""SIPp as the provider of a trunk: it challenges, calls our numbers, is called; media and keys are a socket of the test's."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from confero.testing import Server, start_server
from mcu.directory import Directory
from mcu.storage.sqlite import SqliteStorage
from rtp.codecs import g711
from rtp.dtmf import event_payloads
from softphone.media.player import Tone
from softphone.phone import Phone
from tests.helpers import tones
from tests.helpers.crowd import FRAME, tone_frames
from tests.helpers.provider import Provider
from tests.softphone.ears import Ear, talk

pytestmark = pytest.mark.interop

PASSWORD = "correct-horse-battery"
PIN = "246810"
LEVEL_DBFS = -20.0
CONFIGURATION = """
[trunk.acme]
server = "{address}"
user = "{user}"
password = "{password}"
numbers = {{ "+4930123" = "prompt", "+4930124" = "room:board", "+4930125" = "user:alice" }}
dial_out = ["+49"]
"""


class Telephone:
    """The media of somebody on the telephone network: PCMU with a tone of their own, keys, and what they hear."""

    def __init__(self, hz: float) -> None:
        self.sock = socket.socket(type=socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(("127.0.0.1", 0))
        self.port: int = self.sock.getsockname()[1]
        self.heard: list[tuple[int, int, bytes]] = []
        self.remote: Any = None
        self._frames = tone_frames(hz, LEVEL_DBFS)
        self._position = self._sequence = 0
        self._due = 0.0

    def _send(self, kind: int, payload: bytes, timestamp: int) -> None:
        if self.remote is not None:
            self.sock.sendto(struct.pack("!BBHII", 0x80, kind, self._sequence, timestamp, 0x7E1E) + payload, self.remote)
            self._sequence += 1

    async def _wait(self) -> None:
        """Until the next packet's time; after a longer pause time begins anew."""
        now = time.monotonic()
        self._due = self._due + 0.02 if now - self._due < 0.5 else now + 0.02
        await asyncio.sleep(max(0.0, self._due - now))
        self.receive()

    def is_reached(self) -> bool:
        """Whether media has come from the server."""
        self.receive()
        return self.remote is not None

    def receive(self) -> None:
        """Take what has come: (sequence, SSRC, payload); the first packet tells where ours go."""
        while True:
            try:
                data, source = self.sock.recvfrom(2048)
            except OSError:
                return
            if data[1] & 0x7F == 0:
                self.remote = source
                count = data[0] & 0x0F
                self.heard.append((int.from_bytes(data[2:4]), int.from_bytes(data[8:12]), data[12 + 4 * count:]))

    async def talk(self, seconds: float) -> None:
        """Send the tone, 50 packets a second."""
        for _ in range(round(seconds * 50)):
            self._send(0, self._frames[self._position % len(self._frames)], self._position * FRAME)
            self._position += 1
            await self._wait()

    async def press(self, keys: str) -> None:
        """Press keys for 100 ms each (RFC 4733)."""
        for key in keys:
            timestamp = self._position * FRAME
            for payload, is_first in event_payloads(key, FRAME, 5):
                self._send(101 | (0x80 if is_first else 0), payload, timestamp)
                self._position += 1
                await self._wait()
            await self.talk(0.1)

    def sound(self) -> tones.Signal:
        """What was heard, as it came."""
        data = b"".join(payload for _, _, payload in self.heard)
        return g711.MULAW[np.frombuffer(data, np.uint8)] / 32768.0


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    return Provider(tmp_path / "provider")


@pytest.fixture
def house(tmp_path: Path, provider: Provider) -> Iterator[Server]:
    """A server that is the provider's customer, and has registered there."""
    file = tmp_path / "confero.toml"
    file.write_text(CONFIGURATION.format(address=provider.address, user=provider.user, password=provider.password))
    data = tmp_path / "server"
    data.mkdir()
    storage = SqliteStorage(data)
    directory = Directory(storage, "house.example")
    for name in ("alice", "bob"):
        directory.add_account(name, PASSWORD)
    directory.add_room("board", pin=PIN)
    storage.close()
    with provider.play(provider.takes_registration()) as registrar:
        server = start_server(data, "--config", str(file))
        try:
            registrar.finish()
            yield server
        finally:
            server.stop()


@pytest.fixture
def telephone() -> Iterator[Telephone]:
    made = Telephone(850)
    yield made
    made.sock.close()


async def until(condition: Callable[[], Any], meanwhile: Callable[[float], Any] = asyncio.sleep, limit_s: float = 20.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await meanwhile(0.2)


async def people(server: Server, room: str) -> list[dict[str, Any]]:
    """Who is in a room, asked beside the media that goes on."""
    done = await asyncio.to_thread(server.cli, "room", "people", room, "--json")
    return await asyncio.to_thread(server.json, "room", "people", room) if done.returncode == 0 else []


def phone(server: Server, user: str) -> Phone:
    """A phone of an account."""
    return Phone(user, PASSWORD, f"{server.host}:{server.port}", listen="127.0.0.1", codecs=("pcmu",))


async def hear_each_other(telephone: Telephone, call: Any) -> None:
    """The phone of an account and the telephone hear each other's tones, and not their own."""
    ear = Ear()
    telephone.heard.clear()
    await asyncio.gather(telephone.talk(3), talk(call, Tone(440, LEVEL_DBFS), 3, ear))
    heard = tones.steady(8000, telephone.sound())
    assert tones.level_dbfs(8000, heard, 440) == pytest.approx(LEVEL_DBFS, abs=3.0)
    assert tones.level_dbfs(8000, heard, 850) < LEVEL_DBFS - 30
    assert tones.level_dbfs(48000, tones.steady(48000, ear.samples), 850) == pytest.approx(LEVEL_DBFS, abs=3.0)


def test_server_registers_with_digest_and_says_so(house: Server, provider: Provider) -> None:
    (row,) = house.json("reg", "list")
    assert (row["trunk"], row["state"], row["source"]) == ("acme", "registered", provider.address)
    assert "registered" in house.cli("reg", "list").stdout
    assert provider.password not in house.log.read_text()


async def test_caller_keys_the_pin_and_hears_the_meeting(house: Server, provider: Provider, telephone: Telephone) -> None:
    with provider.play(provider.calls(telephone.port, is_led_on=True), f"{house.host}:{house.port}", "+4930123") as sipp:
        await until(telephone.is_reached)
        telephone.heard.clear()
        await telephone.talk(2.5)
        assert tones.rms_dbfs(telephone.sound()) > -40, "no prompt was heard"
        await telephone.press("111111#")
        assert await people(house, "board") == []
        await telephone.talk(0.5)
        asked = {ssrc for _, ssrc, _ in telephone.heard}
        await telephone.press(PIN + "#")
        await until(lambda: telephone.heard[-1][1] not in asked, telephone.talk)
        (person,) = await people(house, "board")
        assert (person["name"], person["codec"]) == ("+4917012345", "PCMU")
        async with phone(house, "alice") as alice:
            await hear_each_other(telephone, await alice.call(f"board.{PIN}"))
            assert len(await people(house, "board")) == 2
        assert len([text for text in sipp.messages() if "INVITE sip:" in text.partition("SIP/2.0")[0]]) == 1
        house.json("room", "close", "board")
        await asyncio.to_thread(sipp.finish)
    record = next(one for one in house.json("call", "list", "--all") if one["remote_uri"].startswith("sip:+4917012345"))
    assert record["room"] == "board" and record["lost"] == 0


async def test_number_of_a_user_rings_their_phone(house: Server, provider: Provider, telephone: Telephone) -> None:
    async with phone(house, "alice") as alice:
        with provider.play(provider.calls(telephone.port), f"{house.host}:{house.port}", "+4930125") as sipp:
            theirs = await asyncio.wait_for(alice.next_call(), 10)
            assert "+4917012345" in str(theirs.uri)
            await theirs.answer()
            await until(telephone.is_reached, lambda seconds: talk(theirs, Tone(440, LEVEL_DBFS), seconds, Ear()))
            await hear_each_other(telephone, theirs)
            theirs.hang_up()
            await asyncio.to_thread(sipp.finish)


async def test_call_out_with_prack_update_and_a_session_refresh(house: Server, provider: Provider,
                                                                telephone: Telephone) -> None:
    async with phone(house, "alice") as alice:
        with provider.play(provider.is_called(telephone.port)) as sipp:
            call = await asyncio.wait_for(alice.call("+49301110"), 20)
            await until(telephone.is_reached, lambda seconds: talk(call, Tone(440, LEVEL_DBFS), seconds, Ear()))
            await hear_each_other(telephone, call)
            call.hang_up()
            await asyncio.to_thread(sipp.finish)
            sent = sipp.messages()
        invites = [text for text in sent if "INVITE sip:+49301110@" in text]
        assert invites and not any("alice" in text for text in invites)
        assert any("PRACK sip:" in text and "RAck: 7 " in text for text in sent)


async def test_callee_who_transfers_brings_the_caller_to_another_user(house: Server, provider: Provider,
                                                                      telephone: Telephone) -> None:
    async with phone(house, "alice") as alice, phone(house, "bob") as bob:
        scenario = provider.is_called(telephone.port, refer_to=f"sip:bob@{house.host}:{house.port}")
        with provider.play(scenario) as sipp:
            call = await asyncio.wait_for(alice.call("+49301110"), 20)
            theirs = await asyncio.wait_for(bob.next_call(), 10)
            await theirs.answer()
            await asyncio.to_thread(sipp.finish)
            assert any("message/sipfrag" in text and "SIP/2.0 200" in text.partition("\n\n")[2] for text in sipp.messages())
            ear = Ear()
            await asyncio.gather(talk(call, Tone(440, LEVEL_DBFS), 2, ear), talk(theirs, Tone(1000, LEVEL_DBFS), 2, Ear()))
            assert tones.level_dbfs(48000, tones.steady(48000, ear.samples), 1000) == pytest.approx(LEVEL_DBFS, abs=3.0)
