"""How figures of a call went over the last minute: a line for each, with the newest value beside it."""

from __future__ import annotations

import tkinter as tk
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from softphone.model import Quality
from softphone.ui.theme import Look
from softphone.ui.words import rate_text

SAMPLES = 60
"""A minute at one a second."""
HEIGHT = 40
LABELS = 118


@dataclass(frozen=True, slots=True)
class Series:
    """One figure. value: out of what was measured, None while it was not; least: what the top of the line stands for at least,
    so that nothing much is drawn as nothing much; floor: what its bottom stands for."""

    name: str
    value: Callable[[Quality], float | None]
    text: Callable[[float], str]
    least: float
    floor: float = 0.0


def kbps_of(quality: Quality) -> float:
    """All that comes: sound and the pictures of others."""
    return float(quality.kbps + sum(each.kbps for each in quality.pictures if each.key != "self"))


SERIES = (
    Series("Loss", lambda quality: quality.loss_percent if quality.packets_received else None, lambda value: f"{value:.1f} %",
           5.0),
    Series("Jitter", lambda quality: quality.jitter_ms if quality.packets_received else None, lambda value: f"{value:.1f} ms",
           20.0),
    Series("Bit rate", lambda quality: kbps_of(quality) if quality.packets_received else None, rate_text, 64.0),
    Series("MOS", lambda quality: quality.mos, lambda value: f"{value:.1f}", 4.5, 1.0),
)


def heights(values: list[float], series: Series) -> list[float]:
    """Where each value is between bottom (0) and top (1) of its line."""
    top = max(series.least, *values) if values else series.least
    return [min(1.0, max(0.0, (value - series.floor) / (top - series.floor))) for value in values]


class Sparklines:
    """Keeps the last minute of each series and draws it on a canvas."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._values: dict[str, deque[float]] = {series.name: deque(maxlen=SAMPLES) for series in SERIES}

    def add(self, quality: Quality) -> None:
        """Take the newest figures."""
        for series in SERIES:
            value = series.value(quality)
            if value is not None:
                self._values[series.name].append(value)

    def height(self) -> int:
        """Pixels that all lines take."""
        return self._look.px(HEIGHT) * len(SERIES)

    def draw(self, canvas: tk.Canvas, top: int, width: int) -> None:
        """Draw from `top` on."""
        look, px, palette = self._look, self._look.px, self._look.palette
        colour = palette.ring if palette.is_dark else palette.success
        for index, series in enumerate(SERIES):
            values = list(self._values[series.name])
            y = top + index * px(HEIGHT)
            canvas.create_text(px(8), y + px(9), anchor="w", text=look.tr(series.name), font=look.font(12.5),
                               fill=palette.muted)
            text = series.text(values[-1]) if values else "–"
            canvas.create_text(px(8), y + px(25), anchor="w", text=text, font=look.font(13, True), fill=palette.text,
                               tags="figure")
            left, right, bottom, tall = px(LABELS), width - px(8), y + px(HEIGHT - 6), px(HEIGHT - 12)
            canvas.create_line(left, bottom, right, bottom, fill=palette.outline)
            if len(values) < 2 or right <= left:
                continue
            step = (right - left) / (SAMPLES - 1)
            start = right - step * (len(values) - 1)
            points = [(start + i * step, bottom - high * tall) for i, high in enumerate(heights(values, series))]
            canvas.create_line(*[c for point in points for c in point], fill=colour, width=px(1.6), joinstyle="round",
                               tags=f"line:{series.name}")
