"""Looks at another's desktop and acts there (RFC 6143): a loop for a thread of its own.

    watching = Watching(pipe, RfbViewer(...), on_event)
    threading.Thread(target=watching.run).start()
    watching.press_key(keysym, True)                     # from any thread
    with watching.picture() as pixels: ...

Events are told in the loop's thread; a window takes the picture under the lock that `picture` holds, so that it does not change
while it is copied.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from rtp.rfb.pixels import Pixels
from rtp.rfb.viewer import RfbViewer, ViewerEvent
from softphone.remote.pipe import Pipe

PAUSE_S = 1.0
"""How soon timers are looked at when nothing comes."""
MAX_WISHES = 1000
"""Keys and movements that wait for the loop; further ones are dropped, as something hangs then."""

logger = logging.getLogger(__name__)


class Watching:
    """One session. on_event: is told what happens, in the loop's thread."""

    def __init__(self, pipe: Pipe, viewer: RfbViewer, on_event: Callable[[ViewerEvent], None]) -> None:
        self._pipe, self._viewer, self._on_event = pipe, viewer, on_event
        self._wishes: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._is_stopping = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def run(self) -> None:
        """Until the desktop is gone, or `stop`."""
        try:
            while self._pipe.is_open and self._viewer.state != "closed" and not self._is_stopping:
                self._pipe.wait(PAUSE_S, [self._wake_read])
                self._turn(time.monotonic())
        finally:
            self._viewer.close(self._pipe.reason)
            self._tell()
            self._pipe.close()
            with self._lock:
                self._is_stopping = True
                os.close(self._wake_read)
                os.close(self._wake_write)

    def press_key(self, keysym: int, is_down: bool, keycode: int | None = None) -> None:
        """A key went down or up here."""
        self._wish(lambda: self._viewer.press_key(keysym, is_down, keycode))

    def move_pointer(self, x: int, y: int, buttons: int) -> None:
        """The pointer moved here, in pixels of the picture, or a button went down or up."""
        self._wish(lambda: self._viewer.move_pointer(x, y, buttons))

    def set_clipboard(self, text: str) -> None:
        """A text was copied here."""
        self._wish(lambda: self._viewer.set_clipboard(text))

    def stop(self) -> None:
        """End it soon."""
        self._wish(self._stop)

    @property
    def updates(self) -> int:
        """How many updates of the picture have come."""
        return self._viewer.updates

    @contextlib.contextmanager
    def picture(self) -> Iterator[Pixels]:
        """The picture, which doesn't change while this is held; briefly, as the loop waits."""
        with self._lock:
            yield self._viewer.framebuffer

    def _stop(self) -> None:
        self._is_stopping = True

    def _wish(self, wish: Callable[[], None]) -> None:
        with self._lock:
            if self._is_stopping or len(self._wishes) >= MAX_WISHES:
                return
            self._wishes.append(wish)
            with contextlib.suppress(BlockingIOError):                 # a full pipe wakes it, too
                os.write(self._wake_write, b"\0")

    def _turn(self, now: float) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        data = self._pipe.receive()
        with self._lock:
            if data or not self._pipe.is_open:
                self._viewer.receive_data(data, now)
            while self._wishes:
                self._wishes.popleft()()
            self._viewer.handle_timer(now)
        self._pipe.send(self._viewer.data_to_send())
        self._tell()

    def _tell(self) -> None:
        while (event := self._viewer.next_event()) is not None:
            try:
                self._on_event(event)
            except Exception:
                logger.exception("an event of a desktop could not be handled")
