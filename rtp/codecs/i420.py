"""Pictures as planes (the 4:2:0 sampling of ITU-T H.264 §6.2): luma, and both colours at half the width and height.

A picture of ours is one array, shape (height × 3 / 2, width), that encoders take whole; its planes are views of it. What a
decoder gives are views of its own frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
BLACK, GREY = 16, 128
"""Luma of black, and colour without any, of the limited range."""


@dataclass(frozen=True, slots=True)
class Picture:
    """y: uint8, shape (height, width); u, v: uint8, shape (height / 2, width / 2). Sizes are even."""

    y: Plane
    u: Plane
    v: Plane

    @classmethod
    def create(cls, width: int, height: int) -> Picture:
        """A black picture of our own. width, height: even."""
        if width % 2 or height % 2 or width < 2 or height < 2:
            raise ValueError(f"a picture of {width}×{height}: both have to be even")
        size = width * height
        whole = np.empty(size * 3 // 2, np.uint8)
        whole[:size] = BLACK
        whole[size:] = GREY
        half = (height // 2, width // 2)
        quarter = size // 4
        return cls(whole[:size].reshape(height, width), whole[size:size + quarter].reshape(half),
                   whole[size + quarter:].reshape(half))

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.y.shape[0])

    def region(self, left: int, top: int, width: int, height: int) -> Picture:
        """A part as views; all four are even."""
        half = slice(top // 2, (top + height) // 2), slice(left // 2, (left + width) // 2)
        return Picture(self.y[top:top + height, left:left + width], self.u[half], self.v[half])

    def fill(self, y: int, u: int, v: int) -> None:
        """One colour for all of it."""
        self.y[:], self.u[:], self.v[:] = y, u, v

    def copy_from(self, other: Picture) -> None:
        """Take over the pixels of one of the same size."""
        self.y[:], self.u[:], self.v[:] = other.y, other.u, other.v


def to_frame(picture: Picture) -> Any:
    """A frame of FFmpeg's with the pixels copied into it."""
    frame = av.VideoFrame(picture.width, picture.height, "yuv420p")
    for plane, source in zip(_planes(frame), (picture.y, picture.u, picture.v), strict=True):
        rows, columns = source.shape
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:rows, :columns] = source
    return frame


def _planes(frame: Any) -> Any:
    """FFmpeg's planes, whose types numpy's stubs don't take for buffers."""
    return frame.planes


def from_frame(frame: Any) -> Picture:
    """The planes of a frame of FFmpeg's as views; other formats than 4:2:0 are converted, odd sizes are cut by a pixel."""
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame = frame.reformat(format="yuv420p")
    width, height = frame.width & ~1, frame.height & ~1
    planes = []
    for plane, shift in zip(_planes(frame), (0, 1, 1), strict=True):
        lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        planes.append(lines[:height >> shift, :width >> shift])
    return Picture(*planes)
