"""Opus (RFC 6716, RFC 7587) by ctypes on libopus: FEC, DTX, concealment and state copies, which FFmpeg's wrapper lacks.

The system's library is used, or the one inside the `av` wheel; `library()` tests it once by coding a tone.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np

from rtp.codecs.resample import RATE, Samples
from rtp.errors import CodecError

_VOIP = 2048
_SET_BITRATE, _SET_BANDWIDTH, _SET_VBR, _SET_COMPLEXITY = 4002, 4004, 4006, 4010
_SET_FEC, _SET_LOSS, _SET_DTX = 4012, 4014, 4016
_BANDWIDTHS = ((8000, 1101), (12000, 1102), (16000, 1103), (24000, 1104), (48000, 1105))
"""libopus's names for the sampling rates of RFC 6716 §2.1.3."""
MAX_PAYLOAD = 1275
MAX_SAMPLES = 5760
"""120 ms: the longest Opus packet."""
COMPLEXITY = 5
BITRATE_BPS = 32000
LOSS_PERCENT = 10
"""What libopus is told to expect: at 32 kbit/s it adds no copies of the packet before at 5, and does at 8."""
MIN_BITRATE_BPS, MAX_BITRATE_BPS = 6000, 510000
"""The range of RFC 7587 §6.1."""


def _candidates() -> list[str]:
    found = ctypes.util.find_library("opus")
    wheel = Path(av.__file__).parent.parent / "av.libs"
    return [name for name in (found, "libopus.so.0", *map(str, sorted(wheel.glob("libopus*.so*")))) if name]


@functools.cache
def library() -> Any:
    """libopus, loaded and tested once. Raises CodecError, with the remedy, when there is none."""
    for name in _candidates():
        try:
            lib = ctypes.CDLL(name)
            _declare(lib)
        except (OSError, AttributeError):
            continue
        if _self_test(lib):
            return lib
    raise CodecError("libopus is missing; on Debian and Ubuntu: apt-get install libopus0")


