"""The phone without a window as a process: what it plays, records, presses, counts, and how it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from softphone.media.player import Tone
from softphone.phone import Phone
from tests.helpers import tones
from tests.helpers.ports import free_port
from tests.softphone.ears import Ear, talk

pytestmark = pytest.mark.loopback
ROOT = Path(__file__).resolve().parents[2]
LEVEL_DBFS = -20.0


@contextmanager
def headless(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-m", "softphone", "--headless", *arguments], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


async def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    return await asyncio.to_thread(process.communicate, timeout=30)


async def test_a_call_is_played_recorded_and_counted(tmp_path: Path) -> None:
    source, recording, stats = tmp_path / "in.wav", tmp_path / "out.wav", tmp_path / "stats.json"
    tones.make(source, 440, seconds=0.5, rate=22050, level_dbfs=LEVEL_DBFS, channels=2)
    async with Phone(listen="127.0.0.1") as phone:
        with headless(phone.addresses[0], "--play", str(source), "--loop", "--record", str(recording), "--seconds", "3",
                      "--stats", str(stats), "--codec", "pcma", "--transport", "tcp", "--display-name", "Robot") as process:
            call = await phone.next_call()
            assert call.remote_name == "Robot"
            await call.answer()
            ear = Ear()
            await talk(call, Tone(1000, LEVEL_DBFS), 2.5, ear)
            end = await asyncio.wait_for(call.ended(), 20)
            out, errors = await finish(process)
    assert process.returncode == 0 and end.cause == "hung_up", errors
    facts = json.loads(out)
    assert facts == json.loads(stats.read_text(encoding="utf-8"))
    assert facts["codec"] == "PCMA" and facts["is_connected"] and facts["ended_by"] == "us"
    assert facts["lost"] == facts["junk"] == facts["foreign"] == 0
    assert facts["packets_sent"] == pytest.approx(150, abs=10)
    heard = tones.steady(48000, ear.samples)
    assert tones.level_dbfs(48000, heard, 440) == pytest.approx(LEVEL_DBFS, abs=1)
    rate, samples = tones.read_wav(recording)
    assert rate == 48000 and len(samples) / rate == pytest.approx(3, abs=0.2)
    middle = tones.steady(rate, samples)
    assert tones.level_dbfs(rate, middle, 1000) == pytest.approx(LEVEL_DBFS, abs=1)
    assert tones.longest_gap_ms(rate, middle) == 0


async def test_a_call_is_held_for_a_while_and_taken_back(tmp_path: Path) -> None:
    async with Phone(listen="127.0.0.1") as phone:
        with headless(phone.addresses[0], "--play", "tone:440", "--hold", "0.5s:1s", "--seconds", "30") as process:
            call = await phone.next_call()
            await call.answer()
            assert call.media.negotiated is not None and process.stderr is not None
            seen = []
            for line, direction in (("on hold\n", "recvonly"), ("back in the call\n", "sendrecv")):
                while await asyncio.wait_for(asyncio.to_thread(process.stderr.readline), 20) != line:
                    pass
                seen.append((call.media.negotiated.direction, direction))
            call.hang_up()
            await finish(process)
    assert process.returncode == 0
    assert seen == [("recvonly", "recvonly"), ("sendrecv", "sendrecv")]


async def test_a_transfer_that_fails_is_one_line_and_status_one() -> None:
    async with Phone(listen="127.0.0.1") as phone:
        with headless(phone.addresses[0], "--transfer", "0.1s:bob", "--seconds", "2") as process:
            call = await phone.next_call()
            await call.answer()
            end = await asyncio.wait_for(call.ended(), 20)
            out, errors = await finish(process)
    assert process.returncode == 1 and end.cause == "hung_up" and json.loads(out)["is_connected"]
    assert errors.splitlines()[-2:] == [
        "Transferring to bob …", "confero-phone: the call was not transferred: the other phone follows no transfers"]


async def test_waiting_for_a_call_tells_where_and_ends_with_the_caller() -> None:
    with headless("--answer", "--listen", "127.0.0.1", "--play", "tone:700") as process:
        assert process.stderr is not None
        uri = (await asyncio.to_thread(process.stderr.readline)).split()[-1]
        async with Phone(listen="127.0.0.1") as phone:
            call = await phone.call(uri)
            ear = Ear()
            await talk(call, Tone(440, LEVEL_DBFS), 1.0, ear)
            call.hang_up()
        out, _ = await finish(process)
    assert tones.dominant_hz(48000, ear.samples) == pytest.approx(700, abs=3)
    assert process.returncode == 0
    assert json.loads(out)["ended_by"] == "them"


async def test_a_signal_hangs_up_and_the_figures_are_written(tmp_path: Path) -> None:
    recording = tmp_path / "out.wav"
    async with Phone(listen="127.0.0.1") as phone:
        with headless(phone.addresses[0], "--record", str(recording)) as process:
            call = await phone.next_call()
            await call.answer()
            await talk(call, Tone(440, LEVEL_DBFS), 1.0, Ear())
            process.send_signal(signal.SIGTERM)
            end = await asyncio.wait_for(call.ended(), 10)
            out, _ = await finish(process)
    assert end.cause == "hung_up" and process.returncode == 0
    assert json.loads(out)["is_connected"]
    assert len(tones.read_wav(recording)[1]) > 24000


async def test_a_call_that_is_declined_is_one_line_and_status_one() -> None:
    async with Phone(listen="127.0.0.1") as phone:
        with headless(phone.addresses[0]) as process:
            (await phone.next_call()).decline()
            out, errors = await finish(process)
    assert process.returncode == 1
    assert errors == "confero-phone: the call was declined\n" and out == ""


async def test_a_host_that_is_not_there_is_one_line_and_status_one() -> None:
    with headless(f"sip:x@127.0.0.1:{free_port()}", "--transport", "tcp") as process:
        _, errors = await finish(process)
    assert process.returncode == 1 and "can't be reached" in errors and errors.count("\n") == 1


def test_without_a_display_the_window_says_so_with_the_remedy() -> None:
    done = subprocess.run([sys.executable, "-m", "softphone"], env={"PATH": "/usr/bin:/bin"}, cwd=ROOT, capture_output=True,
                          text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "no display" in done.stderr and "--headless" in done.stderr and done.stderr.count("\n") == 1
