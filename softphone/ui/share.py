"""Sharing one's screen: the card in which a screen, a window or a part is chosen, and the bar that says what others see."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PIL import Image, ImageTk

from softphone.model import State
from softphone.shares import (
    DEFAULT_RATE,
    FRAME_RATES,
    Choice,
    LookForShareables,
    Share,
    Shareable,
    StartShare,
    StopShare,
)
from softphone.ui import widgets
from softphone.ui.button import Button
from softphone.ui.card import Card
from softphone.ui.dropdown import Dropdown
from softphone.ui.page import Host
from softphone.ui.theme import Look
from softphone.ui.widgets import icon_picture
from softphone.ui.words import plain

COLUMNS, ROWS = 3, 2
TILE = (188, 136)
PICTURE = (176, 99)
SMALLEST_REGION = 24
"""Pixels of the small picture; less is a click, no region."""


class ShareCard(Card):
    """The picker. It asks for what there is when it opens, and shows it when it comes."""

    def __init__(self, host: Host, on_close: Callable[[], None]) -> None:
        super().__init__(host, host.look.tr("Share your screen"), on_close, 640)
        look, tr = self.look, self.look.tr
        self._before = host.state.shareables
        self.choices: list[tuple[str, Shareable]] = []
        self.tiles: list[ChoiceTile] = []
        self.chosen = 0
        self._page = 0
        self.region: RegionPicker | None = None
        self.words = widgets.label(self.body, look, tr("Looking for what can be shared …"), 14, muted=True,
                                   wrap=self.field_width())
        self.words.pack(anchor="w", pady=look.px(12))
        self._place = widgets.box(self.body)
        self._place.pack(fill="x")
        row = widgets.box(self.body)
        row.pack(fill="x", pady=(look.px(14), 0))
        rates = [(str(rate), tr(words)) for rate, words in zip(FRAME_RATES, (
            "5 pictures a second, for texts", "15 pictures a second", "30 pictures a second, for films"), strict=True)]
        self.rate = Dropdown(row, host, rates, str(DEFAULT_RATE), lambda _value: None, width=260)
        self.rate.pack(side="left")
        self.submit = Button(row, look, tr("Share"), self._submit, kind="accent", width=110, height=40)
        self.submit.pack(side="right")
        self.submit.change(enabled=False)
        self.more = Button(row, look, tr("More windows"), self._turn_page, height=40)
        host.send(LookForShareables())

    def draw(self, state: State) -> None:
        """Show what was found, once it is."""
        found = state.shareables
        if found is None or found is self._before:
            return
        self._before = found
        tr = self.look.tr
        self.choices = _named(found.shareables, tr)
        other = state.meeting.share if state.meeting is not None else None
        note = (tr("{name} is sharing; your screen is shown when that has ended.", name=plain(other.name))
                if other is not None and not other.is_own else "")
        text = tr.sentence(found.trouble) if found.trouble else note
        self.words.configure(text=text, fg=self.look.palette.danger_ink if found.trouble else self.look.palette.muted)
        if text:
            self.words.pack(anchor="w", pady=self.look.px(8), before=self._place)
        else:
            self.words.pack_forget()
        self.submit.change(enabled=bool(self.choices))
        if len(self.choices) > COLUMNS * ROWS:
            self.more.pack(side="right", padx=self.look.px(8))
        self._show_page()

    def choose(self, index: int) -> None:
        """Choose one; the part of the screen opens the picture in which it is drawn."""
        self.chosen = index
        for tile in self.tiles:
            tile.show(tile.number == index)
        if self.choices[index][1].choice.kind == "region":
            self._open_region(self.choices[index][1])

    def _show_page(self) -> None:
        for child in self._place.winfo_children():
            child.destroy()
        self.tiles, self.region = [], None
        size = COLUMNS * ROWS
        for place, index in enumerate(range(self._page * size, min(len(self.choices), (self._page + 1) * size))):
            title, shareable = self.choices[index]
            tile = ChoiceTile(self._place, self.look, index, title, shareable, self.choose, self._submit)
            tile.grid(row=place // COLUMNS, column=place % COLUMNS, padx=self.look.px(3), pady=self.look.px(3))
            tile.show(index == self.chosen)
            self.tiles.append(tile)

    def _turn_page(self) -> None:
        self._page = (self._page + 1) % -(-len(self.choices) // (COLUMNS * ROWS))
        self.chosen = self._page * COLUMNS * ROWS
        self._show_page()

    def _open_region(self, shareable: Shareable) -> None:
        for child in self._place.winfo_children():
            child.destroy()
        self.tiles = []
        self.more.pack_forget()
        self.words.configure(text=self.look.tr("Draw a frame round the part that others shall see."),
                             fg=self.look.palette.muted)
        self.words.pack(anchor="w", pady=self.look.px(8), before=self._place)
        self.region = RegionPicker(self._place, self.look, shareable, lambda: self.submit.change(enabled=True))
        self.region.pack()
        self.submit.change(enabled=False)

    def _submit(self) -> None:
        if not self.submit.is_enabled:
            return
        title, shareable = self.choices[self.chosen]
        choice = replace(shareable.choice, frame_rate=int(self.rate.value))
        if self.region is not None:
            choice = replace(choice, region=self.region.region)
        self.host.send(StartShare(choice, title))
        self.on_close()


def _named(found: tuple[Shareable, ...], tr: Callable[..., str]) -> list[tuple[str, Shareable]]:
    """With words; the part of the screen comes after the screens."""
    named = []
    for shareable in found:
        choice = shareable.choice
        words = (plain(shareable.title) or tr("Window")) if choice.kind == "window" else (
            tr("Monitor {number}", number=choice.number) if choice.number else tr("Whole screen"))
        named.append((words, shareable))
    screens = [each for each in named if each[1].choice.kind == "screen"]
    if screens:
        part = replace(screens[0][1], choice=Choice("region"))
        return [*screens, (tr("Part of the screen"), part), *(each for each in named if each not in screens)]
    return named


class ChoiceTile(tk.Canvas):
    """One thing that can be shared: a small picture and its name. A click chooses, a double click or Return shares."""

    def __init__(self, master: tk.Misc, look: Look, index: int, title: str, shareable: Shareable,
                 choose: Callable[[int], None], share: Callable[[], None]) -> None:
        self.look, self.number, self.title = look, index, title
        px = look.px
        super().__init__(master, width=px(TILE[0]), height=px(TILE[1]), bg=look.palette.raised, bd=0, takefocus=1,
                         highlightthickness=px(2), highlightbackground=look.palette.panel, highlightcolor=look.palette.text,
                         cursor="hand2")
        self._picture = _photo(self, shareable, (px(PICTURE[0]), px(PICTURE[1])))
        middle = px(TILE[0]) // 2
        if self._picture is not None:
            self.create_image(middle, px(6 + PICTURE[1] // 2), image=self._picture)
        else:
            self.create_image(middle, px(6 + PICTURE[1] // 2), image=icon_picture(look, "share", px(40), look.palette.muted))
        if shareable.choice.kind == "region":
            width, height = px(80), px(50)
            self.create_rectangle(middle - width // 2, px(55) - height // 2, middle + width // 2, px(55) + height // 2,
                                  outline=look.palette.accent, width=px(2), dash=(4, 3))
        text = look.elide(title, look.font(13), px(TILE[0] - 16))
        self.create_text(middle, px(TILE[1] - 15), text=text, font=look.font(13), fill=look.palette.text, tags="title")
        self.bind("<ButtonRelease-1>", lambda _event: choose(index))
        self.bind("<space>", lambda _event: choose(index))
        self.bind("<Double-Button-1>", lambda _event: share())
        self.bind("<Return>", lambda _event: self._take(choose, share))

    def _take(self, choose: Callable[[int], None], share: Callable[[], None]) -> None:
        choose(self.number)
        share()

    def show(self, is_chosen: bool) -> None:
        """With a frame when it is chosen."""
        palette = self.look.palette
        self.configure(highlightbackground=palette.accent if is_chosen else palette.panel,
                       highlightcolor=palette.accent if is_chosen else palette.text)


class RegionPicker(tk.Canvas):
    """The whole screen, small, in which a frame is drawn with the mouse. `region`: left, top, width, height on the screen."""

    def __init__(self, master: tk.Misc, look: Look, shareable: Shareable, on_drawn: Callable[[], None]) -> None:
        self.region = (0, 0, 0, 0)
        self._look, self._on_drawn = look, on_drawn
        most = (look.px(560), look.px(320))
        self._picture = _photo(master, shareable, most)
        width, height = (self._picture.width(), self._picture.height()) if self._picture is not None else most
        self._scale = (shareable.size[0] / width, shareable.size[1] / height)
        self._start = (0, 0)
        super().__init__(master, width=width, height=height, bg=look.palette.raised, bd=0, highlightthickness=0,
                         cursor="crosshair")
        if self._picture is not None:
            self.create_image(0, 0, anchor="nw", image=self._picture)
        self.bind("<Button-1>", self._begin)
        self.bind("<B1-Motion>", self._drag)
        self.bind("<ButtonRelease-1>", self._drag)

    def _begin(self, event: tk.Event[Any]) -> None:
        self._start = (event.x, event.y)

    def _drag(self, event: tk.Event[Any]) -> None:
        width, height = int(self.cget("width")), int(self.cget("height"))
        x, y = max(0, min(width, event.x)), max(0, min(height, event.y))
        left, right = sorted((self._start[0], x))
        top, bottom = sorted((self._start[1], y))
        self.delete("frame")
        self.create_rectangle(left, top, right, bottom, outline=self._look.palette.accent, width=self._look.px(3), tags="frame")
        if right - left >= SMALLEST_REGION and bottom - top >= SMALLEST_REGION:
            across, down = self._scale
            self.region = (round(left * across), round(top * down), round((right - left) * across),
                           round((bottom - top) * down))
            self._on_drawn()


def _photo(master: tk.Misc, shareable: Shareable, most: tuple[int, int]) -> ImageTk.PhotoImage | None:
    if shareable.preview is None:
        return None
    width, height, rgb = shareable.preview
    image = Image.frombytes("RGB", (width, height), rgb)
    scale = min(most[0] / width, most[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return ImageTk.PhotoImage(image.resize(size, Image.Resampling.BILINEAR), master=master)


class SharingBar(tk.Frame):
    """Says that, and what, others see of this screen, with Stop; away while we share nothing."""

    def __init__(self, master: tk.Misc, host: Host) -> None:
        self.host, self.look = host, host.look
        look, colour = host.look, host.look.palette.success
        super().__init__(master, bg=colour)
        self.stop = Button(self, look, look.tr("Stop sharing"), lambda: host.send(StopShare()), icon="share_off", kind="danger",
                           height=34)
        self.label = tk.Label(self, font=look.font(14, True), bg=colour, fg=look.palette.on_colour, anchor="w", bd=0)
        self.stop.pack(side="right", padx=look.px(10), pady=look.px(6))
        self.label.pack(side="left", fill="x", expand=True, padx=look.px(14))
        self.is_shown = False

    def draw(self, share: Share | None) -> None:
        """Show what we share."""
        is_own = share is not None and share.is_own
        if share is not None and is_own:
            tr = self.look.tr
            title = plain(share.title)
            words = (tr("Asking to share …") if share.is_asked else
                     tr("You are sharing: {what}", what=title) if title else tr("You are sharing your screen"))
            if self.label.cget("text") != words:
                self.label.configure(text=words)
        if is_own != self.is_shown:
            self.is_shown = is_own
            if is_own:
                self.grid()
            else:
                self.grid_remove()
