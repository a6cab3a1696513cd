"""Figures of a line of pictures as they are seen: how many, how smoothly, whose, how large."""

from __future__ import annotations

from dataclasses import dataclass, field

FREEZE_NS = 400_000_000
"""A picture that stands longer than this stands still for a person."""


@dataclass(slots=True)
class InFigures:
    """What came on one line. pictures: shown; undecodable: those for which something was missing; freezes, frozen_ms: how often
    and how long a picture stood although others were to come; origins: who was shown, in turn, with the time of the first
    picture (monotonic ns)."""

    codec: str = ""
    pictures: int = 0
    undecodable: int = 0
    width: int = 0
    height: int = 0
    packets: int = 0
    lost: int = 0
    recovered: int = 0
    jitter_ms: float = 0.0
    bitrate_bps: int = 0
    freezes: int = 0
    frozen_ms: float = 0.0
    skew_ms: float | None = None
    origins: list[tuple[int, int]] = field(default_factory=list)
    last_ns: int = -1

    def on_picture(self, origin: int, width: int, height: int, now_ns: int) -> None:
        """A picture is shown."""
        self.pictures += 1
        self.width, self.height = width, height
        is_same = bool(self.origins) and self.origins[-1][0] == origin
        if not is_same:
            self.origins.append((origin, now_ns))
        elif now_ns - self.last_ns > FREEZE_NS:
            self.freezes += 1
            self.frozen_ms += (now_ns - self.last_ns) / 1e6
        self.last_ns = now_ns
