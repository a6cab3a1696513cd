"""`python -m mcu.playing FD file PATH` and `… FD say VOICE`: makes sound ready to be played (`mcu.playing.ready`).

A file may hold any sound that FFmpeg reads; nothing beyond that one file is opened, whatever is written in it. What is to be
said comes on standard input, so it can't be taken for an option. Both have limits of time, and run behind everything else.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from mcu.playing.ready import COMPLETE, FAILED, GROWING, MAX_TICKS, Head, append, write_head
from mcu.prompts import PROGRAM, speak
from rtp.codecs.resample import RATE, Samples
from rtp.kernel.spec import TICK_SAMPLES

NICENESS = 10
MAX_CPU_S = 120
"""Decoding four hours takes a third of it."""
MAX_TEXT = 2000
HEAD_EVERY = 50
"""Ticks between two heads: how much of it is there is told once a second of sound."""


class NotPlayable(Exception):
    """Why it can't be played, in words."""


def main() -> int:
    """Make the sound ready; 1 when it can't be, and the head says why."""
    if len(sys.argv) != 4 or sys.argv[2] not in ("file", "say"):
        print("usage: python -m mcu.playing FD file PATH | FD say VOICE", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    descriptor = int(sys.argv[1])
    try:
        pieces = decoded(Path(sys.argv[3])) if sys.argv[2] == "file" else said(sys.stdin.read(MAX_TEXT), sys.argv[3])
        fill(descriptor, pieces)
    except NotPlayable as error:
        write_head(descriptor, Head(FAILED, 0, str(error)))
        return 1
    except OSError as error:
        write_head(descriptor, Head(FAILED, 0, error.strerror or str(error)))
        return 1
    return 0


def fill(descriptor: int, pieces: Iterator[Samples]) -> None:
    """Write sound as it comes, and its head. Raises OSError and NotPlayable."""
    ticks, rest = 0, np.zeros(0, np.int16)
    for piece in pieces:
        line = np.concatenate((rest, piece))
        count = min(len(line) // TICK_SAMPLES, MAX_TICKS - ticks)
        append(descriptor, ticks, line[:count * TICK_SAMPLES])
        if (ticks + count) // HEAD_EVERY != ticks // HEAD_EVERY:
            write_head(descriptor, Head(GROWING, ticks + count))
        ticks, rest = ticks + count, line[count * TICK_SAMPLES:]
        if ticks >= MAX_TICKS:
            break
    if len(rest) and ticks < MAX_TICKS:
        append(descriptor, ticks, np.concatenate((rest, np.zeros(-len(rest) % TICK_SAMPLES, np.int16))))
        ticks += 1
    if not ticks:
        raise NotPlayable("there is no sound in it")
    write_head(descriptor, Head(COMPLETE, ticks))


def decoded(path: Path) -> Iterator[Samples]:
    """The sound of a file: int16, 48 kHz, mono, in pieces. Raises NotPlayable, OSError."""
    with path.open("rb") as file:
        try:
            with av.open(file, "r", options={"protocol_whitelist": "none"}) as container:
                if not container.streams.audio:
                    raise NotPlayable("there is no sound in it")
                resampler = AudioResampler("s16", "mono", RATE)
                for frame in container.decode(audio=0):
                    frame.pts = None
                    yield from map(_samples, resampler.resample(frame))
                yield from map(_samples, resampler.resample(None))
        except (av.FFmpegError, ValueError) as error:
            raise NotPlayable(f"this is no sound that can be read: {getattr(error, 'strerror', None) or error}") from None


def _samples(frame: AudioFrame) -> Samples:
    samples: Samples = frame.to_ndarray().reshape(-1).astype(np.int16)
    return samples


def said(text: str, voice: str) -> Iterator[Samples]:
    """A text as speech. Raises NotPlayable."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise NotPlayable("there is no voice here")
    try:
        yield speak(program, text, voice)
    except Exception as error:
        raise NotPlayable(f"it could not be said: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
