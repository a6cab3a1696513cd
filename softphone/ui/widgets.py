"""The small widgets that the pages are made of: text, text fields, panels, switches, level meters, tooltips.

customtkinter gives panels and text fields; what it can't draw is drawn here on canvases. A widget knows the `Look` and nothing
of the model.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

import customtkinter as ctk

from softphone.ui import drawing, icons
from softphone.ui.theme import Look

METER_FLOOR_DBOV = -60


def background_of(widget: tk.Misc) -> str:
    """The colour on which a child of `widget` lies."""
    if isinstance(widget, ctk.CTkFrame):
        return str(widget.cget("fg_color"))
    return str(widget.cget("bg"))


def box(master: tk.Misc) -> tk.Frame:
    """An empty frame in its master's colour."""
    return tk.Frame(master, bg=background_of(master), bd=0, highlightthickness=0)


def panel(master: tk.Misc, look: Look, radius: int = 14, fill: str = "") -> ctk.CTkFrame:
    """A frame with round corners."""
    return ctk.CTkFrame(
        master, corner_radius=look.px(radius), fg_color=fill or look.palette.panel, bg_color=background_of(master)
    )


def label(
    master: tk.Misc,
    look: Look,
    text: str = "",
    size: float = 14,
    *,
    bold: bool = False,
    muted: bool = False,
    wrap: int = 0,
    colour: str = "",
    anchor: Any = "w",
) -> tk.Label:
    """A line or a paragraph of text. wrap: width in units of scale 1."""
    return tk.Label(
        master,
        text=text,
        font=look.font(size, bold),
        bg=background_of(master),
        bd=0,
        anchor=anchor,
        fg=colour or (look.palette.muted if muted else look.palette.text),
        justify="left" if anchor == "w" else "center",
        wraplength=look.px(wrap),
        padx=0,
        pady=0,
    )


def entry(master: tk.Misc, look: Look, placeholder: str = "", *, secret: bool = False, width: int = 200) -> ctk.CTkEntry:
    """A text field."""
    palette = look.palette
    made = ctk.CTkEntry(
        master,
        height=look.px(40),
        width=look.px(width),
        corner_radius=look.px(10),
        border_width=look.px(1.4),
        font=ctk.CTkFont(look.family, look.px(14)),
        fg_color=palette.raised,
        bg_color=background_of(master),
        border_color=palette.outline,
        text_color=palette.text,
        placeholder_text_color=palette.muted,
        placeholder_text=placeholder,
        show="•" if secret else "",
    )
    made.bind("<FocusIn>", lambda _event: made.configure(border_color=palette.accent), add=True)
    made.bind("<FocusOut>", lambda _event: made.configure(border_color=palette.outline), add=True)
    return made


def icon_picture(look: Look, name: str, size: int, colour: str) -> Any:
    """An icon as a Tk picture. size in pixels."""
    return look.picture(("icon", name, size, colour), lambda: icons.icon(name, size, drawing.rgba(colour)))


def disc_picture(look: Look, diameter: int, colour: str) -> Any:
    """A filled circle as a Tk picture. diameter in pixels."""
    return look.picture(("disc", diameter, colour), lambda: drawing.disc(max(1, diameter), drawing.rgba(colour)))


class Switch(tk.Canvas):
    """A switch with its words; `command` gets the new value. Return and Space turn it."""

    def __init__(self, master: tk.Misc, look: Look, text: str, is_on: bool, command: Callable[[bool], None]) -> None:
        self.look, self.text, self.is_on = look, text, is_on
        self._command = command
        width = look.px(52) + look.font(14).measure(text)
        super().__init__(
            master,
            bg=background_of(master),
            bd=0,
            highlightthickness=0,
            takefocus=1,
            cursor="hand2",
            width=width,
            height=look.px(30),
        )
        self._draw()
        for sequence in ("<ButtonRelease-1>", "<Return>", "<space>"):
            self.bind(sequence, lambda _event: self.turn())
        for sequence in ("<FocusIn>", "<FocusOut>"):
            self.bind(sequence, lambda event: self._draw(event.type is tk.EventType.FocusIn))

    def show(self, is_on: bool) -> None:
        """Stand as it was decided elsewhere; no command is given."""
        self.is_on = is_on
        self._draw()

    def turn(self) -> str:
        """Do what a click does."""
        self.is_on = not self.is_on
        self._draw()
        self._command(self.is_on)
        return "break"

    def _draw(self, has_focus: bool = False) -> None:
        self.delete("all")
        px, palette, look = self.look.px, self.look.palette, self.look
        size, fill = (px(40), px(22), px(11)), palette.accent if self.is_on else palette.outline
        outline = palette.text if has_focus else fill
        self.create_image(
            0,
            px(15),
            anchor="w",
            image=look.picture(
                ("switch", size, fill, outline),
                lambda: drawing.rounded(*size, drawing.rgba(fill), drawing.rgba(outline), px(2)),
            ),
        )
        self.create_image(px(29 if self.is_on else 11), px(15), image=disc_picture(look, px(16), palette.on_colour))
        self.create_text(px(50), px(15), anchor="w", text=self.text, font=look.font(14), fill=palette.text)


