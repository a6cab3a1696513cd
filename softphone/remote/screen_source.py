"""The screen as a source of a share: what changed by X's damage, pictures by mss, and the pointer drawn into them."""

from __future__ import annotations

import numpy as np

from rtp.rfb.cursor import Cursor
from rtp.rfb.pixels import Pixels, Rectangle
from softphone.remote.injector import Area
from softphone.remote.screen import ScreenGrabber, around
from softphone.remote.watch import ScreenWatch
from softphone.remote.x11 import in_words


class ScreenSource:
    """All of a display, one monitor or a region (`softphone.media.screen.ShareSource`).

    Raises PhoneError when it can't be seen. When the screen changes its size it is looked at anew; a region and a monitor keep
    their place.
    """

    def __init__(self, display: str | None = None, *, monitor: int = 0, region: Area | None = None) -> None:
        self._display, self._monitor, self._region = display, monitor, region
        self._grabber = ScreenGrabber(display, monitor=monitor, region=region)
        self._watch = ScreenWatch(display)
        self._screen_size = self._watch.size()
        self._cursor: Cursor | None = None
        self._pointer = (0, 0)

    def size(self) -> tuple[int, int]:
        """Of what is shared."""
        with in_words():
            if (now := self._watch.size()) != self._screen_size:
                self._screen_size = now
                self._grabber.close()
                self._grabber = ScreenGrabber(self._display, monitor=self._monitor, region=self._region)
            area = self._grabber.area
        return area.width, area.height

    def take(self) -> Area | None:
        """Where it changed, also where the pointer was and is."""
        with in_words():
            changed = self._watch.take()
            shape, place = self._watch.take_cursor(), self._watch.pointer()
        if shape is not None or place != self._pointer:
            before = self._under_pointer()
            self._cursor, self._pointer = shape or self._cursor, place
            for area in filter(None, (before, self._under_pointer())):
                changed = area if changed is None else around(changed, area)
        if changed is None:
            return None
        whole = self._grabber.area
        part = _rectangle(changed).common(_rectangle(whole))
        return Area(part.x - whole.x, part.y - whole.y, part.width, part.height) if part.area else None

    def grab(self, part: Area) -> Pixels | None:
        """The picture of now, with the pointer."""
        whole = self._grabber.area
        place = Area(whole.x + part.x, whole.y + part.y, part.width, part.height)
        picture = self._grabber.grab(place)
        self._draw_pointer(picture, place)
        return picture

    def close(self) -> None:
        """Leave the display."""
        self._grabber.close()
        self._watch.close()

    def _under_pointer(self) -> Area | None:
        if self._cursor is None:
            return None
        height, width = self._cursor.pixels.shape
        return Area(self._pointer[0] - self._cursor.hot_x, self._pointer[1] - self._cursor.hot_y, width, height)

    def _draw_pointer(self, picture: Pixels, place: Area) -> None:
        under = self._under_pointer()
        if under is None or self._cursor is None:
            return
        part = _rectangle(under).common(_rectangle(place))
        if part.area:
            shown = Rectangle(part.x - under.x, part.y - under.y, part.width, part.height)
            drawn = Rectangle(part.x - place.x, part.y - place.y, part.width, part.height).of(picture)
            mask = self._cursor.mask[shown.y:shown.y + shown.height, shown.x:shown.x + shown.width]
            np.copyto(drawn, shown.of(self._cursor.pixels), where=mask)


def _rectangle(area: Area) -> Rectangle:
    return Rectangle(area.x, area.y, area.width, area.height)
