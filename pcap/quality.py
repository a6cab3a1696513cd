"""How good a call sounds, as a number: the E-model (`pcap.emodel`, ITU-T G.107) from codec, loss, its bursts, and delay.

It knows the equipment impairment and the robustness against loss of each codec (ITU-T G.113 appendix I); echo and noise are
taken as their defaults.
"""

from __future__ import annotations

from pcap import emodel

_CODECS = {"pcmu": (0.0, 25.1), "pcma": (0.0, 25.1), "g722": (0.0, 20.0), "opus": (0.0, 35.0), "g729": (11.0, 19.0),
           "g723": (15.0, 16.1), "gsm": (26.0, 43.0), "gsm-efr": (5.0, 10.0), "amr": (5.0, 10.0), "ilbc": (11.0, 32.0)}
"""Equipment impairment without loss, and robustness against random loss Bpl (ITU-T G.113 appendix I; Opus with FEC by ear)."""
_OTHER = (10.0, 20.0)
BEST_R = 93.2
"""What the default values of ITU-T G.107 table 3 give, rounded as the recommendation rounds it."""


def rating(codec: str, loss_percent: float, delay_ms: float, burst_ratio: float = 1.0) -> float:
    """R from 0 to 93.2. burst_ratio: mean run of lost packets over that of random loss, 1 for random (ITU-T G.107 §3.5)."""
    impairment, robustness = _CODECS.get(codec.lower(), _OTHER)
    r = emodel.rating(emodel.Connection(max(0.0, delay_ms), loss_percent, impairment, robustness, burst_ratio))
    return min(BEST_R, r)


def mos(codec: str, loss_percent: float, delay_ms: float, burst_ratio: float = 1.0) -> float:
    """Mean opinion score from 1 to 4.4. loss_percent: of what should have been heard; delay_ms: mouth to ear."""
    return round(emodel.mos_of(rating(codec, loss_percent, delay_ms, burst_ratio)), 2)
