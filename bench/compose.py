"""CPU time to compose a 720p picture of nine inputs of 360p, all new, as a gallery and as speaker with strip.

    python -m bench.compose        (prints one JSON object; ms of CPU for each picture, of one thread and of cv2's own)
"""

from __future__ import annotations

import json
import time

import cv2
import numpy as np

from mcu.picture.compositor import Compositor, Content
from mcu.picture.layout import Tile, gallery, speaker
from rtp.codecs.i420 import Picture
from rtp.codecs.video import create_video_encoder

PICTURES = 200
WIDTH, HEIGHT = 1280, 720


def inputs() -> list[list[Picture]]:
    """Two pictures of each of nine people."""
    noise = np.random.default_rng(1)
    made = []
    for _ in range(9):
        pair = [Picture.create(640, 360) for _ in range(2)]
        for picture in pair:
            picture.y[:] = noise.integers(16, 235, picture.y.shape, np.uint8)
        made.append(pair)
    return made


def milliseconds(tiles: tuple[Tile, ...], people: list[list[Picture]]) -> float:
    """CPU ms a picture."""
    compositor = Compositor(WIDTH, HEIGHT)
    started = time.process_time()
    for count in range(PICTURES):
        contents = [Content(pair[count % 2], f"Person {number}", number == 0)
                    for number, pair in enumerate(people[:len(tiles)])]
        compositor.compose(tiles, contents)
    return round((time.process_time() - started) / PICTURES * 1000, 2)


def encoding() -> float:
    """CPU ms to encode such a picture with x264."""
    encoder, picture = create_video_encoder("h264", WIDTH, HEIGHT, 1_500_000), Picture.create(WIDTH, HEIGHT)
    compositor, people = Compositor(WIDTH, HEIGHT), inputs()
    spent = 0.0
    for count in range(60):
        picture = compositor.compose(gallery(9, WIDTH, HEIGHT), [Content(pair[0], str(count)) for pair in people])
        started = time.process_time()
        encoder.encode(picture, 3000 * count, is_key=count == 0)
        spent += time.process_time() - started
    return round(spent / 60 * 1000, 2)


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    people = inputs()
    print(json.dumps({
        "gallery_9_ms": milliseconds(gallery(9, WIDTH, HEIGHT), people),
        "speaker_8_ms": milliseconds(speaker(8, WIDTH, HEIGHT), people),
        "encode_h264_ms": encoding(),
    }))


if __name__ == "__main__":
    main()
