"""The E-model (ITU-T G.107): how good a telephone connection is, as a rating R from 0 to 100, and that as a MOS.

`Connection` has the parameters of the recommendation's table 2 with their default values, which give R = 93.2. Left out: the
wideband scale of G.107.1; codecs of wide band are rated against the narrow-band best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connection:
    """The parameters that a capture or a call can tell, and the talker's echo.

    delay_ms: mouth to ear (Ta, T, and half of Tr); loss_percent: Ppl; impairment, robustness: Ie and Bpl of the codec
    (G.113 appendix I); burst_ratio: BurstR, 1 for random loss; echo_db: TELR; advantage: A, what people forgive for mobility.
    """

    delay_ms: float = 0.0
    loss_percent: float = 0.0
    impairment: float = 0.0
    robustness: float = 4.3
    burst_ratio: float = 1.0
    echo_db: float = 65.0
    advantage: float = 0.0


SEND_LOUDNESS, RECEIVE_LOUDNESS = 8.0, 2.0
SIDETONE_MASKING, LISTENER_SIDETONE, D_SEND, LISTENER_ECHO_LOSS = 15.0, 18.0, 3.0, 110.0
ROOM_NOISE_SEND, ROOM_NOISE_RECEIVE, CIRCUIT_NOISE, NOISE_FLOOR = 35.0, 35.0, -70.0, -64.0
QUANTIZATION = 1.0
"""Default values of table 2: SLR, RLR, STMR, LSTR, Ds, WEPL, Ps, Pr, Nc, Nfor, qdu."""


def rating(connection: Connection) -> float:
    """R = Ro − Is − Id − Ie,eff + A (§7.1), held between 0 and 100."""
    noise = _noise()
    signal = 15 - 1.5 * (SEND_LOUDNESS + noise)
    r = (signal - _simultaneous(connection, signal, noise) - _delay(connection, signal, noise)
         - effective_impairment(connection) + connection.advantage)
    return max(0.0, min(100.0, r))


def mos_of(r: float) -> float:
    """The mean opinion score of a rating (annex B), 1 to 4.5."""
    if r <= 0:
        return 1.0
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6) if r < 100 else 4.5


def effective_impairment(connection: Connection) -> float:
    """Ie,eff (§7.5): the codec and the losses together."""
    base, loss = connection.impairment, max(0.0, min(100.0, connection.loss_percent))
    if not loss:
        return base
    return base + (95 - base) * loss / (loss / max(1.0, connection.burst_ratio) + connection.robustness)


def _noise() -> float:
    """No (§7.2): circuit noise, room noise at both sides and the floor, in dBm0p."""
    loudness = SEND_LOUDNESS + RECEIVE_LOUDNESS
    sender = ROOM_NOISE_SEND - SEND_LOUDNESS - D_SEND - 100 + 0.004 * (ROOM_NOISE_SEND - loudness - D_SEND - 14) ** 2
    room = ROOM_NOISE_RECEIVE + 10 * math.log10(1 + 10 ** ((10 - LISTENER_SIDETONE) / 10))
    receiver = RECEIVE_LOUDNESS - 121 + room + 0.008 * (room - 35) ** 2
    floor = NOISE_FLOOR + RECEIVE_LOUDNESS
    return 10 * math.log10(sum(10 ** (one / 10) for one in (CIRCUIT_NOISE, sender, receiver, floor)))


def _simultaneous(connection: Connection, signal: float, noise: float) -> float:
    """Is (§7.3): too loud, sidetone, quantization."""
    x = SEND_LOUDNESS + RECEIVE_LOUDNESS + 0.2 * (64 + noise - RECEIVE_LOUDNESS)
    loud: float = 20 * ((1 + (x / 8) ** 8) ** (1 / 8) - x / 8)
    echo = math.exp(-connection.delay_ms / 4) * 10 ** (-connection.echo_db / 10)
    masked = -10 * math.log10(10 ** (-SIDETONE_MASKING / 10) + echo)
    sidetone: float = (12 * (1 + ((masked - 13) / 6) ** 8) ** (1 / 8) - 28 * (1 + ((masked + 1) / 19.4) ** 35) ** (1 / 35)
                - 13 * (1 + ((masked - 3) / 33) ** 13) ** (1 / 13) + 29)
    q = 37 - 15 * math.log10(QUANTIZATION)
    g = 1.07 + 0.258 * q + 0.0602 * q * q
    y, z = (signal - 100) / 15 + 46 / 8.4 - g / 9, 46 / 30 - g / 40
    return loud + sidetone + 15 * math.log10(1 + math.pow(10, y) + math.pow(10, z))


def _delay(connection: Connection, signal: float, noise: float) -> float:
    """Id (§7.4): the talker's echo, the listener's echo, and being late."""
    t = max(0.0, connection.delay_ms)
    level = connection.echo_db - 40 * math.log10((1 + t / 10) / (1 + t / 150)) + 6 * math.exp(-0.3 * t * t)
    without, with_echo = -1.5 * (noise - RECEIVE_LOUDNESS), 80 + 2.5 * (level - 14)
    half = (without - with_echo) / 2
    talker: float = (half + math.sqrt(half * half + 100) - 1) * (1 - math.exp(-t))
    half = (signal - 10.5 * (LISTENER_ECHO_LOSS + 7) * (2 * t + 1) ** -0.25) / 2
    listener: float = half + math.sqrt(half * half + 169)
    if t <= 100:
        return talker + listener
    x = math.log2(t / 100)
    late: float = 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
    return talker + listener + late
