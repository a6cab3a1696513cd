"""The recording is a whole WAV file at any time."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from softphone.media.recorder import Recorder


def test_what_is_written_is_read_back_sample_for_sample(tmp_path: Path) -> None:
    path, samples = tmp_path / "a.wav", np.arange(-960, 960, dtype=np.int16)
    recorder = Recorder(path)
    recorder.write(samples[:960])
    recorder.write(samples[960:])
    recorder.close()
    recorder.close()
    recorder.write(samples)
    with wave.open(str(path)) as found:
        assert (found.getframerate(), found.getnchannels(), found.getsampwidth()) == (48000, 1, 2)
        assert np.array_equal(np.frombuffer(found.readframes(9999), "<i2"), samples)


def test_a_recording_that_was_never_finished_can_be_read(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.wav")
    for _ in range(60):
        recorder.write(np.ones(960, np.int16))
    with wave.open(str(tmp_path / "a.wav")) as found:
        assert found.getnframes() >= 48000
    assert recorder.seconds == pytest.approx(1.2)
    recorder.close()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Recorder(tmp_path / "none" / "a.wav")
