"""Sources of sound other than a microphone: a file, a tone, silence. Each gives 20 ms at a time, 48 kHz mono."""

from __future__ import annotations

import math
import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np

from rtp.codecs.resample import RATE, Samples
from softphone.media.resample import FRAME, Resampler, to_mono

TONE_LEVEL_DBFS = -20.0
_TONE = re.compile(r"tone:(?P<hz>[0-9]{1,5}(?:\.[0-9]{1,3})?)(?:@(?P<level>[+-]?[0-9]{1,3}(?:\.[0-9]{1,3})?))?")
_CHUNK = 4800


class SourceError(Exception):
    """A source of sound can't be had; the text says why, for a person."""


class Source(Protocol):
    """Gives sound in pieces of 20 ms."""

    def read(self) -> Samples | None:
        """960 samples, int16, 48 kHz mono; None when the source is at its end."""

    def close(self) -> None:
        """Give back what is open."""


class Silence:
    """A source that is silent for ever."""

    def read(self) -> Samples | None:
        """960 zeros."""
        return np.zeros(FRAME, np.int16)

    def close(self) -> None:
        """Nothing is open."""


class Tone:
    """A sine. hz: 20 to 20000; level_dbfs: RMS, a full-scale sine has −3."""

    def __init__(self, hz: float, level_dbfs: float = TONE_LEVEL_DBFS) -> None:
        if not 20 <= hz <= 20000 or not -90 <= level_dbfs <= -3:
            raise SourceError(f"a tone has 20 to 20000 Hz and −90 to −3 dBFS, not {hz:g} Hz at {level_dbfs:g} dBFS")
        self._step = 2 * math.pi * hz / RATE
        self._amplitude = min(32767.0, 10 ** (level_dbfs / 20) * math.sqrt(2) * 32768)
        self._phase = 0.0
        self._index = np.arange(FRAME)

    def read(self) -> Samples | None:
        """The next 20 ms; the phase goes on."""
        values = self._amplitude * np.sin(self._phase + self._step * self._index)
        self._phase = math.fmod(self._phase + self._step * FRAME, 2 * math.pi)
        out: Samples = np.rint(values).astype(np.int16)
        return out

    def close(self) -> None:
        """Nothing is open."""


class Notes:
    """A melody: (Hz, seconds) one after the other, 0 Hz is a rest; each note fades in and out. With `loop` for ever."""

    def __init__(self, notes: tuple[tuple[float, float], ...], level_dbfs: float = -24.0, *, loop: bool = False) -> None:
        self._samples = np.concatenate([_note(hz, seconds, level_dbfs) for hz, seconds in notes])
        self._position = 0
        self._loop = loop

    def read(self) -> Samples | None:
        """The next 20 ms, filled up with silence at the end."""
        if self._position >= len(self._samples):
            if not self._loop:
                return None
            self._position = 0
        piece = self._samples[self._position:self._position + FRAME]
        self._position += FRAME
        return piece if len(piece) == FRAME else np.concatenate((piece, np.zeros(FRAME - len(piece), np.int16)))

    def close(self) -> None:
        """Nothing is open."""


def _note(hz: float, seconds: float, level_dbfs: float) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE
    edge = np.minimum(1, np.minimum(time, time[::-1]) / 0.01)
    values = 10 ** (level_dbfs / 20) * math.sqrt(2) * 32768 * np.sin(2 * np.pi * hz * time) * edge
    out: Samples = np.rint(np.clip(values, -32768, 32767)).astype(np.int16)
    return out


class File:
    """A sound file of any rate and channels: WAV by the standard library, all else that FFmpeg reads."""

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        self._path = path
        self._loop = loop
        self._pieces = self._open()
        self._rest: Samples = np.zeros(0, np.int16)

    def _open(self) -> Iterator[Samples]:
        try:
            with wave.open(str(self._path), "rb") as probe:
                is_plain = probe.getsampwidth() == 2 and probe.getnframes() > 0
            pieces = _wave_pieces(self._path) if is_plain else _decoded_pieces(self._path)
        except FileNotFoundError:
            raise SourceError(f"there is no file {self._path}") from None
        except (wave.Error, EOFError):
            pieces = _decoded_pieces(self._path)
        except OSError as error:
            raise SourceError(f"{self._path} can't be read: {error.strerror}") from None
        try:
            first = next(pieces, None)
        except (av.error.FFmpegError, OSError, ValueError):
            raise SourceError(f"{self._path} is no sound file that can be read (a WAV file is)") from None
        if first is None:
            raise SourceError(f"{self._path} holds no sound")
        return _chained(first, pieces)

    def read(self) -> Samples | None:
        """The next 20 ms; the last piece of a file that isn't looped is filled up with silence."""
        parts, count = [self._rest], len(self._rest)
        while count < FRAME:
            piece = next(self._pieces, None)
            if piece is None and self._loop:
                self._pieces = self._open()
                continue
            if piece is None:
                break
            parts.append(piece)
            count += len(piece)
        if not count:
            return None
        whole = np.concatenate((*parts, np.zeros(max(0, FRAME - count), np.int16)))
        self._rest = whole[FRAME:]
        return whole[:FRAME]

    def close(self) -> None:
        """Stop reading."""
        self._pieces = iter(())


def _chained(first: Samples, rest: Iterator[Samples]) -> Iterator[Samples]:
    yield first
    yield from rest


def _wave_pieces(path: Path) -> Iterator[Samples]:
    with wave.open(str(path), "rb") as reader:
        resampler, channels = Resampler(reader.getframerate()), reader.getnchannels()
        while data := reader.readframes(_CHUNK):
            yield resampler.process(to_mono(np.frombuffer(data, "<i2").astype(np.int16), channels))
        tail = resampler.process(np.zeros(0, np.int16), is_last=True)
        if len(tail) and reader.getframerate() != RATE:
            yield tail


def _decoded_pieces(path: Path) -> Iterator[Samples]:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return
        resampler: Any = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in container.decode(container.streams.audio[0]):
            for piece in resampler.resample(frame):
                yield piece.to_ndarray().reshape(-1).astype(np.int16)
        for piece in resampler.resample(None):
            yield piece.to_ndarray().reshape(-1).astype(np.int16)


def open_source(text: str, *, loop: bool = False) -> Source:
    """A source by name: `none`, `tone:HZ[@LEVEL]`, or a file. Raises SourceError with a clear sentence."""
    if text == "none":
        return Silence()
    if text.startswith("tone:"):
        match = _TONE.fullmatch(text)
        if match is None:
            raise SourceError(f"a tone is written tone:440 or tone:440@-20 (Hz, dBFS), not {text!r}")
        return Tone(float(match["hz"]), float(match["level"] or TONE_LEVEL_DBFS))
    return File(Path(text), loop=loop)
