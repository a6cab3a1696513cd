"""The two loops against each other over a socket: what the viewer's window does arrives, and every end ends both."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from rtp.rfb.server import RfbServer, SessionClosed
from rtp.rfb.viewer import DesktopOpened, RfbViewer, ViewerEvent
from softphone.errors import PhoneError
from softphone.remote.desktop import Desktop
from softphone.remote.injector import Area, Hands, RecordingInjector
from softphone.remote.pipe import Pipe
from softphone.remote.screen import StillGrabber
from softphone.remote.watching import Watching
from tests.helpers.rfb import photograph, text
from tests.helpers.vnc import until

pytestmark = pytest.mark.loopback


class Both:
    """A desktop and who looks at it, a thread each. grants: input is carried out while it is not empty."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.grabber, self.recorder = StillGrabber(text()), RecordingInjector()
        self.grants = [True]
        self.hands = Hands(self.recorder, self.grabber.area, (320, 200))
        server = RfbServer(text(), now=time.monotonic())
        self.desktop = Desktop(Pipe(ours), server, self.grabber, self.hands, may_act=lambda: bool(self.grants))
        self.events: list[ViewerEvent] = []
        self.watching = Watching(Pipe(theirs), RfbViewer(now=time.monotonic()), self.events.append)
        self.threads = [threading.Thread(target=self.desktop.run), threading.Thread(target=self.watching.run)]

    def shows(self, picture: np.ndarray) -> bool:
        """Whether the viewer has this picture."""
        with self.watching.picture() as pixels:
            return np.array_equal(pixels, picture)

    def are_over(self) -> bool:
        """Whether both loops ended."""
        return not any(thread.is_alive() for thread in self.threads)


@contextmanager
def both() -> Iterator[Both]:
    """Both, running."""
    pair = Both()
    for thread in pair.threads:
        thread.start()
    try:
        until(lambda: pair.shows(text()))
        yield pair
    finally:
        pair.desktop.stop()
        pair.watching.stop()
        for thread in pair.threads:
            thread.join(20)


def test_keys_and_pointer_arrive_and_the_newest_picture_comes_back() -> None:
    with both() as pair:
        assert isinstance(pair.events[0], DesktopOpened)
        pair.watching.press_key(97, True)
        pair.watching.move_pointer(10, 20, 1)
        until(lambda: len(pair.recorder.done) == 3)
        pair.grabber.picture = photograph()
        until(lambda: pair.shows(photograph()))
    assert pair.recorder.done == [("key", 97, True), ("move", 10, 20), ("button", 1, True), ("key", 97, False),
                                  ("button", 1, False)]


def test_input_that_the_owner_does_not_allow_is_counted_and_not_carried_out() -> None:
    with both() as pair:
        pair.grants.clear()
        for _ in range(5):
            pair.watching.press_key(97, True)
        until(lambda: pair.desktop.refused == 5)
    assert pair.recorder.done == []


def test_viewer_that_stops_ends_the_desktops_loop_and_leaves_no_key_down() -> None:
    with both() as pair:
        pair.watching.press_key(0xFFE3, True)
        until(lambda: pair.recorder.done)
        pair.watching.stop()
        until(pair.are_over)
        pair.watching.press_key(98, True)
    assert pair.recorder.done == [("key", 0xFFE3, True), ("key", 0xFFE3, False)]


def test_desktop_that_stops_ends_the_viewers_loop_and_says_so() -> None:
    with both() as pair:
        pair.desktop.stop()
        until(pair.are_over)
    assert isinstance(pair.events[-1], SessionClosed) and pair.events[-1].reason


def test_screen_that_is_gone_ends_the_session_and_leaves_no_key_down(monkeypatch: pytest.MonkeyPatch) -> None:
    with both() as pair:
        pair.watching.press_key(0xFFE3, True)
        until(lambda: pair.recorder.done)

        def grab(part: Area | None = None) -> np.ndarray:
            raise PhoneError("The screen can't be read any more.")
        monkeypatch.setattr(pair.grabber, "grab", grab)
        until(pair.are_over)
    assert pair.recorder.done[-1] == ("key", 0xFFE3, False)
