"""What of this machine's screen another may see and steer. Values alone, without X."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """display: an X display such as `:0`, None for the environment's; monitor: 0 for all together; region: left, top, width,
    height instead; window: an X window's number instead; forbidden: chords that are never passed, beside the usual ones."""

    display: str | None = None
    monitor: int = 0
    region: tuple[int, int, int, int] | None = None
    window: int | None = None
    forbidden: tuple[str, ...] = ()
    allows_clipboard: bool = False
