"""Files of sound that stay playable whatever happens to who writes them: Opus in Matroska, or WAV. 48 kHz, mono.

A cluster of Matroska (RFC 9559 §5.1.3) is at most a second long and goes to the disk when it is complete; the sizes in a WAV
header are put right at each flush. So a process that is killed loses a second or two. Opus: RFC 6716, as RFC 9559 maps it.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np

from rtp.codecs import opus
from rtp.codecs.resample import RATE, Samples
from rtp.kernel.spec import TICK_SAMPLES

FORMS = {"opus": ".mka", "wav": ".wav"}
"""Suffix by form."""
CLUSTER_MS = 1000
BITRATE_BPS = 40_000
SILENT_TICKS = 10
"""After so many ticks of silence the encoder has come to rest: its last payload stands for each further one."""
_WAV = struct.Struct("<4sI4s4sIHHIIHH4sI")
_MAX_SIZE = 0xFFFFFFFF
_SILENCE: Samples = np.zeros(TICK_SAMPLES, np.int16)


class SoundFile(Protocol):
    """A file that grows tick by tick. What it does raises OSError as files do."""

    def write(self, samples: Samples) -> None:
        """One tick: int16, shape (960,)."""

    def silence(self, ticks: int) -> None:
        """So many ticks of silence."""

    def flush(self) -> None:
        """See that what is complete is on the disk."""

    def close(self) -> None:
        """Finish the file."""


def create(path: Path, form: str, title: str = "") -> SoundFile:
    """A new file. form: one of FORMS; title: of whom it is. Raises OSError."""
    if form == "wav":
        return WavFile(path)
    try:
        return MatroskaFile(path, title)
    except av.FFmpegError as error:
        raise OSError(error.errno, str(error)) from None


class MatroskaFile:
    """Opus in Matroska."""

    def __init__(self, path: Path, title: str = "") -> None:
        options = {"cluster_time_limit": str(CLUSTER_MS), "flush_packets": "1"}
        self._container = av.open(str(path), "w", format="matroska", options=options)
        self._stream = self._container.add_stream("libopus", rate=RATE, layout="mono")
        self._stream.time_base = Fraction(1, RATE)
        if title:
            self._container.metadata["title"] = self._stream.metadata["title"] = title
        self._container.start_encoding()
        self._encoder = opus.Encoder(BITRATE_BPS, fec=False)
        self._ticks = self._silent = 0
        self._quiet = b""

    def write(self, samples: Samples) -> None:
        """See SoundFile."""
        self._silent = 0
        self._mux(self._encoder.encode(np.ascontiguousarray(samples)))

    def silence(self, ticks: int) -> None:
        """See SoundFile."""
        for _ in range(ticks):
            if self._silent < SILENT_TICKS:
                self._silent += 1
                self._quiet = self._encoder.encode(_SILENCE)
            self._mux(self._quiet)

    def _mux(self, payload: bytes) -> None:
        packet = av.Packet(payload)
        packet.stream = self._stream
        packet.time_base = Fraction(1, RATE)
        packet.pts = packet.dts = self._ticks * TICK_SAMPLES
        packet.duration = TICK_SAMPLES
        packet.is_keyframe = True
        self._ticks += 1
        try:
            self._container.mux(packet)
        except av.FFmpegError as error:
            raise OSError(error.errno, str(error)) from None

    def flush(self) -> None:
        """See SoundFile: each cluster is written when it is complete."""

    def close(self) -> None:
        """See SoundFile."""
        try:
            self._container.close()
        except av.FFmpegError as error:
            raise OSError(error.errno, str(error)) from None


class WavFile:
    """16 bits, as they are."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._size = 0
        self._write_header()

    def _write_header(self) -> None:
        size = min(self._size, _MAX_SIZE - 36)
        head = _WAV.pack(b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16, b"data", size)
        self._file.seek(0)
        self._file.write(head)
        self._file.seek(_WAV.size + self._size)

    def write(self, samples: Samples) -> None:
        """See SoundFile."""
        self._size += self._file.write(samples.astype("<i2").tobytes())

    def silence(self, ticks: int) -> None:
        """See SoundFile."""
        for _ in range(ticks):
            self._size += self._file.write(_SILENCE.tobytes())

    def flush(self) -> None:
        """See SoundFile."""
        self._write_header()
        self._file.flush()

    def close(self) -> None:
        """See SoundFile."""
        self.flush()
        self._file.close()
