"""The phone's sound between device and call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtp.codecs.resample import Samples
from softphone.media.devices import Device, SourceDevice
from softphone.media.player import Notes, Tone
from softphone.media.recorder import Recorder
from softphone.media.sound import CHECK_EVERY, Sound
from tests.helpers import tones


class Speaker(SourceDevice):
    """Keeps what is played; can be pulled out."""

    def __init__(self) -> None:
        super().__init__(Tone(440, -20))
        self.played: list[Samples] = []
        self.is_gone = False

    def write(self, samples: Samples) -> None:
        self.played.append(samples)

    def is_lost(self) -> bool:
        return self.is_gone


def test_muted_the_level_is_shown_and_nothing_is_sent() -> None:
    sound = Sound(Speaker())
    assert np.any(sound.capture()) and sound.microphone_dbov == -20
    sound.is_muted = True
    assert not np.any(sound.capture()) and sound.microphone_dbov == -20


def test_a_chime_lies_over_the_call_and_is_not_recorded(tmp_path: Path) -> None:
    speaker = Speaker()
    sound = Sound(speaker)
    sound.recorder = Recorder(tmp_path / "a.wav")
    sound.chime(Notes(((1000.0, 0.2),), -20))
    call = Tone(440, -20)
    for _ in range(25):
        sound.play(call.read())
    assert not sound.is_chiming
    sound.close()
    _, recorded = tones.read_wav(tmp_path / "a.wav")
    assert len(recorded) == 25 * 960 and tones.level_dbfs(48000, recorded, 1000) < -60
    heard = np.concatenate(speaker.played) / 32768
    assert tones.level_dbfs(48000, heard[:9600], 1000) == pytest.approx(-20, abs=1)


def test_loud_sounds_together_are_clipped_and_do_not_wrap_round() -> None:
    speaker = Speaker()
    sound = Sound(speaker)
    sound.chime(Notes(((1000.0, 0.2),), -3))
    sound.play(np.full(960, 30000, np.int16))
    assert speaker.played[0].min() > -3000


def test_nothing_from_the_call_is_silence_in_the_recording(tmp_path: Path) -> None:
    sound = Sound(SourceDevice())
    sound.recorder = Recorder(tmp_path / "a.wav")
    sound.play(None)
    sound.record_silence(3)
    sound.play(np.ones(960, np.int16))
    sound.close()
    _, recorded = tones.read_wav(tmp_path / "a.wav")
    assert len(recorded) == 5 * 960 and np.count_nonzero(recorded) == 960


def test_a_device_that_goes_away_is_given_back_once_and_silence_takes_its_place() -> None:
    lost: list[Device] = []
    speaker = Speaker()
    sound = Sound(speaker, lost.append)
    speaker.is_gone = True
    frames = [sound.capture() for _ in range(3 * CHECK_EVERY)]
    assert lost == [speaker] and sound.device is not speaker
    assert np.any(frames[0]) and not np.any(frames[-1])
