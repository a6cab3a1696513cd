"""What stands at the right of a meeting: people, chat or statistics; below them the own level and the invitation."""

from __future__ import annotations

import tkinter as tk

from softphone.meeting_orders import WaitingPerson
from softphone.model import Meeting, Quality
from softphone.ui import widgets
from softphone.ui.button import Button
from softphone.ui.chat import Chat
from softphone.ui.page import Host
from softphone.ui.person import person_items, waiting_items
from softphone.ui.rows import Row, RowList
from softphone.ui.sparklines import Sparklines
from softphone.ui.theme import Look
from softphone.ui.voices import key_of
from softphone.ui.widgets import Meter
from softphone.ui.words import figures, member_line, member_name, picture_figures, plain

WIDTH = 300
LEAST_STEP = 17
"""Between two lines of figures; where there is no room for that, the figures stand without how they went."""
SEARCH_FROM = 8
"""From so many people on there is a field to find one."""
WAITING = "waiting:"
"""What the keys of rows of the lobby begin with."""


class Panel(tk.Frame):
    """People, chat and statistics. `tab` is the one that is shown: people, chat or stats; unread: texts that came meanwhile;
    texts_read: others' that were looked at."""

    def __init__(self, master: tk.Misc, host: Host, texts_read: int = 0) -> None:
        self.host, self.look = host, host.look
        look, tr = host.look, host.look.tr
        super().__init__(master, bg=look.palette.window, width=look.px(WIDTH))
        self.pack_propagate(False)
        card = widgets.panel(self, look)
        card.pack(fill="both", expand=True)
        tabs = widgets.box(card)
        tabs.pack(fill="x", padx=look.px(12), pady=(look.px(12), look.px(8)))
        self.people_tab = Button(tabs, look, tr("People"), lambda: self.choose("people"), height=34, size=13.5, kind="quiet")
        self.stats_tab = Button(tabs, look, tr("Stats"), lambda: self.choose("stats"), height=34, size=13.5, kind="quiet")
        self.chat_tab = Button(tabs, look, tr("Chat"), lambda: self.choose("chat"), height=34, size=13.5, kind="quiet")
        for tab in (self.people_tab, self.stats_tab):
            tab.pack(side="left", fill="x", expand=True, padx=look.px(2))
        self._foot(card)
        self._middle = widgets.box(card)
        self._middle.pack(fill="both", expand=True, padx=look.px(10))
        self.search = widgets.entry(self._middle, look, tr("Find a person"))
        self.search.bind("<KeyRelease>", lambda _event: self._filter())
        self.roster = RowList(self._middle, look, self._open_person)
        self.chat = Chat(self._middle, host)
        self.stats = Stats(self._middle, look)
        self.tab = ""
        self.unread = 0
        self.texts_read = texts_read
        self._meeting: Meeting | None = None
        self._rows: tuple[Row, ...] = ()
        self.choose("people")

    def _foot(self, card: tk.Misc) -> None:
        look, tr = self.look, self.look.tr
        foot = widgets.box(card)
        foot.pack(side="bottom", fill="x", padx=look.px(14), pady=look.px(14))
        self.invite = Button(foot, look, tr("Copy invitation"), lambda: self.host.do("invite"), icon="copy", height=40)
        self._own = widgets.label(foot, look, tr("Mic"), 13)
        self._own.pack(side="left", padx=(look.px(2), look.px(10)))
        self.meter = Meter(foot, look, 11)
        self.meter.pack(side="left", fill="x", expand=True)

    def choose(self, tab: str) -> None:
        """Show people, chat or stats."""
        if tab == self.tab:
            return
        self.tab = tab
        self.people_tab.change(kind="plain" if tab == "people" else "quiet")
        self.chat_tab.change(kind="plain" if tab == "chat" else "quiet")
        self.stats_tab.change(kind="plain" if tab == "stats" else "quiet")
        for widget in (self.search, self.roster, self.chat, self.stats):
            widget.pack_forget()
        if tab == "people":
            self._place_search()
            self.roster.pack(fill="both", expand=True)
        elif tab == "chat":
            self.chat.pack(fill="both", expand=True)
        else:
            self.stats.pack(fill="both", expand=True)

    def _place_search(self) -> None:
        wanted = self.tab == "people" and len(self._rows) >= SEARCH_FROM
        if wanted and not self.search.winfo_manager():
            self.search.pack(
                fill="x",
                padx=self.look.px(2),
                pady=(0, self.look.px(8)),
                before=self.roster if self.roster.winfo_manager() else None,
            )
        elif not wanted and self.search.winfo_manager():
            self.search.pack_forget()

    def _place_invite(self, wanted: bool) -> None:
        if wanted and not self.invite.winfo_manager():
            self.invite.pack(side="bottom", fill="x", pady=(self.look.px(14), 0), before=self._own)
        elif not wanted and self.invite.winfo_manager():
            self.invite.pack_forget()

    def _filter(self) -> None:
        wanted = self.search.get().strip().casefold() if self.search.winfo_manager() else ""
        self.roster.show(
            tuple(row for row in self._rows if wanted in row.title.casefold() or wanted in row.subtitle.casefold())
        )

    def draw(self, meeting: Meeting, talking: frozenset[str]) -> None:
        """Show people and figures of a meeting. talking: the keys of who talks now."""
        tr = self.look.tr
        self._meeting = meeting
        self._place_invite(meeting.is_conference and self.tab != "chat")
        rows = tuple(self._waiting_row(person) for person in meeting.lobby)
        rows += tuple(self._row(meeting, index, talking) for index in _in_order(meeting))
        if rows != self._rows:
            self._rows = rows
            self.people_tab.change(text=f"{tr('People')} {len(meeting.members)}")
            self._place_search()
            self._filter()
        self._draw_chat(meeting)
        self.stats.draw(meeting)

    def _draw_chat(self, meeting: Meeting) -> None:
        if meeting.has_orders and not self.chat_tab.winfo_manager():
            self.chat_tab.pack(side="left", fill="x", expand=True, padx=self.look.px(2), before=self.stats_tab)
        self.chat.draw(meeting)
        count = sum(not line.is_own for line in meeting.chat)
        self.texts_read = count if self.tab == "chat" and self.winfo_ismapped() else min(self.texts_read, count)
        self.unread = count - self.texts_read
        self.chat_tab.change(text=f"{self.look.tr('Chat')} ({self.unread})" if self.unread else self.look.tr("Chat"))

    def read(self) -> None:
        """The chat is looked at."""
        if self._meeting is not None:
            self._draw_chat(self._meeting)

    def _waiting_row(self, person: WaitingPerson) -> Row:
        words = self.look.tr("waits in the lobby")
        return Row(f"{WAITING}{person.id}", person.name, plain(person.name), words, "clock", "muted")

    def _open_person(self, key: str) -> None:
        """The menu of who was clicked."""
        meeting = self._meeting
        if meeting is None:
            return
        waiting = next((one for one in meeting.lobby if f"{WAITING}{one.id}" == key), None)
        member = next((one for one in meeting.members if key_of(one) == key), None)
        items = waiting_items(self.host, waiting) if waiting is not None else (
            person_items(self.host, meeting, member) if member is not None else [])
        if items:
            self.host.open_menu(self.roster.place_of(key), items)

    def _row(self, meeting: Meeting, index: int, talking: frozenset[str]) -> Row:
        member, tr = meeting.members[index], self.look.tr
        is_talking = key_of(member) in talking
        is_muted = meeting.is_muted if member.is_self else member.is_muted
        icon, kind = ("mic_off", "danger") if is_muted else ("mic", "plain")
        if member.hand:
            icon, kind = "hand", "accent"
        return Row(
            key_of(member),
            plain(member.name or member.uri),
            member_name(member, tr),
            member_line(member, is_talking, tr),
            icon,
            kind,
            is_talking,
        )


