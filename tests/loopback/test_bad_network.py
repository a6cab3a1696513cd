"""Calls over a bad network: what server and phone lose by it, and how they find together again; judged by counters."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from confero.testing import Server, start_server
from rtp.codecs import g711
from tests.helpers.crowd import FRAME, LEVEL_DBFS, Crowd, Person
from tests.helpers.netem import Bursts, Conditions
from tests.helpers.sip_relay import CallRelay

pytestmark = [pytest.mark.loopback, pytest.mark.alone]

RADIO = Conditions(loss=0.02, delay_ms=20, jitter_ms=30)
RELEARN_S = 2.0
LOUD = 0.02


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of this file."""
    running = start_server(tmp_path_factory.mktemp("bad-network") / "server", "--open", "--workers", "1")
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(errors="replace")


@contextmanager
def relayed(server: Server, conditions: Conditions | None = None, seed: int = 1) -> Iterator[tuple[CallRelay, Server]]:
    """A relay and the server as a phone behind it sees it."""
    with CallRelay((server.host, server.port), up=conditions, down=conditions, seed=seed) as relay:
        yield relay, replace(server, port=relay.port)


async def record_of(server: Server, person: Person) -> dict[str, Any]:
    """The server's record of a call that runs, after another round of reports."""
    await asyncio.sleep(1.2)
    facts: dict[str, Any] = await asyncio.to_thread(server.json, "call", "show", person.call.id)
    return facts


async def talk_all(crowds: list[Crowd], seconds: float) -> None:
    """Let the people of several crowds talk at the same time."""
    await asyncio.gather(*(crowd.talk(seconds) for crowd in crowds))


async def clean_talk(crowds: list[Crowd], seconds: float = 2.0) -> None:
    """Assert that everybody hears everybody else at the right level, and the mix is without a seam."""
    for crowd in crowds:
        crowd.forget()
    await talk_all(crowds, seconds)
    everybody = [person for crowd in crowds for person in crowd.people]
    for person in everybody:
        for other in everybody:
            if other is not person:
                assert person.level_dbfs(other.hz) == pytest.approx(LEVEL_DBFS, abs=3.0), (person.hz, other.hz)


async def test_two_percent_loss_and_jitter_of_thirty_ms_lose_less_than_one_percent_by_lateness(
        server: Server, tmp_path: Path) -> None:
    with relayed(server, RADIO, 3) as (near_light, far), relayed(server, RADIO, 5) as (near_opus, farther):
        stats = tmp_path / "stats.json"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "softphone", "--headless", farther.uri("radio"), "--play", "tone:1000@-20", "--codec", "opus",
            "--seconds", "16", "--stats", str(stats), "--display-name", "opus", stdout=asyncio.subprocess.DEVNULL)
        async with Crowd(far) as bad, Crowd(server) as good:
            light = await bad.join("radio", 440, name="light")
            clean = await good.join("radio", 700, name="clean")
            while {"opus"} - {p["name"] for p in await asyncio.to_thread(server.json, "room", "people", "radio")}:
                await talk_all([bad, good], 0.2)
            await talk_all([bad, good], 2.0)
            good.forget()
            await talk_all([bad, good], 10.0)
            assert clean.missing == 0
            for hz in (440, 1000):
                assert clean.level_dbfs(hz) == pytest.approx(LEVEL_DBFS, abs=3.0)
            (of_opus,) = [call for call in await asyncio.to_thread(server.json, "call", "list") if call["codec"] == "opus"]
            of_light = await record_of(server, light)
            assert await asyncio.wait_for(process.wait(), 40) == 0
        phone = json.loads(stats.read_text())
    for facts, relay in ((of_light, near_light), (of_opus, near_opus)):
        assert facts["packets_in"] > 400
        assert facts["late"] < 0.01 * facts["packets_in"] + relay.sent_up.tardy, facts
        assert 0.002 < facts["lost"] / facts["packets_in"] < 0.06, facts
    assert phone["packets_received"] > 400 and phone["lost"] > 0
    assert phone["late"] < 0.01 * phone["packets_received"] + near_opus.sent_down.tardy, phone
    assert phone["delay_ms"] < 250, phone


