"""G.711, A-law and μ-law (ITU-T G.711, RFC 3551 §4.5.14), by tables made from the recommendation's own rule."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtp.codecs.conceal import Concealer
from rtp.codecs.resample import Downsampler, Samples, Upsampler

Bytes = npt.NDArray[np.uint8]


def _mulaw_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> Samples:
    code = np.arange(256) ^ 0x55
    segment, mantissa = code >> 4 & 7, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _inverse(table: Samples) -> Bytes:
    """The nearest code for each of the 65,536 values of an int16, indexed by its unsigned form."""
    order = np.argsort(table, kind="stable")
    levels = table[order].astype(np.int32)
    edges = (levels[1:] + levels[:-1] + 1) // 2
    values = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int32)
    return order[np.searchsorted(edges, values, side="right")].astype(np.uint8)


MULAW, ALAW = _mulaw_table(), _alaw_table()
"""Linear value of each code: int16, shape (256,)."""
_MULAW_CODES, _ALAW_CODES = _inverse(MULAW), _inverse(ALAW)
MULAW_POWER = (MULAW.astype(np.float32) / 32768) ** 2
ALAW_POWER = (ALAW.astype(np.float32) / 32768) ** 2
"""Power of each code relative to full scale: float32, shape (256,); the mean over a payload is its level."""


class Encoder:
    """48 kHz to G.711. is_alaw: PCMA instead of PCMU."""

    def __init__(self, is_alaw: bool) -> None:
        self._codes = _ALAW_CODES if is_alaw else _MULAW_CODES
        self._down = Downsampler(6)

    def encode(self, samples: Samples) -> bytes:
        """samples: int16, shape (n,), 48 kHz mono, n a multiple of 6."""
        return self._codes[self._down.process(samples).view(np.uint16)].tobytes()

    def copy(self) -> Encoder:
        """Another one that goes on from the same state."""
        other = Encoder.__new__(Encoder)
        other._codes, other._down = self._codes, self._down.copy()
        return other


class Decoder:
    """G.711 to 48 kHz."""

    def __init__(self, is_alaw: bool) -> None:
        self._table = ALAW if is_alaw else MULAW
        self._up = Upsampler(6)
        self._concealer = Concealer(8000)

    def decode(self, payload: bytes) -> Samples:
        """The samples of a payload: int16, shape (6 × bytes,), 48 kHz mono."""
        return self._up.process(self._concealer.hear(self._table[np.frombuffer(payload, np.uint8)]))

    def conceal(self, count: int) -> Samples:
        """Something for `count` lost samples at 48 kHz: the voice goes on and fades."""
        return self._up.process(self._concealer.make(count // 6))
