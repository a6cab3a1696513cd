"""Control as a person meets it: the question to the owner, the frame, the bar, and another's desktop under one's hands."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from rtp.rfb.keysyms import SHIFT_L, keysym_of
from rtp.rfb.pixels import Pixels
from rtp.rfb.server import RfbServer
from rtp.rfb.viewer import RfbViewer
from softphone.model import (
    AnswerControl,
    AskForControl,
    CloseDesktop,
    ControlRequest,
    DesktopChanged,
    DesktopState,
    ReleaseControl,
    TakeBackControl,
)
from softphone.remote.desktop import Desktop
from softphone.remote.injector import Hands, RecordingInjector
from softphone.remote.pipe import Pipe
from softphone.remote.screen import StillGrabber
from softphone.remote.watching import Watching
from softphone.ui.desktop_window import DesktopWindow
from tests.windows.conftest import Driver
from tests.windows.test_window import START, in_meeting

pytestmark = pytest.mark.window
Open = Callable[..., Driver]
OURS = DesktopState(is_possible=True, sharer="Alice", is_ours=True)
THEIRS = DesktopState(is_possible=True, sharer="Anna")


def test_the_owner_is_asked_and_answers_with_the_mouse_or_is_too_late(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    driver.publish(DesktopChanged(replace(OURS, requests=(ControlRequest(5, "Bernd"), ControlRequest(6, "Chen")))))
    card = driver.window._desktops.card
    assert card is not None and card.winfo_viewable()
    driver.click(card.buttons["control"])
    driver.expect(AnswerControl(5, "control"))
    driver.publish(DesktopChanged(replace(OURS, requests=(ControlRequest(6, "Chen"),))))
    card = driver.window._desktops.card
    assert card is not None and card.request.name == "Chen"
    driver.publish(DesktopChanged(OURS))
    assert driver.window._desktops.card is None and driver.sent == []


def test_while_another_controls_there_is_a_frame_with_the_name_and_a_button_takes_back(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    driver.publish(DesktopChanged(DesktopState(is_possible=True, is_ours=True, controller="Bernd")))
    parts = driver.window._desktops
    assert parts.frame is not None and parts.frame.name == "Bernd"
    red, green, blue = driver.colour_at(1279, 400)
    assert red > 180 and green < 120 and blue < 120
    driver.click(parts.bar.button)                                   # type: ignore[arg-type]
    driver.expect(TakeBackControl())
    driver.publish(DesktopChanged(OURS))
    assert parts.frame is None and driver.colour_at(1279, 400) == (0, 0, 0)


def test_the_bar_asks_and_cancels(open_window: Open) -> None:
    driver = open_window(START)
    in_meeting(driver)
    bar = driver.window._desktops.bar
    for state, command in ((THEIRS, AskForControl()), (replace(THEIRS, is_asking=True), ReleaseControl())):
        driver.publish(DesktopChanged(state))
        driver.click(bar.button)                                     # type: ignore[arg-type]
        driver.expect(command)
    driver.publish(DesktopChanged(DesktopState(is_possible=True)))
    assert not bar.winfo_viewable()


@contextmanager
def seen(picture: Pixels) -> Iterator[tuple[Watching, RecordingInjector]]:
    """A desktop that shows a picture and writes down what is done to it."""
    ours, theirs = socket.socketpair()
    done = RecordingInjector()
    grabber = StillGrabber(picture)
    shape = (picture.shape[1], picture.shape[0])
    desktop = Desktop(Pipe(theirs), RfbServer(picture, now=time.monotonic()), grabber, Hands(done, grabber.area, shape))
    watching = Watching(Pipe(ours), RfbViewer(now=time.monotonic()), lambda event: None)
    threads = [threading.Thread(target=desktop.run), threading.Thread(target=watching.run)]
    for thread in threads:
        thread.start()
    try:
        yield watching, done
    finally:
        desktop.stop()
        watching.stop()
        for thread in threads:
            thread.join(20)


def test_a_desktop_is_fitted_steered_and_left_by_the_way_that_is_shown(open_window: Open) -> None:
    picture = np.zeros((200, 400), np.uint32)
    picture[:, 200:] = 0x20C040
    driver = open_window(START)
    in_meeting(driver)
    with seen(picture) as (watching, done):
        driver.until(lambda: watching.updates > 0)
        may_act = DesktopState(is_possible=True, sharer="Anna", may_act=True, view=watching, view_size=(400, 200))
        driver.publish(DesktopChanged(may_act))
        window = driver.window._desktops.window
        assert isinstance(window, DesktopWindow)
        driver.until(lambda: window.shown and window.winfo_viewable())
        left, top, width, height = window._area
        x, y = window.canvas.winfo_rootx() + left, window.canvas.winfo_rooty() + top
        assert abs(width / height - 2) < 0.02 and driver.colour_at(x + width * 3 // 4, y + height // 2) == (0x20, 0xC0, 0x40)
        driver.screen.xdotool("mousemove", x + width // 2 - 3, y + height // 2)
        driver.screen.click(x + width // 4, y + height // 2)
        driver.until(lambda: ("button", 1, False) in done.done and window.has_keyboard)
        moves = [(one, two) for kind, one, two in done.done if kind == "move"]
        assert abs(moves[-1][0] - 100) <= 1 and abs(moves[-1][1] - 100) <= 1
        driver.screen.write("aB")
        driver.until(lambda: ("key", keysym_of("B"), False) in done.done)
        pressed = [keysym for kind, keysym, is_down in done.done if kind == "key" and is_down and keysym != SHIFT_L]
        assert pressed == [keysym_of("a"), keysym_of("B")]
        assert "right Ctrl" in window.hint.cget("text")
        driver.key("Control_R")
        driver.until(lambda: not window.has_keyboard)
        driver.click(window.fit)
        driver.until(lambda: window._area[2:] == (400, 200))
        driver.publish(DesktopChanged(DesktopState(is_possible=True, sharer="Anna", view=watching, view_size=(400, 200))))
        before = len(done.done)
        driver.screen.click(x + width // 2, y + height // 2)
        driver.screen.write("x")
        driver.pump(0.3)
        assert len(done.done) == before and "look at" in window.hint.cget("text")
        driver.click(window.control)
        driver.click(window.close)
        driver.expect(AskForControl(), CloseDesktop())
        driver.publish(DesktopChanged(THEIRS))
        assert driver.window._desktops.window is None
