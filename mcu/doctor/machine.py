"""The machine: codecs, media kernel, clock, limits, screen, sound and camera. Nothing here touches the network."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from mcu.doctor.findings import BAD, GOOD, WARNING, Finding

UNSYNCHRONISED = 0x0040
"""STA_UNSYNC of adjtimex(2)."""
ENOUGH_FILES = 4096
"""Four descriptors a call, and some."""
SLACK_S = 3600.0
"""How far a file may lie ahead of the clock: time zones of archives."""
LOOK_S = 10.0
_SOUND = """import json, pyaudio
audio = pyaudio.PyAudio()
found = [audio.get_device_info_by_index(number) for number in range(audio.get_device_count())]
print(json.dumps([sum(bool(one["maxInputChannels"]) for one in found), sum(bool(one["maxOutputChannels"]) for one in found)]))
"""
_SCREEN = "import tkinter; tkinter.Tk().destroy()"


def examine(environment: Mapping[str, str], *, now: float, here: Path, devices: Path = Path("/dev")) -> Iterator[Finding]:
    """All of it. environment: as of the process; now: the system's clock, seconds since 1970; here: a folder of the program."""
    yield from codecs()
    yield kernel()
    yield clock(now, here)
    yield open_files()
    yield screen(environment)
    yield sound(environment)
    yield camera(devices)
    yield speech()


def codecs() -> Iterator[Finding]:
    """Whether each codec can be used."""
    from rtp.codecs.registry import CLOCK_RATES, create_decoder, create_encoder
    from rtp.errors import CodecError

    missing = {}
    for name in CLOCK_RATES:
        try:
            create_encoder(name), create_decoder(name)
        except (CodecError, OSError, ImportError) as error:
            missing[name] = str(error)
    for name, reason in missing.items():
        remedy = "sudo apt-get install -y libopus0" if name == "opus" else "install the packages again: ./run setup server"
        yield Finding("codecs", BAD, f"{name} can't be used: {reason}", remedy)
    usable = [name for name in CLOCK_RATES if name not in missing]
    if usable:
        yield Finding("codecs", GOOD, ", ".join(usable))


def kernel() -> Finding:
    """Whether the native kernel is there."""
    if importlib.util.find_spec("rtp.kernel.native.kernel") is not None:
        return Finding("media kernel", GOOD, "native")
    return Finding("media kernel", GOOD, "in Python; there is no native one yet")


def clock(now: float, here: Path) -> Finding:
    """Whether the clock can be right: not before the program was installed, and disciplined by somebody."""
    newest = max((path.stat().st_mtime for path in here.glob("*.py")), default=0.0)
    if newest > now + SLACK_S:
        shown = time.strftime("%Y-%m-%d %H:%M", time.localtime(now))
        return Finding("clock", BAD, f"it is {shown} by the clock, which is before this program was installed: certificates "
                       "will be refused", "sudo timedatectl set-ntp true")
    if _is_adrift():
        return Finding("clock", WARNING, "nothing keeps the clock right: times of call records and captures may be off",
                       "sudo apt-get install -y systemd-timesyncd, or chrony")
    return Finding("clock", GOOD, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now)))


def _is_adrift() -> bool:
    try:
        state = ctypes.create_string_buffer(512)
        return ctypes.CDLL(None).adjtimex(state) == 5 or bool(ctypes.c_int.from_buffer(state, 40).value & UNSYNCHRONISED)
    except (OSError, AttributeError):
        return False


def open_files() -> Finding:
    """Whether the process may open enough files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < ENOUGH_FILES:
        return Finding("open files", WARNING, f"{hard} files may be open at a time: about {hard // 5} calls",
                       "raise LimitNOFILE in the service, or ulimit -n")
    return Finding("open files", GOOD, "no limit" if hard < 0 else f"{hard} may be open at a time")


def screen(environment: Mapping[str, str]) -> Finding:
    """Whether the softphone's window can open here."""
    console = "the phone works in the terminal: confero-phone --console"
    if environment.get("WAYLAND_DISPLAY") and not environment.get("DISPLAY"):
        return Finding("screen", WARNING, "Wayland without X: the window needs XWayland", f"start XWayland, or: {console}")
    if not environment.get("DISPLAY"):
        return Finding("screen", WARNING, "there is no display: the softphone's window can't open here", console)
    if importlib.util.find_spec("tkinter") is None:
        return Finding("screen", WARNING, "Tk is missing: the softphone's window can't open",
                       "sudo apt-get install -y python3-tk")
    if _asked([sys.executable, "-c", _SCREEN], environment) is None:
        return Finding("screen", WARNING, f"the display {environment['DISPLAY']} can't be opened", console)
    if environment.get("WAYLAND_DISPLAY"):
        return Finding("screen", WARNING, "Wayland: the window opens, but other programs can't be shown or steered",
                       "log in with a session on X11 where you need that")
    return Finding("screen", GOOD, "X11")


def sound(environment: Mapping[str, str]) -> Finding:
    """Whether there are a microphone and a loudspeaker for the softphone."""
    if importlib.util.find_spec("pyaudio") is None:
        return Finding("sound", WARNING, "PyAudio is missing: the softphone is deaf and mute here",
                       "sudo apt-get install -y python3-pyaudio")
    said = _asked([sys.executable, "-c", _SOUND], environment)
    inputs, outputs = map(int, said.strip("[] \n").split(",")) if said is not None else (0, 0)
    missing = [name for name, count in (("microphone", inputs), ("loudspeaker", outputs)) if not count]
    if missing:
        return Finding("sound", WARNING, f"there is no {' and no '.join(missing)} here (a server needs none)",
                       "plug one in, or look at the sound settings")
    return Finding("sound", GOOD, f"{inputs} to speak into, {outputs} to hear from")


def camera(devices: Path) -> Finding:
    """Whether there is a camera that may be used."""
    found = sorted(devices.glob("video[0-9]*"))
    if not found:
        return Finding("camera", GOOD, "none (a server needs none)")
    closed = [path for path in found if not os.access(path, os.R_OK)]
    if closed:
        return Finding("camera", WARNING, f"{closed[0]} may not be opened by this user",
                       "sudo usermod -aG video $USER, then log in anew")
    return Finding("camera", GOOD, ", ".join(map(str, found)))


def speech() -> Finding:
    """Whether prompts can be spoken."""
    if shutil.which("espeak-ng") is None:
        return Finding("speech", WARNING, "espeak-ng is missing: meetings play notes in place of words, and can say nothing",
                       "sudo apt-get install -y espeak-ng")
    return Finding("speech", GOOD, "espeak-ng")


def _asked(command: list[str], environment: Mapping[str, str]) -> str | None:
    """What a small program prints; None when it fails or hangs: a library that crashes takes nobody with it."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LOOK_S, env=dict(environment), check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.strip().rpartition("\n")[2]
