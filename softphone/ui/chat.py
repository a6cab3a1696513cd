"""The tab "Chat": what was written, and a field to write. A text goes to all, to the hosts or to one; `/` begins a verb."""

from __future__ import annotations

import time
import tkinter as tk

from softphone.meeting_orders import ChatLine, SendChat
from softphone.model import Meeting
from softphone.ui import widgets
from softphone.ui.dropdown import Dropdown
from softphone.ui.page import Host
from softphone.ui.words import plain

ALL, HOSTS = "", "hosts"


class Chat(tk.Frame):
    """The texts, the newest below, and the field."""

    def __init__(self, master: tk.Misc, host: Host) -> None:
        self.host, self.look = host, host.look
        look, tr = host.look, host.look.tr
        super().__init__(master, bg=widgets.background_of(master))
        palette, px = look.palette, look.px
        foot = widgets.box(self)
        foot.pack(side="bottom", fill="x", pady=(px(8), 0))
        self.to = Dropdown(foot, host, [(ALL, tr("To everyone"))], ALL, lambda _value: self.field.focus_set(), width=272)
        self.to.pack(fill="x", pady=(0, px(6)))
        self.field = widgets.entry(foot, look, tr("Write a message"), width=272)
        self.field.pack(fill="x")
        self.field.bind("<Return>", lambda _event: self._send())
        self.texts = tk.Text(self, bg=widgets.background_of(master), fg=palette.text, bd=0, highlightthickness=0, wrap="word",
                             font=look.font(13), state="disabled", cursor="arrow", takefocus=0, width=1, height=1,
                             spacing1=px(2), spacing3=px(2), padx=px(4))
        self.texts.pack(fill="both", expand=True)
        self.texts.tag_configure("who", font=look.font(12, True), foreground=palette.muted, spacing1=px(8))
        self.texts.tag_configure("own", foreground=palette.accent_ink, font=look.font(12, True), spacing1=px(8))
        self.texts.tag_configure("empty", foreground=palette.muted, font=look.font(13), justify="center", spacing1=px(40))
        self._shown: tuple[ChatLine, ...] | None = None

    def draw(self, meeting: Meeting) -> None:
        """Show what is written, and to whom one may write."""
        tr = self.look.tr
        others = [(str(one.member_id), plain(one.name or one.uri)) for one in meeting.members
                  if not one.is_self and one.member_id]
        values = [(ALL, tr("To everyone")), (HOSTS, tr("To the hosts"))]
        values += [(key, tr("To {name}", name=name)) for key, name in others]
        chosen = self.to.value if any(value == self.to.value for value, _ in values) else ALL
        self.to.show(values, chosen)
        if meeting.chat == self._shown:
            return
        self._shown = meeting.chat
        self.texts.configure(state="normal")
        self.texts.delete("1.0", "end")
        if not meeting.chat:
            self.texts.insert("end", tr("Nothing has been written yet."), "empty")
        for line in meeting.chat:
            self.texts.insert("end", self._head(line) + "\n", "own" if line.is_own else "who")
            self.texts.insert("end", line.text + "\n")
        self.texts.configure(state="disabled")
        self.texts.see("end")

    def _head(self, line: ChatLine) -> str:
        tr = self.look.tr
        who = tr("You") if line.is_own else plain(line.name) or tr("unknown")
        to = ""
        if line.to == HOSTS:
            to = tr("to the hosts")
        elif line.to:
            to = tr("to {name}", name=plain(line.to_name)) if line.is_own else tr("to you")
        return " · ".join(part for part in (who, to, time.strftime("%H:%M", time.localtime(line.at))) if part)

    def _send(self) -> str:
        text = self.field.get().strip()
        if text:
            self.host.send(SendChat(text, self.to.value))
            self.field.delete(0, "end")
        return "break"
