"""Tells when a screen changes, by X's DAMAGE extension, so that nobody has to look at one that doesn't."""

from __future__ import annotations

from Xlib import display
from Xlib.error import DisplayConnectionError, DisplayNameError
from Xlib.ext import damage

from softphone.errors import PhoneError


class DamageWatch:
    """Watches all of a display such as `:0`, None for the environment's. Raises PhoneError when it can't."""

    def __init__(self, name: str | None = None) -> None:
        try:
            self._display = display.Display(name)
        except (DisplayConnectionError, DisplayNameError, OSError) as error:
            raise PhoneError("This machine's screen can't be reached. Is this an X11 session?") from error
        if not self._display.has_extension("DAMAGE"):
            self._display.close()
            raise PhoneError("This X server does not tell of changes (it has no DAMAGE extension).")
        self._display.damage_query_version()
        root = self._display.screen().root
        self._damage = root.damage_create(damage.DamageReportNonEmpty)
        self._display.flush()

    def fileno(self) -> int:
        """A descriptor that can be read from when something changed."""
        number: int = self._display.fileno()
        return number

    def take(self) -> bool:
        """Whether something changed since the last time; to be asked before a picture is taken, so that nothing is missed."""
        has_changed = False
        while self._display.pending_events():
            self._display.next_event()
            has_changed = True
        if has_changed:
            self._display.damage_subtract(self._damage)
            self._display.flush()
        return has_changed

    def close(self) -> None:
        """Leave the display."""
        self._display.close()
