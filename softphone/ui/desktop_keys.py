"""What Tk says of keys and buttons, as RFB wants it (RFC 6143 §7.5.4, §7.5.5): keysyms of X, a mask of buttons.

A key is released as the one that it was pressed as, whatever Shift has become meanwhile; what an input method commits, several
characters at once, is typed one by one.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

from rtp.rfb.keysyms import keysym_of

CONTROL_MASK = 0x4
WHEEL_UP, WHEEL_DOWN, WHEEL_LEFT, WHEEL_RIGHT = 8, 16, 32, 64
MAX_STEPS = 5


def keysyms_of(event: tk.Event[Any]) -> list[int]:
    """The keysyms of a key press: that of the character, where it makes one."""
    text = str(event.char or "")
    if text and text.isprintable() and not int(event.state) & CONTROL_MASK:
        return [keysym_of(character) for character in text]
    number = int(event.keysym_num)
    return [number] if number > 0 else []


def button_bit(number: int) -> int:
    """The bit of a mouse button, 1 the left one."""
    return 1 << number - 1


def wheel_bits(number: int, delta: int) -> list[int]:
    """The presses that a turn of the wheel is: by X's buttons 4 to 7, or by the delta of other systems."""
    by_number = {4: WHEEL_UP, 5: WHEEL_DOWN, 6: WHEEL_LEFT, 7: WHEEL_RIGHT}
    if number in by_number:
        return [by_number[number]]
    steps = min(MAX_STEPS, max(1, abs(delta) // 120)) if delta else 0
    return [WHEEL_UP if delta > 0 else WHEEL_DOWN] * steps


class Keyboard:
    """The keys that are down. press_key: takes a keysym and whether it went down."""

    def __init__(self, press_key: Callable[[int, bool], None]) -> None:
        self._press_key = press_key
        self._down: dict[int, int] = {}

    def press(self, event: tk.Event[Any]) -> None:
        """A key went down, or repeats."""
        keysyms = keysyms_of(event)
        if len(keysyms) == 1:
            self._down[event.keycode] = keysyms[0]
            self._press_key(keysyms[0], True)
            return
        for keysym in keysyms:
            self._press_key(keysym, True)
            self._press_key(keysym, False)

    def release(self, event: tk.Event[Any]) -> None:
        """A key came up."""
        keysym = self._down.pop(event.keycode, 0)
        if keysym:
            self._press_key(keysym, False)

    def release_all(self) -> None:
        """Let go of all of them, the last first."""
        for keysym in reversed(self._down.values()):
            self._press_key(keysym, False)
        self._down.clear()
