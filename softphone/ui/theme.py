"""Colours, fonts and sizes of the window: dark, light, and whichever of them the desktop uses.

Every length in the window goes through `Look.px`, so that one factor serves screens of any density. Pictures are made once for
a size and colour and are kept in `Look.pictures`. A change of theme, language or size makes a new `Look` and draws anew.
"""

from __future__ import annotations

import os
import tkinter as tk
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from tkinter import font as tkfont

import darkdetect  # type: ignore[import-untyped]
from PIL import Image, ImageTk

from softphone.ui.strings import Translator

FONT_FAMILIES = ("Inter", "Noto Sans", "Cantarell", "Ubuntu", "Segoe UI", "Roboto", "DejaVu Sans", "Liberation Sans")
"""In order of preference; Chinese comes from whatever font has it (WenQuanYi Micro Hei is installed by `./run`)."""
MEDIUM_FOR_BOLD = {"Roboto": "Roboto Medium"}
"""Families that customtkinter brings without a bold cut: made bold by the renderer their letters stand apart."""
AVATAR_COLOURS = ("#5865f2", "#1c8549", "#c2500f", "#cf2379", "#277ea4", "#8f4fc4", "#8f6b1d", "#d13438", "#238377", "#6d61ef")
"""White letters can be read on each of them."""
SCALES = ("auto", "100", "125", "150", "175", "200")
"""What the setting `scale` may be: of the screen's density, or per cent."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme, as #rrggbb. Those called ink are for words and small signs, their namesakes for what lies below
    white words. Every word has a contrast of 4.5 to 1 to what it lies on (WCAG 2.1, AA)."""

    is_dark: bool
    window: str
    panel: str
    tile: str
    raised: str
    hover: str
    outline: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    danger: str
    danger_hover: str
    success: str
    success_hover: str
    warning: str
    ring: str
    meter_off: str
    danger_soft: str
    accent_ink: str
    danger_ink: str
    success_ink: str
    warning_ink: str
    on_colour: str = "#ffffff"


DARK = Palette(
    is_dark=True, window="#16171a", panel="#212327", tile="#2b2d31", raised="#2e3136", hover="#3a3e45", outline="#3f434a",
    text="#f5f6f7", muted="#a7acb4", accent="#5865f2", accent_hover="#4a57e0", danger="#d8363a", danger_hover="#c22b30",
    success="#1c8549", success_hover="#187440", warning="#f0b429", ring="#2ed073", meter_off="#2e3136", danger_soft="#3b2226",
    accent_ink="#8f98f7", danger_ink="#f47779", success_ink="#2bbd69", warning_ink="#f0b429",
)
LIGHT = Palette(
    is_dark=False, window="#f4f5f7", panel="#ffffff", tile="#dee2e8", raised="#e6e8ec", hover="#d8dbe1", outline="#c5c9d1",
    text="#16171a", muted="#595f68", accent="#4f5bd5", accent_hover="#4350c4", danger="#d32f3f", danger_hover="#bf2636",
    success="#1c8449", success_hover="#187440", warning="#b97d08", ring="#2ed073", meter_off="#e6e8ec", danger_soft="#fde7e9",
    accent_ink="#4955cf", danger_ink="#c02031", success_ink="#19703f", warning_ink="#845a06",
)


def palette_of(setting: str) -> Palette:
    """The palette for the setting `theme`: dark, light or system (light where the desktop doesn't say)."""
    if setting == "light" or (setting != "dark" and darkdetect.theme() == "Light"):
        return LIGHT
    return DARK


def scale_of(setting: str, root: tk.Misc) -> float:
    """The factor for the setting `scale`: `auto` follows the screen's density and GDK_SCALE, in steps of a quarter."""
    if setting.isdecimal() and 50 <= int(setting) <= 400:
        return int(setting) / 100
    desktop = os.environ.get("GDK_SCALE", "")
    factor = float(desktop) if desktop.isdecimal() and desktop.isascii() else root.winfo_fpixels("1i") / 96
    return min(3.0, max(1.0, round(factor * 4) / 4))


def avatar_colour(name: str) -> str:
    """The colour that belongs to a name: the same on every phone."""
    return AVATAR_COLOURS[zlib.crc32(name.encode("utf-8", "replace")) % len(AVATAR_COLOURS)]


def initials(name: str) -> str:
    """One or two letters for a picture without a face: "Alice Chen" is AC, "PSTN 1001" is P1, "王小明" is 王."""
    words = [w for w in (part.strip("\"'<>()[]{}._-@:;,") for part in name.split()) if w]
    if not words:
        return "?"
    first = words[0][0].upper()[0]
    if len(words) == 1 or ord(first) > 0x2E80:
        return first
    return first + words[-1][0].upper()[0]


class Look:
    """All that a page needs to draw itself: `palette`, `px`, `font`, `tr` and pictures."""

    def __init__(self, root: tk.Tk, palette: Palette, scale: float, translator: Translator) -> None:
        self.root = root
        self.palette = palette
        self.scale = scale
        self.tr = translator
        known = set(tkfont.families(root))
        self.family = next((f for f in FONT_FAMILIES if f in known), "TkDefaultFont")
        self._pictures: dict[object, ImageTk.PhotoImage] = {}
        self._fonts: dict[tuple[int, bool], tkfont.Font] = {}

    def px(self, length: float) -> int:
        """A length in pixels of the screen."""
        return round(length * self.scale)

    def font(self, size: float, bold: bool = False) -> tkfont.Font:
        """The window's font. size: height in pixels at scale 1."""
        key = (self.px(size), bold)
        if key not in self._fonts:
            medium = MEDIUM_FOR_BOLD.get(self.family) if bold else None
            self._fonts[key] = tkfont.Font(self.root, family=medium or self.family, size=-key[0],
                                           weight="bold" if bold and medium is None else "normal")
        return self._fonts[key]

    def picture(self, key: object, make: Callable[[], Image.Image]) -> ImageTk.PhotoImage:
        """The picture known as `key`, made by `make` the first time."""
        found = self._pictures.get(key)
        if found is None:
            found = self._pictures[key] = ImageTk.PhotoImage(make(), master=self.root)
        return found

    def elide(self, text: str, font: tkfont.Font, width: int) -> str:
        """`text` cut with an ellipsis to fit `width` pixels."""
        if font.measure(text) <= width:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if font.measure(text[:middle].rstrip() + "…") <= width:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + "…"
