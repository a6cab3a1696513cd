"""What stands in place of the gallery while we wait in the lobby."""

from __future__ import annotations

import tkinter as tk

from softphone.ui import widgets
from softphone.ui.theme import Look

WIDTH = 420
DISC = 84


class WaitingSign(tk.Frame):
    """A clock, and in words where we are and who will let us in."""

    def __init__(self, master: tk.Misc, look: Look) -> None:
        super().__init__(master, bg=look.palette.window, width=1, height=1)
        px, tr, palette = look.px, look.tr, look.palette
        middle = widgets.box(self)
        middle.place(relx=0.5, rely=0.46, anchor="center")
        clock = tk.Canvas(middle, width=px(DISC), height=px(DISC), bg=palette.window, bd=0, highlightthickness=0)
        clock.create_image(px(DISC) // 2, px(DISC) // 2, image=widgets.disc_picture(look, px(DISC), palette.raised))
        clock.create_image(px(DISC) // 2, px(DISC) // 2, image=widgets.icon_picture(look, "clock", px(38), palette.text))
        clock.pack(pady=(0, px(18)))
        self.title = widgets.label(middle, look, tr("You are in the lobby"), 22, bold=True, wrap=WIDTH, anchor="center")
        self.title.pack()
        words = tr("The host will let you in. Until then you hear music, and nobody hears or sees you.")
        self.words = widgets.label(middle, look, words, 14.5, muted=True, wrap=WIDTH, anchor="center")
        self.words.pack(pady=(px(8), 0))
