"""Echo cancelling, noise suppression and gain for the microphone, in frames of 10 ms, behind one small interface.

The work is done by WebRTC's audio processing (package pywebrtc-audio); where that is not installed the sound goes through as
it is, and `is_available` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rtp.codecs.resample import RATE, Samples

PIECE = RATE // 100
"""Samples of 10 ms, the piece that WebRTC works on."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user wants done to the microphone's sound."""

    echo_cancelling: bool = True
    noise_suppression: bool = True
    gain: bool = True

    @property
    def is_nothing(self) -> bool:
        """Whether the sound is to be left as it is."""
        return not (self.echo_cancelling or self.noise_suppression or self.gain)


class Processor(Protocol):
    """Cleans the microphone's sound."""

    def process(self, near: Samples, far: Samples) -> Samples:
        """near: from the microphone; far: what the speaker played meanwhile. Both int16, 48 kHz mono, the same length, a
        multiple of 480. The result has that length too."""


class Through:
    """The processor that leaves the sound as it is."""

    def process(self, near: Samples, far: Samples) -> Samples:
        """`near` itself."""
        return near


class WebRtc:
    """WebRTC's processing. delay_ms: between play-out and the microphone, as far as is known."""

    def __init__(self, wanted: Wanted, delay_ms: int = 0) -> None:
        from pywebrtc_audio import AudioProcessor

        self._processor: Any = AudioProcessor(
            sample_rate=RATE, num_channels=1, echo_cancellation=wanted.echo_cancelling,
            noise_suppression=wanted.noise_suppression, high_pass_filter=True, auto_gain_control=wanted.gain,
            agc_max_gain_db=24.0, stream_delay_ms=delay_ms,
        )
        self._has_echo = wanted.echo_cancelling

    def process(self, near: Samples, far: Samples) -> Samples:
        """See Processor."""
        pieces = []
        for start in range(0, len(near), PIECE):
            piece = np.ascontiguousarray(near[start:start + PIECE])
            other = np.ascontiguousarray(far[start:start + PIECE])
            pieces.append(self._processor.process(piece, other) if self._has_echo else self._processor.process(piece))
        out: Samples = np.concatenate(pieces).astype(np.int16, copy=False)
        return out


def is_available() -> bool:
    """Whether WebRTC's processing is installed."""
    try:
        import pywebrtc_audio  # noqa: F401
    except ImportError:
        return False
    return True


def create_processor(wanted: Wanted, delay_ms: int = 0) -> Processor:
    """A processor for what is wanted; one that changes nothing where that can't be had."""
    if wanted.is_nothing or not is_available():
        return Through()
    return WebRtc(wanted, delay_ms)
