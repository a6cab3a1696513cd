"""A line's pictures on their way out: the size that the rate and the peer allow, the encoder, its rate as the path takes it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoEncoder, create_video_encoder
from rtp.congestion import RateMeter
from rtp.sdp.video import VideoFormat

SIZES = ((1280, 720), (960, 540), (640, 360), (480, 270), (320, 180))
LEAST_BPS = {720: 1_200_000, 540: 700_000, 360: 300_000, 270: 180_000, 180: 0}
"""With less than this a smaller picture looks better."""
HYSTERESIS = 1.25
TIGHT = 0.8
"""From this share of its rate on a picture fills it: one that needs less looks good at any rate, and isn't made smaller."""
RESIZE_NS = 4_000_000_000
"""A picture grows again so long after it shrank at the earliest: each change of size costs a key frame."""


def fitted(picture: Picture, width: int, height: int) -> Picture:
    """The picture in another size, nothing of it cut off by more than its shape demands. width, height: even."""
    if (picture.width, picture.height) == (width, height):
        return picture
    wide = picture.width * height > picture.height * width
    across = picture.height * width // height & ~1 if wide else picture.width
    down = picture.height if wide else picture.width * height // width & ~1
    part = picture.region((picture.width - across) // 4 * 2, (picture.height - down) // 4 * 2, across, down)
    out = Picture.create(width, height)
    for source, target in ((part.y, out.y), (part.u, out.u), (part.v, out.v)):
        cv2.resize(np.ascontiguousarray(source), (target.shape[1], target.shape[0]), dst=target, interpolation=cv2.INTER_AREA)
    return out


@dataclass(slots=True)
class OutFigures:
    """What went out on a line: pictures, key frames, the size and rate now."""

    pictures: int = 0
    key_frames: int = 0
    width: int = 0
    height: int = 0
    bitrate_bps: int = 0


class LineEncoder:
    """Encodes for one line. format: what was agreed; most: the largest height that is wanted."""

    def __init__(self, agreed: VideoFormat, most: int = 720) -> None:
        self.figures = OutFigures()
        self._format = agreed
        self._most = most
        self._encoder: VideoEncoder | None = None
        self._size = (0, 0)
        self._shrunk_ns = -RESIZE_NS
        self._rate = RateMeter()

    def encode(self, picture: Picture, timestamp: int, bitrate_bps: int, now_ns: int, *, is_key: bool) -> bytes:
        """The coded picture. Raises CodecError."""
        size = self._fitting(picture, bitrate_bps, now_ns)
        encoder = self._encoder
        if encoder is None or size != self._size:
            encoder = self._encoder = create_video_encoder(self._format.name, *size, bitrate_bps, mode=self._format.mode)
            self._size, is_key = size, True
        encoder.bitrate_bps = bitrate_bps
        coded = encoder.encode(fitted(picture, *size), timestamp, is_key=is_key)
        self._rate.add(len(coded), now_ns)
        figures = self.figures
        figures.pictures += bool(coded)
        figures.key_frames += is_key
        figures.width, figures.height = size
        figures.bitrate_bps = bitrate_bps
        return coded

    def _fitting(self, picture: Picture, bitrate_bps: int, now_ns: int) -> tuple[int, int]:
        height = min(picture.height, self._most)
        possible = [size for size in SIZES if size[1] <= max(height, SIZES[-1][1]) and self._format.takes(*size)] or [SIZES[-1]]
        chosen = next((size for size in possible if bitrate_bps >= LEAST_BPS[size[1]]), possible[-1])
        if self._size in possible and chosen != self._size:
            is_larger = chosen[1] > self._size[1]
            if is_larger:
                grows = bitrate_bps > HYSTERESIS * LEAST_BPS[chosen[1]] and now_ns - self._shrunk_ns > RESIZE_NS
                return chosen if grows else self._size
            if self._rate.bitrate_bps(now_ns) < TIGHT * bitrate_bps:
                return self._size
            self._shrunk_ns = now_ns
        return chosen
