"""Sources of sound: tones, melodies, files of any rate."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from softphone.media.player import File, Notes, Source, SourceError, Tone, open_source
from tests.helpers import tones


def drain(source: Source, limit: int = 500) -> tones.Signal:
    frames = []
    while len(frames) < limit and (frame := source.read()) is not None:
        assert frame.shape == (960,) and frame.dtype == np.int16
        frames.append(frame)
    source.close()
    return np.concatenate(frames) / 32768 if frames else np.zeros(0)


@pytest.mark.parametrize(("text", "hz", "level"), [("tone:440", 440, -20), ("tone:1000.5@-6", 1000.5, -6),
                                                   ("tone:90@-60.5", 90, -60.5)])
def test_a_tone_has_the_frequency_and_level_that_was_asked_for(text: str, hz: float, level: float) -> None:
    samples = drain(open_source(text), 100)
    assert tones.dominant_hz(48000, samples) == pytest.approx(hz, abs=1)
    assert tones.rms_dbfs(samples) == pytest.approx(level, abs=0.3)


@pytest.mark.parametrize("text", ["tone:", "tone:1", "tone:440@5", "tone:440@-99", "tone:440@", "tone:४४०", "/nowhere.wav"])
def test_a_source_that_cannot_be_is_refused_in_words(text: str) -> None:
    with pytest.raises(SourceError):
        open_source(text)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 2), (22050, 1), (44100, 2), (48000, 1)])
def test_a_file_of_any_rate_sounds_the_same(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "in.wav"
    tones.make(path, 700, seconds=1.03, rate=rate, level_dbfs=-18, channels=channels)
    samples = drain(File(path))
    assert len(samples) == pytest.approx(1.03 * 48000, abs=1500)
    middle = tones.steady(48000, samples)
    assert tones.level_dbfs(48000, middle, 700) == pytest.approx(-18, abs=0.3)
    assert tones.longest_gap_ms(48000, middle) == 0


def test_a_loop_goes_on_without_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    tones.make(path, 500, seconds=0.205, level_dbfs=-18)
    samples = drain(File(path, loop=True), 100)
    assert len(samples) == 96000 and tones.longest_gap_ms(48000, samples[4800:]) == 0


def test_a_file_without_sound_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
    with pytest.raises(SourceError):
        File(path)
    with pytest.raises(SourceError, match=r"can't be read|no sound file"):
        File(tmp_path)


def test_a_melody_ends_or_begins_again() -> None:
    notes = ((440.0, 0.1), (0.0, 0.05))
    assert len(drain(Notes(notes))) == pytest.approx(0.15 * 48000, abs=960)
    assert len(drain(Notes(notes, loop=True), 50)) == 50 * 960


def test_a_tone_does_not_click_between_frames() -> None:
    tone = Tone(443)
    samples = drain(tone, 50)
    assert tones.largest_click_db(48000, samples, [443]) < -50
