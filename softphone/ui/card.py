"""Cards that lie over the page: sign in, settings, keypad, help, questions. One at a time; Escape closes."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

import customtkinter as ctk

from softphone.ui import widgets
from softphone.ui.button import Button
from softphone.ui.page import Host


class Card(ctk.CTkFrame):
    """A card with a title, a button to close it, and `body` to fill. width: at scale 1, never wider than the window."""

    def __init__(self, host: Host, title: str, on_close: Callable[[], None], width: int = 440) -> None:
        self.host, self.look = host, host.look
        self.on_close = on_close
        look, palette = host.look, host.look.palette
        super().__init__(
            look.root,
            corner_radius=look.px(10),
            fg_color=palette.panel,
            bg_color=palette.window,
            border_width=look.px(1.4),
            border_color=palette.outline,
        )
        self._width = width
        head = widgets.box(self)
        head.pack(fill="x", padx=look.px(20), pady=(look.px(14), look.px(4)))
        Button(head, look, icon="close", command=on_close, kind="ghost", width=34, height=34, tip=look.tr("Close")).pack(
            side="right"
        )
        widgets.label(head, look, title, 18, bold=True).pack(side="left", fill="x")
        self.body = widgets.box(self)
        self.body.pack(fill="both", expand=True, padx=look.px(20), pady=(0, look.px(18)))
        tk.Frame(self.body, width=look.px(self.field_width()), height=0, bg=palette.panel).pack()

    def open(self) -> None:
        """Put the card into the middle of the window."""
        self.place(relx=0.5, rely=0.5, anchor="center")
        self.tk.call("raise", self._w)
        self.focus_first()

    def focus_first(self) -> None:
        """Put the keyboard where a user expects it."""
        self.focus_set()

    def field_width(self) -> int:
        """The width of the body in units of scale 1."""
        window = self.look.root.winfo_toplevel().winfo_width() / self.look.scale
        return int(min(self._width, window - 24)) - 40


class Question(Card):
    """A question with answers; each closes the card. answers: (words, kind of button, what to do)."""

    def __init__(
        self,
        host: Host,
        title: str,
        text: str,
        answers: list[tuple[str, str, Callable[[], None]]],
        on_close: Callable[[], None],
    ) -> None:
        super().__init__(host, title, on_close, 400)
        look = self.look
        widgets.label(self.body, look, text, 14, muted=True, wrap=self.field_width()).pack(
            anchor="w", pady=(look.px(4), look.px(16))
        )
        row = widgets.box(self.body)
        row.pack(anchor="e")
        self.buttons = [Button(row, look, words, self._closing(act), kind=kind) for words, kind, act in answers]
        for button in self.buttons:
            button.pack(side="left", padx=(look.px(8), 0))

    def _closing(self, act: Callable[[], None]) -> Callable[[], None]:
        def answer() -> None:
            self.on_close()
            act()

        return answer

    def focus_first(self) -> None:
        """On the last answer, the safe one."""
        self.buttons[-1].focus_set()


def form_row(master: tk.Misc, host: Host, words: str) -> tk.Frame:
    """A row of a form: words at the left, room for a widget at the right."""
    look = host.look
    row = widgets.box(master)
    row.pack(fill="x", pady=look.px(5))
    widgets.label(row, look, words, 13.5, muted=True).pack(side="left")
    return row
