"""The window: takes events every 30 ms, reduces them to the state, draws the page that the state names, gives commands.

All of it runs in the Tk thread and never waits: the network lives behind `softphone.bridge`. A fault in a callback is logged
and shown in the banner; it never ends the window.
"""

from __future__ import annotations

import logging
import time
import tkinter as tk
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType

import customtkinter as ctk
from PIL import ImageTk

from softphone.bridge import Bridge
from softphone.meeting_orders import GiveOrder
from softphone.model import (
    Banner,
    BannerDismissed,
    Command,
    Leave,
    OpenPrejoin,
    Quit,
    Screen,
    SetMuted,
    SetVideo,
    State,
    TextCopied,
    reduce,
)
from softphone.shares import StopShare
from softphone.ui import drawing, icons, keys, theme
from softphone.ui.bars import BannerBar, IncomingBar
from softphone.ui.calling import CallingPage
from softphone.ui.card import Card, Question
from softphone.ui.cards import HelpCard, KeypadCard, SettingsCard, SignInCard, TransferCard
from softphone.ui.collecting import collected_here
from softphone.ui.desktop import DesktopParts
from softphone.ui.device_menu import camera_items, device_items
from softphone.ui.home import HomePage
from softphone.ui.meeting import MeetingPage
from softphone.ui.menu import Anchor, Item, Menu
from softphone.ui.page import Page
from softphone.ui.prejoin import PrejoinPage
from softphone.ui.share import ShareCard
from softphone.ui.strings import Translator, language_of
from softphone.ui.theme import Look
from softphone.ui.toolbar import toggled_hold
from softphone.ui.words import plain, without_pin

logger = logging.getLogger(__name__)

TICK_MS = 30
SIZE = (1240, 760)
SMALLEST = (640, 420)
RELEASE_MS = 90
"""X repeats a held key as release and press; a release counts when no press follows within this time."""
CUT_OFF = "The phone has stopped by a fault; close the window and start it again."
LOOKS = ("theme", "language", "scale")
"""Settings that draw the window anew."""


def run(bridge: Bridge, *, initial: State, target: str | None = None) -> int:
    """Show the window until it is closed. target: an address to open the pre-join page for.

    Raises tkinter.TclError where there is no display. Gives back the exit status of the program.
    """
    window = Window(bridge, initial)
    if target:
        window.send(OpenPrejoin(target))
    with collected_here(window.root):
        window.root.mainloop()
    return 0


