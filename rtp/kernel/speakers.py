"""Who of a room is mixed: the loudest few, with patience, so that nobody is cut off between two words (RFC 7667 §3.6)."""

from __future__ import annotations

from collections.abc import Iterable

from rtp.kernel.leg import Leg

THRESHOLD_DBOV = -66
"""Quieter is silence: comfort noise and the hiss of a line lie below it."""
HANGOVER_TICKS = 20
"""How long after the last loud frame somebody still counts as speaking (400 ms)."""
BONUS_DB = 6.0
"""What one who speaks already is ahead by."""
DECAY_DB = 1.5
"""How fast the smoothed level falls in a tick; it rises at once."""


def choose(legs: Iterable[Leg], most: int) -> list[Leg]:
    """The legs to mix in this tick, loudest first. Updates the smoothed level and hangover of each that is or was loud."""
    active: list[Leg] = []
    for leg in legs:
        level = leg.level
        if level > THRESHOLD_DBOV:
            leg.hangover = HANGOVER_TICKS
            leg.smooth = max(float(level), leg.smooth - DECAY_DB)
        elif leg.hangover:
            leg.hangover -= 1
            leg.smooth = max(float(level), leg.smooth - DECAY_DB)
        else:
            leg.smooth = -127.0
            continue
        if leg.has_audio and leg.spec.is_heard and not leg.spec.is_muted:
            active.append(leg)
    active.sort(key=_rank)
    return active[:most]


def _rank(leg: Leg) -> float:
    return -(leg.smooth + BONUS_DB if leg.was_speaking else leg.smooth)
