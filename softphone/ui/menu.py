"""Menus that open inside the window: no second X window and no grab. The window closes them at a click beside them."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from softphone.ui import drawing
from softphone.ui.theme import Look
from softphone.ui.widgets import icon_picture

ROW = 36
HEADING = 28


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a menu; without a command it is a heading. kind: plain or danger."""

    text: str
    command: Callable[[], None] | None = None
    icon: str = ""
    is_checked: bool = False
    kind: str = "plain"


class Anchor(Protocol):
    """A place at which a menu opens: a widget, or a part of one."""

    def winfo_rootx(self) -> int:
        """Its left edge on the screen."""
        ...

    def winfo_rooty(self) -> int:
        """Its upper edge on the screen."""
        ...

    def winfo_width(self) -> int:
        """Its width."""
        ...

    def winfo_height(self) -> int:
        """Its height."""
        ...


class Menu(tk.Canvas):
    """A menu above or below the widget that opened it. Arrow keys, Return and Escape work."""

    def __init__(self, look: Look, anchor: Anchor, items: Sequence[Item], on_closed: Callable[[], None] | None = None) -> None:
        self.look, self.items = look, list(items)
        self._toplevel = look.root.winfo_toplevel()
        self._on_closed = on_closed
        self._hovered = -1
        self._is_open = True
        px, palette = look.px, look.palette
        words = [look.font(14).measure(item.text) if item.command else look.font(12, True).measure(item.text) for item in items]
        width = min(max([*words, px(120)]) + px(64), self._toplevel.winfo_width() - px(12))
        height = sum(self._height(item) for item in items) + px(12)
        super().__init__(self._toplevel, width=width, height=height, bg=palette.window, bd=0, highlightthickness=0, takefocus=1)
        self._place(anchor, width, height)
        self._draw()
        self.bind("<Motion>", lambda event: self._hover(self._index_at(event.y)))
        self.bind("<Leave>", lambda _event: self._hover(-1))
        self.bind("<ButtonRelease-1>", lambda event: self._choose(self._index_at(event.y)))
        self.bind("<Up>", lambda _event: self._step(-1))
        self.bind("<Down>", lambda _event: self._step(1))
        self.bind("<Return>", lambda _event: self._choose(self._hovered))
        self.bind("<space>", lambda _event: self._choose(self._hovered))
        self.bind("<Escape>", lambda _event: self._escape())
        self.focus_set()

    def close(self) -> None:
        """Take the menu away."""
        if self._is_open:
            self._is_open = False
            self.destroy()
            self._toplevel.focus_set()
            if self._on_closed is not None:
                self._on_closed()

    def _height(self, item: Item) -> int:
        return self.look.px(ROW if item.command else HEADING)

    def _place(self, anchor: Anchor, width: int, height: int) -> None:
        px, root = self.look.px, self._toplevel
        x = anchor.winfo_rootx() - root.winfo_rootx() + anchor.winfo_width() // 2 - width // 2
        top = anchor.winfo_rooty() - root.winfo_rooty()
        above, below = top - height - px(6), top + anchor.winfo_height() + px(6)
        fits_below = below + height <= root.winfo_height() - px(6)
        self.place(x=max(px(6), min(x, root.winfo_width() - width - px(6))), y=below if fits_below else max(px(6), above))

    def _draw(self) -> None:
        self.delete("all")
        px, palette, look = self.look.px, self.look.palette, self.look
        width, height = int(self.cget("width")), int(self.cget("height"))
        size = (width, height, px(10))
        self.create_image(
            0,
            0,
            anchor="nw",
            image=look.picture(
                ("menu", size, palette),
                lambda: drawing.rounded(*size, drawing.rgba(palette.raised), drawing.rgba(palette.outline), px(1)),
            ),
        )
        top = px(6)
        for index, item in enumerate(self.items):
            tall = self._height(item)
            if item.command is None:
                self.create_text(
                    px(14), top + tall // 2, anchor="w", text=item.text, font=look.font(12, True), fill=palette.muted
                )
            else:
                self._draw_item(item, index == self._hovered, top, width)
            top += tall

    def _draw_item(self, item: Item, is_hovered: bool, top: int, width: int) -> None:
        px, palette, look = self.look.px, self.look.palette, self.look
        middle = top + px(ROW) // 2
        if is_hovered:
            size = (width - px(12), px(ROW), px(7))
            fill = palette.danger if item.kind == "danger" else palette.hover
            self.create_image(
                px(6),
                top,
                anchor="nw",
                image=look.picture(("item", size, fill), lambda: drawing.rounded(*size, drawing.rgba(fill))),
            )
        ink = palette.danger_ink if item.kind == "danger" else palette.text
        ink = palette.on_colour if is_hovered and item.kind == "danger" else ink
        if item.icon or item.is_checked:
            self.create_image(px(25), middle, image=icon_picture(look, item.icon or "check", px(16), ink))
        text = look.elide(item.text, look.font(14), width - px(60))
        self.create_text(px(44), middle, anchor="w", text=text, font=look.font(14), fill=ink, tags="item")

    def _index_at(self, y: int) -> int:
        top = self.look.px(6)
        for index, item in enumerate(self.items):
            if top <= y < top + self._height(item):
                return index if item.command is not None else -1
            top += self._height(item)
        return -1

    def _hover(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            self._draw()

    def _step(self, by: int) -> None:
        usable = [i for i, item in enumerate(self.items) if item.command is not None]
        if usable:
            at = usable.index(self._hovered) + by if self._hovered in usable else (0 if by > 0 else -1)
            self._hover(usable[at % len(usable)])

    def _choose(self, index: int) -> None:
        if index >= 0:
            command = self.items[index].command
            self.close()
            if command is not None:
                command()

    def _escape(self) -> str:
        self.close()
        return "break"