async def test_bursts_reordering_and_doubles_are_taken_and_nothing_is_left_of_them(server: Server) -> None:
    with relayed(server, seed=7) as (relay, far):
        async with Crowd(far) as bad, Crowd(server) as good:
            alice, bob = await bad.join("bursts", 440), await good.join("bursts", 700)
            await talk_all([bad, good], 0.5)
            relay.set(Conditions(reorder=0.1, reorder_ms=30, duplicate=0.05))
            await talk_all([bad, good], 4.0)
            relay.set(Conditions())
            await talk_all([bad, good], 0.5)
            unordered = await record_of(server, alice)
            assert relay.media.up.held_back > 5 and relay.media.up.duplicated > 2
            assert unordered["lost"] == 0, unordered
            assert unordered["late"] <= 0.01 * unordered["packets_in"] + 3, unordered
            relay.set(Conditions(bursts=Bursts(to_bad=0.02, to_good=0.3)))
            await talk_all([bad, good], 4.0)
            relay.set(Conditions())
            await talk_all([bad, good], 1.0)
            after = await record_of(server, alice)
            assert relay.media.up.lost > 5
            # doubles count as received, so they hide losses (RFC 3550 A.3)
            assert after["lost"] == max(0, relay.media.up.lost - relay.media.up.duplicated), after
            assert bob.missing == 0
            await clean_talk([bad, good])


async def delay_packets(good: Crowd, listener: Person, crowds: list[Crowd], talker: Person) -> int:
    """How many packets the listener gets from the moment when the talker begins until the tone is in one."""
    talker.is_talking = False
    listener.is_talking = False
    await talk_all(crowds, 1.0)
    listener.heard.clear()
    talker.is_talking = True
    await talk_all(crowds, 1.5)
    listener.is_talking = True
    for number, (*_, payload, _csrcs) in enumerate(listener.heard):
        if np.abs(g711.MULAW[np.frombuffer(payload[:FRAME], np.uint8)] / 32768.0).max() > LOUD:
            return number
    raise AssertionError("the tone did not come")


async def test_after_a_stall_of_600_ms_both_sides_are_together_again_and_not_later_than_before(server: Server) -> None:
    with relayed(server, seed=9) as (relay, far):
        async with Crowd(far) as bad, Crowd(server) as good:
            alice, bob = await bad.join("stall", 440), await good.join("stall", 700)
            crowds = [bad, good]
            await talk_all(crowds, 1.0)
            before = await delay_packets(good, bob, crowds, alice)
            relay.stall(0.6)
            await talk_all(crowds, 2.0)
            after = [await delay_packets(good, bob, crowds, alice)]
            while after[-1] - before > 10 and len(after) < 3:           # a machine that stalls by itself gets another look
                after.append(await delay_packets(good, bob, crowds, alice))
            assert after[-1] - before <= 10, (before, after)            # 200 ms; the stall was 30 packets long
            facts = await record_of(server, alice)
            assert facts["lost"] == 0, facts
            await clean_talk(crowds)
            assert (alice.missing, bob.missing) == (0, 0)


async def test_headless_phone_has_no_more_delay_after_a_stall(server: Server, tmp_path: Path) -> None:
    with relayed(server, seed=11) as (relay, far):
        async with Crowd(server) as good:
            await good.join("stalled-phone", 700)
            stats = tmp_path / "stats.json"
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "softphone", "--headless", far.uri("stalled-phone"), "--play", "tone:1000@-20",
                "--codec", "opus", "--seconds", "6", "--stats", str(stats), stdout=asyncio.subprocess.DEVNULL)
            while len(await asyncio.to_thread(server.json, "room", "people", "stalled-phone")) < 2:
                await good.talk(0.2)
            await good.talk(1.5)
            relay.stall(0.6)
            await good.talk(5.0)
            assert await asyncio.wait_for(process.wait(), 30) == 0
    phone = json.loads(stats.read_text())
    assert phone["lost"] == 0 and phone["delay_ms"] - (phone["rtt_ms"] or 0) / 2 < 300, phone    # a report stalls too
    assert phone["level"] > -40, phone


async def test_after_the_nat_has_changed_its_port_audio_is_back_in_time(server: Server) -> None:
    with relayed(server, seed=13) as (relay, far):
        async with Crowd(far) as bad, Crowd(server) as good:
            alice, bob = await bad.join("rebound", 440), await good.join("rebound", 700)
            await talk_all([bad, good], 1.0)
            relay.media.rebind()
            await talk_all([bad, good], 0.1)
            begun, alice.heard[:] = alice.position, []
            while not alice.heard and alice.position - begun < 3 * RELEARN_S * 50:
                await talk_all([bad, good], 0.1)
            assert alice.heard, "no audio came back"
            await talk_all([bad, good], 0.5)
            await clean_talk([bad, good])
            assert bob.missing == 0
