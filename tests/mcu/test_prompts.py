"""What the attendant says: made once, kept, replaced by an operator's own, and notes where there is no voice."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from mcu import prompts
from mcu.messages import OpenRoom, PlaySound, pack
from mcu.prompt_texts import ATTENDANT, HUSH
from mcu.sound_messages import Announce
from mcu.worker.announcements import ALL_SOURCE
from mcu.worker.rooms import Rooms
from mcu.worker.sounds import spoken


def write(file: Path, value: int = 1000, rate: int = 48000, channels: int = 1) -> None:
    """A tenth of a second of one value."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.full(rate // 10 * channels, value, "<i2").tobytes())


def played(name: str, folder: Path | None) -> np.ndarray:
    """All samples of a sound."""
    play = spoken(name, "en", folder)
    ticks = [samples for samples in (play() for _ in range(1000)) if samples is not None]
    return np.concatenate(ticks) if ticks else np.zeros(0, np.int16)


@pytest.mark.loopback
def test_sentences_are_spoken_once_and_own_recordings_stay(tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    write(folder / "goodbye.wav", 77)
    own = (folder / "goodbye.wav").read_bytes()
    assert prompts.prepare(folder) == len(ATTENDANT) - 1
    assert prompts.prepare(folder) == 0
    assert (folder / "goodbye.wav").read_bytes() == own
    assert sorted(file.name for file in folder.iterdir()) == sorted(f"{name}.wav" for name in ATTENDANT)
    for name in set(ATTENDANT) - {"goodbye"}:
        line = played(name, folder) / 32768.0
        assert 2 * 48000 < len(line) < 12 * 48000, name
        assert 0.1 < float(np.abs(line).max()) <= 0.51, name


def test_without_a_voice_there_are_notes(tmp_path: Path) -> None:
    assert prompts.prepare(tmp_path / "prompts", program="no-such-program-here") == 0
    assert not (tmp_path / "prompts").exists()
    for name in ATTENDANT:
        assert played(name, tmp_path / "prompts").any()


def test_program_that_fails_leaves_no_half_file(tmp_path: Path) -> None:
    broken = tmp_path / "espeak-ng"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    assert prompts.prepare(tmp_path / "prompts", program=str(broken)) == 0
    assert list((tmp_path / "prompts").iterdir()) == []


@pytest.mark.parametrize("damage", ["rate", "stereo", "junk", "empty"])
def test_recording_of_another_form_is_passed_over_for_notes(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "enter-pin.wav"
    write(file, rate=8000 if damage == "rate" else 48000, channels=2 if damage == "stereo" else 1)
    if damage in ("junk", "empty"):
        file.write_bytes(b"RIFF junk" if damage == "junk" else b"")
    assert np.array_equal(played("enter-pin", tmp_path), played("enter-pin", None))


def test_recording_is_played_to_its_end(tmp_path: Path) -> None:
    write(tmp_path / "enter-pin.wav")
    assert np.array_equal(played("enter-pin", tmp_path), np.full(4800, 1000, np.int16))


def test_a_prompt_follows_the_one_before_beside_a_chime_and_hush_ends_both() -> None:
    rooms = Rooms(lambda report: None)
    try:
        rooms.take(pack(OpenRoom(1, "mix", 8)), ())
        room = rooms._rooms[1]
        rooms.take(pack(PlaySound(1, "join")), ())
        for name in ("enter-pin", "wrong-pin"):
            rooms.take(pack(Announce(1, 0, name, "en")), ())
        assert len(room._sources) == 2 and room._sources[ALL_SOURCE]() is not None
        rooms.take(pack(Announce(1, 0, HUSH, "en")), ())
        assert room._sources[ALL_SOURCE]() is None
        assert rooms.failures == 0
    finally:
        rooms.close()
