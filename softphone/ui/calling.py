"""The page while a call goes out: whom, how far it is, and Cancel."""

from __future__ import annotations

import tkinter as tk

from softphone.model import Leave, State
from softphone.ui import widgets
from softphone.ui.button import Button
from softphone.ui.page import Host, Page
from softphone.ui.theme import avatar_colour, initials
from softphone.ui.words import MAX_BANNER, plain, without_pin

AVATAR = 120
PULSE_S = 1.0


class CallingPage(Page):
    """What one sees until the other side answers."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        look = self.look
        middle = widgets.box(self)
        middle.place(relx=0.5, rely=0.47, anchor="center")
        self.picture = tk.Canvas(
            middle, width=look.px(AVATAR + 40), height=look.px(AVATAR + 40), bg=look.palette.window, bd=0, highlightthickness=0
        )
        self.picture.pack()
        self.who = widgets.label(middle, look, "", 22, bold=True, anchor="center")
        self.who.pack(pady=(look.px(14), look.px(2)))
        self.uri = widgets.label(middle, look, "", 13, muted=True, anchor="center")
        self.uri.pack()
        self.progress = widgets.label(middle, look, "", 15, anchor="center", wrap=520)
        self.progress.pack(pady=look.px(14))
        self.cancel = Button(
            middle, look, look.tr("Cancel"), lambda: host.send(Leave()), icon="hang_up", kind="danger", width=150, height=46
        )
        self.cancel.pack(pady=look.px(8))
        self._drawn = ("", -1)
        self.bind("<Configure>", lambda _event: self._fit())

    def _fit(self) -> None:
        """Leave the picture out where the window is too low for it."""
        has_room = self.winfo_height() >= self.look.px(AVATAR + 240)
        if has_room and not self.picture.winfo_manager():
            self.picture.pack(before=self.who)
        elif not has_room and self.picture.winfo_manager():
            self.picture.pack_forget()

    def draw(self, state: State, now: float) -> None:
        """Show whom we call and what is heard of it."""
        uri = plain(without_pin(state.target))
        name = uri.removeprefix("sip:").partition("@")[0]
        progress = plain(self.look.tr.sentence(state.calling_text), MAX_BANNER)
        for widget, text in ((self.who, name), (self.uri, uri), (self.progress, progress)):
            if widget.cget("text") != text:
                widget.configure(text=text)
        phase = int(now / PULSE_S) % 2
        if self._drawn != (name, phase):
            self._drawn = (name, phase)
            self._draw_picture(name, phase)

    def _draw_picture(self, name: str, phase: int) -> None:
        look, palette = self.look, self.look.palette
        self.picture.delete("all")
        middle = look.px(AVATAR + 40) // 2
        halo = look.px(AVATAR + (34 if phase else 20))
        self.picture.create_image(middle, middle, image=widgets.disc_picture(look, halo, palette.tile))
        self.picture.create_image(middle, middle, image=widgets.disc_picture(look, look.px(AVATAR), avatar_colour(name)))
        self.picture.create_text(
            middle, middle, text=initials(name), font=look.font(AVATAR * 0.38, True), fill=palette.on_colour
        )

    def focus_first(self) -> None:
        """On Cancel."""
        self.cancel.focus_set()
