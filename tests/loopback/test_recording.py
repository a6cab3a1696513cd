"""A meeting is recorded: the mix and a file for each person, in step, past a recorder that is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import psutil
import pytest

from confero.testing import Server, start_server
from softphone.phone import Phone
from tests.helpers import tones

pytestmark = pytest.mark.loopback
HERTZ = (440, 1000, 1800)
RATE = 48000
LIMIT_S = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with a room."""
    running = start_server(tmp_path / "server", "--open", "--workers", "1")
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


async def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.1)


def begins_at(line: npt.NDArray[np.float64], hz: int) -> int:
    """The sample at which a tone begins: where a window of 5 ms first has half of its level."""
    times = np.arange(len(line)) / RATE
    envelope = np.abs(np.convolve(line * np.exp(-2j * np.pi * hz * times), np.ones(960) / 960, "same"))
    return int(np.argmax(envelope > envelope.max() / 2))


async def test_three_tones_are_recorded_in_step_and_a_killed_recorder_leaves_playable_files(server: Server) -> None:
    async with AsyncExitStack() as stack:
        calls = []
        for hz in HERTZ:
            phone = await stack.enter_async_context(Phone(codecs=("opus",), display_name=f"{hz} Hz"))
            calls.append(await phone.call(server.uri("daily")))
        begun = await asyncio.to_thread(server.json, "room", "record", "daily", "start")
        folder = Path(begun["folder"])
        assert folder.stat().st_mode & 0o777 == 0o700
        for number, (call, hz) in enumerate(zip(calls, HERTZ, strict=True)):
            tone = np.rint(tones.sines(hz, 40.0, level_dbfs=-20.0) * 32767).astype(np.int16)
            call.play(np.concatenate((np.zeros(RATE // 4 * number, np.int16), tone)))
        await until(lambda: len(list(folder.glob("*.mka"))) == 4, "the stems begin")
        before = described(folder)["seconds"]
        await until(lambda: float(str(described(folder)["seconds"])) > float(str(before)) + 1.5, "the files grow")
        (recorder,) = [one for one in psutil.Process(server.process.pid).children() if "mcu.recording" in one.cmdline()]
        os.kill(recorder.pid, signal.SIGKILL)
        await until(lambda: (folder / "recording-2.json").exists(), "another recorder takes over")
        await until(lambda: float(str(described(folder, 2)["seconds"])) > 0.5, "the second part grows")
        ended = await asyncio.to_thread(server.json, "room", "record", "daily", "stop")
        assert (ended["part"], ended["state"]) == (2, "stopped")
        await until(lambda: described(folder, 2)["ended_at"] is not None, "the second part is finished")

    for part, suffix in ((1, ""), (2, "-2")):
        mix = sound_of(folder / f"mix{suffix}.mka")
        stems = {hz: sound_of(next(folder.glob(f"??-{hz}_Hz{suffix}.mka"))) for hz in HERTZ}
        for hz, stem in stems.items():
            loud = stem[-RATE // 2:]
            levels = {other: tones.level_dbfs(RATE, loud, other) for other in HERTZ}
            assert levels[hz] == pytest.approx(-20, abs=2)
            assert all(level < -50 for other, level in levels.items() if other != hz)
            assert tones.level_dbfs(RATE, mix[len(stem) - RATE // 2:len(stem)], hz) == pytest.approx(-20, abs=2)
            assert abs(begins_at(mix, hz) - begins_at(stem, hz)) < RATE // 50
            assert abs(len(stem) - len(mix)) <= RATE + RATE // 10 if part == 1 else len(stem) == len(mix)
    (listed,) = await asyncio.to_thread(server.json, "recordings", "list")
    assert (listed["state"], listed["parts"], len(listed["files"]), listed["room"]) == ("complete", 2, 8, "daily")
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