def _in_order(meeting: Meeting) -> list[int]:
    """The members' places: ourselves, then who has raised a hand, in the order of raising, then the others."""
    members = meeting.members
    return sorted(range(len(members)), key=lambda at: (not members[at].is_self, members[at].hand or 1 << 31, at))


class Stats(tk.Canvas):
    """The figures of the call, how they went over the last minute, and the pictures that are sent and seen."""

    def __init__(self, master: tk.Misc, look: Look) -> None:
        super().__init__(master, bg=widgets.background_of(master), bd=0, highlightthickness=0, width=1, height=1)
        self.look = look
        self._quality: Quality | None = None
        self._names: dict[str, str] = {}
        self._lines = Sparklines(look)
        for sequence in ("<Configure>", "<Map>"):
            self.bind(sequence, lambda _event: self._redraw())

    def draw(self, meeting: Meeting) -> None:
        """Show the newest figures."""
        if meeting.quality is not self._quality:
            self._quality = meeting.quality
            self._names = {key_of(member): plain(member.name or member.uri) for member in meeting.members}
            self._lines.add(meeting.quality)
            self._redraw()

    def _redraw(self) -> None:
        self.delete("all")
        if self._quality is None or not self.winfo_ismapped():
            return
        px, top = self.look.px, self.look.px(16)
        rows = figures(self._quality, self.look.tr) + picture_figures(self._quality, self._names, self.look.tr)
        room = self.winfo_height() - top - px(9)
        if room - self._lines.height() >= (len(rows) - 1) * px(LEAST_STEP):
            self._lines.draw(self, px(4), self.winfo_width())
            top, room = top + self._lines.height(), room - self._lines.height()
        step = max(px(LEAST_STEP), min(px(26), room // max(1, len(rows) - 1)))
        for name, figure in rows:
            self._draw_row(top, name, figure)
            top += step

    def _draw_row(self, top: int, name: str, figure: str) -> None:
        look, px, palette = self.look, self.look.px, self.look.palette
        width, bold = self.winfo_width(), look.font(13, True)
        text = look.elide(figure, bold, width - px(84))
        shown = look.elide(name, look.font(13), width - px(24) - bold.measure(text))
        self.create_text(px(8), top, anchor="w", text=shown, font=look.font(13), fill=palette.muted)
        self.create_text(width - px(8), top, anchor="e", text=text, font=bold, fill=palette.text, tags="figure")
