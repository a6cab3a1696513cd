"""Coded pictures for the tests of payload formats, made by the encoders themselves."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

SETTINGS = {"libvpx": {"deadline": "realtime", "lag-in-frames": "0"}, "libx264": {"preset": "superfast", "tune": "zerolatency"}}


@cache
def encoded(codec: str, count: int, width: int = 320, height: int = 180, options: str = "") -> tuple[bytes, ...]:
    """`count` pictures of noise that moves, the first a key frame. codec: libx264 or libvpx; options: "name=value,…"."""
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt, context.bit_rate = width, height, "yuv420p", 800_000
    context.time_base = Fraction(1, 30)
    context.options = SETTINGS[codec] | dict(pair.split("=") for pair in options.split(",") if pair)
    noise = np.random.default_rng(7).integers(0, 255, (height * 3 // 2, width), np.uint8)
    pictures = []
    for number in range(count):
        frame: Any = av.VideoFrame.from_ndarray(np.roll(noise, 3 * number, 1), "yuv420p")
        frame.pts = number
        pictures.append(b"".join(bytes(packet) for packet in context.encode(frame)))
    return tuple(pictures)


def decoded_sizes(codec: str, data: list[bytes]) -> list[tuple[int, int]]:
    """Width and height of each picture that a decoder makes of them."""
    context: Any = av.CodecContext.create(codec, "r")
    context.thread_count = 1
    return [(frame.width, frame.height) for piece in data for frame in context.decode(av.Packet(piece))]
