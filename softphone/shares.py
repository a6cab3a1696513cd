"""Sharing a screen, as the window and the command line speak of it: what may be chosen, what is shared, the words between them.

Values alone, without X or Tk: the window's model and the options take them in, `softphone.media.screen` opens what was chosen.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtp.codecs.i420 import Picture
    from softphone.media.fitting import Rgb

FRAME_RATES = (5, 15, 30)
"""Pictures a second: for texts, for everything, for films."""
DEFAULT_RATE = 15
MIN_SIDE, MAX_SIDE = 16, 16384
SPELLING = "test, screen, screen:NUMBER, window:NUMBER or region:WxH+X+Y, with @5, @15 or @30 for the pictures a second"
_RATES = {str(rate): rate for rate in FRAME_RATES}
_REGION = re.compile(r"([0-9]{1,5})x([0-9]{1,5})\+([0-9]{1,5})\+([0-9]{1,5})")
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,8}|[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be shared. kind: test (a picture that moves), screen, window, region, file or none; number: of the monitor, 0
    for all of them, or of the X window; region: left, top, width, height; path: of a file with a picture."""

    kind: str
    number: int = 0
    region: tuple[int, int, int, int] = (0, 0, 0, 0)
    path: str = ""
    frame_rate: int = DEFAULT_RATE

    @classmethod
    def parse(cls, text: str) -> Choice:
        """As it is written on the command line, see SPELLING. Raises ValueError in words."""
        what, at, rate = text.partition("@")
        kind, _, which = what.partition(":")
        frame_rate = _RATES.get(rate, 0) if at else DEFAULT_RATE
        region = _REGION.fullmatch(which)
        if frame_rate not in FRAME_RATES:
            raise ValueError(f"what to share is written {SPELLING}; not {text!r}")
        if what in ("test", "screen"):
            return cls(what, frame_rate=frame_rate)
        if kind in ("screen", "window") and _NUMBER.fullmatch(which):
            return cls(kind, int(which, 0 if which.startswith("0x") else 10), frame_rate=frame_rate)
        if kind == "region" and region is not None:
            width, height, left, top = map(int, region.groups())
            if MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE:
                return cls(kind, region=(left, top, width, height), frame_rate=frame_rate)
        raise ValueError(f"what to share is written {SPELLING}; not {text!r}")


@dataclass(frozen=True, slots=True)
class Shareable:
    """Something that can be chosen. title: for people; preview: width, height and RGB bytes of a small picture, or None."""

    choice: Choice
    title: str
    size: tuple[int, int]
    preview: tuple[int, int, bytes] | None = None


class LatestPicture:
    """The newest picture of a stream, from the thread that decodes to the one that draws. What was not drawn is forgotten.

    Where a size is wanted, the thread that decodes makes the picture fit, so that the window needn't.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._place = (0, 0)
        self._newest: Picture | None = None
        self._fitted: Rgb | None = None
        self._is_fresh = False

    def put(self, picture: Picture) -> None:
        """A new picture came; its planes must stay as they are."""
        place = self._place
        fitted = _fit(picture, place)
        with self._lock:
            self._newest, self._is_fresh = picture, True
            self._fitted = fitted if place == self._place else _fit(picture, self._place)

    def take(self) -> Picture | None:
        """The newest one, once."""
        with self._lock:
            is_fresh, self._is_fresh = self._is_fresh, False
            return self._newest if is_fresh else None

    def want(self, width: int, height: int) -> None:
        """As large as it may be from now on, in its own shape."""
        with self._lock:
            if (width, height) != self._place:
                self._place = (width, height)
                self._fitted = None if self._newest is None else _fit(self._newest, self._place)

    def take_fitted(self) -> Rgb | None:
        """The newest one as it fits, once: uint8, shape (height, width, 3)."""
        with self._lock:
            fitted, self._fitted = self._fitted, None
        return fitted


def _fit(picture: Picture, place: tuple[int, int]) -> Rgb | None:
    if min(place) <= 1:
        return None
    from softphone.media.fitting import fitted

    return fitted(picture, *place)


@dataclass(frozen=True, slots=True)
class Share:
    """The screen that is shared in the meeting. name: whose it is, for people; is_own: it is ours; is_asked: the floor was
    asked for and not yet given; title: what is shared, of our own; view: where its pictures are, of another's."""

    name: str = ""
    is_own: bool = False
    is_asked: bool = False
    title: str = ""
    view: LatestPicture | None = None


# ---- events, in the past tense


@dataclass(frozen=True, slots=True)
class ShareablesFound:
    """What could be shared here; `trouble`: why nothing can, with the remedy."""

    shareables: tuple[Shareable, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ShareChanged:
    """Who shares in the meeting now; None for nobody."""

    share: Share | None = None


# ---- commands, in the imperative


@dataclass(frozen=True, slots=True)
class LookForShareables:
    """Find out what could be shared, with small pictures of it."""


@dataclass(frozen=True, slots=True)
class StartShare:
    """Ask for the floor, and share when it is given."""

    choice: Choice
    title: str = ""


@dataclass(frozen=True, slots=True)
class StopShare:
    """Share no more."""
