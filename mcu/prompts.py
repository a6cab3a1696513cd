"""What the attendant says, as WAV files that the media workers read: spoken by espeak-ng, once, where that is installed.

A file that is in the folder already stays as it is, so an operator's own recordings (mono, 16 bits, 48 kHz) take their place.
Without a file a worker plays a few notes instead.
"""

from __future__ import annotations

import io
import logging
import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import soxr

from mcu.messages import PROMPTS
from rtp.codecs.resample import RATE, Samples

log = logging.getLogger(__name__)

FOLDER = "prompts"
"""The folder's name within the data folder."""
TEXTS = {
    "enter-pin": "Welcome. Please enter the PIN of your meeting, followed by the hash key.",
    "wrong-pin": "No meeting has that PIN. Please try again, and finish with the hash key.",
    "not-now": "You can not enter that meeting now. Please call again later. Goodbye.",
    "goodbye": "Please call again when you have the PIN of your meeting. Goodbye.",
}
LEVEL_DBFS = -22.0
PEAK = 0.5
"""Of full scale: speech has peaks far above its level, and codecs of telephones clip."""
SPEAK_S = 10.0
"""How long espeak-ng may take for one sentence; it takes a twentieth of a second."""


def prepare(folder: Path, program: str = "espeak-ng") -> int:
    """Make the files that are missing; how many were made. Never raises: a server without a voice has its notes."""
    missing = [name for name in PROMPTS if not (folder / f"{name}.wav").exists()]
    found = shutil.which(program)
    if not missing or found is None:
        if missing:
            log.info("no espeak-ng here, so the attendant plays notes in place of words")
        return 0
    made = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in missing:
            _write(folder / f"{name}.wav", _speak(found, TEXTS[name]))
            made += 1
    except (OSError, subprocess.SubprocessError, wave.Error, EOFError, ValueError) as error:
        log.warning("a prompt could not be spoken: %s", error)
    return made


def _speak(program: str, text: str) -> Samples:
    """A sentence: int16, 48 kHz, mono."""
    done = subprocess.run([program, "-v", "en", "-s", "145", "--stdout", text], capture_output=True, check=True,
                          timeout=SPEAK_S, stdin=subprocess.DEVNULL)
    with wave.open(io.BytesIO(done.stdout)) as spoken:
        rate = spoken.getframerate()
        line = np.frombuffer(spoken.readframes(0x7FFFFFF), "<i2").astype(np.float32) / 32768
    if not len(line) or not line.any():
        raise ValueError("nothing was said")
    line = np.asarray(soxr.resample(line, rate, RATE), np.float32)
    loud = line[np.abs(line) > 0.01]
    gain = min(10 ** (LEVEL_DBFS / 20) / float(np.sqrt(np.mean(loud ** 2))), PEAK / float(np.abs(line).max()))
    samples: Samples = np.rint(line * gain * 32767).astype(np.int16)
    return samples


def _write(file: Path, samples: Samples) -> None:
    """All of it or nothing: a worker may look at any time."""
    part = file.with_suffix(".part")
    with wave.open(str(part), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.astype("<i2").tobytes())
    part.replace(file)
