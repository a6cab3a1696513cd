"""SRTP through the running server: our phone in a room, what policies refuse, attackers at the port, workers that die."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from confero.testing import Server, start_server
from rtp.packet import is_rtcp
from rtp.srtp import SUITES
from softphone.call import Call
from softphone.errors import CallFailed
from softphone.media import session
from softphone.media.outbound import Position
from softphone.phone import Phone
from tests.helpers import tones
from tests.helpers.netem import Conditions
from tests.helpers.sip_relay import CallRelay
from tests.helpers.stranger import figures

pytestmark = pytest.mark.loopback

BACK_S = 3.0
"""How long a room may be without sound; tests allow three times as much."""


@contextmanager
def serving(folder: Path, policy: str) -> Iterator[Server]:
    """A server under a policy, whose log is looked at in the end."""
    running = start_server(folder / "server", "--open", "--workers", "1", "--srtp", policy)
    yield running
    running.stop()
    log = running.log.read_text(errors="replace")
    assert "Traceback" not in log and "inline:" not in log


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The one that prefers protection."""
    with serving(tmp_path_factory.mktemp("usual"), "prefer") as running:
        yield running


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server under the policy that the test names, else the usual one."""
    if hasattr(request, "param"):
        with serving(request.getfixturevalue("tmp_path"), request.param) as running:
            yield running
    else:
        yield request.getfixturevalue("usual")


@asynccontextmanager
async def in_call(server: Server, room: str, hz: float, srtp: str, keying: str = "",
                  suites: tuple[str, ...] = ()) -> AsyncIterator[Call]:
    """Our phone in a room, sending a tone."""
    async with Phone(srtp=srtp, keying=keying, suites=suites) as phone:
        call = await phone.call(server.uri(room))
        call.play(np.rint(tones.sines(hz, 30.0, level_dbfs=-20.0) * 32767).astype(np.int16))
        yield call


async def hears(call: Call, hz: float, seconds: float = 1.0) -> float:
    """The level of a tone in what a call hears from now on."""
    heard: list[Any] = []
    async for frame in call.audio():
        heard.append(frame)
        if len(heard) * 0.02 >= seconds:
            break
    return tones.level_dbfs(48000, np.concatenate(heard) / 32768.0, hz)


async def people(server: Server, room: str) -> dict[str, Any]:
    """The members of a room by suite."""
    found = await asyncio.to_thread(server.json, "room", "people", room)
    return {str(person["suite"]): person for person in found}


async def test_protected_and_plain_phone_hear_each_other_and_the_server_says_what_each_has(server: Server) -> None:
    async with in_call(server, "daily", 440, "prefer") as one, in_call(server, "daily", 1000, "off") as two:
        await asyncio.sleep(1.0)
        assert await hears(one, 1000) > -30 and await hears(two, 440) > -30
        found = await people(server, "daily")
        assert set(found) == {"AEAD_AES_128_GCM", "None"} and found["AEAD_AES_128_GCM"]["auth_failures"] == 0
        assert "its fingerprint by DTLS came in clear over UDP" in found["AEAD_AES_128_GCM"]["protection"]
        assert one.suite == "AEAD_AES_128_GCM" and not one.protection and one.exposure
        await one.hold()
        await one.hold(False)
        assert await hears(two, 440) > -30 and one.figures.auth_failures == 0


@pytest.mark.parametrize("server", ["require"], indirect=True)
async def test_required_protection_refuses_plain_media_and_keys_in_clear_with_488(server: Server) -> None:
    for srtp, words in (("off", "must be protected"), ("prefer", "protected signalling")):
        with pytest.raises(CallFailed, match=words) as refused:
            async with in_call(server, "daily", 440, srtp, "sdes"):
                pass
        assert refused.value.status == 488
    async with in_call(server, "daily", 440, "prefer") as one, in_call(server, "daily", 1000, "prefer", "dtls") as two:
        await asyncio.sleep(1.0)
        assert await hears(one, 1000) > -30 and one.suite == two.suite == "AEAD_AES_128_GCM" and not one.protection
    with pytest.raises(CallFailed, match="TLS"):
        async with in_call(server, "daily", 440, "require"):
            pass


@pytest.mark.parametrize("server", ["off"], indirect=True)
async def test_server_without_srtp_is_joined_in_plain_where_protection_is_preferred(server: Server) -> None:
    async with in_call(server, "daily", 440, "prefer") as one, in_call(server, "daily", 1000, "prefer") as two:
        await asyncio.sleep(0.5)
        assert await hears(one, 1000) > -30 and not one.suite and not two.suite


@pytest.mark.parametrize(("suite", "keying"), [(SUITES[0].name, "dtls"), (SUITES[1].name, "sdes"), (SUITES[1].name, "dtls"),
                                                (SUITES[2].name, "sdes")])
async def test_two_phones_of_one_suite_hear_each_other_through_a_room(server: Server, suite: str, keying: str) -> None:
    async with (in_call(server, "daily", 440, "prefer", keying, (suite,)) as one,
                in_call(server, "daily", 1000, "prefer", keying, (suite,)) as two):
        await asyncio.sleep(0.6)
        assert await hears(one, 1000, 0.5) > -30 and await hears(two, 440, 0.5) > -30
        assert one.suite == two.suite == suite and one.media.protection is not None and one.media.protection.how == keying
        assert one.figures.auth_failures == two.figures.auth_failures == 0


async def test_injected_repeated_and_flipped_packets_are_dropped_and_the_call_lives(server: Server) -> None:
    async with in_call(server, "daily", 440, "prefer", "sdes") as one, in_call(server, "daily", 1000, "prefer", "sdes") as two:
        sent: list[bytes] = []
        protect = one.media._security.protect

        def kept(packet: bytes) -> bytes | None:
            out = protect(packet)
            if out is not None and len(sent) < 100:
                sent.append(out)
            return out

        one.media._security.protect = kept  # type: ignore[method-assign]
        sock, agreed = one.media._rtp, one.media.negotiated
        assert sock is not None and agreed is not None and agreed.remote is not None
        while len(sent) < 100:
            await asyncio.sleep(0.1)
        attack = sent * 4                                                       # 400 replays
        attack += [packet[:n % 58 + 2] + bytes([packet[n % 58 + 2] ^ 1 << n % 8]) + packet[n % 58 + 3:]
                   for n, packet in enumerate(sent * 4)]                        # 400 bit flips, all over the packet
        ahead = int.from_bytes(sent[-1][2:4]) + 3000
        attack += [sent[-1][:2] + (ahead + n & 0xFFFF).to_bytes(2) + sent[-1][4:12] + os.urandom(70) for n in range(750)]
        attack += [b"\x80\x6f" + os.urandom(60) for _ in range(250)]            # bad tags under the call's SSRC, and others
        for packet in attack:
            sock.sendto(packet, agreed.remote)
            await asyncio.sleep(0.003)                          # a room takes 8 packets of a leg at a tick, the rest waits
        await asyncio.sleep(1.5)
        assert await hears(two, 440) > -30 and await hears(one, 1000) > -30
        found = [person for person in await asyncio.to_thread(server.json, "room", "people", "daily")
                 if person["replayed"] or person["auth_failures"]]
        assert len(found) == 1 and found[0]["replayed"] >= 400
        assert found[0]["replayed"] + found[0]["auth_failures"] == len(attack) == 1800
        assert found[0]["packets_in"] <= one.figures.packets_sent


async def test_rooms_of_a_worker_that_dies_go_on_under_the_same_keys_with_new_ssrcs_and_no_index_twice(server: Server) -> None:
    async with in_call(server, "daily", 440, "prefer", "sdes") as one, in_call(server, "daily", 1000, "prefer", "dtls") as two:
        received: list[bytes] = []
        unprotect = one.media._security.open

        def kept(packet: bytes, is_report: bool) -> bytes | None:
            if not is_rtcp(packet):
                received.append(packet[:12])
            return unprotect(packet, is_report)

        one.media._security.open = kept  # type: ignore[method-assign]
        await asyncio.sleep(2.5)
        before = one.protection, one.media.protection
        worker = next(worker for worker in (await asyncio.to_thread(figures, server))["workers"] if worker["rooms"])
        ssrcs = {packet[8:12] for packet in received}
        os.kill(worker["pid"], signal.SIGKILL)
        struck = time.monotonic()
        while len({packet[8:12] for packet in received}) == len(ssrcs) and time.monotonic() - struck < 3 * BACK_S:
            await asyncio.sleep(0.05)
        assert len({packet[8:12] for packet in received}) == len(ssrcs) + 1
        await asyncio.sleep(1.0)
        assert await hears(one, 1000) > -30 and await hears(two, 440) > -30
        indexes = [(packet[8:12], packet[2:4]) for packet in received]
        assert len(set(indexes)) == len(indexes) and (one.protection, one.media.protection) == before
        assert one.figures.auth_failures == 0


async def test_rollover_of_sequence_numbers_under_loss_is_heard_without_a_gap(server: Server,
                                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    suite = "AES_CM_128_HMAC_SHA1_80"                                       # the one whose tag covers the rollover counter
    first = 0x10000 - 100                                                   # the counter rolls over after two seconds
    monkeypatch.setattr(session, "Position", lambda ssrc, _, timestamp: Position(ssrc, first, timestamp))
    with CallRelay((server.host, server.port), up=Conditions(loss=0.03), seed=4) as relay:
        async with Phone(srtp="prefer", keying="sdes", suites=(suite,)) as phone, in_call(server, "daily", 1000, "off") as two:
            one = await phone.call(f"sip:daily@127.0.0.1:{relay.port}")
            one.play(np.rint(tones.sines(440, 10.0, level_dbfs=-20.0) * 32767).astype(np.int16))
            heard: list[Any] = []
            async for frame in two.audio():
                heard.append(frame)
                if one.media._position.sequence % 0x10000 in range(100, 1000):
                    break
            person = (await people(server, "daily"))[suite]
            lost_on_the_way = relay.media.up.lost
    before, after = np.split(np.concatenate(heard)[-2 * 96000:] / 32768.0, 2)      # two seconds to each side of the roll
    assert min(tones.level_dbfs(48000, part, 440) for part in (before[48000:], after)) > -22
    assert person["auth_failures"] == person["replayed"] == 0 < person["lost"] <= lost_on_the_way and person["packets_in"] > 100


async def test_registered_phone_that_showed_a_handshake_is_called_with_one(server: Server) -> None:
    await asyncio.to_thread(server.json, "user", "add", "anna", "--password", "correct-horse-battery")
    async with (Phone("anna", "correct-horse-battery", f"{server.host}:{server.port}", listen="127.0.0.1") as anna,
                in_call(server, "daily", 1000, "off")):
        for expected in ("sdes", "dtls"):                   # a stranger at first, then one that has called by itself
            await asyncio.to_thread(server.json, "room", "dial", "daily", "anna")
            call = await asyncio.wait_for(anna.next_call(), 15)
            offer = call.signalling.invite
            assert offer is not None and (b"a=fingerprint" in offer.body) == (expected == "dtls")
            await call.answer()
            assert await hears(call, 1000, 0.5) > -30 or await hears(call, 1000, 0.5) > -30
            assert call.media.protection is not None and call.media.protection.how == expected and call.suite
            call.hang_up()
            await asyncio.wait_for(call.ended(), 15)
            own = await anna.call("daily")
            assert await hears(own, 1000, 0.5) > -30 or await hears(own, 1000, 0.5) > -30
            own.hang_up()
            await asyncio.wait_for(own.ended(), 15)
