"""The page before joining: is the microphone heard, is one seen, which devices, under what name, muted or not."""

from __future__ import annotations

import tkinter as tk
from typing import Any

from softphone.board import PictureBoard
from softphone.model import ClosePrejoin, Dial, SetVideo, State
from softphone.ui import widgets
from softphone.ui.button import Button
from softphone.ui.device_menu import DeviceChoice
from softphone.ui.page import Host, Page
from softphone.ui.preview import Preview
from softphone.ui.widgets import Meter
from softphone.ui.words import without_pin

HEARD_DBOV = -45
WIDTH = 380
PREVIEW = 300


class PrejoinPage(Page):
    """What one sees between choosing a room and being in it."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        look, tr = self.look, self.look.tr
        self._was_heard = False
        self.is_muted = bool(host.state.settings.get("join_muted", False))
        card = widgets.panel(self, look, 18)
        card.place(relx=0.5, rely=0.5, anchor="center")
        inside = widgets.box(card)
        inside.pack(padx=look.px(28), pady=look.px(20))
        self.title = widgets.label(inside, look, tr("Ready to join?"), 20, bold=True)
        self.title.pack(anchor="w")
        self.target = widgets.label(inside, look, "", 13, muted=True)
        self.target.pack(anchor="w", pady=(look.px(2), look.px(12)))
        self.preview = Preview(inside, look, PREVIEW)
        row = self._row = widgets.box(inside)
        row.pack(fill="x")
        self.meter = Meter(row, look, 12)
        self.meter.pack(side="left", fill="x", expand=True)
        self.advice = widgets.label(inside, look, "", 12.5, muted=True, wrap=WIDTH)
        self.advice.pack(anchor="w", pady=(look.px(5), look.px(10)))
        self.devices = DeviceChoice(inside, host, WIDTH)
        self.devices.pack(fill="x")
        line = widgets.box(inside)
        line.pack(fill="x", pady=(look.px(14), 0))
        self._line = line
        widgets.label(line, look, tr("Your name"), 13.5, muted=True).pack(side="left", padx=(0, look.px(12)))
        self.name = widgets.entry(line, look, tr("Your name"), width=240)
        self.name.pack(side="right", fill="x", expand=True)
        self.name.bind("<Return>", lambda _event: self._join())
        if host.state.display_name or host.state.account:
            self.name.insert(0, host.state.display_name or host.state.account)
        self.muted = widgets.Switch(inside, look, tr("Join with the microphone muted"), self.is_muted, self._set_muted)
        self.muted.pack(anchor="w", pady=(look.px(12), look.px(4)))
        cameras = self._cameras = widgets.box(inside)
        self.video = widgets.Switch(cameras, look, tr("Join with the camera on"), host.state.is_video_on, self._set_video)
        self.video.pack(side="left")
        self.camera = Button(cameras, look, "", lambda: host.open_cameras(self.camera), icon="chevron_down", kind="quiet",
                             width=34, height=30)
        self.camera.pack(side="right")
        buttons = widgets.box(inside)
        buttons.pack(fill="x", pady=(look.px(8), 0))
        self._buttons = buttons
        self.join = Button(buttons, look, tr("Join now"), self._join, kind="accent", icon="join", width=190, height=44)
        self.join.pack(side="right")
        self.cancel = Button(buttons, look, tr("Cancel"), lambda: host.send(ClosePrejoin()), width=120, height=44)
        self.cancel.pack(side="left")

        self._card = card
        self._drawn: tuple[bool, bool] | None = None
        self.bind("<Configure>", lambda _event: self._fit())

    def _fit(self) -> None:
        """Leave the picture out, and the devices, where the window is too low for all; the meeting's toolbar has them, too."""
        state, height = self.host.state, self.winfo_height()
        rest = self._card.winfo_reqheight()
        for part in (self.preview, self.devices):
            rest -= part.winfo_reqheight() if part.winfo_manager() else 0
        has_devices = rest + self.devices.winfo_reqheight() <= height
        room = height - rest - (self.devices.winfo_reqheight() if has_devices else 0)
        has_preview = bool(state.cameras) and state.is_video_on and self.preview.winfo_reqheight() + self.look.px(10) <= room
        _place(self.devices, has_devices, fill="x", before=self._line)
        _place(self.preview, has_preview, before=self._row, pady=(0, self.look.px(10)))
        _place(self._cameras, bool(state.cameras), fill="x", before=self._buttons)

    def show_pictures(self, board: PictureBoard) -> None:
        """See Page."""
        self.preview.watch(board, bool(self.preview.winfo_manager()) and bool(self.winfo_viewable()))

    def _set_video(self, is_on: bool) -> None:
        self.host.send(SetVideo(is_on))

    def _set_muted(self, is_muted: bool) -> None:
        self.is_muted = is_muted

    def _join(self) -> None:
        name = self.name.get().strip()
        self.host.send(Dial(self.host.state.target, muted=self.is_muted, display_name=name))

    def draw(self, state: State, now: float) -> None:
        """Show level, devices and address."""
        tr = self.look.tr
        self.meter.show(state.microphone_level_dbov)
        self._was_heard = self._was_heard or state.microphone_level_dbov >= HEARD_DBOV
        advice = (
            tr("Your microphone is heard.") if self._was_heard else tr("Say something: the bar shows whether you are heard.")
        )
        if self.advice.cget("text") != advice:
            self.advice.configure(text=advice, fg=self.look.palette.success_ink if self._was_heard else self.look.palette.muted)
        target = self.look.elide(without_pin(state.target), self.look.font(13), self.look.px(WIDTH))
        if self.target.cget("text") != target:
            self.target.configure(text=target)
        self.devices.draw(state)
        if self.video.is_on != state.is_video_on:
            self.video.show(state.is_video_on)
        drawn = (state.is_video_on, bool(state.cameras))
        if drawn != self._drawn and self.winfo_height() > 1:
            self._drawn = drawn
            self._fit()

    def focus_first(self) -> None:
        """On "Join now"."""
        self.join.focus_set()


def _place(part: tk.Widget, is_wanted: bool, **how: Any) -> None:
    """Pack a part, or take it away, where it is not so already."""
    if is_wanted and not part.winfo_manager():
        part.pack(**how)
    elif not is_wanted and part.winfo_manager():
        part.pack_forget()
