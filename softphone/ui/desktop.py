"""What the window shows of desktops: the question to the owner, the bar below the page, the frame, the other's desktop.

Each part is drawn from `model.DesktopState` and gives commands; none of them waits for the network.
"""

from __future__ import annotations

import tkinter as tk

from softphone.model import (
    AnswerControl,
    AskForControl,
    CloseDesktop,
    ControlRequest,
    CopyToDesktop,
    DesktopState,
    ReleaseControl,
    State,
    TakeBackControl,
)
from softphone.ui import widgets
from softphone.ui.button import Button
from softphone.ui.card import Card
from softphone.ui.desktop_window import DesktopWindow, clipboard_of
from softphone.ui.page import Host
from softphone.ui.screen_frame import ScreenFrame
from softphone.ui.words import plain

NOBODY = DesktopState()


class ConsentCard(Card):
    """Somebody asks to control our desktop: allow control, allow looking, or deny. To close it is to deny."""

    def __init__(self, host: Host, request: ControlRequest) -> None:
        look, tr = host.look, host.look.tr
        self.request = request
        super().__init__(host, tr("Control of your desktop"), lambda: self._answer("deny"), 470)
        name = plain(request.name) or tr("Somebody")
        widgets.label(self.body, look, tr("{name} asks to control your desktop.", name=name), 15, bold=True,
                      wrap=self.field_width()).pack(anchor="w", pady=(look.px(4), look.px(6)))
        words = tr("Whoever controls it can do all that you can do. Press Escape twice, or move your mouse, to take it back. "
                   "Without an answer it is refused after 30 seconds.")
        widgets.label(self.body, look, words, 13, muted=True, wrap=self.field_width()).pack(anchor="w", pady=(0, look.px(14)))
        self.clipboard = widgets.Switch(self.body, look, tr("Share the clipboard, too"), False, lambda _: None)
        self.clipboard.pack(anchor="w", pady=(0, look.px(14)))
        row = widgets.box(self.body)
        row.pack(anchor="e")
        answers = ((tr("Allow control"), "danger", "control"), (tr("Allow view"), "plain", "view"),
                   (tr("Deny"), "plain", "deny"))
        self.buttons = {answer: self._button(row, words, kind, answer) for words, kind, answer in answers}

    def _button(self, row: tk.Misc, words: str, kind: str, answer: str) -> Button:
        button = Button(row, self.look, words, lambda: self._answer(answer), kind=kind)
        button.pack(side="left", padx=(self.look.px(8), 0))
        return button

    def _answer(self, answer: str) -> None:
        has_clipboard = answer == "control" and self.clipboard.is_on
        self.host.send(AnswerControl(self.request.request_id, answer, has_clipboard))
        self.destroy()

    def open(self) -> None:
        """See Card. The window comes to the front, for whoever shares looks at something else."""
        super().open()
        root = self.look.root
        root.deiconify()
        root.attributes("-topmost", True)
        root.lift()
        root.after(500, lambda: root.attributes("-topmost", False))
        root.bell()

    def focus_first(self) -> None:
        """On the safe answer."""
        self.buttons["deny"].focus_set()


