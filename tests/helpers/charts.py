"""Charts (`rtp.codecs.chart`) as files for stock clients, and as what they have photographed."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from mcu.picture.layout import Tile
from rtp.codecs.chart import draw, read
from rtp.codecs.i420 import Picture, from_frame, to_frame

FRAME_RATE = 25


def write_clip(path: Path, who: int, seconds: int, size: tuple[int, int] = (640, 360)) -> Path:
    """A clip of somebody's charts in H.264, or one picture where the name ends in .png."""
    codec = "png" if path.suffix == ".png" else "libx264"
    with av.open(str(path), "w", format="image2" if codec == "png" else None) as container:
        stream: Any = container.add_stream(codec, FRAME_RATE)
        stream.width, stream.height = size
        stream.pix_fmt = "rgb24" if codec == "png" else "yuv420p"
        for count in range(FRAME_RATE * seconds if codec != "png" else 1):
            picture = Picture.create(*size)
            draw(picture, who, count)
            frame = to_frame(picture)
            frame.pts, frame.time_base = count, Fraction(1, FRAME_RATE)
            container.mux(stream.encode(frame.reformat(format="rgb24") if codec == "png" else frame))
        container.mux(stream.encode())
    return path


def seen(path: Path, tiles: Iterable[Tile]) -> list[int | None]:
    """Whose charts are where in a photograph; nothing while there is none, or half of one."""
    try:
        with av.open(str(path)) as container:
            picture = from_frame(next(container.decode(video=0)))
    except (FFmpegError, OSError, StopIteration):
        return []
    charts = [read(picture.region(tile.left, tile.top, tile.width, tile.height).y) for tile in tiles]
    return [None if chart is None else chart[0] for chart in charts]
