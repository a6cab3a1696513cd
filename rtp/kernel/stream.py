"""A stream of the mix: samples in, payloads of one packet time out, from an encoder whose state can be copied (RFC 3551 §4.2).

A copy goes on exactly where its original stands, so who changes from one to the other hears no seam. FFmpeg's encoder of
G.722 can't be copied: its copy is a new one that has been fed what the original heard last, which brings an adaptive predictor
near the same state, for a steady tone not near enough (`is_exact`).
"""

from __future__ import annotations

from collections import deque

import numpy as np

from rtp.codecs import g711, opus
from rtp.codecs.registry import CLOCK_RATES, AudioEncoder, create_encoder
from rtp.codecs.resample import Samples
from rtp.kernel.spec import TICK_SAMPLES

REPLAYED_TICKS = 50
"""How much of the past a new encoder of G.722 is fed: 1 s."""
_EMPTY: Samples = np.zeros(0, np.int16)
Form = tuple[str, int, str]
"""Codec, packet time in ms and format parameters: who shares them can share payloads."""


def is_exact(codec: str) -> bool:
    """Whether a copy of the codec's stream is in the very state of its original."""
    return codec != "g722"


class MixStream:
    """What one format's listeners hear, or one speaker. Raises CodecError for a codec that isn't there."""

    __slots__ = ("_encoder", "_form", "_gathered", "_recent", "_size", "units")

    def __init__(self, form: Form) -> None:
        codec, ptime_ms, _ = self._form = form
        self.units = CLOCK_RATES[codec] * ptime_ms // 1000
        self._encoder = _create_encoder(form)
        self._size = 48 * ptime_ms
        self._gathered = _EMPTY
        self._recent: deque[Samples] | None = deque(maxlen=REPLAYED_TICKS) if codec == "g722" else None

    def feed(self, mix: Samples) -> list[bytes]:
        """The payloads that are complete with this tick. mix: int16, C-contiguous, shape (960,), 48 kHz mono."""
        if self._recent is not None:
            self._recent.append(mix)
        if self._size == TICK_SAMPLES:
            return [self._encoder.encode(mix)]
        gathered = np.concatenate((self._gathered, mix)) if len(self._gathered) else mix
        end = len(gathered) // self._size * self._size
        self._gathered = gathered[end:]
        return [self._encoder.encode(np.ascontiguousarray(gathered[start:start + self._size]))
                for start in range(0, end, self._size)]

    def copy(self) -> MixStream:
        """Another stream that goes on from the same state."""
        other = MixStream.__new__(MixStream)
        other._form, other.units, other._size = self._form, self.units, self._size
        other._gathered = self._gathered
        other._recent = None if self._recent is None else self._recent.copy()
        if isinstance(self._encoder, opus.Encoder | g711.Encoder):
            other._encoder = self._encoder.copy()
        else:
            other._encoder = _create_encoder(self._form)
            if self._recent:
                line = np.concatenate(self._recent)
                other._encoder.encode(line[:len(line) - len(self._gathered)])
        return other


def _create_encoder(form: Form) -> AudioEncoder:
    codec, _, fmtp = form
    return create_encoder(codec, fmtp=_parameters(fmtp) if fmtp else None)


def _parameters(fmtp: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (piece.partition("=") for piece in fmtp.split(";"))]
