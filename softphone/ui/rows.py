"""A list of rows with a picture, two lines and an icon at the right: people in a meeting, places called before.

Only the rows that can be seen are drawn, so a roster of a thousand costs no more than one of ten.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass

from softphone.ui import drawing
from softphone.ui.theme import Look, avatar_colour, initials
from softphone.ui.widgets import background_of, disc_picture, icon_picture


@dataclass(frozen=True, slots=True)
class Row:
    """One row. key: what `command` gets. avatar: whose colour and initials. icon_kind: plain, danger, muted or accent."""

    key: str
    avatar: str
    title: str
    subtitle: str = ""
    icon: str = ""
    icon_kind: str = "plain"
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class RowPlace:
    """A row of a list, as a place on the screen."""

    rows: RowList
    key: str
    top: int
    height: int

    def winfo_rootx(self) -> int:
        """Its left edge on the screen."""
        return self.rows.winfo_rootx()

    def winfo_rooty(self) -> int:
        """Its upper edge on the screen."""
        return self.rows.winfo_rooty() + self.top

    def winfo_width(self) -> int:
        """Its width."""
        return self.rows.winfo_width()

    def winfo_height(self) -> int:
        """Its height."""
        return self.height


class RowList(tk.Canvas):
    """The list; `show` draws what changed. command: called with the key of the row that was clicked, if any."""

    def __init__(self, master: tk.Misc, look: Look, command: Callable[[str], None] | None = None, row_height: int = 54) -> None:
        super().__init__(
            master, bg=background_of(master), bd=0, highlightthickness=0, height=1, width=1, takefocus=1 if command else 0
        )
        self.look = look
        self.rows: tuple[Row, ...] = ()
        self._command = command
        self._row_height = look.px(row_height)
        self._top = 0
        self._hovered = -1
        self.bind("<Configure>", lambda _event: self._draw())
        self.bind("<Button-4>", lambda _event: self._scroll(-1))
        self.bind("<Button-5>", lambda _event: self._scroll(1))
        self.bind("<MouseWheel>", lambda event: self._scroll(-1 if event.delta > 0 else 1))
        if command is not None:
            self.configure(cursor="hand2")
            self.bind("<Motion>", lambda event: self._hover(self._index_at(event.y)))
            self.bind("<Leave>", lambda _event: self._hover(-1))
            self.bind("<ButtonRelease-1>", lambda event: self._choose(self._index_at(event.y)))
            self.bind("<Up>", lambda _event: self._step(-1))
            self.bind("<Down>", lambda _event: self._step(1))
            self.bind("<Return>", lambda _event: self._choose(self._hovered))
            self.bind("<FocusOut>", lambda _event: self._hover(-1))

    @property
    def total_height(self) -> int:
        """The height of all rows, in pixels."""
        return len(self.rows) * self._row_height

    def place_of(self, key: str) -> RowPlace:
        """Where a row is, for a menu to open there."""
        index = next((at for at, row in enumerate(self.rows) if row.key == key), 0)
        return RowPlace(self, key, index * self._row_height - self._top, self._row_height)

    def show(self, rows: tuple[Row, ...]) -> None:
        """Show these rows."""
        if rows != self.rows:
            self.rows = rows
            self._top = max(0, min(self._top, self._limit()))
            self._draw()

    def _limit(self) -> int:
        return max(0, self.total_height - self.winfo_height())

    def _scroll(self, steps: int) -> None:
        top = max(0, min(self._top + steps * self._row_height, self._limit()))
        if top != self._top:
            self._top = top
            self._draw()

    def _index_at(self, y: int) -> int:
        index = (y + self._top) // self._row_height
        return index if 0 <= index < len(self.rows) else -1

    def _hover(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            self._draw()

    def _step(self, by: int) -> None:
        index = max(0, min(self._hovered + by, len(self.rows) - 1))
        if index * self._row_height < self._top or (index + 1) * self._row_height > self._top + self.winfo_height():
            self._top = max(0, min(index * self._row_height, self._limit()))
        self._hover(index)

    def _choose(self, index: int) -> None:
        if 0 <= index < len(self.rows) and self._command is not None:
            self._command(self.rows[index].key)

    def _draw(self) -> None:
        self.delete("all")
        first = self._top // self._row_height
        last = (self._top + self.winfo_height()) // self._row_height + 1
        for index in range(first, min(last, len(self.rows))):
            self._draw_row(index, index * self._row_height - self._top)
        if self._limit() > 0:
            self._draw_scrollbar()

    def _draw_row(self, index: int, top: int) -> None:
        row, look, px, palette = self.rows[index], self.look, self.look.px, self.look.palette
        width, middle = self.winfo_width(), top + self._row_height // 2
        if row.is_marked or index == self._hovered:
            size = (width, self._row_height - px(4), px(10))
            self.create_image(
                0,
                top + px(2),
                anchor="nw",
                image=look.picture(("row", size, palette.raised), lambda: drawing.rounded(*size, drawing.rgba(palette.raised))),
            )
        self.create_image(px(29), middle, image=disc_picture(look, px(34), avatar_colour(row.avatar)))
        self.create_text(px(29), middle, text=initials(row.avatar), font=look.font(13.5, True), fill=palette.on_colour)
        room = width - px(58) - (px(40) if row.icon else px(10))
        above = px(9) if row.subtitle else 0
        self.create_text(
            px(56),
            middle - above,
            anchor="w",
            font=look.font(14, True),
            fill=palette.text,
            text=look.elide(row.title, look.font(14, True), room),
            tags="title",
        )
        if row.subtitle:
            self.create_text(
                px(56),
                middle + px(10),
                anchor="w",
                font=look.font(11.5),
                fill=palette.muted,
                text=look.elide(row.subtitle, look.font(11.5), room),
                tags="subtitle",
            )
        if row.icon:
            colours = {"danger": palette.danger_ink, "muted": palette.muted, "accent": palette.accent_ink}
            colour = colours.get(row.icon_kind, palette.text)
            self.create_image(
                width - px(26), middle, image=icon_picture(look, row.icon, px(18), colour), tags=f"icon:{row.icon}"
            )

    def _draw_scrollbar(self) -> None:
        height, total = self.winfo_height(), self.total_height
        length = max(self.look.px(24), height * height // total)
        top = (height - length) * self._top // self._limit()
        x = self.winfo_width() - self.look.px(3)
        self.create_line(
            x, top + 2, x, top + length - 2, width=self.look.px(3), fill=self.look.palette.outline, capstyle="round"
        )
