"""The examples do what they say, as programs of their own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from confero.testing import start_server
from softphone.media.player import Tone
from softphone.phone import Phone
from tests.helpers import tones
from tests.softphone.ears import Ear, talk

pytestmark = pytest.mark.loopback
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def example(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", f"examples.{name}", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize("name", ["echo", "listen"])
def test_an_example_is_twenty_lines_of_code_at_most(name: str) -> None:
    text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines()[1:] if line.strip()]
    assert len(lines) <= 20


async def test_echo_answers_and_plays_back_what_was_said() -> None:
    with example("echo", "127.0.0.1") as process:
        assert process.stdout is not None
        uri = process.stdout.readline().split()[1]
        async with Phone(listen="127.0.0.1") as phone:
            call = await phone.call(uri)
            ear = Ear()
            await talk(call, Tone(600, -20), 2.0, ear)
            middle = tones.steady(48000, ear.samples)
            assert tones.level_dbfs(48000, middle, 600) == pytest.approx(-20, abs=1)


async def test_listen_joins_a_room_and_tells_who_is_there_and_how_loud_it_is(tmp_path: Path) -> None:
    server = start_server(tmp_path / "server", "--open")
    try:
        async with Phone(listen="127.0.0.1", display_name="Ann") as phone:
            call = await phone.call(server.uri("daily"))
            ear = Ear()
            with example("listen", server.uri("daily"), "2") as process:
                talking = asyncio.create_task(talk(call, Tone(600, -20), 30.0, ear))
                out, errors = await asyncio.to_thread(process.communicate, timeout=25)
                talking.cancel()
        assert process.returncode == 0, errors
        last = out.splitlines()[-1]
        assert "-20." in last and "Ann" in last and "Listener" in last, out
    finally:
        server.stop()
