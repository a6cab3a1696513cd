"""Where pictures wait for the window: the newest of each person, made to the size of their tile by the thread that brings them.

The window says which tiles there are (`want`) and takes what is fresh (`take`); what is not wanted costs nothing, and a window
that is busy misses pictures and not its turn. Any thread may put.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rtp.codecs.i420 import Picture, Plane

Rgb = npt.NDArray[np.uint8]
SELF, STAGE = "self", "stage"
"""Keys that are no member's: the own camera, and the one picture of a conference that composes it."""
LEAST_BETWEEN_S = 0.02
STALE_S = 3.0
"""A picture that nothing follows for so long is taken down."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture goes. width, height: pixels; is_whole: nothing of it is cut off, black at the edges instead."""

    width: int
    height: int
    is_whole: bool = False


class PictureBoard:
    """The pictures that the window has to show, by key: `self`, `stage`, or a member's as `softphone.ui.voices` has
    it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[str, Place] = {}
        self._fresh: dict[str, Rgb | None] = {}
        self._put_at: dict[str, float] = {}
        self._sizes: dict[str, tuple[int, int]] = {}

    # ---- the window's side

    def want(self, places: Mapping[str, Place]) -> None:
        """These tiles are there now."""
        with self._lock:
            self._places = dict(places)

    def take(self) -> dict[str, Rgb | None]:
        """What is new, at the size of its tile: uint8, shape (height, width, 3); None for one that is to be taken down."""
        now = time.monotonic()
        with self._lock:
            for key, at in list(self._put_at.items()):
                if now - at > STALE_S:
                    self._drop(key)
            taken, self._fresh = self._fresh, {}
        return taken

    def shown(self) -> frozenset[str]:
        """Who has a picture."""
        with self._lock:
            return frozenset(self._put_at)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """(width, height) of each picture as it came."""
        with self._lock:
            return dict(self._sizes)

    # ---- those who bring pictures

    def put(self, key: str, picture: Picture, *, is_mirrored: bool = False) -> None:
        """A new picture."""
        now = time.monotonic()
        with self._lock:
            last = self._put_at.get(key, 0.0)
            place = self._places.get(key)
            self._sizes[key] = (picture.width, picture.height)
            if place is None or now - last < LEAST_BETWEEN_S:
                self._put_at[key] = last if place is not None else now
                return
            self._put_at[key] = now
        rgb = made_to_fit(picture, place)
        if is_mirrored:
            rgb = np.ascontiguousarray(rgb[:, ::-1])
        with self._lock:
            if key in self._put_at and self._places.get(key) == place:
                self._fresh[key] = rgb

    def remove(self, key: str) -> None:
        """There is no picture any more."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """The call is over."""
        with self._lock:
            for key in list(self._put_at):
                self._drop(key)

    def _drop(self, key: str) -> None:
        if self._put_at.pop(key, None) is not None:
            self._fresh[key] = None
            self._sizes.pop(key, None)


def made_to_fit(picture: Picture, place: Place) -> Rgb:
    """The picture as RGB at the size of a place: uint8, shape (height, width, 3), an array of its own."""
    width, height = max(2, place.width), max(2, place.height)
    if place.is_whole:
        factor = min(width / picture.width, height / picture.height)
        inner = max(2, round(picture.width * factor)), max(2, round(picture.height * factor))
        out: Rgb = np.zeros((height, width, 3), np.uint8)
        left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
        out[top:top + inner[1], left:left + inner[0]] = _scaled(picture, *inner)[:height, :width]
        return out
    return _scaled(_cut(picture, width, height), width, height)


def _cut(picture: Picture, width: int, height: int) -> Picture:
    """The middle of a picture, of the shape width × height."""
    if picture.width * height > picture.height * width:
        across = max(2, picture.height * width // height & ~1)
        return picture.region((picture.width - across) // 4 * 2, 0, across, picture.height)
    down = max(2, picture.width * height // width & ~1)
    return picture.region(0, (picture.height - down) // 4 * 2, picture.width, down)


def _scaled(picture: Picture, width: int, height: int) -> Rgb:
    even = (width + 1 & ~1, height + 1 & ~1)
    whole: Plane = np.empty(even[0] * even[1] * 3 // 2, np.uint8)
    size = even[0] * even[1]
    half = (even[0] // 2, even[1] // 2)
    targets = (whole[:size].reshape(even[1], even[0]), whole[size:size * 5 // 4].reshape(half[1], half[0]),
               whole[size * 5 // 4:].reshape(half[1], half[0]))
    for source, target in zip((picture.y, picture.u, picture.v), targets, strict=True):
        cv2.resize(source, (target.shape[1], target.shape[0]), dst=target, interpolation=cv2.INTER_LINEAR)
    rgb: Rgb = np.asarray(cv2.cvtColor(whole.reshape(even[1] * 3 // 2, even[0]), cv2.COLOR_YUV2RGB_I420), np.uint8)
    return rgb if even == (width, height) else np.ascontiguousarray(rgb[:height, :width])
