"""The first page: new meeting, join, call; places called before; who one is signed in as."""

from __future__ import annotations

import time
import tkinter as tk
from functools import partial

from softphone.model import Dial, NewMeeting, OpenPrejoin, Recent, Registration, State
from softphone.ui import widgets
from softphone.ui.button import Button
from softphone.ui.menu import Item
from softphone.ui.page import Host, Page
from softphone.ui.rows import Row, RowList
from softphone.ui.strings import Translator
from softphone.ui.words import plain, short_address, when, with_pin, without_pin

NARROW = 800
MAX_ROWS = 20
MAX_MENU = 8
STATUS = {
    Registration.NONE: "muted",
    Registration.TRYING: "warning",
    Registration.REGISTERED: "success",
    Registration.FAILED: "danger",
}


class HomePage(Page):
    """What one sees without a call."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        look = self.look
        self._mode = "join"
        self._account_line = ""
        self._build_top()
        self._middle = tk.Frame(self, bg=look.palette.window)
        self._middle.place(relx=0.5, rely=0.53, anchor="center")
        self._start = widgets.panel(self._middle, look, 18)
        self._places = widgets.panel(self._middle, look, 18)
        self._build_start()
        self._build_places()
        self._arranged = ""
        self.bind("<Configure>", lambda _event: self._arrange())

    def _build_top(self) -> None:
        look, tr = self.look, self.look.tr
        top = widgets.box(self)
        top.pack(fill="x", padx=look.px(18), pady=look.px(12))
        mark = tk.Label(top, image=widgets.icon_picture(look, "logo", look.px(26), look.palette.accent), bg=look.palette.window)
        mark.pack(side="left")
        widgets.label(top, look, "Confero", 19, bold=True).pack(side="left", padx=look.px(8))
        Button(
            top, look, icon="help", command=lambda: self.host.do("help"), kind="ghost", width=40, tip=tr("Keyboard shortcuts")
        ).pack(side="right")
        Button(
            top, look, icon="gear", command=lambda: self.host.do("settings"), kind="ghost", width=40, tip=tr("Settings")
        ).pack(side="right", padx=look.px(4))
        self.places = Button(
            top, look, icon="clock", command=self._open_places, kind="ghost", width=40, tip=tr("Recent")
        )
        self.account = Button(top, look, tr("Sign in"), lambda: self.host.do("sign_in"), icon="person", kind="quiet")
        self.account.pack(side="right", padx=look.px(4))
        self._status = tk.Canvas(top, width=look.px(14), height=look.px(14), bg=look.palette.window, bd=0, highlightthickness=0)
        self._status.pack(side="right", padx=(0, look.px(4)))
        self.registration = widgets.label(top, look, "", 12.5, muted=True, anchor="e")
        self.registration.pack(side="right", padx=look.px(8), fill="x", expand=True)
        self.registration.bind("<Configure>", lambda _event: self._fit_line())
        self._whole_line = widgets.Tooltip(self.registration, look, "")

    def _build_start(self) -> None:
        look, tr = self.look, self.look.tr
        inside = widgets.box(self._start)
        inside.pack(padx=look.px(24), pady=look.px(22))
        widgets.label(inside, look, tr("Start or join a meeting"), 20, bold=True).pack(anchor="w")
        row = widgets.box(inside)
        row.pack(pady=look.px(16))
        self.new = Button(
            row,
            look,
            tr("New meeting"),
            lambda: self.host.send(NewMeeting()),
            icon="plus",
            kind="accent",
            column=True,
            width=132,
            height=96,
            radius=14,
        )
        self.join = Button(
            row, look, tr("Join"), lambda: self._choose("join"), icon="join", column=True, width=132, height=96, radius=14
        )
        self.call = Button(
            row, look, tr("Call"), lambda: self._choose("call"), icon="phone", column=True, width=132, height=96, radius=14
        )
        for column, button in enumerate((self.new, self.join, self.call)):
            button.grid(row=0, column=column, padx=(0 if column == 0 else look.px(10), 0))
        self._caption = widgets.label(inside, look, "", 12.5, muted=True)
        self._caption.pack(anchor="w", pady=(0, look.px(4)))
        line = widgets.box(inside)
        line.pack(fill="x")
        self.address = widgets.entry(line, look, "", width=200)
        self.pin = widgets.entry(line, look, tr("PIN"), width=84, secret=True)
        self.go = Button(line, look, tr("Join"), self._submit, kind="accent")
        self.address.pack(side="left", fill="x", expand=True)
        self.go.pack(side="right", padx=(look.px(8), 0))
        for field in (self.address, self.pin):
            field.bind("<Return>", lambda _event: self._submit())
        self._choose("join", focus=False)

    def _build_places(self) -> None:
        look = self.look
        widgets.label(self._places, look, look.tr("Recent"), 15, bold=True).pack(
            anchor="w", padx=look.px(22), pady=(look.px(18), look.px(6))
        )
        self.recent = RowList(self._places, look, self._go_to)
        self.recent.pack(fill="both", expand=True, padx=look.px(12), pady=(0, look.px(14)))
        self._nothing = widgets.label(
            self._places, look, look.tr("Rooms and people that you call are listed here."), 13, muted=True, wrap=220
        )

    def _open_places(self) -> None:
        rows = self.recent.rows[:MAX_MENU]
        self.host.open_menu(self.places, [Item(row.title, partial(self._go_to, row.key), icon=row.icon) for row in rows])

    def _go_to(self, uri: str) -> None:
        """To a place called before; where it wanted a PIN, that is asked for again."""
        place = next((recent for recent in self.host.state.recent if recent.uri == uri), None)
        if place is None or not place.has_pin:
            self.host.send(OpenPrejoin(uri))
            return
        self._choose("join")
        self.address.delete(0, "end")
        self.address.insert(0, short_address(uri, self.host.state.server))
        self.pin.delete(0, "end")
        self.pin.focus_set()

    def _choose(self, mode: str, focus: bool = True) -> None:
        tr = self.look.tr
        self._mode = mode
        self.join.change(kind="plain" if mode == "call" else "chosen")
        self.call.change(kind="chosen" if mode == "call" else "plain")
        self.go.change(
            text=tr("Join") if mode == "join" else tr("Call"),
            icon="" if mode == "join" else "phone",
            kind="accent" if mode == "join" else "success",
        )
        self._caption.configure(
            text=tr("Name of the room, or its SIP address; PIN if it has one")
            if mode == "join"
            else tr("Name of a person, or a SIP address")
        )
        if mode == "join":
            self.pin.pack(side="left", padx=(self.look.px(8), 0))
        else:
            self.pin.pack_forget()
        if focus:
            self.address.focus_set()

    def _submit(self) -> None:
        target = self.address.get().strip()
        if not target:
            self.host.say(self.look.tr("Type a name such as daily, or an address such as sip:daily@example.org."), "warning")
            self.address.focus_set()
        elif self._mode == "join":
            self.host.send(OpenPrejoin(with_pin(target, self.pin.get())))
        else:
            self.host.send(Dial(target))

    def _arrange(self) -> None:
        px = self.look.px
        wide = self.winfo_width() >= px(NARROW)
        tall = self.winfo_height() >= px(600)
        arranged = "beside" if wide else "below" if tall else "alone"
        if arranged == self._arranged:
            return
        self._arranged = arranged
        self._start.grid(row=0, column=0, sticky="nsew")
        self.places.pack_forget()
        if arranged == "alone":
            self._places.grid_remove()
            self.places.pack(side="right", before=self.account)
        elif arranged == "beside":
            self._places.grid(row=0, column=1, sticky="nsew", padx=(px(14), 0), pady=0)
            self._middle.grid_columnconfigure(1, minsize=px(310))
        else:
            self._places.grid(row=1, column=0, sticky="nsew", padx=0, pady=(px(12), 0))
            self._middle.grid_columnconfigure(1, minsize=0)
        self._middle.grid_rowconfigure(0, minsize=px(280 if arranged == "beside" else 0))
        self._middle.grid_rowconfigure(1, minsize=px(210 if arranged == "below" else 0))

    def _fit_line(self) -> None:
        text = self.look.elide(self._account_line, self.look.font(12.5), self.registration.winfo_width())
        self._whole_line.text = self._account_line if text != self._account_line else ""
        if self.registration.cget("text") != text:
            self.registration.configure(text=text)

    def draw(self, state: State, now: float) -> None:
        """Show account and places."""
        tr = self.look.tr
        wall = time.time()
        rows = tuple(_row(recent, wall, tr) for recent in state.recent[:MAX_ROWS])
        self.recent.show(rows)
        if rows:
            self._nothing.place_forget()
        else:
            self._nothing.place(relx=0.5, rely=0.5, anchor="center")
        line = account_line(state, tr)
        if line != self._account_line:
            self._account_line = line
            self._fit_line()
            self.account.change(text=state.display_name or state.account or tr("Sign in"))
            self._status.delete("all")
            colour = getattr(self.look.palette, STATUS[state.registration])
            if state.registration is not Registration.NONE:
                self._status.create_image(
                    self.look.px(7), self.look.px(7), image=widgets.disc_picture(self.look, self.look.px(9), colour)
                )
            self.registration.configure(fg=colour if state.registration is Registration.FAILED else self.look.palette.muted)

    def focus_first(self) -> None:
        """On the field for the address."""
        self.address.focus_set()


def _row(recent: Recent, wall: float, tr: Translator) -> Row:
    address = without_pin(recent.uri)
    title = plain(recent.title or address)
    moment = when(recent.when, wall, tr)
    line = address.removeprefix("sip:") + (f" · {moment}" if moment else "")
    return Row(recent.uri, title, title, line, "lock" if recent.has_pin else "", "muted")


def account_line(state: State, tr: Translator) -> str:
    """The state of the account in words."""
    who = f"{state.account}@{state.server}" if state.account and state.server else state.account
    match state.registration:
        case Registration.REGISTERED:
            how = tr("encrypted") if state.is_signalling_protected else tr("not encrypted")
            return tr("Signed in as {who}", who=who) + f" · {how}"
        case Registration.TRYING:
            return tr("Signing in as {who} …", who=who)
        case Registration.FAILED:
            return tr("Not signed in: {why}", why=tr.sentence(state.registration_text))
    return tr("Not signed in")
