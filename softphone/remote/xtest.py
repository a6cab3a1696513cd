"""The mouse and keyboard of an X display, by its XTEST extension (python-xlib).

A character that the keyboard's layout has is typed by its key, when Shift is as that needs it. Any other, 你 for example, is
put on a key code that is free, for as long as it may be needed: programs look at the layout when a key arrives, so a code isn't
given another meaning for a while. At the end the layout is what it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from Xlib import X
from Xlib.ext import xtest

from rtp.rfb.keysyms import SHIFT_L, SHIFT_R, character_of
from softphone.remote.takeback import Done
from softphone.remote.x11 import open_display

SETTLE_S = 0.25
"""How long a borrowed key code keeps its meaning at least, so that a busy program has read it."""
MAX_BORROWED = 16


class XTestInjector:
    """Injects into a display such as `:0`; None is the one of the environment. Raises PhoneError when that is not possible.

    clock, pause: time and sleeping, for tests. on_input: is told what is about to be done, and when, so that it can be known
    again (`softphone.remote.takeback`).
    """

    def __init__(self, name: str | None = None, *, clock: Callable[[], float] = time.monotonic,
                 pause: Callable[[float], None] = time.sleep) -> None:
        self._display = open_display(name, ["XTEST"])
        self._clock, self._pause = clock, pause
        self._root = self._display.screen().root
        self.on_input: Callable[[Done, float], None] = lambda done, now: None
        self._is_closed = False
        self._down: dict[int, int] = {}
        self._load_layout()

    def press_key(self, keysym: int, is_down: bool) -> None:
        """A key went down or up. A key that this machine doesn't have and that is no character does nothing."""
        if is_down:
            keycode = self._keycode(keysym)
            if keycode:
                self._down[keysym] = keycode
                self._fake(X.KeyPress, keycode)
        else:
            released = self._down.pop(keysym, 0)
            if released:
                self._fake(X.KeyRelease, released)

    def press_button(self, button: int, is_down: bool) -> None:
        """A mouse button, 1 the left one; 4 to 7 are the wheels."""
        self._fake(X.ButtonPress if is_down else X.ButtonRelease, button)

    def move_pointer(self, x: int, y: int) -> None:
        """The pointer is at a place of the screen."""
        self.on_input(Done("motion", 0, x, y), self._clock())
        xtest.fake_input(self._root, X.MotionNotify, x=x, y=y)
        self._display.flush()

    def close(self) -> None:
        """Give the borrowed key codes back and leave the display. A second call does nothing."""
        if self._is_closed:
            return
        for keysym in list(self._down):
            self.press_key(keysym, False)
        for keycode, (keysym, _) in self._borrowed.items():
            if keysym:
                self._display.change_keyboard_mapping(keycode, [[X.NoSymbol] * self._width])
        self._display.sync()
        self._display.close()
        self._is_closed = True

    def _load_layout(self) -> None:
        first, last = self._display.display.info.min_keycode, self._display.display.info.max_keycode
        rows: list[Any] = list(self._display.get_keyboard_mapping(first, last - first + 1))
        self._width = len(rows[0])
        self._places: dict[int, tuple[int, int]] = {}
        for level in range(min(2, self._width)):
            for offset, row in enumerate(rows):
                if row[level]:
                    self._places.setdefault(row[level], (first + offset, level))
        for offset, row in enumerate(rows):                       # keys that have a name only further right
            for keysym in row:
                if keysym and not character_of(keysym):
                    self._places.setdefault(keysym, (first + offset, 0))
        free = [first + offset for offset, row in enumerate(rows) if not any(row) and first + offset > first]
        self._borrowed: dict[int, tuple[int, float]] = dict.fromkeys(free[-MAX_BORROWED:], (0, 0.0))

    def _keycode(self, keysym: int) -> int:
        place = self._places.get(keysym)
        if not character_of(keysym):
            return place[0] if place else 0
        has_shift = SHIFT_L in self._down or SHIFT_R in self._down
        if place is not None and place[1] == has_shift:
            return place[0]
        return self._borrow(keysym)

    def _borrow(self, keysym: int) -> int:
        """A free key code that types this character, with Shift and without."""
        borrowed, now = self._borrowed, self._clock()
        for keycode, (meaning, _) in borrowed.items():
            if meaning == keysym:
                borrowed[keycode] = (keysym, now)
                return keycode
        usable = [keycode for keycode in borrowed if keycode not in self._down.values()]
        if not usable:
            return 0
        oldest = min(usable, key=lambda keycode: borrowed[keycode][1])
        meaning, used_at = borrowed[oldest]
        if meaning and now - used_at < SETTLE_S:
            self._pause(SETTLE_S - (now - used_at))
        self._display.change_keyboard_mapping(oldest, [[keysym] * self._width])
        self._display.sync()
        borrowed[oldest] = (keysym, self._clock())
        return oldest

    def _fake(self, kind: int, detail: int) -> None:
        if kind in (X.KeyPress, X.ButtonPress):
            self.on_input(Done("key" if kind == X.KeyPress else "button", detail), self._clock())
        xtest.fake_input(self._display, kind, detail)
        self._display.flush()
