"""Moves the pointer and presses keys on this machine, behind one small interface, and guards it from another's wishes.

    hands = Hands(XTestInjector(":0"), area=Area(0, 0, 1920, 1080), shown=(1920, 1080))
    hands.receive(KeyEvent(keysym, True)); hands.receive(PointerEvent(0, 10, 10)); hands.release_all()

`Hands` maps places of the shown picture to the screen, keeps them within what is shared, and never passes keys that the owner
keeps back. Whether somebody may act at all is decided elsewhere: at the server's gate, and by the owner.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from rtp.rfb.keysyms import ALT_L, ALT_R, CONTROL_L, CONTROL_R, SHIFT_L, SHIFT_R, SUPER_L, SUPER_R, character_of, keysym_of
from rtp.rfb.messages import KeyEvent, PointerEvent

Chord = frozenset[int]
MAX_BUTTON = 7
"""Left, middle, right, and four directions of wheels (X's buttons 1 to 7)."""
_SAME = {SHIFT_R: SHIFT_L, CONTROL_R: CONTROL_L, ALT_R: ALT_L, SUPER_R: SUPER_L, 0xFFE7: ALT_L, 0xFFE8: ALT_L}
_NAMES = {
    "shift": SHIFT_L, "ctrl": CONTROL_L, "alt": ALT_L, "super": SUPER_L, "escape": 0xFF1B, "tab": 0xFF09, "return": 0xFF0D,
    "backspace": 0xFF08, "delete": 0xFFFF, "print": 0xFF61, "sysreq": 0xFF15, "pause": 0xFF13, "menu": 0xFF67,
    "sleep": 0x1008FF2F, "poweroff": 0x1008FF2A, "suspend": 0x1008FFA7, "hibernate": 0x1008FFA8,
}
_FUNCTION_KEY = re.compile(r"f[1-9][0-9]?")
DEFAULT_FORBIDDEN = ("SysReq", "PowerOff", "Sleep", "Suspend", "Hibernate", "Ctrl+Alt+Delete", "Ctrl+Alt+Backspace",
                     *(f"Ctrl+Alt+F{number}" for number in range(1, 13)))
"""What ends the session or leaves it for another: nobody does that to somebody else's machine by accident."""


class Injector(Protocol):
    """The mouse and keyboard of a machine."""

    def press_key(self, keysym: int, is_down: bool) -> None:
        """A key went down or up, by its X keysym."""

    def press_button(self, button: int, is_down: bool) -> None:
        """A mouse button, 1 the left one; 4 to 7 are the wheels."""

    def move_pointer(self, x: int, y: int) -> None:
        """The pointer is at a place of the screen."""

    def close(self) -> None:
        """Leave everything as it was."""


class NullInjector:
    """Does nothing: view only."""

    def press_key(self, keysym: int, is_down: bool) -> None:
        """Nothing happens."""

    def press_button(self, button: int, is_down: bool) -> None:
        """Nothing happens."""

    def move_pointer(self, x: int, y: int) -> None:
        """Nothing happens."""

    def close(self) -> None:
        """Nothing happens."""


class RecordingInjector:
    """Writes down what it was told, for tests: ("key", keysym, is_down), ("button", number, is_down), ("move", x, y)."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int, int]] = []

    def press_key(self, keysym: int, is_down: bool) -> None:
        """Write it down."""
        self.done.append(("key", keysym, is_down))

    def press_button(self, button: int, is_down: bool) -> None:
        """Write it down."""
        self.done.append(("button", button, is_down))

    def move_pointer(self, x: int, y: int) -> None:
        """Write it down."""
        self.done.append(("move", x, y))

    def close(self) -> None:
        """Nothing to do."""


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the screen, in its pixels: all of it, a monitor, or a window."""

    x: int
    y: int
    width: int
    height: int

    def place(self, x: int, y: int, shown: tuple[int, int]) -> tuple[int, int]:
        """Where a place of the shown picture (width, height) is on the screen; never outside of this area."""
        return (self.x + min(max(x * self.width // max(shown[0], 1), 0), self.width - 1),
                self.y + min(max(y * self.height // max(shown[1], 1), 0), self.height - 1))


def parse_chord(text: str) -> Chord:
    """Keys that are down together, as `Ctrl+Alt+F1`, `Print` or `Super+L`. Raises ValueError for a name that no key has."""
    keys = []
    for name in text.split("+"):
        lower = name.strip().lower()
        if lower in _NAMES:
            keys.append(_NAMES[lower])
        elif _FUNCTION_KEY.fullmatch(lower) and int(lower[1:]) <= 35:
            keys.append(0xFFBD + int(lower[1:]))
        elif len(lower) == 1:
            keys.append(keysym_of(lower))
        else:
            raise ValueError(f"there is no key {name.strip()!r}; write a letter, F1 to F35, or one of {', '.join(_NAMES)}")
    return frozenset(keys)


class Hands:
    """An injector that follows another's wishes within limits.

    area: what is shared of the screen; shown: size of its picture at the other side; forbidden: chords that are never passed.
    blocked, outside: how many keys were kept back, how many places were brought back into the picture.
    """

    def __init__(self, injector: Injector, area: Area, shown: tuple[int, int],
                 forbidden: Iterable[Chord] = tuple(map(parse_chord, DEFAULT_FORBIDDEN))) -> None:
        self.area = area
        self.shown = shown
        self.blocked = self.outside = 0
        self._injector = injector
        self._forbidden = tuple(forbidden)
        self._held: dict[int, None] = {}
        self._buttons = 0

    def receive(self, event: KeyEvent | PointerEvent) -> None:
        """Do what the other side did."""
        if isinstance(event, KeyEvent):
            self._receive_key(event.keysym, event.is_down)
        else:
            self._receive_pointer(event)

    def release_all(self) -> None:
        """Let go of every key and button that is down, the last key first."""
        for keysym in reversed(self._held):
            self._injector.press_key(keysym, False)
        self._held.clear()
        self._press_buttons(0)

    def close(self) -> None:
        """Let go of everything, for good."""
        self.release_all()
        self._injector.close()

    def _receive_key(self, keysym: int, is_down: bool) -> None:
        if not is_down:
            if keysym in self._held:
                del self._held[keysym]
                self._injector.press_key(keysym, False)
            else:
                self._release_twin(keysym)
        elif self._is_forbidden(keysym):
            self.blocked += 1
        else:
            self._held[keysym] = None
            self._injector.press_key(keysym, True)

    def _release_twin(self, keysym: int) -> None:
        """A viewer that let go of Shift first names the other case when the letter comes up."""
        twin = keysym_of(character[0]) if (character := character_of(keysym).swapcase()) else 0
        if twin in self._held:
            del self._held[twin]
            self._injector.press_key(twin, False)

    def _is_forbidden(self, keysym: int) -> bool:
        down = {_plain(each) for each in (*self._held, keysym)}
        return any(_plain(keysym) in chord and chord <= down for chord in self._forbidden)

    def _receive_pointer(self, event: PointerEvent) -> None:
        self.outside += event.x >= self.shown[0] or event.y >= self.shown[1]
        self._injector.move_pointer(*self.area.place(event.x, event.y, self.shown))
        self._press_buttons(event.buttons)

    def _press_buttons(self, buttons: int) -> None:
        for number in range(MAX_BUTTON):
            if (buttons ^ self._buttons) >> number & 1:
                self._injector.press_button(number + 1, bool(buttons >> number & 1))
        self._buttons = buttons


def _plain(keysym: int) -> int:
    """One keysym for both sides of a modifier and both cases of a letter."""
    lower = character_of(keysym).lower()
    return keysym_of(lower) if len(lower) == 1 else _SAME.get(keysym, keysym)
