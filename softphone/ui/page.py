"""What a page is, and what it may ask of the window that holds it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from typing import Protocol

from softphone.board import PictureBoard
from softphone.model import Command, State
from softphone.ui.menu import Anchor, Item
from softphone.ui.theme import Look


class Host(Protocol):
    """The window, as its pages see it."""

    look: Look
    state: State

    def send(self, command: Command) -> None:
        """Give a command to the agent; returns at once."""

    def open_menu(self, anchor: Anchor, items: Sequence[Item]) -> None:
        """Open a menu at a widget, or close it when it is open there."""

    def open_devices(self, anchor: tk.Misc) -> None:
        """Open the menu of microphones and speakers."""

    def open_cameras(self, anchor: tk.Misc) -> None:
        """Open the menu of cameras."""

    def do(self, action: str) -> None:
        """Run an action of `keys.ACTIONS` by its name."""

    def say(self, text: str, kind: str = "info") -> None:
        """Show a line in the banner."""


class Page(tk.Frame):
    """One page. `draw` is called when the state changed, and once a second; it touches only what differs."""

    def __init__(self, host: Host) -> None:
        self.host, self.look = host, host.look
        super().__init__(self.look.root, bg=self.look.palette.window, bd=0, highlightthickness=0, width=320, height=240)

    def draw(self, state: State, now: float) -> None:
        """Show `state`. now: monotonic seconds."""
        raise NotImplementedError

    def show_pictures(self, board: PictureBoard) -> None:
        """Show what is new of pictures, and say where they go; called some thirty times a second."""

    def focus_first(self) -> None:
        """Put the keyboard where a user expects it; called when the page appears."""
