"""A real X screen, grabbed and steered: what is typed arrives exactly, and the layout is left as it was."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mcu.relay.messages import DesktopJoined, Door, GatePassed, GateStep, RelayReport
from mcu.relay.process import DesktopRelay
from rtp.rfb.keysyms import CONTROL_L, RETURN, SHIFT_L, keysym_of
from rtp.rfb.messages import KeyEvent, PointerEvent
from rtp.rfb.server import RfbServer
from rtp.rfb.viewer import RfbViewer
from softphone.errors import PhoneError
from softphone.remote.desktop import Desktop, TakenBack
from softphone.remote.injector import Area, Hands
from softphone.remote.own_input import OwnInput
from softphone.remote.pipe import Pipe
from softphone.remote.screen import ScreenGrabber
from softphone.remote.takeback import TakeBack
from softphone.remote.watch import ScreenWatch
from softphone.remote.watching import Watching
from softphone.remote.x11 import open_display
from softphone.remote.xtest import XTestInjector
from tests.helpers.relay import OWNER_ID, VIEWER_ID, End, Phone, tickets, turn_until
from tests.helpers.screen import Display, display
from tests.helpers.vnc import terminal, until

pytestmark = pytest.mark.window
MANY = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏"


@pytest.fixture(scope="module")
def screen() -> Iterator[Display]:
    """A screen."""
    with display(640, 480) as one:
        yield one


def layout(screen: Display) -> list[list[int]]:
    """What the keys of a screen mean."""
    connection = open_display(screen.name)
    first, last = connection.display.info.min_keycode, connection.display.info.max_keycode
    rows = [list(row) for row in connection.get_keyboard_mapping(first, last - first + 1)]
    connection.close()
    return rows


def tap(hands: Hands, keysym: int) -> None:
    """Press a key and let go."""
    hands.receive(KeyEvent(keysym, True))
    hands.receive(KeyEvent(keysym, False))


def test_every_character_arrives_and_the_layout_is_left_as_it_was(screen: Display, tmp_path: Path) -> None:
    typed, before = tmp_path / "typed.txt", layout(screen)
    hands = Hands(XTestInjector(screen.name), Area(0, 0, 640, 480), (640, 480))
    with terminal(screen, f"cat > {typed}"):
        hands.receive(PointerEvent(0, 50, 50))
        for character in f"aZ%é{MANY}ß😀\n":
            tap(hands, keysym_of(character))
        hands.receive(KeyEvent(SHIFT_L, True))                # as a keyboard does it, and one with another layout than ours
        for character in "Q@q2":
            tap(hands, keysym_of(character))
        hands.receive(KeyEvent(SHIFT_L, False))
        tap(hands, RETURN)
        hands.receive(KeyEvent(CONTROL_L, True))
        tap(hands, ord("d"))
        hands.receive(KeyEvent(CONTROL_L, False))
        until(lambda: typed.exists() and typed.read_text("utf-8").count("\n") == 2)
    hands.close()
    assert typed.read_text("utf-8") == f"aZ%é{MANY}ß😀\nQ@q2\n"
    assert layout(screen) == before


def test_nothing_stays_down_when_the_hands_are_taken_away(screen: Display) -> None:
    hands = Hands(XTestInjector(screen.name), Area(0, 0, 640, 480), (320, 240))
    hands.receive(KeyEvent(SHIFT_L, True))
    hands.receive(PointerEvent(1, 100, 60))
    probe = open_display(screen.name)
    pointer = probe.screen().root.query_pointer()
    assert (pointer.root_x, pointer.root_y) == (200, 120)
    assert pointer.mask & 0x101 == 0x101
    hands.close()
    assert probe.screen().root.query_pointer().mask & 0x101 == 0
    probe.close()


def test_screen_region_and_window_are_grabbed_as_they_are(screen: Display) -> None:
    with terminal(screen, "exec cat", "-geometry", "20x5+100+80") as _:
        truth = np.asarray(screen.picture().convert("RGB"), np.uint32)
        expected = truth[..., 0] << 16 | truth[..., 1] << 8 | truth[..., 2]
        whole, part = ScreenGrabber(screen.name), ScreenGrabber(screen.name, region=Area(600, 470, 100, 100))
        assert np.array_equal(whole.grab(), expected)
        assert part.area == Area(600, 470, 40, 10) and np.array_equal(part.grab(), expected[470:480, 600:640])
        number = next(child.id for child in _children(screen) if child.get_geometry().x == 100)
        window = ScreenGrabber(screen.name, window=number)
        area = window.area
        assert (area.x, area.y) == (101, 81)
        assert np.array_equal(window.grab(), expected[area.y:area.y + area.height, area.x:area.x + area.width])
    until(lambda: not any(child.id == number for child in _children(screen)))
    with pytest.raises(PhoneError, match="window was closed"):
        window.grab()
    for grabber in (whole, part, window):
        grabber.close()


def _children(screen: Display) -> list[object]:
    return open_display(screen.name).screen().root.query_tree().children


def test_screen_tells_when_it_changes_and_is_quiet_else(screen: Display) -> None:
    watch = ScreenWatch(screen.name)
    until(lambda: not watch.take())
    with terminal(screen, "exec cat"):
        until(watch.take)
    until(lambda: not watch.take())
    watch.close()


def test_pointer_is_told_when_it_gets_another_shape(screen: Display) -> None:
    hands, watch = Hands(XTestInjector(screen.name), Area(0, 0, 640, 480), (640, 480)), ScreenWatch(screen.name)
    hands.receive(PointerEvent(0, 600, 400))
    first = watch.take_cursor()
    assert first is not None and first.mask.any() and watch.take_cursor() is None
    with terminal(screen, "exec cat"):
        hands.receive(PointerEvent(0, 50, 50))
        shapes = []
        until(lambda: shapes.append(watch.take_cursor()) or shapes[-1] is not None)
        assert shapes[-1].pixels.shape != first.pixels.shape or not np.array_equal(shapes[-1].mask, first.mask)
    hands.close()
    watch.close()


class Steered:
    """A screen that another steers, with an owner who may take it back; in a thread, as in the phone."""

    def __init__(self, screen: Display) -> None:
        ours, theirs = socket.socketpair()
        grabber, injector = ScreenGrabber(screen.name), XTestInjector(screen.name)
        self.own = OwnInput(TakeBack(), screen.name)
        injector.on_input = self.own.note
        self.hands = Hands(injector, grabber.area, (640, 480))
        self.events: list[object] = []
        server = RfbServer(grabber.grab(), now=time.monotonic())
        self.desktop = Desktop(Pipe(ours), server, grabber, self.hands, own=self.own, on_event=self.events.append)
        self.viewer = Watching(Pipe(theirs), RfbViewer(now=time.monotonic()), lambda event: None)
        self.threads = [threading.Thread(target=self.desktop.run), threading.Thread(target=self.viewer.run)]

    def type(self, text: str) -> None:
        """The other side types."""
        for character in text:
            self.viewer.press_key(keysym_of(character), True)
            self.viewer.press_key(keysym_of(character), False)

    def taken_back(self) -> list[str]:
        """How it was taken back."""
        return [event.reason for event in self.events if isinstance(event, TakenBack)]


@contextmanager
def steered(screen: Display) -> Iterator[Steered]:
    """Such a screen; everything is ended at the end."""
    one = Steered(screen)
    for thread in one.threads:
        thread.start()
    try:
        until(lambda: one.events)
        yield one
    finally:
        one.desktop.stop()
        one.viewer.stop()
        for thread in one.threads:
            thread.join(20)
        one.hands.close()
        one.own.close()


@pytest.mark.parametrize(("gesture", "reason"), [
    (("key", "Escape", "Escape"), "Escape twice"), (("mousemove_relative", 30, 20), "the own mouse was moved"),
    (("click", 1), "the own mouse was clicked"),
], ids=["escape", "move", "click"])
def test_owner_takes_control_back_and_nothing_sent_later_arrives(screen: Display, gesture: tuple[object, ...], reason: str,
                                                                 tmp_path: Path) -> None:
    typed = tmp_path / "typed.txt"
    with terminal(screen, f"stty -echoctl; cat -v > {typed}"), steered(screen) as one:
        one.viewer.move_pointer(50, 50, 1)
        one.viewer.move_pointer(60, 60, 0)
        one.type("before\x1b\x1b\n")                               # Escapes of the other side don't count
        until(lambda: typed.exists() and "before" in typed.read_text())
        assert one.taken_back() == []
        one.viewer.press_key(SHIFT_L, True)
        until(lambda: SHIFT_L in one.hands._held)
        screen.xdotool(*gesture)
        begun = time.monotonic()
        until(one.taken_back)
        assert time.monotonic() - begun < 0.3 and one.taken_back() == [reason]
        assert not one.hands._held
        refused = one.desktop.refused
        one.type("after\n")
        until(lambda: one.desktop.refused == refused + 12)
        one.desktop.give()
        until(lambda: not one.desktop._is_taken_back)
        one.type("again\n")
        until(lambda: "again" in typed.read_text())
    assert "after" not in typed.read_text()


async def test_text_typed_through_the_relay_arrives_exactly_and_nothing_without_the_floor(screen: Display,
                                                                                         tmp_path: Path) -> None:
    typed, reports = tmp_path / "typed.txt", list[RelayReport]()
    alice, bob = Phone(), Phone()
    with socket.create_server(("127.0.0.1", 0)) as door, terminal(screen, f"cat > {typed}"):
        async with DesktopRelay(reports.append) as relay:
            relay.open_door(Door.PHONES, door)
            opened, hers, his = tickets(1, alice, bob)
            relay.open_desktop(opened)
            port = door.getsockname()[1]
            grabber, injector = ScreenGrabber(screen.name), XTestInjector(screen.name)
            hands = Hands(injector, grabber.area, (640, 480))
            server = RfbServer(grabber.grab(), now=time.monotonic())
            desktop = Desktop(alice.connect(port, relay.certificate, hers), server, grabber, hands)
            core = RfbViewer(now=time.monotonic())
            viewer = End(core, bob.connect(port, relay.certificate, his))
            thread = threading.Thread(target=desktop.run)
            thread.start()

            def write(text: str) -> None:
                """The controller types."""
                core.move_pointer(50, 50, 0)
                for character in text:
                    core.press_key(keysym_of(character), True)
                    core.press_key(keysym_of(character), False)

            def count(step: GateStep) -> int:
                """How often the gate did this."""
                return sum(isinstance(report, GatePassed) and report.step is step for report in reports)

            await turn_until(lambda: DesktopJoined(1) in reports and core.updates > 0, viewer)
            write("early\n")
            await turn_until(lambda: count(GateStep.REFUSED) == 1, viewer)
            relay.set_holder(1, VIEWER_ID)
            await turn_until(lambda: count(GateStep.OPENED) == 1, viewer)
            write("Hello, 你好!\n")
            await turn_until(lambda: "你好!\n" in typed.read_text("utf-8"), viewer)
            relay.set_holder(1, OWNER_ID)
            await turn_until(lambda: count(GateStep.CLOSED) == 1, viewer)
            write("late\n")
            await turn_until(lambda: count(GateStep.REFUSED) == 2, viewer)
            relay.set_holder(1, VIEWER_ID)
            await turn_until(lambda: count(GateStep.OPENED) == 2, viewer)
            write("end\n")
            await turn_until(lambda: "end\n" in typed.read_text("utf-8"), viewer)
            relay.close_desktop(1)
            await turn_until(lambda: not thread.is_alive(), viewer)
            hands.close()
            grabber.close()
    assert typed.read_text("utf-8") == "Hello, 你好!\nend\n"


def test_screen_that_is_not_there_is_said_so() -> None:
    for make in (XTestInjector, ScreenGrabber, ScreenWatch):
        with pytest.raises(PhoneError, match="X11"):
            make(":4999")


def test_wayland_is_refused_with_the_remedy_before_anything_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    with pytest.raises(PhoneError, match="on Xorg"):
        ScreenGrabber()
