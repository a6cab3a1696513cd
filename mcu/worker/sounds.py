"""Sounds that a worker makes by itself: a test tone, music to wait by, short chimes. All int16 at 48 kHz, mono.

Each is a source for a room: a call gives the 960 samples of a tick, None at the end. The music is our own composition, so
nobody's rights are touched: slow arpeggios over four chords, made once as a loop whose echoes wrap around.
"""

from __future__ import annotations

import functools
import itertools
import logging
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcu.prompt_texts import DEFAULT, file_of
from rtp.codecs.resample import RATE, Samples
from rtp.kernel.spec import TICK_SAMPLES

Wave = npt.NDArray[np.float32]

TONE_HZ = 1004
TONE_PEAK = 32768 * 10 ** (-(16 + 3.17) / 20)
"""−16 dBm0: a full-scale sine is +3.17 dBm0 in μ-law (ITU-T G.711)."""
MUSIC_DBFS = -24.0
CHIME_DBFS = -20.0
_NOTE_S = 0.36
_CHORDS = ((57, 60, 64, 67, 71), (53, 57, 60, 64, 67), (48, 55, 60, 64, 67), (55, 59, 62, 66, 69))
"""MIDI notes: Am9, Fmaj9, Cmaj7, Gmaj9."""
_PATTERN = (0, 1, 2, 3, 4, 3, 2, 1)
_CHIMES = {"join": (67, 72), "leave": (72, 67), "closing": (72, 67, 64, 60), "muted": (60,), "unmuted": (72,),
           "told": (76, 72),
           "enter-pin": (67, 67, 72, 76), "wrong-pin": (60, 60, 60), "not-now": (64, 60, 57), "goodbye": (72, 67, 64, 60)}
_CHIME_NOTE_S = 0.14
MAX_PROMPT_S = 60.0
MAX_KEPT = 32
"""Prompts that a worker keeps in memory, some 200 kB each."""

logger = logging.getLogger(__name__)


def source(name: str) -> Callable[[], Samples | None]:
    """A source of the sound called `name` (one of `mcu.messages.SOUNDS`). Raises KeyError."""
    if name == "tone":
        return tone()
    if name == "music":
        return _played(itertools.cycle(_ticks(music())))
    return _played(iter(_ticks(chime(name))))


def spoken(name: str, language: str, prompts: Path | None) -> Callable[[], Samples | None]:
    """A source of a prompt; two notes where there is no file of it."""
    for one in (language, DEFAULT):
        found = None if prompts is None else _spoken(file_of(prompts, name, one))
        if found is not None:
            return _played(iter(_ticks(found)))
    return _played(iter(_ticks(chime(name if name in _CHIMES else "told"))))


def tone() -> Callable[[], Samples]:
    """An endless 1004 Hz at −16 dBm0. It has whole periods in a second, so its phase is kept in integers and never drifts."""
    position = 0
    line = np.arange(TICK_SAMPLES)

    def tick() -> Samples:
        nonlocal position
        phase = (position + line) * TONE_HZ % RATE
        position = (position + TICK_SAMPLES) % RATE
        samples: Samples = np.rint(TONE_PEAK * np.sin(2 * np.pi / RATE * phase)).astype(np.int16)
        return samples

    return tick


def _played(ticks: Iterator[Samples]) -> Callable[[], Samples | None]:
    return lambda: next(ticks, None)


def _ticks(samples: Samples) -> list[Samples]:
    return list(samples.reshape(-1, TICK_SAMPLES))


