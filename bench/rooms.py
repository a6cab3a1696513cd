"""Composed rooms per core: people with moving pictures of 640×360, a studio as a picture worker has it, one composed stream.

    python -m bench.rooms        (prints one JSON object; CPU time of the studio's thread, decoding to packets)
"""

from __future__ import annotations

import json
import time

import cv2
import numpy as np

from mcu.engine.composing import COMPOSED_TYPES
from mcu.picture.layout import Layout
from mcu.picture.messages import Output, PutSource, Scene, SetScene, SourceKind
from mcu.picture.studio import Studio
from rtp.codecs.i420 import Picture
from rtp.codecs.video import create_video_encoder
from rtp.video_sender import VideoSender

WIDTH, HEIGHT, FRAME_RATE, BITRATE_BPS = 640, 360, 25, 500_000
PICTURES = 100
OUTPUT_RATE = 30
SECOND = 1_000_000_000


def moving(number: int, count: int) -> Picture:
    """A picture of a soft texture that wanders, as a person before a wall does."""
    noise = np.random.default_rng(number)
    picture = Picture.create(WIDTH, HEIGHT)
    ground = cv2.resize(noise.integers(40, 210, (24, 40), np.uint8), (WIDTH + 128, HEIGHT + 128), interpolation=cv2.INTER_CUBIC)
    across, down = round(32 + 24 * np.sin(count / 9)), round(32 + 16 * np.cos(count / 7))
    picture.y[:] = ground[down:down + HEIGHT, across:across + WIDTH]
    picture.y[80:280, 220:420] = ground[128 - down:328 - down, 128 - across:328 - across]
    return picture


def film(number: int, codec: str) -> list[list[bytes]]:
    """The packets of each of its pictures."""
    kind = next(number for number, name, _ in COMPOSED_TYPES if name == codec)
    sender = VideoSender(codec, kind, 100 + number, 0, lambda packet: packet)
    encoder = create_video_encoder(codec, WIDTH, HEIGHT, BITRATE_BPS, frame_rate=FRAME_RATE)
    out = []
    for count in range(PICTURES):
        data = encoder.encode(moving(number, count), count * 90_000 // FRAME_RATE, is_key=count == 0)
        out.append(sender.packets_of(data, count * 90_000 // FRAME_RATE))
    return out


def cpu_ms_a_second(people: int, codec: str, layout: Layout, width: int, height: int,
                    outputs: tuple[str, ...]) -> dict[str, float]:
    """CPU time of a room for each second of it; of one composed picture of all that."""
    studio = Studio(1, 1, time.thread_time_ns, lambda *_: None)
    films = [film(number, codec) for number in range(1, people + 1)]
    for number in range(1, people + 1):
        studio.put_source(PutSource(1, number, 100 + number, SourceKind.STREAM, f"Person {number}"))
    studio.scene = SetScene(1, Scene(tuple(range(1, people + 1)), main=1, speaking=frozenset({1}))).scene
    for index, name in enumerate(outputs):
        studio.add_output(Output(1 + index, 9 + index, 0, name, int(name == "h264"), layout, width, height, OUTPUT_RATE,
                                 1_500_000))
    started, now_ns, sent = time.thread_time_ns(), SECOND, 0
    for tick in range(PICTURES * OUTPUT_RATE // FRAME_RATE):
        now_ns = SECOND + tick * SECOND // OUTPUT_RATE
        while sent < PICTURES and sent * SECOND // FRAME_RATE <= now_ns - SECOND:
            for one in films:
                for packet in one[sent]:
                    studio.receive(packet, now_ns)
            sent += 1
        studio.compose(now_ns)
        studio.datagrams_to_send()
    spent_ms = (time.thread_time_ns() - started) / 1e6
    seconds = PICTURES / FRAME_RATE
    return {"cpu_ms_a_second": round(spent_ms / seconds, 1), "cpu_ms_a_picture": round(spent_ms / seconds / OUTPUT_RATE, 2),
            "rooms_a_core": round(1000 * seconds / spent_ms, 2)}


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    print(json.dumps({
        "9 H.264, gallery 720p, H.264": cpu_ms_a_second(9, "h264", Layout.GALLERY, 1280, 720, ("h264",)),
        "9 H.264, gallery 720p, H.264 and VP8": cpu_ms_a_second(9, "h264", Layout.GALLERY, 1280, 720, ("h264", "vp8")),
        "9 VP8, gallery 720p, H.264": cpu_ms_a_second(9, "vp8", Layout.GALLERY, 1280, 720, ("h264",)),
        "8 H.264, speaker 720p, H.264": cpu_ms_a_second(8, "h264", Layout.SPEAKER, 1280, 720, ("h264",)),
        "4 H.264, gallery 720p, H.264": cpu_ms_a_second(4, "h264", Layout.GALLERY, 1280, 720, ("h264",)),
        "4 H.264, gallery 640×480, H.264": cpu_ms_a_second(4, "h264", Layout.GALLERY, 640, 480, ("h264",)),
        "2 H.264, one at a time 640×480, VP8": cpu_ms_a_second(2, "h264", Layout.SWITCH, 640, 480, ("vp8",)),
    }, ensure_ascii=False))


if __name__ == "__main__":
    main()