def _declare(lib: Any) -> None:
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("opus_encoder_create", pointer, [integer, integer, integer, ctypes.POINTER(integer)]),
        ("opus_encoder_get_size", integer, [integer]),
        ("opus_encoder_destroy", None, [pointer]),
        ("opus_encode", integer, [pointer, pointer, integer, pointer, integer]),
        ("opus_encoder_ctl", integer, [pointer, integer]),
        ("opus_decoder_create", pointer, [integer, integer, ctypes.POINTER(integer)]),
        ("opus_decoder_destroy", None, [pointer]),
        ("opus_decode", integer, [pointer, ctypes.c_char_p, integer, pointer, integer, integer]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments


def _self_test(lib: Any) -> bool:
    tone = (8000 * np.sin(2 * np.pi * 1000 / RATE * np.arange(960))).astype(np.int16)
    encoder, decoder = Encoder(lib=lib), Decoder(lib=lib)
    out = [decoder.decode(encoder.encode(tone)) for _ in range(5)][-1]
    return out.shape == (960,) and 4000 < float(np.abs(out).max()) < 16000


def encoder_for(fmtp: Iterable[tuple[str, str]], *, bitrate_bps: int = BITRATE_BPS, fec: bool = True,
                dtx: bool = False) -> Encoder:
    """An encoder as the receiver's format parameters ask (RFC 7587 §6.1).

    fmtp: name in lower case and value. What is mere preference there (useinbandfec, usedtx) is done when we want it too;
    maxaveragebitrate, maxplaybackrate and cbr bind us. We encode mono, which any value of `stereo` allows.
    """
    asked = dict(fmtp)
    most = min(MAX_BITRATE_BPS, _number(asked.get("maxaveragebitrate"), MAX_BITRATE_BPS))
    return Encoder(
        max(MIN_BITRATE_BPS, min(bitrate_bps, most)), fec=fec and asked.get("useinbandfec") == "1",
        dtx=dtx and asked.get("usedtx") == "1", is_constant=asked.get("cbr") == "1",
        max_rate_hz=_number(asked.get("maxplaybackrate"), RATE),
    )


def _number(text: str | None, default: int) -> int:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else default


def _bandwidth(rate_hz: int) -> int:
    return next((name for rate, name in reversed(_BANDWIDTHS) if rate <= rate_hz), _BANDWIDTHS[0][1])


class Encoder:
    """48 kHz mono to Opus. bitrate_bps: 6000 to 128000; with in-band FEC for `loss_percent`, and DTX if wanted.

    is_constant: packets of one size; max_rate_hz: the highest rate that is of use to the receiver.
    """

    def __init__(self, bitrate_bps: int = BITRATE_BPS, *, fec: bool = True, dtx: bool = False, loss_percent: int = LOSS_PERCENT,
                 is_constant: bool = False, max_rate_hz: int = RATE, lib: Any = None) -> None:
        self._lib = lib if lib is not None else library()
        error = ctypes.c_int()
        self._state = self._lib.opus_encoder_create(RATE, 1, _VOIP, ctypes.byref(error))
        if not self._state:
            raise CodecError(f"libopus made no encoder (error {error.value})")
        self._out = ctypes.create_string_buffer(MAX_PAYLOAD)
        for request, value in ((_SET_BITRATE, bitrate_bps), (_SET_COMPLEXITY, COMPLEXITY), (_SET_FEC, int(fec)),
                               (_SET_LOSS, loss_percent), (_SET_DTX, int(dtx)), (_SET_VBR, int(not is_constant)),
                               (_SET_BANDWIDTH, _bandwidth(max_rate_hz))):
            self._control(request, value)

    def _control(self, request: int, value: int) -> None:
        self._lib.opus_encoder_ctl(self._state, request, ctypes.c_int(value))

    def encode(self, samples: Samples) -> bytes:
        """samples: int16, C-contiguous, shape (n,), 48 kHz mono, n of 480, 960, 1920 or 2880. Raises CodecError."""
        size = self._lib.opus_encode(self._state, samples.ctypes.data, len(samples), self._out, MAX_PAYLOAD)
        if size < 0:
            raise CodecError(f"libopus could not encode {len(samples)} samples (error {size})")
        return self._out.raw[:size]

    def copy(self) -> Encoder:
        """Another encoder that goes on from the same state: a decoder hears no seam between the two."""
        other = Encoder(lib=self._lib)
        ctypes.memmove(other._state, self._state, self._lib.opus_encoder_get_size(1))
        return other

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._lib.opus_encoder_destroy(self._state)


class Decoder:
    """Opus to 48 kHz mono."""

    def __init__(self, *, lib: Any = None) -> None:
        self._lib = lib if lib is not None else library()
        error = ctypes.c_int()
        self._state = self._lib.opus_decoder_create(RATE, 1, ctypes.byref(error))
        if not self._state:
            raise CodecError(f"libopus made no decoder (error {error.value})")
        self._buffer = np.zeros(MAX_SAMPLES, np.int16)
        self._address = self._buffer.ctypes.data

    def _decode(self, payload: bytes | None, count: int, fec: int) -> Samples:
        size = len(payload) if payload is not None else 0
        made = self._lib.opus_decode(self._state, payload, size, self._address, count, fec)
        if made < 0:
            raise CodecError(f"libopus could not decode {size} bytes (error {made})")
        return self._buffer[:made].copy()

    def decode(self, payload: bytes) -> Samples:
        """The samples of a payload: int16, 48 kHz mono. Raises CodecError for what is no Opus."""
        if not payload:
            raise CodecError("an empty Opus payload")
        return self._decode(payload, MAX_SAMPLES, 0)

    def conceal(self, count: int) -> Samples:
        """What libopus makes up for `count` lost samples."""
        return self._decode(None, count, 0)

    def decode_fec(self, following: bytes, count: int) -> Samples:
        """The lost packet of `count` samples from the copy inside the packet after it (RFC 6716 §2.1.7)."""
        return self._decode(following, count, 1)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._lib.opus_decoder_destroy(self._state)
