"""The windows and monitors of an X screen, and pictures of one window alone, whatever lies over it (the Composite extension).

A window that is shared must not show what happens to lie on top of it, so it is redirected into memory of its own and read
there, and its own damage tells when it changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from Xlib import X, Xatom
from Xlib.error import XError
from Xlib.ext import composite, damage

from rtp.rfb.pixels import Pixels
from softphone.errors import PhoneError
from softphone.remote.injector import Area
from softphone.remote.screen import around
from softphone.remote.x11 import in_words, open_display

SMALLEST = 48
"""Windows with a shorter side are parts of others: nobody shares them."""
MAX_WINDOWS = 60
OWN_CLASS = "Confero"
"""Of our own window (WM_CLASS): a picture of itself is nothing to share."""
CLOSED = "The shared window was closed."


@dataclass(frozen=True, slots=True)
class WindowFound:
    """A window on the screen: its X number, what it calls itself, where it is."""

    number: int
    title: str
    area: Area


def list_windows(name: str | None = None) -> list[WindowFound]:
    """The windows that a person sees, the front one first; ours left out. Raises PhoneError without a display."""
    with _connected(name) as connection:
        root = connection.screen().root
        found = []
        for window in _top_windows(connection, root):
            with contextlib.suppress(XError):
                one = _look_at(connection, root, window)
                if one is not None:
                    found.append(one)
        return found[:MAX_WINDOWS]


def _top_windows(connection: Any, root: Any) -> list[Any]:
    """What the window manager manages, or without one all that lies on the screen."""
    listed = root.get_full_property(connection.intern_atom("_NET_CLIENT_LIST_STACKING"), Xatom.WINDOW)
    if listed is not None and len(listed.value):
        return [connection.create_resource_object("window", number) for number in reversed(listed.value)]
    return list(reversed(root.query_tree().children))


def _look_at(connection: Any, root: Any, window: Any) -> WindowFound | None:
    names = window.get_wm_class()
    if names is not None and OWN_CLASS in names:
        return None
    if window.get_attributes().map_state != X.IsViewable:
        return None
    geometry = window.get_geometry()
    if min(geometry.width, geometry.height) < SMALLEST:
        return None
    place = root.translate_coords(window, 0, 0)
    return WindowFound(window.id, _title(connection, window), Area(place.x, place.y, geometry.width, geometry.height))


def _title(connection: Any, window: Any) -> str:
    named = window.get_full_property(connection.intern_atom("_NET_WM_NAME"), X.AnyPropertyType)
    text = named.value if named is not None else window.get_wm_name() or ""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


class WindowGrabber:
    """Pictures of one window and its changes, in the window's own pixels (`softphone.media.screen.ShareSource`).

    Raises PhoneError when there is no such window, and later when it was closed.
    """

    def __init__(self, number: int, name: str | None = None) -> None:
        self._display = open_display(name, ["Composite", "DAMAGE"])
        self._display.set_error_handler(lambda *_: None)            # what is said to a window that is just being closed
        self._display.damage_query_version()
        self._window = self._display.create_resource_object("window", number)
        try:
            self._window.get_geometry()
        except XError as error:
            self._display.close()
            raise PhoneError(f"There is no window {number:#x} on this screen.") from error
        self._window.composite_redirect_window(composite.RedirectAutomatic)
        self._damage = self._window.damage_create(damage.DamageReportBoundingBox)
        self._changed: Area | None = None

    def size(self) -> tuple[int, int]:
        """Of the window, without its border."""
        try:
            with in_words():
                geometry = self._window.get_geometry()
        except XError as error:
            raise PhoneError(CLOSED) from error
        return geometry.width, geometry.height

    def take(self) -> Area | None:
        """Where the window changed since the last time; to be asked before a picture is taken."""
        with in_words():
            while self._display.pending_events():
                event = self._display.next_event()
                if event.type == self._display.extension_event.DamageNotify:
                    area = Area(event.area.x, event.area.y, event.area.width, event.area.height)
                    self._changed = area if self._changed is None else around(self._changed, area)
            changed, self._changed = self._changed, None
            if changed is not None:
                self._display.damage_subtract(self._damage)
                self._display.flush()
        return changed

    def grab(self, part: Area) -> Pixels | None:
        """The picture of now, or None while the window is minimised."""
        try:
            with in_words():
                image = self._window.get_image(part.x, part.y, part.width, part.height, X.ZPixmap, 0xFFFFFFFF)
        except XError:
            self.size()
            return None
        return np.frombuffer(image.data, "<u4")[:part.width * part.height].reshape(part.height, part.width)

    def close(self) -> None:
        """Leave the display; the window is drawn as before."""
        self._display.close()


@contextlib.contextmanager
def _connected(name: str | None) -> Iterator[Any]:
    connection = open_display(name)
    try:
        yield connection
    finally:
        connection.close()
