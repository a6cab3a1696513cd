"""Sound devices behind one interface, and the twins that need no sound card: silence, and any source of `player`."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from rtp.codecs.resample import Samples
from softphone.media.player import Silence, Source
from softphone.media.resample import FRAME

NULL_KEY = "null"
DEFAULT_KEY = "default"


class DeviceError(Exception):
    """A device can't be used; the text says why and what to do."""


class Device(Protocol):
    """A microphone and a speaker. Both directions move in frames of 20 ms: 960 samples, int16, 48 kHz mono."""

    delay_ms: float

    def start(self) -> None:
        """Begin. Raises DeviceError. May take a while: not to be called from the event loop's thread when it is hardware."""

    def read(self) -> Samples:
        """What the microphone heard since the last call, at once (silence where it has nothing yet)."""

    def write(self, samples: Samples) -> None:
        """Give the speaker the next frame; returns at once."""

    def is_lost(self) -> bool:
        """Whether the hardware has gone away."""

    def stop(self) -> None:
        """End and give everything back; a second call does nothing."""


class SourceDevice:
    """A device without hardware: the microphone is a source, what is played goes nowhere. `is_finished` at its end."""

    def __init__(self, source: Source | None = None) -> None:
        self.delay_ms = 0.0
        self.is_finished = False
        self._source = source if source is not None else Silence()

    def start(self) -> None:
        """Nothing to open."""

    def read(self) -> Samples:
        """The source's next frame, silence after its end."""
        samples = None if self.is_finished else self._source.read()
        if samples is None:
            self.is_finished = True
            return np.zeros(FRAME, np.int16)
        return samples

    def write(self, samples: Samples) -> None:
        """Nobody listens."""

    def is_lost(self) -> bool:
        """Never."""
        return False

    def stop(self) -> None:
        """Close the source."""
        self._source.close()
