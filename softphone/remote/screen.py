"""Pictures of this machine's screen: all of it, one monitor, or a window, by mss; and what is needed of X besides."""

from __future__ import annotations

import os
from typing import Protocol

import mss
import numpy as np
from mss.exception import ScreenShotError
from Xlib.error import XError

from rtp.rfb.pixels import Pixels
from softphone.errors import PhoneError
from softphone.remote.injector import Area
from softphone.remote.x11 import open_display

_COLOURS = np.uint32(0xFFFFFF)


class Grabber(Protocol):
    """Something that gives pictures; see `rtp.rfb.pixels` for their form."""

    @property
    def area(self) -> Area:
        """The part of the screen that the pictures show."""

    def grab(self, part: Area | None = None) -> Pixels:
        """The picture of now; an array of its own. part: what of the screen is wanted, within `area`; None for all of that."""

    def close(self) -> None:
        """Give back what it holds."""


class StillGrabber:
    """Always the same picture: for tests, and for who shares nothing yet."""

    def __init__(self, picture: Pixels) -> None:
        self.picture = picture

    @property
    def area(self) -> Area:
        """The whole picture."""
        return Area(0, 0, self.picture.shape[1], self.picture.shape[0])

    def grab(self, part: Area | None = None) -> Pixels:
        """A copy of the picture, or of a part."""
        part = part or self.area
        return self.picture[part.y:part.y + part.height, part.x:part.x + part.width].copy()

    def close(self) -> None:
        """Nothing to do."""


class ScreenGrabber:
    """Pictures of an X display such as `:0`, None for the environment's; to be used by the thread that made it.

    monitor: 0 for all together, 1 and up for one. region: a part of the screen instead. window: an X window's number instead;
    it is followed where it moves. Raises PhoneError when the screen can't be seen.
    """

    def __init__(self, name: str | None = None, *, monitor: int = 0, region: Area | None = None,
                 window: int | None = None) -> None:
        refuse_wayland(name)
        try:
            self._mss = mss.MSS(display=name)
        except ScreenShotError as error:
            raise PhoneError("This machine's screen can't be read, so it can't be shared. Is this an X11 session?") from error
        if not 0 <= monitor < len(self._mss.monitors):
            self._mss.close()
            raise PhoneError(f"There is no monitor {monitor}; there are {len(self._mss.monitors) - 1}.")
        whole, chosen = self._mss.monitors[0], self._mss.monitors[monitor]
        self._whole = Area(whole["left"], whole["top"], whole["width"], whole["height"])
        self._area = region or Area(chosen["left"], chosen["top"], chosen["width"], chosen["height"])
        self._window = _Window(name, window) if window is not None else None

    @property
    def area(self) -> Area:
        """What is shown, in the screen's pixels; of a window the part that is on the screen."""
        wanted = self._area if self._window is None else self._window.area()
        return within(wanted, self._whole)

    @property
    def monitors(self) -> list[Area]:
        """The monitors, the first one first."""
        return [Area(one["left"], one["top"], one["width"], one["height"]) for one in self._mss.monitors[1:]]

    def grab(self, part: Area | None = None) -> Pixels:
        """The picture of now, or a part of it. Raises PhoneError when the screen is gone."""
        area = part or self.area
        try:
            shot = self._mss.grab({"left": area.x, "top": area.y, "width": area.width, "height": area.height})
        except ScreenShotError as error:
            raise PhoneError("The screen can't be read any more.") from error
        return np.frombuffer(shot.bgra, "<u4").reshape(shot.height, shot.width) & _COLOURS

    def close(self) -> None:
        """Leave the display."""
        self._mss.close()
        if self._window is not None:
            self._window.close()


class _Window:
    """Where a window is."""

    def __init__(self, name: str | None, number: int) -> None:
        self._display = open_display(name)
        self._window = self._display.create_resource_object("window", number)

    def area(self) -> Area:
        try:
            geometry = self._window.get_geometry()
            place = geometry.root.translate_coords(self._window, 0, 0)
        except XError as error:
            raise PhoneError("The shared window was closed.") from error
        return Area(place.x, place.y, geometry.width, geometry.height)

    def close(self) -> None:
        self._display.close()


def around(one: Area, other: Area) -> Area:
    """The area round two."""
    left, top = min(one.x, other.x), min(one.y, other.y)
    right, bottom = max(one.x + one.width, other.x + other.width), max(one.y + one.height, other.y + other.height)
    return Area(left, top, right - left, bottom - top)


def within(area: Area, whole: Area) -> Area:
    """What of an area is on the screen; a pixel of it at least."""
    left, top = max(area.x, whole.x), max(area.y, whole.y)
    right, bottom = min(area.x + area.width, whole.x + whole.width), min(area.y + area.height, whole.y + whole.height)
    left, top = min(left, whole.x + whole.width - 1), min(top, whole.y + whole.height - 1)
    return Area(left, top, max(1, right - left), max(1, bottom - top))


def refuse_wayland(name: str | None) -> None:
    """Raises PhoneError under Wayland, where a program sees and steers its own windows only, before anything is tried."""
    if name is None and os.environ.get("WAYLAND_DISPLAY"):
        raise PhoneError("This is a Wayland session, in which a program can neither see nor steer the screen. Sign out, choose "
                         "\"on Xorg\" at the login screen, and sign in again.")
