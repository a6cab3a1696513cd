"""How good a call sounds, as a number: a simple E-model (ITU-T G.107) from codec, loss and delay.

It knows the equipment impairment and the robustness against random loss of each codec; echo and noise are taken as their
defaults, bursts of loss as random.
"""

from __future__ import annotations

_CODECS = {"pcmu": (0.0, 25.1), "pcma": (0.0, 25.1), "g722": (0.0, 20.0), "opus": (0.0, 35.0)}
"""Equipment impairment without loss, and robustness against random loss Bpl (ITU-T G.113 appendix I; Opus with FEC by ear)."""
BEST_R = 93.2


def mos(codec: str, loss_percent: float, delay_ms: float) -> float:
    """Mean opinion score from 1 to 4.4. loss_percent: of what should have been heard; delay_ms: mouth to ear."""
    base, robustness = _CODECS.get(codec.lower(), (10.0, 20.0))
    loss = max(0.0, min(100.0, loss_percent))
    impairment = base + (95 - base) * loss / (loss + robustness)
    delay = 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0.0)
    r = max(0.0, min(100.0, BEST_R - delay - impairment))
    return round(1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6, 2)
