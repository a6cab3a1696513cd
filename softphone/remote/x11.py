"""Connections to X displays by python-xlib, and the words when there are none."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from mss.exception import ScreenShotError
from Xlib import display
from Xlib.error import ConnectionClosedError, DisplayConnectionError, DisplayNameError
from Xlib.protocol import display as protocol
from Xlib.protocol import event

from softphone.errors import PhoneError

GONE = "The screen can't be read any more."
_opening = threading.Lock()


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Raises PhoneError where an X server has gone that was there."""
    try:
        yield
    except (ConnectionClosedError, ScreenShotError, OSError) as error:
        raise PhoneError(GONE) from error


def open_display(name: str | None, extensions: Sequence[str] = ()) -> display.Display:
    """A connection to a display such as `:0`, None for the environment's. Raises PhoneError when it is not there.

    python-xlib 0.33 has one table of extensions' events for all connections of a process, though each server numbers them as it
    likes; here each connection gets its own.
    """
    with _opening:
        protocol.Display.event_classes = event.event_class.copy()
        try:
            connection = display.Display(name)
        except (DisplayConnectionError, DisplayNameError, OSError) as error:
            raise PhoneError("This machine's screen can't be reached, so it can't be shared or steered. Is this an X11 session?"
                             ) from error
        connection.display.event_classes = protocol.Display.event_classes
    missing = [extension for extension in extensions if not connection.has_extension(extension)]
    if missing:
        connection.close()
        raise PhoneError(f"This X server lacks {' and '.join(missing)}, so its screen can't be shared or steered.")
    return connection
