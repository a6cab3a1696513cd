"""Codecs by the names that SDP gives them (RFC 3551, RFC 7587)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from rtp.codecs import g711, g722, opus
from rtp.codecs.resample import Samples
from rtp.errors import CodecError

CLOCK_RATES = {"opus": 48000, "g722": 8000, "pcmu": 8000, "pcma": 8000}
"""RTP clock rate by codec name in lower case."""


class AudioEncoder(Protocol):
    """48 kHz mono in, payloads out."""

    def encode(self, samples: Samples) -> bytes:
        """samples: int16, shape (n,), 48 kHz mono."""


class AudioDecoder(Protocol):
    """Payloads in, 48 kHz mono out."""

    def decode(self, payload: bytes) -> Samples:
        """The samples of a payload. Raises CodecError."""

    def conceal(self, count: int) -> Samples:
        """Something in place of `count` lost samples."""


def create_encoder(name: str, *, bitrate_bps: int = opus.BITRATE_BPS, fec: bool = True, dtx: bool = False,
                   fmtp: Iterable[tuple[str, str]] | None = None) -> AudioEncoder:
    """An encoder by codec name (case does not matter). Raises CodecError for an unknown one.

    fmtp: the receiver's format parameters, where they are known; the rest is for Opus alone.
    """
    match name.lower():
        case "pcmu" | "pcma":
            return g711.Encoder(is_alaw=name.lower() == "pcma")
        case "g722":
            return g722.Encoder()
        case "opus":
            if fmtp is not None:
                return opus.encoder_for(fmtp, bitrate_bps=bitrate_bps, fec=fec, dtx=dtx)
            return opus.Encoder(bitrate_bps, fec=fec, dtx=dtx)
    raise CodecError(f"no codec is called {name!r}")


def create_decoder(name: str) -> AudioDecoder:
    """A decoder by codec name (case does not matter). Raises CodecError for an unknown one."""
    match name.lower():
        case "pcmu" | "pcma":
            return g711.Decoder(is_alaw=name.lower() == "pcma")
        case "g722":
            return g722.Decoder()
        case "opus":
            return opus.Decoder()
    raise CodecError(f"no codec is called {name!r}")
