"""A frame round the screen while another controls it, with their name: nobody forgets that they are not alone.

Four thin windows without decoration and a label at the top; none of them takes the keyboard.
"""

from __future__ import annotations

import tkinter as tk

from softphone.ui.theme import Look

WIDTH = 5


class ScreenFrame:
    """name: who controls the desktop."""

    def __init__(self, look: Look, name: str) -> None:
        self.name = name
        self._parts: list[tk.Toplevel] = []
        root, colour, thick = look.root, look.palette.danger, max(2, look.px(WIDTH))
        width, height = root.winfo_screenwidth(), root.winfo_screenheight()
        for geometry in (f"{width}x{thick}+0+0", f"{width}x{thick}+0+{height - thick}", f"{thick}x{height}+0+0",
                         f"{thick}x{height}+{width - thick}+0"):
            self._bare(look, colour).geometry(geometry)
        self.label = self._bare(look, colour)
        text = look.tr("{name} controls your desktop – Esc Esc takes it back", name=name)
        tk.Label(self.label, text=text, bg=colour, fg=look.palette.on_colour, font=look.font(13, True), padx=look.px(14),
                 pady=look.px(4)).pack()
        self.label.update_idletasks()
        self.label.geometry(f"+{(width - self.label.winfo_reqwidth()) // 2}+0")

    def destroy(self) -> None:
        """Take it away."""
        for part in self._parts:
            part.destroy()
        self._parts.clear()

    def _bare(self, look: Look, colour: str) -> tk.Toplevel:
        part = tk.Toplevel(look.root, bg=colour, bd=0, highlightthickness=0, takefocus=0)
        part.overrideredirect(True)
        part.attributes("-topmost", True)
        self._parts.append(part)
        return part
