"""CPU time of the parts of a leg's audio path: encoders, decoders, resamplers, the jitter buffer, packets; 20 ms frames.

    python -m bench.codecs        (prints one JSON object on its last line; µs of CPU a frame, the least of several repeats)
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import numpy as np

from bench.sip_parse import microseconds
from rtp.codecs.registry import create_decoder, create_encoder
from rtp.codecs.resample import RATE, Downsampler, Samples, Upsampler
from rtp.jitter import JitterBuffer
from rtp.packet import RtpPacket

FRAME = RATE // 50
TICK_NS = 20_000_000


def voice(frames: int = 50) -> list[Samples]:
    """Frames of something like a voice: a gliding pitch with overtones."""
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(np.arange(frames * FRAME) / 10000)) / RATE
    wave = sum(np.sin(k * phase) / k for k in range(1, 20))
    return [np.ascontiguousarray(frame) for frame in (5000 * np.asarray(wave)).astype(np.int16).reshape(frames, FRAME)]


def codec_figures(name: str) -> dict[str, float]:
    """Encode, decode and conceal."""
    encoder, decoder, frames = create_encoder(name), create_decoder(name), voice()
    payloads = [create_encoder(name).encode(frame) for frame in frames]
    turn, payload = itertools.cycle(frames), itertools.cycle(payloads)
    return {
        f"{name}_encode_us": microseconds(lambda: encoder.encode(next(turn)), 500, 3),
        f"{name}_decode_us": microseconds(lambda: decoder.decode(next(payload)), 500, 3),
        f"{name}_conceal_us": microseconds(lambda: decoder.conceal(FRAME), 500, 3),
    }


def jitter_step() -> Callable[[], object]:
    """One push and one pop of a steady stream."""
    buffer, counter = JitterBuffer(48000, FRAME), itertools.count()

    def step() -> object:
        number = next(counter)
        buffer.push(number & 0xFFFF, number * FRAME & 0xFFFFFFFF, b"x", number * TICK_NS)
        return buffer.pop(number * TICK_NS)

    return step


def main() -> None:
    """Measure and print."""
    figures: dict[str, float] = {}
    for name in ("pcmu", "pcma", "g722", "opus"):
        figures |= codec_figures(name)
    frame = voice(1)[0]
    for factor in (3, 6):
        down, up, low = Downsampler(factor), Upsampler(factor), frame[:FRAME // factor]
        figures[f"downsample_{factor}_us"] = microseconds(lambda down=down: down.process(frame), 1000, 3)
        figures[f"upsample_{factor}_us"] = microseconds(lambda up=up, low=low: up.process(low), 1000, 3)
    figures["jitter_push_pop_us"] = microseconds(jitter_step(), 5000, 3)
    data = bytes(RtpPacket(111, 1, 2, 3, bytes(80), csrcs=(7,), extensions={1: b"\x20"}))
    figures["packet_parse_us"] = microseconds(lambda: RtpPacket.parse(data), 5000, 3)
    figures["packet_write_us"] = microseconds(lambda: bytes(RtpPacket(111, 1, 2, 3, bytes(80))), 5000, 3)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
