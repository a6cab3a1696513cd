"""A number chosen by a knob on a line; the mouse drags it, Left and Right move it a step."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence

from softphone.ui.theme import Look
from softphone.ui.widgets import background_of, disc_picture

KNOB = 16


class Slider(tk.Canvas):
    """values: in order; `command` gets the value that the knob was left at. width: in units of scale 1."""

    def __init__(self, master: tk.Misc, look: Look, values: Sequence[int], value: int, command: Callable[[int], None],
                 width: int = 150, on_move: Callable[[int], None] = lambda value: None) -> None:
        self.look, self.values = look, list(values)
        self._place = min(range(len(values)), key=lambda place: abs(values[place] - value))
        self._told = self._place
        self._command, self._on_move = command, on_move
        self._width, self._middle = look.px(width), look.px(15)
        super().__init__(master, bg=background_of(master), bd=0, highlightthickness=0, takefocus=1, cursor="hand2",
                         width=self._width, height=look.px(30))
        self._draw()
        self.bind("<Button-1>", lambda event: self._drag(event.x))
        self.bind("<B1-Motion>", lambda event: self._drag(event.x))
        self.bind("<ButtonRelease-1>", lambda _event: self._tell())
        self.bind("<Left>", lambda _event: self._step(-1))
        self.bind("<Right>", lambda _event: self._step(1))
        for sequence in ("<FocusIn>", "<FocusOut>"):
            self.bind(sequence, lambda event: self._draw(event.type is tk.EventType.FocusIn))

    @property
    def value(self) -> int:
        """Where the knob is."""
        return self.values[self._place]

    def _drag(self, x: int) -> None:
        self.focus_set()
        margin = self.look.px(KNOB) / 2
        share = (x - margin) / (self._width - 2 * margin)
        self._move(round(share * (len(self.values) - 1)))

    def _step(self, by: int) -> str:
        self._move(self._place + by)
        self._tell()
        return "break"

    def _move(self, place: int) -> None:
        place = max(0, min(len(self.values) - 1, place))
        if place != self._place:
            self._place = place
            self._on_move(self.value)
            self._draw(self.focus_get() is self)

    def _tell(self) -> None:
        if self._told != self._place:
            self._told = self._place
            self._command(self.value)

    def _draw(self, has_focus: bool = False) -> None:
        self.delete("all")
        px, palette = self.look.px, self.look.palette
        margin = px(KNOB) // 2
        x = margin + round(self._place / (len(self.values) - 1) * (self._width - 2 * margin))
        thick = px(5)
        self.create_line(margin, self._middle, self._width - margin, self._middle, fill=palette.outline, width=thick,
                         capstyle="round")
        self.create_line(margin, self._middle, x, self._middle, fill=palette.accent, width=thick, capstyle="round")
        colour = palette.text if has_focus else palette.accent
        self.create_image(x, self._middle, image=disc_picture(self.look, px(KNOB), colour), tags="knob")