class DesktopBar(tk.Frame):
    """The line below the page: whose screen is shared, who controls it, and what can be done about that."""

    def __init__(self, host: Host) -> None:
        self.host, self.look = host, host.look
        super().__init__(host.look.root, bg=host.look.palette.window)
        self.text = ""
        self.button: Button | None = None
        self._shown: object = None

    def draw(self, desktop: DesktopState) -> None:
        """Show the bar, or nothing."""
        text, words, kind, command = self._content(desktop)
        if (text, words) == self._shown:
            return
        self._shown = (text, words)
        for child in self.winfo_children():
            child.destroy()
        self.text, self.button = text, None
        if not text:
            self.grid_remove()
            return
        look = self.look
        card = widgets.panel(self, look, 10, look.palette.raised)
        card.pack(fill="x", padx=look.px(16), pady=(0, look.px(8)))
        if command is not None:
            self.button = Button(card, look, words, lambda: self.host.send(command), kind=kind, height=34)
            self.button.pack(side="right", padx=look.px(10), pady=look.px(6))
        widgets.label(card, look, text, 13.5).pack(side="left", padx=look.px(14), pady=look.px(8))
        self.grid(row=3, column=0, sticky="ew")

    def _content(self, desktop: DesktopState
                 ) -> tuple[str, str, str, AskForControl | ReleaseControl | TakeBackControl | None]:
        tr = self.look.tr
        controller, sharer = plain(desktop.controller), plain(desktop.sharer)
        if desktop.is_ours and desktop.controller:
            text = tr("{name} controls your desktop. Press Escape twice, or move your mouse, to take it back.", name=controller)
            return text, tr("Take back"), "danger", TakeBackControl()
        if desktop.is_ours and desktop.viewers:
            return tr("{name} sees your desktop.", name=plain(", ".join(desktop.viewers))), "", "plain", None
        if not desktop.sharer or desktop.is_ours or not desktop.is_possible:
            return "", "", "plain", None
        text = tr("{name} shares the screen.", name=sharer)
        if desktop.may_act:
            return tr("You control the desktop of {name}.", name=sharer), tr("Release"), "plain", ReleaseControl()
        if desktop.is_asking:
            return f"{text} {tr('You have asked for control.')}", tr("Cancel"), "plain", ReleaseControl()
        return text, tr("Ask for control"), "accent", AskForControl()


class DesktopParts:
    """All of it for one window."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.card: ConsentCard | None = None
        self.bar = DesktopBar(host)
        self.frame: ScreenFrame | None = None
        self.window: DesktopWindow | None = None
        self._copied = ""

    def draw(self, state: State) -> None:
        """Show the state of now."""
        desktop = state.meeting.desktop if state.meeting is not None else NOBODY
        self.bar.draw(desktop)
        self._draw_card(desktop)
        self._draw_frame(desktop)
        self._draw_window(desktop)
        if desktop.has_clipboard:
            self._look_at_clipboard()

    def take_text(self, text: str) -> None:
        """A text was copied at the other end: it is for our clipboard, when that is wanted here."""
        if self.window is not None and not self.window.has_clipboard:
            return
        self._copied = text
        if self.window is not None:
            self.window.copied = text
        root = self.host.look.root
        root.clipboard_clear()
        root.clipboard_append(text)

    def _look_at_clipboard(self) -> None:
        """What was copied here since the last time goes to who acts on our desktop."""
        text = clipboard_of(self.host.look.root)
        if text and text != self._copied:
            self._copied = text
            self.host.send(CopyToDesktop(text))

    def close(self) -> None:
        """Take everything away."""
        for part in (self.card, self.frame, self.window):
            if part is not None:
                part.destroy()
        self.card = self.frame = self.window = None

    def _draw_card(self, desktop: DesktopState) -> None:
        request = desktop.requests[0] if desktop.requests else None
        if self.card is not None and (request is None or self.card.request != request):
            self.card.destroy()
            self.card = None
        if request is not None and self.card is None:
            self.card = ConsentCard(self.host, request)
            self.card.open()

    def _draw_frame(self, desktop: DesktopState) -> None:
        name = plain(desktop.controller) if desktop.is_ours else ""
        if self.frame is not None and self.frame.name != name:
            self.frame.destroy()
            self.frame = None
        if name and self.frame is None:
            self.frame = ScreenFrame(self.host.look, name)

    def _draw_window(self, desktop: DesktopState) -> None:
        if self.window is not None and self.window.view is not desktop.view:
            self.window.destroy()
            self.window = None
        if desktop.view is not None and desktop.view_size != (0, 0):
            if self.window is None:
                self.window = DesktopWindow(self.host, desktop, lambda: self.host.send(CloseDesktop()))
            self.window.show(desktop)
