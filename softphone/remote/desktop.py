"""Shows this machine's desktop to one viewer and lets it act (RFC 6143): a loop for a thread of its own.

    Desktop(pipe, RfbServer(...), grabber, hands, watch).run()

Pictures are made when something changed and the viewer can take one, at most MAX_RATE times a second. Whatever ends the loop,
all keys are let go of.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rtp.rfb.messages import KeyEvent, PointerEvent
from rtp.rfb.server import RfbServer, ServerEvent, SessionClosed
from softphone.errors import PhoneError
from softphone.remote.injector import Hands
from softphone.remote.own_input import OwnInput
from softphone.remote.pipe import Pipe
from softphone.remote.screen import Grabber
from softphone.remote.watch import ScreenWatch

MAX_RATE = 30.0
BLIND_RATE = 15.0
"""Pictures a second of a screen that doesn't tell of changes."""
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
        self._is_changed = True
        self._next_grab = 0.0

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
        self._show(now)
        self._server.handle_timer(now)
        while self._pipe.is_clear and (out := self._server.data_to_send()):
            self._pipe.send(out)
        self._pipe.flush()

    def _descriptors(self) -> list[int]:
        found = [self._watch.fileno()] if self._watch is not None and not self._is_changed else []
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
        if self._is_changed and self._server.wants_picture:
            return min(PAUSE_S, max(0.0, self._next_grab - now))
        return PAUSE_S

    def _show(self, now: float) -> None:
        if self._watch is None:
            self._is_changed = True
        elif not self._is_changed:
            self._is_changed = self._watch.take()
            self._show_cursor(self._watch, now)
        if not self._is_changed or now < self._next_grab or not self._server.wants_picture:
            return
        if self._watch is not None:
            self._watch.take()
        self._is_changed = False
        self._next_grab = now + 1 / (MAX_RATE if self._watch is not None else BLIND_RATE)
        picture = self._grabber.grab()
        self._hands.area = self._grabber.area
        self._hands.shown = (picture.shape[1], picture.shape[0])
        self._server.show(picture, now)

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