class Meter(tk.Canvas):
    """A level in segments, green to amber. `show` touches only the segments that change."""

    SEGMENTS = 24
    AMBER_FROM = 18

    def __init__(self, master: tk.Misc, look: Look, height: int = 12) -> None:
        super().__init__(
            master, bg=background_of(master), bd=0, highlightthickness=0, height=look.px(height), width=look.px(200)
        )
        self._look = look
        self._items: list[int] = []
        self.lit = 0
        self.bind("<Configure>", lambda _event: self._lay_out())

    def show(self, level_dbov: int) -> None:
        """Show a level of -127 … 0 dBov; -60 and less is dark."""
        share = (level_dbov - METER_FLOOR_DBOV) / -METER_FLOOR_DBOV
        lit = max(0, min(self.SEGMENTS, round(share * self.SEGMENTS)))
        if lit != self.lit:
            first, last = sorted((lit, self.lit))
            self.lit = lit
            for index in range(first, min(last, len(self._items))):
                self.itemconfigure(self._items[index], fill=self._colour(index))

    def _colour(self, index: int) -> str:
        palette = self._look.palette
        if index >= self.lit:
            return palette.meter_off
        return palette.warning if index >= self.AMBER_FROM else palette.ring if palette.is_dark else palette.success

    def _lay_out(self) -> None:
        self.delete("all")
        width, height, gap = self.winfo_width(), self.winfo_height(), self._look.px(3)
        step = (width + gap) / self.SEGMENTS
        self._items = [
            self.create_rectangle(round(i * step), 0, round((i + 1) * step) - gap, height, width=0, fill=self._colour(i))
            for i in range(self.SEGMENTS)
        ]


class Tooltip:
    """A small text beside the pointer while it rests on a widget; `text` may change."""

    DELAY_MS = 450

    def __init__(self, widget: tk.Misc, look: Look, text: str) -> None:
        self.text = text
        self._widget, self._look = widget, look
        self._shown: tk.Label | None = None
        self._timer = ""
        widget.bind("<Enter>", lambda _event: self._later(), add=True)
        for sequence in ("<Leave>", "<ButtonPress>", "<Destroy>"):
            widget.bind(sequence, lambda _event: self.hide(), add=True)

    def _later(self) -> None:
        self.hide()
        self._timer = self._widget.after(self.DELAY_MS, self._show)

    def _show(self) -> None:
        if self.text:
            widget = self._widget
            self._shown = show_tip(
                self._look,
                self.text,
                widget.winfo_rootx() + widget.winfo_width() // 2,
                widget.winfo_rooty(),
                widget.winfo_height(),
            )

    def hide(self) -> None:
        """Take it away."""
        if self._timer:
            self._widget.after_cancel(self._timer)
            self._timer = ""
        if self._shown is not None:
            self._shown.destroy()
            self._shown = None


def show_tip(look: Look, text: str, x: int, y: int, height: int) -> tk.Label:
    """A tooltip below (or above) what lies at the screen's (x, y) and is `height` tall; the caller destroys it."""
    palette, root = look.palette, look.root.winfo_toplevel()
    tip = tk.Label(
        root,
        text=text,
        justify="left",
        font=look.font(12.5),
        fg=palette.text,
        bg=palette.raised,
        padx=look.px(10),
        pady=look.px(7),
        bd=0,
        highlightthickness=look.px(1),
        highlightbackground=palette.outline,
    )
    x, y = x - root.winfo_rootx(), y - root.winfo_rooty()
    wide, tall = tip.winfo_reqwidth(), tip.winfo_reqheight()
    left = max(look.px(6), min(x - wide // 2, root.winfo_width() - wide - look.px(6)))
    below = y + height + look.px(6)
    tip.place(x=left, y=below if below + tall < root.winfo_height() else y - tall - look.px(6))
    return tip
