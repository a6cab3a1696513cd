"""Two robots that talk to each other: their speech as WAV files, made by espeak-ng, one silent while the other speaks.

Both files have the same length, so that two phones which loop them stay in turn.
"""

from __future__ import annotations

import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np

RATE = 22050
PAUSE_S = 0.6
DIALOGUE = (
    ("anna", "Hello, and welcome to Confero. I am Anna. You are in a meeting with two robots."),
    ("ben", "And I am Ben. If you hear us both, your telephone works."),
    ("anna", "Say something. We are patient listeners."),
    ("ben", "Press star six to mute yourself, and star six again to come back."),
    ("anna", "Any telephone that speaks SIP can call this room. No account is needed, only the PIN."),
    ("ben", "Tell a friend. Rooms are better with people in them."),
)
VOICES = {"anna": ("en-gb", "+f3", 165), "ben": ("en-us", "+m3", 155)}


def speak(text: str, robot: str, path: Path) -> np.ndarray:
    """The sentence in the robot's voice: int16, 22.05 kHz mono. Raises OSError when espeak-ng is missing."""
    language, variant, speed = VOICES[robot]
    subprocess.run(["espeak-ng", "-v", language + variant, "-s", str(speed), "-w", str(path), text], check=True)
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    path.unlink()
    return samples


def chime(robot: str) -> np.ndarray:
    """What a robot says where there is no espeak-ng: two notes of its own."""
    low, high = {"anna": (523.25, 659.25), "ben": (261.63, 329.63)}[robot]
    time = np.arange(RATE // 2) / RATE
    notes = [np.sin(2 * np.pi * pitch * time) * np.exp(-4 * time) for pitch in (low, high)]
    return (np.concatenate(notes) * 8000).astype(np.int16)


def make_speech(folder: Path) -> dict[str, Path]:
    """Write `anna.wav` and `ben.wav` into a folder, once; their paths by robot."""
    paths = {robot: folder / f"{robot}.wav" for robot in VOICES}
    if all(path.exists() for path in paths.values()):
        return paths
    parts: dict[str, list[np.ndarray]] = {robot: [] for robot in VOICES}
    pause = np.zeros(int(PAUSE_S * RATE), np.int16)
    for speaker, text in DIALOGUE:
        spoken = speak(text, speaker, folder / "sentence.wav") if shutil.which("espeak-ng") else chime(speaker)
        for robot, track in parts.items():
            track += [spoken if robot == speaker else np.zeros_like(spoken), pause]
    for robot, path in paths.items():
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(np.concatenate(parts[robot]).astype("<i2").tobytes())
    return paths
