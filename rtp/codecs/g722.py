"""G.722 at 64 kbit/s (ITU-T G.722, RFC 3551 §4.5.2) by FFmpeg's codec; the RTP clock is 8000 though the audio is 16 kHz."""

from __future__ import annotations

from typing import Any

import av
import numpy as np

from rtp.codecs.conceal import Concealer
from rtp.codecs.resample import Downsampler, Samples, Upsampler
from rtp.errors import CodecError

FRAME = 160
"""Samples that FFmpeg codes at once: 10 ms, so that packets of any whole number of these are complete."""


class Encoder:
    """48 kHz to G.722."""

    def __init__(self) -> None:
        self._context: Any = av.CodecContext.create("g722", "w")
        self._context.sample_rate, self._context.format, self._context.layout = 16000, "s16", "mono"
        self._context.options = {"frame_size": str(FRAME)}
        self._context.open()
        self._down = Downsampler(3)

    def encode(self, samples: Samples) -> bytes:
        """samples: int16, shape (n,), 48 kHz mono, n a multiple of 480."""
        frame: Any = av.AudioFrame.from_ndarray(self._down.process(samples).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 16000
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


class Decoder:
    """G.722 to 48 kHz."""

    def __init__(self) -> None:
        self._context: Any = av.CodecContext.create("g722", "r")
        self._context.sample_rate, self._context.layout = 16000, "mono"
        self._up = Upsampler(3)
        self._concealer = Concealer(16000)

    def decode(self, payload: bytes) -> Samples:
        """The samples of a payload: int16, shape (6 × bytes,), 48 kHz mono. Raises CodecError."""
        try:
            frames = self._context.decode(av.Packet(payload))
        except (OSError, ValueError) as error:
            raise CodecError(f"G.722: {error}") from error
        if not frames:
            raise CodecError("G.722: an empty payload")
        decoded = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.int16, copy=False)
        return self._up.process(self._concealer.hear(decoded))

    def conceal(self, count: int) -> Samples:
        """Something for `count` lost samples at 48 kHz: the voice goes on and fades."""
        return self._up.process(self._concealer.make(count // 3))
