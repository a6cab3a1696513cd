"""How good a call sounds, as a number: the E-model (ITU-T G.107) from codec, loss, its bursts, and delay.

It knows the equipment impairment and the robustness against loss of each codec (ITU-T G.113 appendix I); echo and noise are
taken as their defaults.
"""

from __future__ import annotations

_CODECS = {"pcmu": (0.0, 25.1), "pcma": (0.0, 25.1), "g722": (0.0, 20.0), "opus": (0.0, 35.0), "g729": (11.0, 19.0),
           "g723": (15.0, 16.1), "gsm": (26.0, 43.0), "gsm-efr": (5.0, 10.0), "amr": (5.0, 10.0), "ilbc": (11.0, 32.0)}
"""Equipment impairment without loss, and robustness against random loss Bpl (ITU-T G.113 appendix I; Opus with FEC by ear)."""
_OTHER = (10.0, 20.0)
BEST_R = 93.2
"""Ro less Is, with the default values of ITU-T G.107 table 3."""


def rating(codec: str, loss_percent: float, delay_ms: float, burst_ratio: float = 1.0) -> float:
    """R from 0 to 93.2. burst_ratio: mean run of lost packets over that of random loss, 1 for random (ITU-T G.107 §3.5)."""
    base, robustness = _CODECS.get(codec.lower(), _OTHER)
    loss = max(0.0, min(100.0, loss_percent))
    impairment = base + (95 - base) * loss / (loss / max(1.0, burst_ratio) + robustness)
    delay = 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0.0)
    return max(0.0, min(100.0, BEST_R - delay - impairment))


def mos(codec: str, loss_percent: float, delay_ms: float, burst_ratio: float = 1.0) -> float:
    """Mean opinion score from 1 to 4.4. loss_percent: of what should have been heard; delay_ms: mouth to ear."""
    r = rating(codec, loss_percent, delay_ms, burst_ratio)
    return round(max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6), 2)
