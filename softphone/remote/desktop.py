"""Shows this machine's desktop to one viewer and lets it act (RFC 6143): a loop for a thread of its own.

    Desktop(pipe, RfbServer(...), grabber, hands, watch).run()

Pictures are made when something changed and the viewer can take one, at most MAX_RATE times a second. Whatever ends the loop,
all keys are let go of.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtp.rfb.messages import KeyEvent, PointerEvent
from rtp.rfb.pixels import Pixels, Rectangle
from rtp.rfb.server import RfbServer, ServerEvent, SessionClosed
from softphone.errors import PhoneError
from softphone.remote.injector import Area, Hands
from softphone.remote.own_input import OwnInput
from softphone.remote.pipe import Pipe
from softphone.remote.screen import Grabber, around
from softphone.remote.watch import ScreenWatch

MAX_RATE = 30.0
BLIND_RATE = 15.0
"""Pictures a second of a screen that doesn't tell of changes."""
EVERYWHERE = Area(-(1 << 15), -(1 << 15), 1 << 16, 1 << 16)
REST = 1.0
"""Time off after a picture, in units of the time that it took: a film on the screen must not starve the phone's sound."""
MAX_TEXTS = 8
PAUSE_S = 0.1
"""How soon the loop notices that it shall stop."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The owner took control back; how."""

    reason: str


class Desktop:
    """One viewer's session. hands: what acts for it; watch: tells of changes, or None to look again and again.

    on_event: is told all that is not input, in this thread. may_act: whether input is to be carried out, asked for each.
    refused: input that came while it was not. own: sees the owner take control back, or None; from then on no input is carried
    out until `give`.
    """

    def __init__(self, pipe: Pipe, server: RfbServer, grabber: Grabber, hands: Hands, watch: ScreenWatch | None = None, *,
                 own: OwnInput | None = None, may_act: Callable[[], bool] = lambda: True,
                 on_event: Callable[[ServerEvent | TakenBack], None] | None = None) -> None:
        self.refused = 0
        self._own, self._is_taken_back = own, False
        self._pipe, self._server, self._grabber, self._hands, self._watch = pipe, server, grabber, hands, watch
        self._may_act, self._on_event = may_act, on_event
        self._is_stopping, self._is_giving = threading.Event(), threading.Event()
        self._changed: Area | None = EVERYWHERE
        self._area: Area | None = None
        self._frame: Pixels = np.zeros((1, 1), np.uint32)
        self._next_grab = 0.0
        self._texts: deque[str] = deque(maxlen=MAX_TEXTS)

    def run(self) -> None:
        """Until the viewer is gone, or `stop`."""
        try:
            while self._pipe.is_open and self._server.state != "closed" and not self._is_stopping.is_set():
                self._turn(time.monotonic())
        except PhoneError as error:
            self._server.close(str(error))
        finally:
            self._hands.release_all()
            self._server.close("no longer shared")
            self._take_events()
            self._pipe.send(self._server.data_to_send())
            self._pipe.close()

    def stop(self) -> None:
        """End it soon; from any thread."""
        self._is_stopping.set()

    def set_clipboard(self, text: str) -> None:
        """A text was copied here; from any thread."""
        self._texts.append(text)

    def give(self) -> None:
        """Let the viewer act again, after it was taken back; from any thread."""
        self._is_giving.set()

    def _turn(self, now: float) -> None:
        self._pipe.wait(self._pause(now), self._descriptors())
        now = time.monotonic()
        if self._own is not None:
            self._look_for_owner(self._own, now)
        data = self._pipe.receive()
        if data or not self._pipe.is_open:
            self._server.receive_data(data, now)
        self._take_events()
        while self._texts:
            self._server.set_clipboard(self._texts.popleft(), now)
        self._show(now)
        self._server.handle_timer(now)
        while self._pipe.is_clear and (out := self._server.data_to_send()):
            self._pipe.send(out)
        self._pipe.flush()

    def _descriptors(self) -> list[int]:
        found = [self._watch.fileno()] if self._watch is not None and self._changed is None else []
        return found if self._own is None else [*found, self._own.fileno()]

    def _look_for_owner(self, own: OwnInput, now: float) -> None:
        """Stop at once when the owner takes control back."""
        reason = own.read(now)
        if self._is_giving.is_set():
            self._is_giving.clear()
            self._is_taken_back = False
            own.begin()
        elif reason and not self._is_taken_back:
            self._is_taken_back = True
            self._hands.release_all()
            if self._on_event is not None:
                self._on_event(TakenBack(reason))

    def _pause(self, now: float) -> float:
        if self._changed is not None and self._server.wants_picture:
            return min(PAUSE_S, max(0.0, self._next_grab - now))
        return PAUSE_S

    def _show(self, now: float) -> None:
        if self._watch is None:
            self._changed = EVERYWHERE
        else:
            self._look_at_watch(self._watch, now)
        if self._changed is None or now < self._next_grab or not self._server.wants_picture:
            return
        self._grab(self._changed, now)
        self._changed = None
        done = time.monotonic()
        self._next_grab = max(now + 1 / (MAX_RATE if self._watch is not None else BLIND_RATE), done + (done - now) * REST)

    def _grab(self, changed: Area, now: float) -> None:
        """Show what is on the screen now, where it changed."""
        area = self._grabber.area
        if area != self._area:
            self._area = area
            self._frame = self._grabber.grab()
            self._hands.area, self._hands.shown = area, (self._frame.shape[1], self._frame.shape[0])
            self._server.show(self._frame, now)
            return
        part = Rectangle(changed.x, changed.y, changed.width, changed.height).common(
            Rectangle(area.x, area.y, area.width, area.height))
        if part.area:
            picture = self._grabber.grab(Area(part.x, part.y, part.width, part.height))
            here = Rectangle(part.x - area.x, part.y - area.y, part.width, part.height)
            here.of(self._frame)[...] = picture
            self._server.show(self._frame, now, here)

    def _look_at_watch(self, watch: ScreenWatch, now: float) -> None:
        changed = watch.take()
        if changed is not None:
            self._changed = changed if self._changed is None else around(self._changed, changed)
        self._show_cursor(watch, now)

    def _show_cursor(self, watch: ScreenWatch, now: float) -> None:
        cursor = watch.take_cursor()
        if cursor is not None:
            self._server.set_cursor(cursor, now)

    def _take_events(self) -> None:
        while (event := self._server.next_event()) is not None:
            if isinstance(event, KeyEvent | PointerEvent):
                if self._may_act() and not self._is_taken_back:
                    self._hands.receive(event)
                else:
                    self.refused += 1
                continue
            if isinstance(event, SessionClosed):
                logger.info("a viewer of the desktop is gone", extra={"reason": event.reason})
            if self._on_event is not None:
                self._on_event(event)
