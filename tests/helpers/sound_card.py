"""A sound card without hardware: a PulseAudio of its own, its loudspeaker recorded, its microphone playing a WAV."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 15
RATE = 48000
SETUP = """load-module module-null-sink sink_name=loudspeaker rate=48000 channels=1
load-module module-null-sink sink_name=room rate=48000 channels=1
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
set-default-sink loudspeaker
set-default-source room.monitor
"""


@dataclass(frozen=True, slots=True)
class SoundCard:
    """`environment` makes a program use the card (by PulseAudio or ALSA); `heard` is the WAV of what the loudspeaker played."""

    environment: dict[str, str]
    heard: Path


@contextmanager
def sound_card(work: Path, microphone: Path) -> Iterator[SoundCard]:
    """Start the card; everything ends with the block. work: an empty folder; microphone: a WAV that is played once."""
    socket = work / "native"
    (work / "setup.pa").write_text(SETUP.format(socket=socket))
    (work / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
    environment = {
        **os.environ, "HOME": str(work), "XDG_RUNTIME_DIR": str(work), "PULSE_RUNTIME_PATH": str(work),
        "PULSE_STATE_PATH": str(work), "PULSE_SERVER": f"unix:{socket}",
    }
    heard = work / "heard.wav"
    with ExitStack() as running:
        running.enter_context(_process(environment, "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1",
                                       "--use-pid-file=no", "--disable-shm=yes", "-F", str(work / "setup.pa")))
        _wait_until_it_answers(environment)
        running.enter_context(_process(environment, "paplay", "-d", "room", str(microphone)))
        running.enter_context(_process(environment, "parec", "-d", "loudspeaker.monitor", "--file-format=wav", f"--rate={RATE}",
                                       "--channels=1", str(heard)))
        yield SoundCard(environment, heard)


@contextmanager
def _process(environment: dict[str, str], *command: str) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait_until_it_answers(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + START_S
    while subprocess.run(["pactl", "info"], env=environment, capture_output=True, check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise RuntimeError("pulseaudio did not start")
        time.sleep(0.1)
