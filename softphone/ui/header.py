"""The line above a meeting: title, address, clock; at the right chips that say how good and how safe the call is."""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass
from functools import partial

from PIL import ImageTk

from softphone.model import Meeting, Quality
from softphone.protection import PLAIN
from softphone.ui import drawing
from softphone.ui.strings import Translator
from softphone.ui.theme import Look
from softphone.ui.widgets import icon_picture, show_tip
from softphone.ui.words import FAIR, GOOD, PROTECTION_NONE, clock, figures, grade, plain

HEIGHT = 42
CHIP = 28


@dataclass(frozen=True, slots=True)
class Chip:
    """A small label. kind: a colour of the palette; tip: what is said while the pointer rests on it."""

    name: str
    text: str
    kind: str
    icon: str = ""
    tip: str = ""


def chips_of(meeting: Meeting, tr: Translator) -> list[Chip]:
    """What the chips say, from left to right."""
    chips = []
    if meeting.is_held:
        chips.append(Chip("hold", tr("On hold"), "warning", "pause", tr("Neither side hears the other.")))
    if meeting.recording == "paused":
        chips.append(Chip("recording", tr("Recording paused"), "muted", "record", tr("Nothing is recorded just now.")))
    elif meeting.recording:
        chips.append(Chip("recording", tr("Recording"), "danger", "record", tr("The server records this meeting.")))
    quality = meeting.quality
    word = grade(quality)
    if word:
        kind = "success" if word == GOOD else "warning" if word == FAIR else "danger"
        chips.append(Chip("quality", tr(word), kind, "stats", _tip(quality, tr)))
    chips.append(_protection(quality, tr))
    return chips


def _tip(quality: Quality, tr: Translator) -> str:
    return "\n".join(f"{name}: {figure}" for name, figure in figures(quality, tr)[:6])


def _protection(quality: Quality, tr: Translator) -> Chip:
    if quality.protection:
        return Chip("protection", tr("Encrypted"), "success", "shield", quality.protection)
    return Chip(
        "protection",
        tr(PROTECTION_NONE),
        "danger",
        "shield_off",
        tr(quality.exposure or PLAIN),
    )


class Header(tk.Canvas):
    """The line itself."""

    def __init__(self, master: tk.Misc, look: Look) -> None:
        super().__init__(master, bg=look.palette.window, bd=0, highlightthickness=0, height=look.px(HEIGHT), width=1)
        self.look = look
        self._meeting: Meeting | None = None
        self._clock = ""
        self._tip: tk.Label | None = None
        self._drawn: object = None
        self._clock_item = 0
        self.chips: list[Chip] = []
        self.bind("<Configure>", lambda _event: self._redraw())
        self.bind("<Leave>", lambda _event: self._hide_tip())

    def show(self, meeting: Meeting, now: float) -> None:
        """Show a meeting; now in monotonic seconds, as `Meeting.started_at`."""
        self._meeting, text = meeting, clock(now - meeting.started_at)
        chips = chips_of(meeting, self.look.tr)
        drawn = (meeting.title, meeting.uri, [(c.text, c.kind) for c in chips], len(text))
        self.chips = chips
        if drawn != self._drawn:
            self._drawn, self._clock = drawn, text
            self._redraw()
        elif text != self._clock:
            self._clock = text
            self.itemconfigure(self._clock_item, text=text)

    def _redraw(self) -> None:
        self._hide_tip()
        self.delete("all")
        if self._meeting is None or self.winfo_width() <= 1:
            return
        right = self._draw_chips()
        look, px, palette = self.look, self.look.px, self.look.palette
        middle, bold, thin = px(HEIGHT) // 2, look.font(20, True), look.font(13.5)
        clock_width = thin.measure("00:00:00")
        room = right - px(20)
        title = look.elide(plain(self._meeting.title or self._meeting.uri), bold, max(px(60), room - clock_width - px(24)))
        left = px(2)
        self.create_text(left, middle, anchor="w", text=title, font=bold, fill=palette.text, tags="title")
        left += bold.measure(title) + px(13)
        uri = look.elide(plain(self._meeting.uri), thin, room - left - clock_width - px(30))
        if len(uri) > 8:
            self.create_text(left, middle + px(1), anchor="w", text=f"{uri}   ·", font=thin, fill=palette.muted, tags="uri")
            left += thin.measure(f"{uri}   ·") + px(10)
        self._clock_item = self.create_text(
            left, middle + px(1), anchor="w", text=self._clock, font=thin, fill=palette.muted, tags="clock"
        )

    def _draw_chips(self) -> int:
        look, px, palette = self.look, self.look.px, self.look.palette
        right, top, font = self.winfo_width() - px(2), (px(HEIGHT) - px(CHIP)) // 2, look.font(13)
        has_words = self.winfo_width() >= px(560)
        for chip in reversed(self.chips):
            colour = palette.muted if chip.kind == "muted" else getattr(palette, f"{chip.kind}_ink")
            words = font.measure(chip.text) if has_words else 0
            width = px(34) + (words + px(8) if words else 0)
            fill = palette.danger_soft if chip.kind == "danger" else palette.panel
            tag = f"chip:{chip.name}"
            self.create_image(right - width, top, anchor="nw", tags=tag, image=self._chip_shape(width, fill))
            self.create_image(
                right - width + px(18), top + px(CHIP) // 2, image=icon_picture(look, chip.icon, px(15), colour), tags=tag
            )
            if words:
                self.create_text(
                    right - width + px(30), top + px(CHIP) // 2, anchor="w", text=chip.text, font=font, fill=colour, tags=tag
                )
            self.tag_bind(tag, "<Enter>", partial(self._show_tip, chip.name, right - width // 2))
            self.tag_bind(tag, "<Leave>", lambda _event: self._hide_tip())
            right -= width + px(8)
        return right

    def _chip_shape(self, width: int, fill: str) -> ImageTk.PhotoImage:
        height = self.look.px(CHIP)
        return self.look.picture(
            ("chip", width, height, fill), lambda: drawing.rounded(width, height, height // 2, drawing.rgba(fill))
        )

    def _show_tip(self, name: str, x: int, _event: tk.Event[tk.Misc]) -> None:
        self._hide_tip()
        tip = next((chip.tip for chip in self.chips if chip.name == name), "")
        if tip:
            self._tip = show_tip(self.look, tip, self.winfo_rootx() + x, self.winfo_rooty(), self.winfo_height())

    def _hide_tip(self) -> None:
        if self._tip is not None:
            self._tip.destroy()
            self._tip = None
