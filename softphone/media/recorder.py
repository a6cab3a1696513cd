"""Writes what is heard into a WAV file: 48 kHz, mono, 16 bit. The header is brought up to date twice a second, so that the
file is whole also when the phone is killed."""

from __future__ import annotations

import struct
from pathlib import Path

from rtp.codecs.resample import RATE, Samples

HEADER_EVERY = 24000
"""Samples between two updates of the header."""
MAX_BYTES = 0xFFFFFFFF - 64
"""A WAV file can't be longer; what comes after (12 h) is not written."""
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class Recorder:
    """A WAV file that grows. Raises OSError when the file can't be made."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._bytes = 0
        self._since_header = 0
        self._write_header()

    @property
    def seconds(self) -> float:
        """How much is written."""
        return self._bytes / (2 * RATE)

    def write(self, samples: Samples) -> None:
        """Append samples, int16, 48 kHz mono. A full disk ends the recording, not the call."""
        if self._file.closed or self._bytes + 2 * len(samples) > MAX_BYTES:
            return
        try:
            self._file.write(samples.astype("<i2", copy=False).tobytes())
            self._bytes += 2 * len(samples)
            self._since_header += len(samples)
            if self._since_header >= HEADER_EVERY:
                self._since_header = 0
                self._write_header()
        except OSError:
            self.close()

    def _write_header(self) -> None:
        self._file.seek(0)
        self._file.write(_HEADER.pack(b"RIFF", 36 + self._bytes, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data",
                                      self._bytes))
        self._file.seek(0, 2)
        self._file.flush()

    def close(self) -> None:
        """Finish the file; a second call does nothing."""
        if self._file.closed:
            return
        try:
            self._write_header()
            self._file.close()
        except OSError:
            return
