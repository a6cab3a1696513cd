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
    """The newest picture of a stream, from the thread that decodes to the one that draws. What was not drawn is forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._picture: Picture | None = None

    def put(self, picture: Picture) -> None:
        """A new picture came; its planes must stay as they are."""
        with self._lock:
            self._picture = picture

    def take(self) -> Picture | None:
        """The newest one, once."""
        with self._lock:
            picture, self._picture = self._picture, None
        return picture


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
