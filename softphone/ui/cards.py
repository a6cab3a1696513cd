"""The cards: sign in, settings, transfer, keypad, list of keys."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

import customtkinter as ctk

from softphone.model import ChangeSetting, ChooseCamera, SendDigits, SignIn, State, Transfer
from softphone.ui import keys, widgets
from softphone.ui.button import Button
from softphone.ui.card import Card, form_row
from softphone.ui.device_menu import DeviceChoice
from softphone.ui.dropdown import Dropdown
from softphone.ui.page import Host
from softphone.ui.slider import Slider
from softphone.ui.strings import LANGUAGES
from softphone.ui.theme import SCALES

KEYPAD = ("123", "456", "789", "*0#")
LETTERS = {"2": "ABC", "3": "DEF", "4": "GHI", "5": "JKL", "6": "MNO", "7": "PQRS", "8": "TUV", "9": "WXYZ", "0": "+"}
MAX_DIGITS_SHOWN = 18
VIDEO_KBPS = (100, 150, 200, 300, 400, 500, 600, 800, 1000, 1200, 1500, 2000, 2500, 3000)


class SignInCard(Card):
    """User, password, server, transport and name."""

    def __init__(self, host: Host, on_close: Callable[[], None]) -> None:
        super().__init__(host, host.look.tr("Sign in to a server"), on_close, 440)
        look, tr, state = self.look, self.look.tr, host.state
        self.fields: dict[str, ctk.CTkEntry] = {}
        self._field("user", tr("User name"), state.account)
        self._field("password", tr("Password"), "", secret=True)
        self._field("server", tr("Server"), state.server, tr("host or host:port"))
        self._field("display_name", tr("Your name"), state.display_name)
        row = form_row(self.body, host, tr("Transport"))
        chosen = str(state.settings.get("transport", "udp"))
        self.transport = Dropdown(
            row,
            host,
            (("udp", "UDP"), ("tcp", "TCP"), ("tls", tr("TLS (encrypted)"))),
            chosen if chosen in ("udp", "tcp", "tls") else "udp",
            lambda _value: None,
            width=230,
        )
        self.transport.pack(side="right")
        self.complaint = widgets.label(self.body, look, "", 13, colour=look.palette.danger_ink, wrap=self.field_width())
        self.complaint.pack(anchor="w")
        self.submit = Button(self.body, look, tr("Sign in"), self._submit, kind="accent", width=150, height=42)
        self.submit.pack(anchor="e", pady=(look.px(8), 0))

    def _field(self, name: str, words: str, value: str, placeholder: str = "", secret: bool = False) -> None:
        row = form_row(self.body, self.host, words)
        field = widgets.entry(row, self.look, placeholder, secret=secret, width=230)
        field.pack(side="right")
        if value:
            field.insert(0, value)
        field.bind("<Return>", lambda _event: self._submit())
        self.fields[name] = field

    def _submit(self) -> None:
        user, server = self.fields["user"].get().strip(), self.fields["server"].get().strip()
        if not user or not server:
            self.complaint.configure(text=self.look.tr("A user name and a server are needed."))
            self.fields["server" if user else "user"].focus_set()
            return
        self.host.send(
            SignIn(user, self.fields["password"].get(), server, self.transport.value, self.fields["display_name"].get().strip())
        )
        self.on_close()

    def focus_first(self) -> None:
        """On the first empty field."""
        name = next((name for name in ("user", "password", "server") if not self.fields[name].get()), "user")
        self.fields[name].focus_set()


class SettingsCard(Card):
    """Look, language, devices and sound; each change applies at once."""

    def __init__(self, host: Host, on_close: Callable[[], None]) -> None:
        super().__init__(host, host.look.tr("Settings"), on_close, 640)
        look, tr = self.look, self.look.tr
        is_wide = look.root.winfo_toplevel().winfo_width() >= look.px(740)
        left, right = widgets.box(self.body), widgets.box(self.body)
        left.pack(side="left", anchor="n")
        right.pack(side="left", anchor="n", padx=(look.px(28), 0))
        width = 320 if is_wide else 260
        self.devices = DeviceChoice(left, host, width)
        self.devices.pack(anchor="w", pady=(0, look.px(12)))
        self.choices: dict[str, Dropdown] = {}
        self.camera: Dropdown | None = None
        self.rate: Slider | None = None
        self._choice(left, "theme", tr("Theme"), (("system", tr("System")), ("dark", tr("Dark")), ("light", tr("Light"))))
        self._choice(left, "language", tr("Language"), (("system", tr("System")), *LANGUAGES.items()))
        self._choice(left, "scale", tr("Size"), tuple((s, tr("Automatic") if s == "auto" else f"{s} %") for s in SCALES))
        self._choice(
            left,
            "codec",
            tr("Preferred codec"),
            (("", tr("Automatic")), ("opus", "Opus"), ("g722", "G.722"), ("pcmu", "PCMU"), ("pcma", "PCMA")),
        )
        self._choice(
            left,
            "srtp",
            tr("Encryption"),
            (("prefer", tr("Where possible")), ("require", tr("Always")), ("off", tr("Never"))),
        )
        self.switches: dict[str, widgets.Switch] = {}
        for name, words, default in (
            ("echo_cancelling", tr("Cancel echo"), True),
            ("noise_suppression", tr("Suppress noise"), True),
            ("gain", tr("Adjust the level"), True),
            ("dtx", tr("Send less while silent"), False),
            ("join_muted", tr("Join muted"), False),
            ("join_video", tr("Join with the camera on"), False),
            ("ring", tr("Ring at a call"), True),
        ):
            is_on = bool(host.state.settings.get(name, default))
            self.switches[name] = widgets.Switch(right, look, words, is_on, self._switching(name))
            self.switches[name].pack(anchor="w", pady=look.px(5))

        if host.state.cameras:
            self._pictures(right)

    def _pictures(self, master: tk.Misc) -> None:
        """Which camera, and what it may use."""
        host, look, tr = self.host, self.look, self.look.tr
        widgets.label(master, look, tr("Camera"), 12.5, muted=True).pack(anchor="w", pady=(look.px(10), look.px(3)))
        self.camera = Dropdown(master, host, (), "", lambda key: host.send(ChooseCamera(key)), width=230, icon="camera")
        self.camera.pack(anchor="w")
        given = str(host.state.settings.get("video_kbps", ""))
        value = int(given) if given.isascii() and given.isdigit() else 1000
        row = widgets.box(master)
        row.pack(anchor="w", fill="x", pady=(look.px(8), 0))
        words = widgets.label(row, look, self._rate(value), 13)

        def show(kbps: int) -> None:
            words.configure(text=self._rate(kbps))

        self.rate = Slider(row, look, VIDEO_KBPS, value, lambda kbps: host.send(ChangeSetting("video_kbps", str(kbps))),
                           width=230, on_move=show)
        words.pack(anchor="w")
        self.rate.pack(anchor="w")

    def _rate(self, kbps: int) -> str:
        return self.look.tr("At most {kbps} kbit/s", kbps=kbps)

    def _choice(self, master: tk.Misc, name: str, words: str, values: tuple[tuple[str, str], ...]) -> None:
        chosen = str(self.host.state.settings.get(name, values[0][0]))
        row = form_row(master, self.host, words)
        self.choices[name] = Dropdown(
            row, self.host, values, chosen, lambda value: self.host.send(ChangeSetting(name, value)), width=150
        )
        self.choices[name].pack(side="right")

    def _switching(self, name: str) -> Callable[[bool], None]:
        return lambda value: self.host.send(ChangeSetting(name, value))

    def draw(self, state: State) -> None:
        """Show the devices that are there."""
        self.devices.draw(state)
        if self.camera is not None:
            self.camera.show([(device.key, self.look.tr(device.name)) for device in state.cameras], state.camera)


class TransferCard(Card):
    """To whom the call goes."""

    def __init__(self, host: Host, on_close: Callable[[], None]) -> None:
        super().__init__(host, host.look.tr("Transfer the call"), on_close, 400)
        look, tr = self.look, self.look.tr
        words = widgets.label(self.body, look, tr("Name of a person, or a SIP address"), 12.5, muted=True)
        words.pack(anchor="w", pady=(0, look.px(4)))
        self.target = widgets.entry(self.body, look, "", width=self.field_width())
        self.target.pack(fill="x")
        self.target.bind("<Return>", lambda _event: self._submit())
        self.submit = Button(self.body, look, tr("Transfer"), self._submit, icon="transfer", kind="accent", width=130)
        self.submit.pack(anchor="e", pady=(look.px(14), 0))

    def _submit(self) -> None:
        target = self.target.get().strip()
        if not target:
            self.target.focus_set()
            return
        self.host.send(Transfer(target))
        self.on_close()

    def focus_first(self) -> None:
        """On the name."""
        self.target.focus_set()


class KeypadCard(Card):
    """The twelve keys; what is pressed goes out at once, by click or by keyboard."""

    def __init__(self, host: Host, on_close: Callable[[], None]) -> None:
        super().__init__(host, host.look.tr("Keypad"), on_close, 300)
        look = self.look
        self.pressed = ""
        self.shown = widgets.label(self.body, look, " ", 22, anchor="center")
        self.shown.pack(fill="x", pady=(0, look.px(8)))
        grid = widgets.box(self.body)
        grid.pack()
        self.key_buttons: dict[str, Button] = {}
        for row, line in enumerate(KEYPAD):
            for column, digit in enumerate(line):
                self.key_buttons[digit] = Key(grid, host, digit, self.press)
                self.key_buttons[digit].grid(row=row, column=column, padx=look.px(4), pady=look.px(4))

    def press(self, digit: str) -> None:
        """Send a key."""
        self.pressed += digit
        self.shown.configure(text=self.pressed[-MAX_DIGITS_SHOWN:])
        self.host.send(SendDigits(digit))

    def type_key(self, character: str) -> bool:
        """Send what was typed on the keyboard; whether it is a key of the pad."""
        if not character or character not in self.key_buttons:
            return False
        self.press(character)
        return True


class Key(Button):
    """One key of the keypad, with its letters below the digit."""

    def __init__(self, master: tk.Misc, host: Host, digit: str, press: Callable[[str], None]) -> None:
        super().__init__(master, host.look, digit, lambda: press(digit), width=72, height=54, size=20, radius=12)
        self.configure(takefocus=0)

    def _draw(self) -> None:
        super()._draw()
        letters = LETTERS.get(self.text, "")
        if letters:
            self.move("text", 0, -self.look.px(6))
            self.create_text(
                self.winfo_width() // 2,
                self.winfo_height() - self.look.px(12),
                text=letters,
                font=self.look.font(9.5),
                fill=self.look.palette.muted,
            )


class HelpCard(Card):
    """The list of keys."""

    def __init__(self, host: Host, on_close: Callable[[], None]) -> None:
        super().__init__(host, host.look.tr("Keyboard shortcuts"), on_close, 440)
        look, tr = self.look, self.look.tr
        for action in keys.ACTIONS:
            row = widgets.box(self.body)
            row.pack(fill="x", pady=look.px(3))
            cap = Button(row, look, action.shown_key, None, height=28, size=12.5, radius=7, width=66)
            cap.configure(takefocus=0, cursor="arrow")
            cap.pack(side="left")
            widgets.label(row, look, tr(action.text), 14).pack(side="left", padx=look.px(14))
        widgets.label(self.body, look, tr("Keys are dead while you type in a field."), 12.5, muted=True).pack(
            anchor="w", pady=(look.px(10), 0)
        )
