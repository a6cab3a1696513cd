"""What the owner does with the own mouse and keyboard, while another steers: raw events of X's XInput2 extension.

Raw events come whatever window has the focus, and name the device. `read` tells the rules (`softphone.remote.takeback`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from Xlib.ext import xinput

from rtp.rfb.keysyms import ESCAPE
from softphone.remote.takeback import Done, TakeBack
from softphone.remote.x11 import open_display

_RAW = struct.Struct("<HIIHHI4x")
_MASK = xinput.RawKeyPressMask | xinput.RawButtonPressMask | xinput.RawMotionMask


class OwnInput:
    """Watches a display such as `:0`, None for the environment's. Raises PhoneError when it can't.

    takeback: the rules. note: what an injector has to call with what it is about to do, and when.
    """

    def __init__(self, takeback: TakeBack, name: str | None = None) -> None:
        self._display = open_display(name, ["XInputExtension"])
        self.takeback = takeback
        self.note: Callable[[Done, float], None] = takeback.note
        self._display.xinput_query_version()
        self._root = self._display.screen().root
        self._root.xinput_select_events([(xinput.AllMasterDevices, _MASK)])
        devices = self._display.xinput_query_device(xinput.AllDevices).devices
        self._xtest = {device.deviceid for device in devices if "XTEST" in str(device.name)}
        self._escapes = {code for code, _ in self._display.keysym_to_keycodes(ESCAPE)}
        self.begin()

    def fileno(self) -> int:
        """A descriptor that can be read from when somebody did something."""
        number: int = self._display.fileno()
        return number

    def begin(self) -> None:
        """Another may act from now on."""
        pointer = self._root.query_pointer()
        self.takeback.begin(pointer.root_x, pointer.root_y)

    def read(self, now: float) -> str:
        """Look at what was done; why control is taken back, or an empty text."""
        while self._display.pending_events():
            event = self._display.next_event()
            kind = getattr(event, "evtype", None)
            if kind is not None and len(event.data) >= _RAW.size:
                self._judge(kind, bytes(event.data), now)
        return self.takeback.reason

    def close(self) -> None:
        """Leave the display."""
        self._display.close()

    def _judge(self, kind: int, data: bytes, now: float) -> None:
        _, _, detail, source, words, _ = _RAW.unpack_from(data)
        is_xtest = source in self._xtest
        if kind == xinput.RawKeyPress:
            if not (is_xtest and self.takeback.is_ours(Done("key", detail), now)):
                self.takeback.press_key(detail in self._escapes, now)
        elif kind == xinput.RawButtonPress:
            if not (is_xtest and self.takeback.is_ours(Done("button", detail), now)):
                self.takeback.press_button()
        elif kind == xinput.RawMotion:
            place = _place(data[_RAW.size:], words)
            if not (is_xtest and place is not None and self.takeback.is_ours(Done("motion", 0, *place), now)):
                pointer = self._root.query_pointer()
                self.takeback.move(pointer.root_x, pointer.root_y)


def _place(data: bytes, words: int) -> tuple[int, int] | None:
    """The place of an absolute motion, from the values of a raw event: those of the axes 0 and 1, as whole numbers."""
    if words < 1 or len(data) < 4 * words + 16 or data[0] & 3 != 3:
        return None
    x, _, y, _ = struct.unpack_from("<iIiI", data, 4 * words)
    return x, y