@functools.cache
def music() -> Samples:
    """One round of the music, about 23 s; its end goes over into its beginning."""
    notes = [note for chord in _CHORDS for note in _melody(chord)]
    step = round(_NOTE_S * RATE)
    total = -(-step * len(notes) // TICK_SAMPLES) * TICK_SAMPLES
    line = np.zeros(total, np.float32)
    bells = {note: 0.6 * _bell(note, 2.4) for note in set(notes)}
    for index, note in enumerate(notes):
        _add(line, index * step, bells[note])
    for index, chord in enumerate(_CHORDS):
        length = len(notes) // len(_CHORDS) * _NOTE_S
        for note in chord[:3]:
            _add(line, round(index * length * RATE), 0.25 * _pad(note - 12, length + 0.8))
    return _at_level(line, MUSIC_DBFS)


def _melody(chord: tuple[int, ...]) -> list[int]:
    return [chord[position] + (12 if round_ == 1 and position > 2 else 0) for round_ in range(2) for position in _PATTERN]


@functools.cache
def chime(name: str) -> Samples:
    """A short sound. Raises KeyError for an unknown name."""
    notes = _CHIMES[name]
    step = round(_CHIME_NOTE_S * RATE)
    line = np.zeros(-(-(step * len(notes) + RATE // 2) // TICK_SAMPLES) * TICK_SAMPLES, np.float32)
    for index, note in enumerate(notes):
        _add(line, index * step, _bell(note, 0.5))
    return _at_level(line, CHIME_DBFS)


def _spoken(file: Path) -> Samples | None:
    """What a WAV file of 48 kHz, mono, 16 bits says, None where there is no such file."""
    try:
        return _read(file, file.stat().st_mtime_ns)
    except OSError:
        return None


@functools.lru_cache(MAX_KEPT)
def _read(file: Path, changed_ns: int) -> Samples | None:
    """See _spoken; of several states of a file each is read once."""
    try:
        with wave.open(str(file)) as found:
            form = found.getnchannels(), found.getsampwidth(), found.getframerate()
            if form != (1, 2, RATE):
                raise wave.Error(f"mono, 16 bits, {RATE} Hz were expected, not {form}")
            line = np.frombuffer(found.readframes(round(MAX_PROMPT_S * RATE)), "<i2")
    except (OSError, EOFError, wave.Error) as error:
        logger.warning("%s can't be played: %s", file.name, error)
        return None
    samples: Samples = np.zeros(-(-len(line) // TICK_SAMPLES) * TICK_SAMPLES, np.int16)
    samples[:len(line)] = line
    return samples


def _hz(note: int) -> float:
    return float(440 * 2 ** ((note - 69) / 12))


def _bell(note: int, seconds: float) -> Wave:
    """A soft struck note: three partials that die away, the higher the faster."""
    time = np.arange(round(seconds * RATE), dtype=np.float32) / RATE
    hz = _hz(note)
    partials = ((1, 1.0, 4.0), (2, 0.3, 6.0), (3, 0.12, 9.0))
    wave = sum(part * np.exp(-fall * time / seconds) * np.sin(2 * np.pi * hz * k * time) for k, part, fall in partials)
    return (wave * _edges(len(time), 0.006, 0.05)).astype(np.float32)


def _pad(note: int, seconds: float) -> Wave:
    """A held note under the others, with a slow beat between two strings."""
    time = np.arange(round(seconds * RATE), dtype=np.float32) / RATE
    hz = _hz(note)
    wave = np.sin(2 * np.pi * hz * time) + np.sin(2 * np.pi * hz * 1.0025 * time)
    return (wave * _edges(len(time), 0.5, 0.8)).astype(np.float32)


def _edges(count: int, rise_s: float, fall_s: float) -> Wave:
    envelope = np.ones(count, np.float32)
    rise, fall = round(rise_s * RATE), round(fall_s * RATE)
    envelope[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise, dtype=np.float32)) ** 2
    envelope[-fall:] *= np.cos(np.linspace(0, np.pi / 2, fall, dtype=np.float32)) ** 2
    return envelope


def _add(line: Wave, start: int, wave: Wave) -> None:
    """Add a wave at a place; what goes over the end comes in at the beginning."""
    head = min(len(wave), len(line) - start)
    line[start:start + head] += wave[:head]
    line[:len(wave) - head] += wave[head:]


def _at_level(line: Wave, dbfs: float) -> Samples:
    rms = float(np.sqrt(np.mean(line ** 2)))
    scaled = line * (32768 * 10 ** (dbfs / 20) / rms)
    samples: Samples = np.rint(np.clip(scaled, -32767, 32767)).astype(np.int16)
    return samples
