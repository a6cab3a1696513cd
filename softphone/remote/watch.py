"""Tells when a screen changes, and what its pointer looks like, by X's DAMAGE and XFIXES extensions.

So nobody has to look at a screen that doesn't change, and the pointer needn't be drawn into the picture: its shape goes to the
viewer (RFC 6143 §7.8.1), who draws it where the own hand is.
"""

from __future__ import annotations

import numpy as np
from Xlib.ext import damage, xfixes

from rtp.rfb.cursor import MAX_SIDE, Cursor
from rtp.rfb.pixels import Pixels
from softphone.remote.injector import Area
from softphone.remote.screen import around
from softphone.remote.x11 import open_display

VISIBLE = 128
"""From this opacity on a pixel of the pointer is drawn; RFB knows no half-transparent ones."""


class ScreenWatch:
    """Watches all of a display such as `:0`, None for the environment's. Raises PhoneError when it can't."""

    def __init__(self, name: str | None = None) -> None:
        self._display = open_display(name, ["DAMAGE", "XFIXES"])
        self._display.damage_query_version()
        self._display.xfixes_query_version()
        root = self._display.screen().root
        self._damage = root.damage_create(damage.DamageReportBoundingBox)
        self._display.xfixes_select_cursor_input(root, xfixes.XFixesDisplayCursorNotifyMask)
        self._display.flush()
        self._changed: Area | None = None
        self._has_new_cursor = True

    def fileno(self) -> int:
        """A descriptor that can be read from when something changed."""
        number: int = self._display.fileno()
        return number

    def take(self) -> Area | None:
        """Where something changed since the last time; to be asked before a picture is taken, so that nothing is missed."""
        self._read_events()
        changed, self._changed = self._changed, None
        if changed is not None:
            self._display.damage_subtract(self._damage)
            self._display.flush()
        return changed

    def take_cursor(self) -> Cursor | None:
        """The pointer's shape, when it is another than the last time."""
        self._read_events()
        if not self._has_new_cursor:
            return None
        self._has_new_cursor = False
        image = self._display.xfixes_get_cursor_image(self._display.screen().root)
        if not (0 < image.width <= MAX_SIDE and 0 < image.height <= MAX_SIDE):
            return None
        colours: Pixels = np.array(image.cursor_image, np.uint32).reshape(image.height, image.width)
        return Cursor(colours & np.uint32(0xFFFFFF), colours >> np.uint32(24) >= VISIBLE, image.xhot, image.yhot)

    def pointer(self) -> tuple[int, int]:
        """Where the pointer is."""
        place = self._display.screen().root.query_pointer()
        return place.root_x, place.root_y

    def size(self) -> tuple[int, int]:
        """Of the whole screen, which may change."""
        geometry = self._display.screen().root.get_geometry()
        return geometry.width, geometry.height

    def close(self) -> None:
        """Leave the display."""
        self._display.close()

    def _read_events(self) -> None:
        while self._display.pending_events():
            event = self._display.next_event()
            if event.type == self._display.extension_event.DamageNotify:
                area = Area(event.area.x, event.area.y, event.area.width, event.area.height)
                self._changed = area if self._changed is None else around(self._changed, area)
            else:
                self._has_new_cursor = True
