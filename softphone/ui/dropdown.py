"""A button that shows the chosen one of several values and opens a menu of them."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence

from softphone.ui.button import Button
from softphone.ui.menu import Item
from softphone.ui.page import Host


class Dropdown(Button):
    """values: (value, words) in order; `command` gets the value that was chosen."""

    def __init__(
        self,
        master: tk.Misc,
        host: Host,
        values: Sequence[tuple[str, str]],
        chosen: str,
        command: Callable[[str], None],
        *,
        width: int = 200,
        icon: str = "",
    ) -> None:
        self._host, self._values, self.value, self._on_choice = host, list(values), chosen, command
        super().__init__(
            master, host.look, self._words(), self.open, icon=icon, width=width, arrow=self.open, height=38, size=13.5
        )

    def open(self) -> None:
        """Open the menu."""
        self._host.open_menu(
            self, [Item(words, self._chooser(value), is_checked=value == self.value) for value, words in self._values]
        )

    def show(self, values: Sequence[tuple[str, str]], chosen: str) -> None:
        """Offer other values, or show another one as chosen."""
        self._values, self.value = list(values), chosen
        self.change(text=self._words())

    def _words(self) -> str:
        return next(
            (words for value, words in self._values if value == self.value), self._values[0][1] if self._values else "–"
        )

    def _chooser(self, value: str) -> Callable[[], None]:
        def choose() -> None:
            self.value = value
            self.change(text=self._words())
            self._on_choice(value)

        return choose
