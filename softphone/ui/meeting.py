"""The page of a meeting: header, gallery, panel, toolbar."""

from __future__ import annotations

from softphone.board import STAGE, PictureBoard, Place
from softphone.model import Meeting, State
from softphone.ui.faces import Face, faces_of
from softphone.ui.header import Header
from softphone.ui.page import Host, Page
from softphone.ui.panel import Panel
from softphone.ui.share import SharingBar
from softphone.ui.stage import Stage
from softphone.ui.tiles import Gallery
from softphone.ui.toolbar import Toolbar
from softphone.ui.voices import Voices, with_people
from softphone.ui.waiting import WaitingSign

SILENT_DBOV = -127
STRIP = 132
"""Height of the people below a shared screen."""
ROOMY = 820
"""From this width on the panel is open from the start."""


class MeetingPage(Page):
    """What one sees in a call or conference. `panel_tab` is people, chat, stats, or empty while the panel is away; texts_read:
    so many of the chat were looked at before."""

    def __init__(self, host: Host, panel_tab: str | None = None, is_speaker_view: bool = False,
                 texts_read: int = 0) -> None:
        super().__init__(host)
        look = self.look
        self.voices = Voices()
        self.has_keypad = False
        self._now = 0.0
        self._drawn: tuple[Meeting | None, frozenset[str], frozenset[str]] = (None, frozenset(), frozenset())
        self._extra: frozenset[str] = frozenset()
        self._places: dict[str, Place] = {}
        self.header = Header(self, look)
        self.gallery = Gallery(self, look, self._pin)
        self.sharing = SharingBar(self, host)
        self.stage = Stage(self, look)
        self.waiting = WaitingSign(self, look)
        self.panel = Panel(self, host, texts_read)
        self.toolbar = Toolbar(self, host)
        self.gallery.is_speaker_view = is_speaker_view
        self.columnconfigure(0, weight=1)
        self.rowconfigure(3, weight=1)
        edge = look.px(16)
        self.header.grid(row=0, column=0, columnspan=2, sticky="ew", padx=edge, pady=(look.px(2), 0))
        self.sharing.grid(row=1, column=0, columnspan=2, sticky="ew", padx=edge, pady=(0, look.px(8)))
        self.sharing.grid_remove()
        self.stage.grid(row=2, column=0, sticky="nsew", padx=(edge, edge), pady=(0, look.px(10)))
        self.stage.grid_remove()
        self._has_stage = self._is_waiting = False
        self.gallery.grid(row=3, column=0, sticky="nsew", padx=(edge, edge))
        self.toolbar.grid(row=4, column=0, columnspan=2, sticky="ew", padx=look.px(8), pady=look.px(12))
        is_roomy = look.root.winfo_toplevel().winfo_width() >= look.px(ROOMY)
        self.panel_tab = ("people" if is_roomy else "") if panel_tab is None else panel_tab
        self._place_panel()

    @property
    def has_chat(self) -> bool:
        """Whether one can write in this meeting."""
        meeting = self.host.state.meeting
        return meeting is not None and meeting.has_orders

    def toggle_panel(self, tab: str) -> None:
        """Show the panel with a tab, or put it away when that tab is what it shows."""
        self.panel_tab = "" if self.panel_tab == tab else tab
        self._place_panel()
        if self.panel_tab == "chat":
            self.after_idle(self.panel.chat.field.focus_set)
        elif tab == "chat":
            self.focus_set()

    def toggle_view(self) -> None:
        """Change between gallery and speaker view; whoever was pinned is so no more."""
        self.gallery.pinned = ""
        self.gallery.set_speaker_view(not self.gallery.is_speaker_view)

    def _pin(self, key: str) -> None:
        """A tile was clicked: show it large, or all alike again."""
        self.gallery.pin(key)

    def show_pictures(self, board: PictureBoard) -> None:
        """See Page."""
        fresh = board.take()
        self._extra = board.shown() & {STAGE}
        if self._extra != self._drawn[2]:
            self.draw(self.host.state, self._now)
        for key, rgb in fresh.items():
            self.gallery.show_picture(key, rgb)
        places = self.gallery.places() if self.winfo_viewable() else {}
        if places != self._places:
            self._places = places
            board.want(places)

    def _faces(self, meeting: Meeting, talking: frozenset[str]) -> dict[str, Face]:
        """The tile of a picture that is nobody's own, then those of the people."""
        stage = {STAGE: Face(meeting.title, meeting.title)} if STAGE in self._extra else {}
        return stage | faces_of(meeting, talking, self.look.tr)

    def _place_panel(self) -> None:
        px = self.look.px
        if self.panel_tab:
            self.panel.choose(self.panel_tab)
            self.panel.grid(row=2, column=1, rowspan=2, sticky="ns", padx=(0, px(16)))
            right = px(12)
        else:
            self.panel.grid_remove()
            right = px(16)
        main = self.waiting if self._is_waiting else self.gallery
        main.grid_configure(padx=(px(16), right))
        if self._has_stage:
            self.stage.grid_configure(padx=(px(16), right))

    def _place_stage(self, is_wanted: bool) -> None:
        """A shared screen takes the place of the gallery, which becomes a strip below it."""
        if is_wanted == self._has_stage:
            return
        self._has_stage = is_wanted
        self.rowconfigure(2, weight=1 if is_wanted else 0)
        self.rowconfigure(3, weight=0 if is_wanted else 1)
        self.gallery.configure(height=self.look.px(STRIP) if is_wanted else 1)
        if is_wanted:
            self.stage.grid()
        else:
            self.stage.grid_remove()
        self._place_panel()

    def _place_waiting(self, is_waiting: bool) -> None:
        """In the lobby a sign takes the place of the gallery."""
        if is_waiting == self._is_waiting:
            return
        self._is_waiting = is_waiting
        if is_waiting:
            self.gallery.grid_remove()
            self.waiting.grid(row=3, column=0, sticky="nsew")
        else:
            self.waiting.grid_remove()
            self.gallery.grid()
        self._place_panel()

    def draw(self, state: State, now: float) -> None:
        """Show the meeting as it is."""
        meeting = with_people(state)
        if meeting is None:
            return
        self._now = now
        talking = self.voices.update(meeting, state.microphone_level_dbov, now)
        self.header.show(meeting, now)
        self._place_waiting(meeting.is_waiting)
        self.sharing.draw(meeting.share)
        shown = meeting.share if meeting.share is not None and not meeting.share.is_own else None
        self._place_stage(shown is not None)
        self.stage.draw(shown)
        if self.panel_tab == "chat" and self.panel.unread:
            self.panel.read()
        drawn = (meeting, talking, self._extra)
        if meeting is not self._drawn[0] or drawn[1:] != self._drawn[1:]:
            self._drawn = drawn
            self.gallery.show(self._faces(meeting, talking), self.voices.latest)
            self.panel.draw(meeting, talking)
        if self.panel_tab:
            self.panel_tab = self.panel.tab
            self.panel.meter.show(SILENT_DBOV if meeting.is_muted else state.microphone_level_dbov)
        self.toolbar.draw(state, meeting, self.panel_tab, self.gallery.is_speaker_view, self.has_keypad,
                          self.panel.unread)

    def draw_pictures(self, state: State) -> None:
        """Show pictures that came, between two times that the state is drawn."""
        share = state.meeting.share if state.meeting is not None else None
        if share is not None and not share.is_own:
            self.stage.draw(share)

    def focus_first(self) -> None:
        """On the page itself, so that the keys work."""
        self.focus_set()