class Window:
    """The softphone's window; `root` is its Tk window. Implements `softphone.ui.page.Host`."""

    def __init__(self, bridge: Bridge, initial: State, size: tuple[int, int] = SIZE) -> None:
        ctk.deactivate_automatic_dpi_awareness()
        self.state = initial
        self.root = ctk.CTk(className="Confero")
        self.root.title("Confero")
        self.root.iconphoto(True, ImageTk.PhotoImage(icons.icon("logo", 64, drawing.rgba(theme.DARK.accent)), master=self.root))
        self.root.report_callback_exception = self._callback_failed
        self.root.protocol("WM_DELETE_WINDOW", self.ask_to_quit)
        self._bridge = bridge
        self._second = -1
        self._menu: Menu | None = None
        self._menu_anchor: Anchor | None = None
        self._menu_closed: tuple[Anchor | None, float] = (None, 0.0)
        self.card: Card | None = None
        self.page: Page | None = None
        self._screen: Screen | None = None
        self._panel_tab: str | None = None
        self._is_speaker_view = False
        self._texts_read = 0
        self._is_full_screen = False
        self._talking_since_key = False
        self._release_timer = ""
        self._is_cut_off = False
        self.is_open = True
        self.look = self._make_look()
        px = self.look.px
        width = min(px(size[0]), self.root.winfo_screenwidth())
        height = min(px(size[1]), self.root.winfo_screenheight())
        self.root.geometry(f"{width}x{height}")
        self._limit_size()
        self.root.update_idletasks()
        self._build()
        self.root.bind("<KeyPress>", self._key_pressed)
        self.root.bind("<KeyRelease-space>", self._space_released)
        self.root.bind("<FocusOut>", lambda _event: self._stop_talking())
        self.root.bind("<Button-1>", self._clicked)
        self._tick()

    # ---- what pages may ask for (Host)

    def send(self, command: Command) -> None:
        """Give a command to the agent; returns at once."""
        self._bridge.send(command)

    def say(self, text: str, kind: str = "info") -> None:
        """Show a line in the banner."""
        self._change(replace(self.state, banner=Banner(text, kind)))

    def open_menu(self, anchor: Anchor, items: Sequence[Item]) -> None:
        """Open a menu at a widget, or close it when it is open there."""
        closed, moment = self._menu_closed
        if self._menu is not None:
            self._menu.close()
        elif closed != anchor or time.monotonic() - moment > 0.4:
            self._menu, self._menu_anchor = Menu(self.look, anchor, items, self._menu_gone), anchor

    def open_devices(self, anchor: tk.Misc) -> None:
        """Open the menu of microphones and speakers."""
        self.open_menu(anchor, device_items(self))

    def open_cameras(self, anchor: tk.Misc) -> None:
        """Open the menu of cameras."""
        self.open_menu(anchor, camera_items(self))

    def do(self, action: str) -> None:
        """Run an action by its name; one that makes no sense now does nothing."""
        page = self.page if isinstance(self.page, MeetingPage) else None
        meeting = self.state.meeting
        match action:
            case "help" | "settings" | "sign_in":
                self._toggle_card(action)
            case "keypad" if meeting is not None:
                self._toggle_card(action)
            case "transfer" if meeting is not None and not meeting.is_conference:
                self._toggle_card(action)
            case "dismiss":
                self._change(reduce(self.state, BannerDismissed()))
            case "close":
                self._close_top()
            case "full_screen":
                self._is_full_screen = not self._is_full_screen
                self.root.attributes("-fullscreen", self._is_full_screen)
            case "mute" if meeting is not None:
                self.send(SetMuted(not meeting.is_muted))
            case "video" if meeting is not None and meeting.has_pictures and self.state.cameras:
                self.send(SetVideo(not self.state.is_video_on))
            case "talk" if meeting is not None and meeting.is_muted:
                self._talking_since_key = True
                self.send(SetMuted(False))
            case "share" if meeting is not None and meeting.share is not None and meeting.share.is_own:
                self.send(StopShare())
            case "share" if meeting is not None:
                self._toggle_card(action)
            case "hold" if meeting is not None:
                self.send(toggled_hold(meeting))
            case "invite" if meeting is not None:
                self._copy_invitation(meeting.uri)
            case "hand" if meeting is not None and meeting.has_orders:
                own = meeting.own
                self.send(GiveOrder("lower-hand" if own is not None and own.hand else "raise-hand"))
            case "people" | "stats" | "chat" if page is not None and (action != "chat" or page.has_chat):
                page.toggle_panel(action)
                self._panel_tab = page.panel_tab
                self._draw()
            case "view" if page is not None:
                page.toggle_view()
                self._is_speaker_view = page.gallery.is_speaker_view
                self._draw()

    # ---- the end

    def ask_to_quit(self) -> None:
        """Close the window; during a call it asks first."""
        if self.state.meeting is None:
            self.quit()
            return
        tr = self.look.tr
        self._open_card(
            Question(
                self,
                tr("Leave the meeting?"),
                tr("You are in a meeting. Closing the window leaves it."),
                [(tr("Leave and quit"), "danger", self._leave_and_quit), (tr("Stay"), "plain", lambda: None)],
                self.close_card,
            )
        )

    def _leave_and_quit(self) -> None:
        self.send(Leave())
        self.quit()

    def quit(self) -> None:
        """End without asking."""
        if self.is_open:
            self.is_open = False
            self.send(Quit())
            for pending in self.root.tk.splitlist(self.root.tk.call("after", "info")):
                self.root.tk.call("after", "cancel", pending)
            self.root.destroy()

    # ---- events and drawing

    def _tick(self) -> None:
        if not self.is_open:
            return
        self.root.after(TICK_MS, self._tick)
        state = self.state
        for event in self._bridge.take_events():
            if isinstance(event, TextCopied):
                self._desktops.take_text(event.text)
            state = reduce(state, event)
        if self._bridge.is_closed and not self._is_cut_off:
            self._is_cut_off = True
            state = replace(state, banner=Banner(CUT_OFF, "error"))
        second = int(time.monotonic())
        if state is not self.state:
            self._change(state)
        elif second != self._second or self._is_fading():
            self._second = second
            self._draw()
        elif isinstance(self.page, MeetingPage):
            self.page.draw_pictures(self.state)
        if self.page is not None:
            self.page.show_pictures(self._bridge.board)

    def _is_fading(self) -> bool:
        return isinstance(self.page, MeetingPage) and bool(self.page.voices.talking)

    def _change(self, state: State) -> None:
        before, self.state = self.state, state
        if any(before.settings.get(name) != state.settings.get(name) for name in LOOKS):
            self._rebuild()
        self._draw()

    def _draw(self) -> None:
        state, now = self.state, time.monotonic()
        if state.screen is not self._screen:
            self._open_page(state.screen)
        self._banner.draw(state.banner, now)
        self._incoming.draw(state)
        self._desktops.draw(state)
        if isinstance(self.card, SettingsCard | ShareCard):
            self.card.draw(state)
        if self.page is not None:
            self.page.draw(state, now)

    def _make_look(self) -> Look:
        settings = self.state.settings
        palette = theme.palette_of(str(settings.get("theme", "system")))
        ctk.set_appearance_mode("dark" if palette.is_dark else "light")
        self.root.configure(fg_color=palette.window)
        scale = theme.scale_of(str(settings.get("scale", "auto")), self.root)
        return Look(self.root, palette, scale, Translator(language_of(str(settings.get("language", "system")))))

    def _limit_size(self) -> None:
        px, root = self.look.px, self.root
        root.minsize(min(px(SMALLEST[0]), root.winfo_screenwidth()), min(px(SMALLEST[1]), root.winfo_screenheight()))

    def _build(self) -> None:
        self._banner = BannerBar(self)
        self._incoming = IncomingBar(self)
        self._desktops = DesktopParts(self)
        self.root.grid_columnconfigure(0, weight=1)
        self.root.grid_rowconfigure(2, weight=1)

    def _rebuild(self) -> None:
        had_settings = isinstance(self.card, SettingsCard)
        self._texts_read = self.page.panel.texts_read if isinstance(self.page, MeetingPage) else 0
        if self._menu is not None:
            self._menu.close()
        self._desktops.close()
        for child in self.root.winfo_children():
            child.destroy()
        self.card, self.page, self._screen = None, None, None
        self.look = self._make_look()
        self._limit_size()
        self._build()
        self._draw()
        if had_settings:
            self.do("settings")

    def _open_page(self, screen: Screen) -> None:
        old, self._screen = self.page, screen
        self.page = self._make_page(screen)
        self.page.grid(row=2, column=0, sticky="nsew")
        if old is not None:
            old.destroy()
        if isinstance(self.card, KeypadCard | TransferCard | ShareCard | Question):
            self.close_card()
        self._talking_since_key = False
        meeting = self.state.meeting
        self.root.title(f"{plain(meeting.title)} – Confero" if meeting is not None and meeting.title else "Confero")
        if self.card is None:
            self.page.focus_first()
        else:
            self.root.tk.call("raise", self.card)

    def _make_page(self, screen: Screen) -> Page:
        match screen:
            case Screen.PREJOIN:
                return PrejoinPage(self)
            case Screen.CALLING:
                return CallingPage(self)
            case Screen.MEETING:
                page, self._texts_read = MeetingPage(self, self._panel_tab, self._is_speaker_view, self._texts_read), 0
                return page
        return HomePage(self)

    # ---- cards and menus

    def close_card(self) -> None:
        """Take the card away that lies over the page."""
        if self.card is not None:
            card, self.card = self.card, None
            card.destroy()
            if isinstance(self.page, MeetingPage):
                self.page.has_keypad = False
            self.root.focus_set()
            self._draw()

    def _open_card(self, card: Card) -> None:
        self.close_card()
        self.card = card
        card.open()
        if isinstance(self.page, MeetingPage):
            self.page.has_keypad = isinstance(card, KeypadCard)
        self._draw()

    def _toggle_card(self, name: str) -> None:
        makers: dict[str, type[HelpCard | SettingsCard | SignInCard | TransferCard | KeypadCard | ShareCard]] = {
            "help": HelpCard,
            "settings": SettingsCard,
            "sign_in": SignInCard,
            "transfer": TransferCard,
            "keypad": KeypadCard,
            "share": ShareCard,
        }
        if isinstance(self.card, makers[name]):
            self.close_card()
        else:
            self._open_card(makers[name](self, self.close_card))

    def _close_top(self) -> None:
        if self._menu is not None:
            self._menu.close()
        elif self.card is not None:
            self.close_card()
        elif self._is_full_screen:
            self.do("full_screen")

    def _menu_gone(self) -> None:
        self._menu = None

    def _clicked(self, event: tk.Event[tk.Misc]) -> None:
        if self._menu is not None and event.widget is not self._menu:
            self._menu.close()
            self._menu_closed = (self._menu_anchor, time.monotonic())    # the release of this click must not open it again
        elif not isinstance(event.widget, tk.Entry) and isinstance(self.root.focus_get(), tk.Entry):
            self.root.focus_set()

    def _copy_invitation(self, uri: str) -> None:
        self.root.clipboard_clear()
        self.root.clipboard_append(without_pin(uri))
        self.say(self.look.tr("Copied: {uri}", uri=without_pin(uri)))

    # ---- keys

    def _key_pressed(self, event: tk.Event[tk.Misc]) -> None:
        if int(event.state) & 0x4C:  # Control, Alt and Super belong to the desktop
            return
        in_text_field = isinstance(self.root.focus_get(), tk.Entry | tk.Text)
        if isinstance(self.card, KeypadCard) and self.card.type_key(event.char):
            return
        action = keys.action_for(event.keysym, in_meeting=self._screen is Screen.MEETING, in_text_field=in_text_field)
        if action is None:
            return
        if action.name == "talk" and self._release_timer:
            self.root.after_cancel(self._release_timer)
            self._release_timer = ""
        elif action.name != "talk" or not self._talking_since_key:
            self.do(action.name)

    def _space_released(self, _event: tk.Event[tk.Misc]) -> None:
        if self._talking_since_key and not self._release_timer:
            self._release_timer = self.root.after(RELEASE_MS, self._stop_talking)

    def _stop_talking(self) -> None:
        if self._release_timer:
            self.root.after_cancel(self._release_timer)
            self._release_timer = ""
        if self._talking_since_key:
            self._talking_since_key = False
            self.send(SetMuted(True))

    def _callback_failed(self, kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        logger.error("a callback of the window failed", exc_info=(kind, fault, trace))
        if self.is_open:                    # drawn by the next tick: a second fault in here would end the window
            words = self.look.tr("Something went wrong in the window: {fault}", fault=str(fault) or kind.__name__)
            self.state, self._second = replace(self.state, banner=Banner(words, "error")), -1
