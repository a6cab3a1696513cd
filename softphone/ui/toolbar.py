"""The buttons below a meeting. Those that don't fit go into "More", the least needed first, as in Jitsi Meet."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from softphone.model import Leave, Meeting, SetHold, State
from softphone.ui import layout, widgets
from softphone.ui.button import Button
from softphone.ui.menu import Item
from softphone.ui.page import Host
from softphone.ui.person import meeting_items

HEIGHT = 60
GAP = 8
ALWAYS_IN_MORE = ("invite", "transfer", "full_screen", "settings", "help")
OF_A_CONFERENCE, OF_A_CALL = ("invite",), ("transfer",)
"""What "More" offers in one of the two alone."""
OF_ORDERS = ("chat", "hand")
"""Buttons for meetings whose server takes texts and verbs."""


class Toolbar(tk.Frame):
    """Mute, video, People, Chat, hand, Stats, Keypad, Hold, view, More, Leave. "Start video" is there where there are
    pictures, Chat and the hand where the server takes texts and verbs."""

    def __init__(self, master: tk.Misc, host: Host) -> None:
        self.host, self.look = host, host.look
        super().__init__(master, bg=widgets.background_of(master), height=host.look.px(HEIGHT))
        self.grid_propagate(False)
        self._row = widgets.box(self)
        self._row.place(relx=0.5, rely=0.5, anchor="center")
        self._meeting: Meeting | None = None
        tr, do = host.look.tr, host.do
        self.mute = self._button(tr("Mute"), "mic", lambda: do("mute"), arrow=self._open_devices, width=104)
        self.video = self._button(tr("Start video"), "camera_off", lambda: do("video"), arrow=self._open_cameras, width=112)
        self.share = self._button(tr("Share screen"), "share", lambda: do("share"))
        self.people = self._button(tr("People"), "people", lambda: do("people"))
        self.chat = self._button(tr("Chat"), "chat", lambda: do("chat"))
        self.hand = self._button(tr("Raise hand"), "hand", lambda: do("hand"))
        self.keypad = self._button(tr("Keypad"), "keypad", lambda: do("keypad"))
        self.stats = self._button(tr("Stats"), "stats", lambda: do("stats"))
        self.hold = self._button(tr("Hold"), "pause", lambda: do("hold"))
        self.view = self._button(tr("Speaker view"), "speaker_view", lambda: do("view"))
        self.more = self._button(tr("More"), "more", self._open_more)
        self.leave = self._button(tr("Leave"), "hang_up", self._leave, kind="danger", width=92)
        self.foldable = self._every = {
            "share": self.share,
            "people": self.people,
            "chat": self.chat,
            "hand": self.hand,
            "keypad": self.keypad,
            "stats": self.stats,
            "hold": self.hold,
            "view": self.view,
        }
        self.has_video = False
        self.folded: list[str] = []
        self._arranged: object = None
        self.bind("<Configure>", lambda _event: self._arrange())

    def _button(
        self,
        text: str,
        icon: str,
        command: Callable[[], None],
        *,
        kind: str = "plain",
        width: int = 0,
        arrow: Callable[[], None] | None = None,
    ) -> Button:
        return Button(
            self._row,
            self.look,
            text,
            command,
            icon=icon,
            kind=kind,
            column=True,
            height=HEIGHT,
            width=width,
            arrow=arrow,
            radius=12,
        )

    def draw(self, state: State, meeting: Meeting, panel_tab: str, is_speaker_view: bool, has_keypad: bool,
             unread: int = 0) -> None:
        """Show a meeting. panel_tab: people, chat, stats or nothing; unread: texts that nobody has looked at."""
        tr = self.look.tr
        self._meeting = meeting
        self.foldable = {name: button for name, button in self._every.items() if meeting.has_orders or name not in OF_ORDERS}
        own = meeting.own
        is_hand_up = own is not None and bool(own.hand)
        self.hand.change(text=tr("Lower hand") if is_hand_up else tr("Raise hand"), kind="accent" if is_hand_up else "plain")
        self.chat.change(text=f"{tr('Chat')} ({unread})" if unread else tr("Chat"),
                         kind="accent" if panel_tab == "chat" else "plain")
        self.mute.change(
            text=tr("Unmute") if meeting.is_muted else tr("Mute"),
            icon="mic_off" if meeting.is_muted else "mic",
            kind="danger" if meeting.is_muted else "plain",
        )
        self.has_video = meeting.has_pictures and bool(state.cameras)
        self.video.change(
            text=tr("Stop video") if state.is_video_on else tr("Start video"),
            icon="camera" if state.is_video_on else "camera_off",
        )
        is_sharing = meeting.share is not None and meeting.share.is_own
        self.share.change(text=tr("Stop sharing") if is_sharing else tr("Share screen"),
                          icon="share_off" if is_sharing else "share", kind="accent" if is_sharing else "plain")
        self.people.change(kind="accent" if panel_tab == "people" else "plain")
        self.stats.change(kind="accent" if panel_tab == "stats" else "plain")
        self.keypad.change(kind="accent" if has_keypad else "plain")
        self.hold.change(
            text=tr("Resume") if meeting.is_held else tr("Hold"),
            icon="play" if meeting.is_held else "pause",
            kind="accent" if meeting.is_held else "plain",
        )
        self.view.change(
            text=tr("Gallery") if is_speaker_view else tr("Speaker view"), icon="gallery" if is_speaker_view else "speaker_view"
        )
        self.leave.change(text=tr("Leave") if meeting.is_conference else tr("Hang up"))
        self._arrange()

    def _arrange(self) -> None:
        px, available = self.look.px, self.winfo_width()
        if available <= 1:
            return
        fixed = self.mute.natural_width() + self.leave.natural_width() + 2 * px(GAP) + px(16)
        if self.has_video:
            fixed += self.video.natural_width() + px(GAP)
        widths = [button.natural_width() for button in self.foldable.values()]
        # "More" is always there: it holds what has no button at any width.
        room = available - fixed - self.more.natural_width() - px(GAP)
        count = layout.buttons_that_fit(widths, room, px(GAP))
        names = list(self.foldable)
        arranged = (count, names, widths, fixed)
        always = (self.mute, self.video) if self.has_video else (self.mute,)
        if arranged == self._arranged:
            return
        self._arranged, self.folded = arranged, names[count:]
        for button in (self.mute, self.video, *self._every.values(), self.more, self.leave):
            button.pack_forget()
        for button in (*always, *(self.foldable[name] for name in names[:count]), self.more, self.leave):
            button.pack(side="left", padx=(px(GAP + 14) if button is self.leave else px(GAP) // 2, px(GAP) // 2))

    def _open_devices(self) -> None:
        self.host.open_devices(self.mute)

    def _open_cameras(self) -> None:
        self.host.open_cameras(self.video)

    def _open_more(self) -> None:
        tr = self.look.tr
        names = {
            "invite": ("copy", tr("Copy invitation")),
            "transfer": ("transfer", tr("Transfer")),
            "full_screen": ("full_screen", tr("Full screen")),
            "settings": ("gear", tr("Settings")),
            "help": ("help", tr("Keyboard shortcuts")),
        }
        items = [Item(self.foldable[name].text, self._doing(name), icon=self.foldable[name].icon) for name in self.folded]
        is_call = self._meeting is None or not self._meeting.is_conference
        senseless = OF_A_CONFERENCE if is_call else OF_A_CALL
        always = [name for name in ALWAYS_IN_MORE if name not in senseless]
        items += meeting_items(self.host, self._meeting) if self._meeting is not None else []
        items += [Item(names[name][1], self._doing(name), icon=names[name][0]) for name in always]
        self.host.open_menu(self.more, items)

    def _doing(self, name: str) -> Callable[[], None]:
        return lambda: self.host.do(name)

    def _leave(self) -> None:
        if self._meeting is None or not (self._meeting.is_host and self._meeting.is_conference):
            self.host.send(Leave())
            return
        tr = self.look.tr
        self.host.open_menu(
            self.leave,
            [
                Item(tr("Leave"), lambda: self.host.send(Leave()), icon="hang_up"),
                Item(tr("End for all"), lambda: self.host.send(Leave(end_for_all=True)), icon="close", kind="danger"),
            ],
        )


def toggled_hold(meeting: Meeting) -> SetHold:
    """The command that the button "Hold" or "Resume" gives."""
    return SetHold(not meeting.is_held)
