"""What lies above every page: the line to the user, and the call that rings."""

from __future__ import annotations

import tkinter as tk

from softphone.model import Answer, Banner, Decline, Incoming, State
from softphone.ui import widgets
from softphone.ui.button import Button
from softphone.ui.page import Host
from softphone.ui.theme import avatar_colour, initials
from softphone.ui.words import MAX_BANNER, plain, without_pin

INFO_S = 7.0
"""A line that is only information goes away by itself after so long."""


class BannerBar(tk.Frame):
    """The line to the user. `draw` shows or hides it."""

    def __init__(self, host: Host) -> None:
        self.host, self.look = host, host.look
        super().__init__(host.look.root, bg=host.look.palette.window)
        self.text = ""
        self._banner: Banner | None = None
        self.label: tk.Label | None = None
        self._since = 0.0

    def draw(self, banner: Banner | None, now: float) -> None:
        """Show a banner, or nothing."""
        if banner is not self._banner:
            self._banner, self._since = banner, now
            self._rebuild(banner)
        elif banner is not None and banner.kind == "info" and now - self._since > INFO_S:
            self.host.do("dismiss")

    def _rebuild(self, banner: Banner | None) -> None:
        for child in self.winfo_children():
            child.destroy()
        self.text, self.label = "", None
        if banner is None:
            self.grid_remove()
            return
        look, palette = self.look, self.look.palette
        colour = {"warning": palette.warning_ink, "error": palette.danger_ink}.get(banner.kind, palette.accent_ink)
        card = widgets.panel(self, look, 10, palette.danger_soft if banner.kind == "error" else palette.raised)
        card.pack(fill="x", padx=look.px(16), pady=(look.px(8), 0))
        self.text = plain(look.tr.sentence(banner.text), MAX_BANNER)
        name = "info" if banner.kind == "info" else "warning"
        fill = widgets.background_of(card)
        sign = tk.Label(card, image=widgets.icon_picture(look, name, look.px(20), colour), bg=fill)
        sign.pack(side="left", padx=(look.px(14), look.px(10)), pady=look.px(8))
        Button(card, look, icon="close", command=lambda: self.host.do("dismiss"), kind="ghost", width=34, height=34).pack(
            side="right", padx=look.px(8)
        )
        self.label = widgets.label(card, look, self.text, 13.5)
        self.label.pack(side="left", fill="x", expand=True, pady=look.px(8))
        self.label.bind("<Configure>", self._wrap)
        self.grid(row=1, column=0, sticky="ew")

    def _wrap(self, event: tk.Event[tk.Misc]) -> None:
        if self.label is not None and int(self.label.cget("wraplength")) != event.width:
            self.label.configure(wraplength=event.width)


class IncomingBar(tk.Frame):
    """The calls that ring, each with Answer and Decline."""

    def __init__(self, host: Host) -> None:
        self.host, self.look = host, host.look
        super().__init__(host.look.root, bg=host.look.palette.window)
        self._shown: tuple[Incoming, ...] = ()
        self.buttons: dict[str, tuple[Button, Button]] = {}

    def draw(self, state: State) -> None:
        """Show the calls that ring now."""
        if state.incoming == self._shown:
            return
        is_new = len(state.incoming) > len(self._shown)
        self._shown = state.incoming
        for child in self.winfo_children():
            child.destroy()
        self.buttons = {}
        for incoming in state.incoming:
            self._add(incoming, state.meeting is not None)
        if state.incoming:
            self.grid(row=0, column=0, sticky="ew")
        else:
            self.grid_remove()
        if is_new:
            self.bell()
            self.look.root.deiconify()
            self.look.root.lift()

    def _add(self, incoming: Incoming, in_call: bool) -> None:
        look, palette, tr = self.look, self.look.palette, self.look.tr
        card = widgets.panel(self, look, 14, palette.raised)
        card.pack(fill="x", padx=look.px(16), pady=(look.px(8), 0))
        fill = widgets.background_of(card)
        picture = tk.Canvas(card, width=look.px(44), height=look.px(44), bg=fill, bd=0, highlightthickness=0)
        name = plain(incoming.name or without_pin(incoming.uri))
        picture.create_image(look.px(22), look.px(22), image=widgets.disc_picture(look, look.px(42), avatar_colour(name)))
        picture.create_text(look.px(22), look.px(22), text=initials(name), font=look.font(16, True), fill=palette.on_colour)
        picture.pack(side="left", padx=(look.px(14), look.px(10)), pady=look.px(10))
        decline = Button(
            card, look, tr("Decline"), lambda: self.host.send(Decline(incoming.call_id)), icon="hang_up", kind="danger"
        )
        answer = Button(
            card, look, tr("Answer"), lambda: self.host.send(Answer(incoming.call_id)), icon="phone", kind="success"
        )
        decline.pack(side="right", padx=look.px(14))
        answer.pack(side="right")
        lines = widgets.box(card)
        lines.pack(side="left", fill="x", expand=True)
        widgets.label(lines, look, look.elide(name, look.font(15, True), look.px(300)), 15, bold=True).pack(anchor="w")
        words = tr("calls you; to answer ends this call") if in_call else tr("calls you")
        widgets.label(lines, look, f"{words} · {plain(without_pin(incoming.uri))}", 12.5, muted=True).pack(anchor="w")
        self.buttons[incoming.call_id] = (answer, decline)
