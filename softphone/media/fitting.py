"""A picture as colours, in a size that fits a place: whole, in its own shape, texts readable."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rtp.codecs.i420 import Picture

Rgb = npt.NDArray[np.uint8]
"""Shape (height, width, 3)."""


def fitted(picture: Picture, width: int, height: int) -> Rgb:
    """The picture, as large as it can be within width × height."""
    scale = min(width / picture.width, height / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    rgb = to_rgb(picture)
    if size == (picture.width, picture.height):
        return rgb
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)


def to_rgb(picture: Picture) -> Rgb:
    """The colours of a picture."""
    height, width = picture.height, picture.width
    rows = np.empty((height * 3 // 2, width), np.uint8)
    rows[:height] = picture.y
    colours, quarter = rows[height:].reshape(-1), width * height // 4
    colours[:quarter].reshape(height // 2, width // 2)[:] = picture.u
    colours[quarter:].reshape(height // 2, width // 2)[:] = picture.v
    return np.asarray(cv2.cvtColor(rows, cv2.COLOR_YUV2RGB_I420), np.uint8)
