"""Faces for robots: short films of somebody who sits in front of a camera and nods, drawn here, for `--video FILE`."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw

SIZE = (640, 360)
RATE = 25
SECONDS = 4
"""After which the film begins again where it began."""
LOOKS = {
    "anna": ((62, 124, 92), (40, 52, 58), (226, 190, 160), (44, 52, 74), (70, 44, 30)),
    "ben": ((176, 112, 78), (60, 44, 40), (150, 104, 76), (48, 60, 60), (24, 20, 18)),
    "cleo": ((92, 104, 168), (36, 38, 62), (236, 204, 174), (120, 52, 66), (30, 26, 34)),
}
"""Wall above and below, skin, clothes, hair."""
Rgb = tuple[int, int, int]


def wall(above: Rgb, below: Rgb) -> Image.Image:
    """What is behind: one colour above, another below."""
    width, height = SIZE
    share = np.linspace(0, 1, height)[:, None, None]
    colours = np.array(above) * (1 - share) + np.array(below) * share + np.linspace(12, -12, width)[None, :, None]
    return Image.fromarray(np.clip(np.broadcast_to(colours, (height, width, 3)), 0, 255).astype(np.uint8))


def portrait(looks: tuple[Rgb, Rgb, Rgb, Rgb, Rgb], behind: Image.Image, moment: float) -> Image.Image:
    """The picture at a moment from 0 to 1 of the film."""
    _, _, skin, clothes, hair = looks
    width, height = SIZE
    image = behind.copy()
    draw = ImageDraw.Draw(image)
    turn = 2 * math.pi * moment
    x, y = width / 2 + 10 * math.sin(turn), height * 0.43 + 5 * math.sin(2 * turn)
    draw.ellipse((width / 2 - 150, height * 0.70, width / 2 + 150, height * 1.5), fill=clothes)
    draw.rounded_rectangle((x - 22, y + 50, x + 22, height * 0.80), 14, fill=tuple(part * 9 // 10 for part in skin))
    draw.ellipse((x - 72, y - 96, x + 72, y + 66), fill=hair)
    draw.ellipse((x - 58, y - 72, x + 58, y + 84), fill=skin)
    look, is_blinking = 5 * math.sin(turn), 0.47 < moment < 0.5
    for side in (-24, 24):
        eye = x + side + look
        draw.ellipse((eye - 5, y - (1 if is_blinking else 7), eye + 5, y + 2), fill=(34, 28, 28))
    mouth = 3 + 8 * abs(math.sin(4 * turn)) * (moment % 0.5 < 0.3)
    draw.ellipse((x - 16 + look, y + 38 - mouth / 2, x + 16 + look, y + 38 + mouth / 2), fill=(130, 54, 54))
    return image


def make_films(folder: Path) -> dict[str, Path]:
    """Write a film for each of `LOOKS` into a folder, once; their paths by name."""
    paths = {name: folder / f"{name}.mp4" for name in LOOKS}
    for name, path in paths.items():
        if not path.exists():
            part = path.with_suffix(".part")
            _write(part, LOOKS[name])
            part.replace(path)
    return paths


def _write(path: Path, looks: tuple[Rgb, Rgb, Rgb, Rgb, Rgb]) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.options = {"preset": "veryfast", "crf": "20"}
        behind = wall(*looks[:2])
        for count in range(RATE * SECONDS):
            frame = av.VideoFrame.from_image(portrait(looks, behind, count / (RATE * SECONDS)))
            frame.pts, frame.time_base = count, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
