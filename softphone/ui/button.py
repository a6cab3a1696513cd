"""The button: an icon beside or above its text, a small arrow for a menu, a ring when it has the keyboard."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from softphone.ui import drawing
from softphone.ui.theme import Look
from softphone.ui.widgets import Tooltip, background_of, icon_picture

ARROW_WIDTH = 26


class Button(tk.Canvas):
    """A button: icon before or above its text; `arrow` adds a small arrow for a menu. Return and Space press it, too."""

    def __init__(
        self,
        master: tk.Misc,
        look: Look,
        text: str = "",
        command: Callable[[], None] | None = None,
        *,
        icon: str = "",
        kind: str = "plain",
        column: bool = False,
        width: int = 0,
        height: int = 40,
        arrow: Callable[[], None] | None = None,
        size: float = 14,
        radius: int = 10,
        tip: str = "",
    ) -> None:
        self.look, self.text, self.icon, self.kind = look, text, icon, kind
        self._command, self._arrow = command, arrow
        self._column, self._size, self._radius = column, size, look.px(radius)
        self._fixed = look.px(width)
        self._part = ""
        self._focused = False
        self.is_enabled = True
        super().__init__(
            master,
            bg=background_of(master),
            bd=0,
            highlightthickness=0,
            takefocus=1,
            cursor="hand2",
            height=look.px(height),
            width=self.natural_width(),
        )
        self.bind("<Configure>", lambda _event: self._draw())
        self.bind("<Enter>", self._hover)
        self.bind("<Motion>", self._hover)
        self.bind("<Leave>", self._unhover)
        self.bind("<ButtonRelease-1>", self._released)
        for key in ("<Return>", "<KP_Enter>", "<space>"):
            self.bind(key, self._pressed)
        self.bind("<Down>" if arrow else "<<NoArrow>>", lambda _event: arrow() if arrow else None)
        self.bind("<FocusIn>", lambda _event: self._focus(True))
        self.bind("<FocusOut>", lambda _event: self._focus(False))
        if tip:
            Tooltip(self, look, tip)

    def natural_width(self) -> int:
        """The width that its text and icon need."""
        if self._fixed:
            return self._fixed
        px, words = self.look.px, self.look.font(self._size).measure(self.text) if self.text else 0
        if self._column:
            return max(px(80), words + px(20)) + (px(ARROW_WIDTH) if self._arrow else 0)
        icon = px(20) + (px(8) if words else 0) if self.icon else 0
        return words + icon + px(28 if words else 20) + (px(ARROW_WIDTH) if self._arrow else 0)

    def change(
        self, *, text: str | None = None, icon: str | None = None, kind: str | None = None, enabled: bool | None = None
    ) -> None:
        """Draw it with another text, icon, kind or state; nothing happens where nothing changes."""
        before = (self.text, self.icon, self.kind, self.is_enabled)
        self.text = self.text if text is None else text
        self.icon = self.icon if icon is None else icon
        self.kind = self.kind if kind is None else kind
        self.is_enabled = self.is_enabled if enabled is None else enabled
        if before != (self.text, self.icon, self.kind, self.is_enabled):
            self.configure(width=self.natural_width(), cursor="hand2" if self.is_enabled else "arrow")
            self._draw()

    def press(self) -> None:
        """Do what a click does."""
        if self.is_enabled and self._command is not None:
            self._command()

    def _colours(self) -> tuple[str, str, str]:
        p = self.look.palette
        fills = {
            "plain": (p.raised, p.hover),
            "accent": (p.accent, p.accent_hover),
            "danger": (p.danger, p.danger_hover),
            "success": (p.success, p.success_hover),
            "ghost": ("", p.raised),
            "quiet": (p.panel, p.hover),
            "chosen": (p.hover, p.hover),
        }
        fill, hover = fills[self.kind]
        ink = p.on_colour if self.kind in ("accent", "danger", "success") else p.text
        return fill, hover, ink if self.is_enabled else p.muted

    def _draw(self) -> None:
        width, height = self.winfo_width(), self.winfo_height()
        if width <= 1:
            return
        self.delete("all")
        px, (fill, hover, ink) = self.look.px, self._colours()
        whole = hover if self._part == "main" and self.is_enabled else fill
        if whole or self._focused:
            outline = self.look.palette.text if self._focused else self.look.palette.accent if self.kind == "chosen" else ""
            self._shape(0, width, whole or background_of(self), outline)
        space = width - (px(ARROW_WIDTH) if self._arrow else 0)
        words = self.look.font(self._size)
        if self._column:
            is_large = height >= px(80)
            self._icon(width // 2, height // 2 - px(13 if is_large else 9), px(28 if is_large else 20), ink)
            self.create_text(
                width // 2,
                height // 2 + px(22 if is_large else 16),
                text=self.look.elide(self.text, self.look.font(12.5), width - px(6)),
                font=self.look.font(12.5),
                fill=ink,
                tags="text",
            )
        else:
            wide = self.look.elide(self.text, words, max(0, space - px(16) - (px(28) if self.icon else 0)))
            used = words.measure(wide) + (px(20) if self.icon else 0) + (px(8) if self.icon and wide else 0)
            left = px(12) if self._arrow else (space - used) // 2
            if self.icon:
                self._icon(left + px(10), height // 2, px(20), ink)
                left += px(28)
            self.create_text(left, height // 2, text=wide, font=words, fill=ink, anchor="w", tags="text")
        if self._arrow:
            self._draw_arrow(width, height, hover, ink)

    def _draw_arrow(self, width: int, height: int, hover: str, ink: str) -> None:
        px = self.look.px
        x, y = width - px(16), height // 2 - px(9) if self._column else height // 2
        if self._part == "arrow":
            self._shape(x - px(12), x + px(12), hover, "", y - px(13), y + px(13), px(7))
        self._icon(x, y, px(14), ink, "chevron_up" if self._column else "chevron_down")

    def _shape(self, left: int, right: int, fill: str, outline: str, top: int = 0, bottom: int = 0, radius: int = 0) -> None:
        bottom, radius = bottom or self.winfo_height(), radius or self._radius
        size = (right - left, bottom - top, radius, fill, outline)
        self.create_image(
            left,
            top,
            anchor="nw",
            image=self.look.picture(
                ("box", *size),
                lambda: drawing.rounded(
                    *size[:3], drawing.rgba(fill), drawing.rgba(outline) if outline else None, self.look.px(2)
                ),
            ),
        )

    def _icon(self, x: int, y: int, size: int, ink: str, name: str = "") -> None:
        name = name or self.icon
        if name:
            self.create_image(x, y, image=icon_picture(self.look, name, size, ink), tags=f"icon:{name}")

    def _part_at(self, x: int, y: int) -> str:
        if not (0 <= x < self.winfo_width() and 0 <= y < self.winfo_height()):
            return ""
        return "arrow" if self._arrow and x >= self.winfo_width() - self.look.px(ARROW_WIDTH + 4) else "main"

    def _hover(self, event: tk.Event[tk.Misc]) -> None:
        part = self._part_at(event.x, event.y)
        if part != self._part:
            self._part = part
            self._draw()

    def _unhover(self, _event: tk.Event[tk.Misc]) -> None:
        self._part = ""
        self._draw()

    def _focus(self, has_it: bool) -> None:
        self._focused = has_it
        self._draw()

    def _released(self, event: tk.Event[tk.Misc]) -> None:
        part = self._part_at(event.x, event.y)
        if part == "arrow" and self._arrow is not None:
            self._arrow()
        elif part == "main":
            self.press()

    def _pressed(self, _event: tk.Event[tk.Misc]) -> str:
        self.press()
        return "break"
