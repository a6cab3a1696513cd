"""The choice of microphone and speaker, as menu and as two dropdowns."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from softphone.model import AudioDevice, ChooseCamera, ChooseDevice, Command, State, TestSpeaker
from softphone.ui import widgets
from softphone.ui.button import Button
from softphone.ui.dropdown import Dropdown
from softphone.ui.menu import Item
from softphone.ui.page import Host


def device_items(host: Host) -> list[Item]:
    """The menu of microphones and speakers, the ones in use marked."""
    state, tr = host.state, host.look.tr
    items = [Item(tr("Microphone"))]
    items += [
        _item(host, device, ChooseDevice(microphone=device.key), device.key == state.microphone) for device in state.microphones
    ]
    items.append(Item(tr("Speaker")))
    items += [_item(host, device, ChooseDevice(speaker=device.key), device.key == state.speaker) for device in state.speakers]
    items.append(Item(tr("Test the speaker"), lambda: host.send(TestSpeaker()), icon="speaker"))
    return items


def camera_items(host: Host) -> list[Item]:
    """The menu of cameras, the one in use marked."""
    state, tr = host.state, host.look.tr
    items = [Item(tr("Camera"))]
    for device in state.cameras:
        command = ChooseCamera(device.key)
        items.append(Item(tr(device.name), _sending(host, command), is_checked=device.key == state.camera))
    return items


def _sending(host: Host, command: Command) -> Callable[[], None]:
    return lambda: host.send(command)


def _item(host: Host, device: AudioDevice, command: ChooseDevice, is_checked: bool) -> Item:
    return Item(host.look.tr(device.name), lambda: host.send(command), is_checked=is_checked)


class DeviceChoice(tk.Frame):
    """Two dropdowns, microphone and speaker, and a button that plays a short sound. width: in units of scale 1."""

    def __init__(self, master: tk.Misc, host: Host, width: int) -> None:
        super().__init__(master, bg=widgets.background_of(master))
        look, tr = host.look, host.look.tr
        self._tr: Callable[..., str] = tr
        test = Button(self, look, tr("Test"), lambda: host.send(TestSpeaker()), height=38, size=13.5)
        room = int(width - test.natural_width() / look.scale - 8)
        widgets.label(self, look, tr("Microphone"), 12.5, muted=True).grid(row=0, column=0, sticky="w", pady=(0, look.px(3)))
        self.microphone = Dropdown(
            self, host, (), "", lambda key: host.send(ChooseDevice(microphone=key)), width=width, icon="mic"
        )
        self.microphone.grid(row=1, column=0, columnspan=2, sticky="w")
        widgets.label(self, look, tr("Speaker"), 12.5, muted=True).grid(
            row=2, column=0, sticky="w", pady=(look.px(10), look.px(3))
        )
        self.speaker = Dropdown(
            self, host, (), "", lambda key: host.send(ChooseDevice(speaker=key)), width=room, icon="speaker"
        )
        self.speaker.grid(row=3, column=0, sticky="w")
        test.grid(row=3, column=1, padx=(look.px(8), 0))
        self.draw(host.state)

    def draw(self, state: State) -> None:
        """Show the devices that are there."""
        self.microphone.show([(d.key, self._tr(d.name)) for d in state.microphones], state.microphone)
        self.speaker.show([(d.key, self._tr(d.name)) for d in state.speakers], state.speaker)
