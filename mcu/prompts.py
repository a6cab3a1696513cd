"""What is said to callers, as WAV files that the media workers read: spoken by espeak-ng, once, where that is installed.

    python -m mcu.prompts FOLDER            makes them all, for who wants to listen or to replace some

English is in the folder itself, another language in a folder of its name within it. A file that is there already stays as it
is, so an operator's own recordings (mono, 16 bits, 48 kHz) take their place. What the attendant says is made before the first
call; the other prompts are made when they are first needed, in a thread (`Voice`), which takes a tenth of a second. Without a
file a worker plays a few notes instead.
"""

from __future__ import annotations

import io
import logging
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soxr

from mcu.prompt_texts import ATTENDANT, DEFAULT, LANGUAGES, MEETING, MOST_COUNTED, file_of, name_of_count, text_of
from rtp.codecs.resample import RATE, Samples

log = logging.getLogger(__name__)

FOLDER = "prompts"
"""The folder's name within the data folder."""
LEVEL_DBFS = -22.0
PEAK = 0.5
"""Of full scale: speech has peaks far above its level, and codecs of telephones clip."""
SPEAK_S = 10.0
"""How long espeak-ng may take for one sentence; it takes a twentieth of a second."""
PROGRAM = "espeak-ng"

def prepare(folder: Path, language: str = DEFAULT, program: str = PROGRAM) -> int:
    """Make the attendant's files that are missing; how many were made. Never raises: a server without a voice has its notes."""
    missing = [name for name in ATTENDANT if not file_of(folder, name, language).exists()]
    found = shutil.which(program)
    if not missing or found is None:
        if missing:
            log.info("no espeak-ng here, so the attendant plays notes in place of words")
        return 0
    return sum(make(folder, name, language, program) for name in missing)


def make(folder: Path, name: str, language: str, program: str = PROGRAM) -> bool:
    """Make the file of a prompt; False where that can't be. Never raises for a known prompt."""
    found = shutil.which(program)
    if found is None:
        return False
    file = file_of(folder, name, language)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(file, speak(found, text_of(name, language), LANGUAGES.get(language, DEFAULT)))
    except (OSError, subprocess.SubprocessError, wave.Error, EOFError, ValueError) as error:
        log.warning("a prompt could not be spoken: %s", error)
        return False
    return True


class Voice:
    """Sees that a prompt's file is there when it is to be said. call_soon: runs something in the loop, from any thread."""

    def __init__(self, folder: Path, call_soon: Callable[[Callable[[], None]], object], program: str = PROGRAM) -> None:
        self._folder = folder
        self._call_soon = call_soon
        self._program = program
        self._thread = ThreadPoolExecutor(1, "voice")
        self._waiting: dict[tuple[str, str], list[Callable[[], None]]] = {}
        self._known: set[tuple[str, str]] = set()

    def have(self, name: str, language: str, then: Callable[[], None]) -> None:
        """Call `then` when the file is there, or can't be made: at once where that is known. Called in the loop."""
        key = name, language
        if key in self._known or file_of(self._folder, name, language).exists():
            self._known.add(key)
            then()
            return
        waiting = self._waiting.setdefault(key, [])
        waiting.append(then)
        if len(waiting) == 1:
            self._thread.submit(self._make, key)

    def _make(self, key: tuple[str, str]) -> None:
        try:
            make(self._folder, *key, self._program)
        finally:
            self._call_soon(lambda: self._made(key))

    def _made(self, key: tuple[str, str]) -> None:
        self._known.add(key)
        for then in self._waiting.pop(key, []):
            then()

    def close(self) -> None:
        """Make no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def speak(program: str, text: str, voice: str = "en") -> Samples:
    """A text as speech: int16, 48 kHz, mono. It goes in by standard input, so it can't be an option.

    Raises OSError, SubprocessError, wave.Error, EOFError or ValueError where nothing comes of it.
    """
    done = subprocess.run([program, "-v", voice, "-s", "145", "--stdin", "--stdout"], capture_output=True, check=True,
                          timeout=SPEAK_S, input=text.encode())
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
    try:
        with wave.open(str(part), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(samples.astype("<i2").tobytes())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def main() -> int:
    """Make every prompt in every language."""
    if len(sys.argv) != 2:
        print("usage: python -m mcu.prompts FOLDER", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    names = [*ATTENDANT, *MEETING, *(name_of_count(count) for count in range(1, MOST_COUNTED + 1))]
    missing = [(name, language) for name in names for language in LANGUAGES if not file_of(folder, name, language).exists()]
    made = sum(make(folder, name, language) for name, language in missing)
    print(f"{made} of {len(missing)} missing prompts were made in {folder}")
    return 0 if made == len(missing) else 1


if __name__ == "__main__":
    sys.exit(main())
