"""A meeting is recorded: the mix and a file for each person, in step, past a recorder that is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import wave
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import psutil
import pytest

from confero.testing import Server, start_server
from mcu.api import control
from softphone.call import Call
from softphone.phone import Phone
from tests.helpers import tones

pytestmark = pytest.mark.loopback
HERTZ = (440, 1000, 1800)
RATE = 48000
LIMIT_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a room."""
    running = start_server(tmp_path_factory.mktemp("recording") / "server", "--open", "--workers", "1")
    running.json("room", "create", "daily")
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(errors="replace")


def sound_of(path: Path) -> npt.NDArray[np.float64]:
    """The samples of a file of ours, one channel."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    line = np.concatenate(frames)
    return line / 32768.0 if line.dtype == np.int16 else line.astype(np.float64)


def described(folder: Path, part: int = 1) -> dict[str, object]:
    """What the JSON says."""
    facts: dict[str, object] = json.loads((folder / ("recording.json" if part == 1 else f"recording-{part}.json")).read_text())
    return facts


async def ask(server: Server, verb: str, **arguments: Any) -> Any:
    """What the running server answers to a verb about the room."""
    return await asyncio.to_thread(control.call, server.data / control.FILE_NAME, verb, {"name": "daily", **arguments})


async def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.1)


def morse(hz: int) -> npt.NDArray[np.int16]:
    """A tone that comes and goes in a pattern of its own, 40 s."""
    on = np.repeat(np.random.default_rng(hz).integers(0, 2, 400), RATE // 10)
    return np.rint(tones.sines(hz, 40.0, level_dbfs=-20.0) * on * 32767).astype(np.int16)


def envelope(line: npt.NDArray[np.float64], hz: int) -> npt.NDArray[np.float64]:
    """How loud a tone is, a thousand times a second."""
    turned = line * np.exp(-2j * np.pi * hz * np.arange(len(line)) / RATE)
    return np.abs(np.convolve(turned, np.ones(960) / 960, "same"))[::RATE // 1000]


def lag_ms(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> int:
    """By how much one envelope is later than the other."""
    count = min(len(one), len(other))
    one, other = one[:count] - one[:count].mean(), other[:count] - other[:count].mean()
    return int(np.argmax(np.correlate(one[200:-200], other, "valid"))) - 200


async def test_three_tones_are_recorded_in_step_and_a_killed_recorder_leaves_playable_files(server: Server) -> None:
    async with AsyncExitStack() as stack:
        calls = []
        for hz in HERTZ:
            phone = await stack.enter_async_context(Phone(codecs=("opus",), display_name=f"{hz} Hz"))
            calls.append(await phone.call(server.uri("daily")))
        begun = await ask(server, "room.record", action="start")
        folder = Path(begun["folder"])
        assert folder.stat().st_mode & 0o777 == 0o700
        for call, hz in zip(calls, HERTZ, strict=True):
            call.play(morse(hz))
        await until(lambda: len(list(folder.glob("*.mka"))) == 4, "the stems begin")
        before = described(folder)["seconds"]
        await until(lambda: float(str(described(folder)["seconds"])) > float(str(before)) + 1.5, "the files grow")
        (recorder,) = [one for one in psutil.Process(server.process.pid).children() if "mcu.recording" in one.cmdline()]
        os.kill(recorder.pid, signal.SIGKILL)
        await until(lambda: (folder / "recording-2.json").exists(), "another recorder takes over")
        await until(lambda: float(str(described(folder, 2)["seconds"])) > 0.5, "the second part grows")
        ended = await ask(server, "room.record", action="stop")
        assert (ended["part"], ended["state"]) == (2, "stopped")
        await until(lambda: described(folder, 2)["ended_at"] is not None, "the second part is finished")

    for part, suffix in ((1, ""), (2, "-2")):
        mix = sound_of(folder / f"mix{suffix}.mka")
        stems = {hz: sound_of(next(folder.glob(f"??-{hz}_Hz{suffix}.mka"))) for hz in HERTZ}
        for hz, stem in stems.items():
            loud = {other: float(np.percentile(envelope(stem, other), 90)) for other in HERTZ}
            assert loud[hz] == pytest.approx(0.07, rel=0.3)                   # half of the peak of a sine of -20 dBFS
            assert all(one < loud[hz] / 30 for other, one in loud.items() if other != hz)
            assert abs(lag_ms(envelope(mix, hz), envelope(stem, hz))) < 20
            assert abs(len(stem) - len(mix)) <= 3 * RATE if part == 1 else len(stem) == len(mix)
    (listed,) = await asyncio.to_thread(control.call, server.data / control.FILE_NAME, "recordings.list", {})
    assert (listed["state"], listed["parts"], len(listed["files"]), listed["room"]) == ("complete", 2, 8, "daily")
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


async def hears(call: Call, hz: int, level_dbfs: float, within_db: float = 4.0) -> None:
    """Wait until a tone is heard at a level."""
    frames: deque[npt.NDArray[np.int16]] = deque(maxlen=10)
    heard = -200.0
    async with asyncio.timeout(LIMIT_S):
        async for frame in call.audio():
            frames.append(frame)
            heard = tones.level_dbfs(RATE, np.concatenate(frames) / 32768.0, hz)
            if len(frames) == 10 and abs(heard - level_dbfs) <= within_db:
                return
    raise AssertionError(f"{hz} Hz at {heard:.0f} dBFS")


async def test_a_file_is_played_to_the_room_louder_paused_and_to_its_end_and_junk_is_refused_in_words(
        server: Server, tmp_path: Path) -> None:
    tone = tmp_path / "tone.wav"
    with wave.open(str(tone), "wb") as out:
        out.setparams((1, 2, 44100, 0, "NONE", ""))
        out.writeframes(np.rint(3000 * np.sin(2 * np.pi * 1000 * np.arange(44100 * 30) / 44100)).astype("<i2").tobytes())
    level = 20 * np.log10(3000 / 32768 / np.sqrt(2))
    async with Phone(codecs=("opus",)) as phone:
        call = await phone.call(server.uri("daily"))
        junk = await asyncio.to_thread(server.cli, "room", "play", "daily", __file__)
        assert junk.returncode == 1 and "can't be played" in junk.stderr
        begun = await ask(server, "room.play", what=str(tone))
        assert begun["what"] == "tone.wav"
        await hears(call, 1000, level, 2.0)
        await ask(server, "room.play", what="volume 200")
        await hears(call, 1000, level + 6, 2.0)
        await ask(server, "room.play", what="pause")
        await hears(call, 1000, -100, 40.0)
        await ask(server, "room.play", what="seek 29")
        await ask(server, "room.play", what="resume")
        await until_ended(server)


async def until_ended(server: Server) -> None:
    """Wait until what plays is over."""
    deadline = time.monotonic() + LIMIT_S
    while (await ask(server, "room.play", what="status"))["state"] != "ended":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
