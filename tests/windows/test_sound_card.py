"""The window with sound, by PortAudio: what its microphone hears is heard in the room, and what the room says is played."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from confero.testing import PhoneFactory, Server
from softphone.config import Config, save
from tests.helpers import tones
from tests.helpers.screen import Display
from tests.helpers.sound_card import sound_card

pytestmark = pytest.mark.window

RING = (0x2E, 0xD0, 0x73)


def wait_until(condition: Callable[[], object], what: str, limit_s: float = 45) -> None:
    """Wait until something holds, or fail and say what it was."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def count_ring(screen: Display) -> int:
    """How many pixels of the screen have the colour of the ring round who speaks."""
    return sum(count for count, colour in screen.picture().getcolors(1 << 24) or () if colour == RING)


def test_window_and_headless_phone_hear_each_other_through_a_sound_card(
    screen: Display, server: Server, phone: PhoneFactory, tmp_path: Path,
) -> None:
    config = Config()
    for name in ("echo_cancelling", "noise_suppression", "gain"):
        config = config.with_setting(name, False)             # a tone is noise to them
    save(config.with_setting("theme", "dark"), tmp_path / "phone.toml")
    microphone, work = tmp_path / "microphone.wav", tmp_path / "card"
    work.mkdir()
    tones.make(microphone, 1000, seconds=120, level_dbfs=-20.0)
    other = phone("daily", tone=440, seconds=90)
    with sound_card(work, microphone) as card:
        window = subprocess.Popen([sys.executable, "-m", "softphone", server.uri("daily"), "--display-name", "Alice Chen",
                                   "--config", str(tmp_path / "phone.toml")], env={**card.environment, "DISPLAY": screen.name})
        try:
            wait_until(lambda: count_ring(screen) > 300, "the microphone's meter stayed dark")
            # Without a window manager nobody gives a new window the keyboard that another one had.
            screen.xdotool("search", "--onlyvisible", "--name", "Confero", "windowfocus")
            screen.key("Return")
            wait_until(lambda: len(server.json("room", "people", "daily")) == 2, "the window did not join")
            wait_until(lambda: count_ring(screen) > 3000, "nobody speaks on the screen")
            wait_until(lambda: all(p["packets_in"] > 200 for p in server.json("room", "people", "daily")), "too few packets")
            other.process.terminate()
            other.process.wait(10)
        finally:
            window.terminate()
            assert window.wait(15) == 0
    rate, heard = tones.read_wav(other.recording)
    assert tones.dominant_hz(rate, tones.steady(rate, heard)) == pytest.approx(1000, abs=5)
    rate, played = tones.read_wav(card.heard)
    middle = tones.steady(rate, played)
    assert tones.dominant_hz(rate, middle) == pytest.approx(440, abs=5)
    assert tones.level_dbfs(rate, middle, 1000) < tones.level_dbfs(rate, middle, 440) - 40, "the window plays its own voice"
