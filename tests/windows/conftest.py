"""A real window on a screen of its own, with the true bridge: events go in, commands come out."""

from __future__ import annotations

import os
import time
import tkinter as tk
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from softphone.bridge import Bridge
from softphone.model import Command, Event, State
from softphone.ui.window import Window
from tests.helpers.screen import Display, display

WAIT_S = 10.0


class DirectLoop:
    """In place of the agent's loop: runs what is handed over at once."""

    def call_soon_threadsafe(self, callback: Callable[..., None], *arguments: Any) -> None:
        """Run it now."""
        callback(*arguments)


class Driver:
    """A window under test. `sent` holds the commands that it gave, unless a bridge with an agent behind it is given."""

    def __init__(self, screen: Display, state: State, size: tuple[int, int], bridge: Bridge | None = None) -> None:
        self.screen = screen
        self.sent: list[Command] = []
        self.bridge = bridge or Bridge()
        if bridge is None:
            self.bridge.attach(DirectLoop(), self.sent.append)     # type: ignore[arg-type]
        self.window = Window(self.bridge, state, size)
        self.window.root.geometry("+0+0")
        self.until(lambda: self.page.winfo_viewable() and self.page.winfo_width() > 100)

    @property
    def page(self) -> Any:
        """The page that fills the window."""
        return self.window.page

    def publish(self, *events: Event) -> None:
        """Let the agent tell something, and the window draw it."""
        for event in events:
            self.bridge.publish(event)
        self.until(lambda: not self.bridge._events)
        self.pump(0.1)

    def pump(self, seconds: float) -> None:
        """Let the window work for a while."""
        end = time.monotonic() + seconds
        while self.window.is_open and time.monotonic() < end:
            self.window.root.update()
            time.sleep(0.005)

    def until(self, condition: Callable[[], object]) -> None:
        """Let the window work until something holds, or fail."""
        end = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < end, "the window did not get there"
            self.pump(0.03)

    def click(self, widget: tk.Misc, across: float = 0.5, down: float = 0.5) -> None:
        """Click a place of a widget with the mouse."""
        self.window.root.update()
        x = widget.winfo_rootx() + int(widget.winfo_width() * across)
        y = widget.winfo_rooty() + int(widget.winfo_height() * down)
        self.screen.click(x, y)
        self.pump(0.15)

    def key(self, name: str) -> None:
        """Press a key."""
        self.screen.key(name)
        self.pump(0.15)

    def expect(self, *commands: Command) -> None:
        """Wait for commands, exactly these, and forget them."""
        self.until(lambda: len(self.sent) >= len(commands))
        self.pump(0.1)
        assert self.sent == list(commands)
        self.sent.clear()

    def choose(self, text: str) -> None:
        """Click the line of the open menu that says `text`."""
        self.until(lambda: self.window._menu is not None and self.window._menu.winfo_viewable())
        menu = self.window._menu
        assert menu is not None
        item = next(i for i in menu.find_withtag("item") if menu.itemcget(i, "text") == text)
        x, y = menu.coords(item)
        self.screen.click(menu.winfo_rootx() + int(x) + 5, menu.winfo_rooty() + int(y))
        self.pump(0.2)

    def colour_at(self, x: int, y: int) -> tuple[int, int, int]:
        """The colour of a pixel of the screen."""
        self.pump(0.1)
        red, green, blue = self.screen.picture().getpixel((x, y))     # type: ignore[misc]
        return red, green, blue

    def close(self) -> None:
        """End the window."""
        self.window.quit()


def texts_of(canvas: tk.Canvas) -> list[str]:
    """All texts that are drawn on a canvas."""
    return [canvas.itemcget(item, "text") for item in canvas.find_all() if canvas.type(item) == "text"]


@pytest.fixture(scope="session")
def screen() -> Iterator[Display]:
    """One X server for all tests of the window."""
    with display(1280, 800) as started:
        before = os.environ.get("DISPLAY")
        os.environ["DISPLAY"] = started.name
        yield started
        os.environ.pop("DISPLAY")
        if before is not None:
            os.environ["DISPLAY"] = before


@pytest.fixture
def open_window(screen: Display) -> Iterator[Callable[..., Driver]]:
    """Opens a window with a state and a size; closed after the test."""
    opened: list[Driver] = []
    screen.xdotool("mousemove", 1279, 799)

    def open_one(state: State, size: tuple[int, int] = (1240, 760), bridge: Bridge | None = None) -> Driver:
        opened.append(Driver(screen, state, size, bridge))
        return opened[-1]

    yield open_one
    for driver in opened:
        driver.close()
