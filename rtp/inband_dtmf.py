"""Keys of a phone as tones in its audio (ITU-T Q.23, Q.24), for those that know no telephone events (RFC 4733 §1).

The power at the eight frequencies is measured by Goertzel's sum over windows of 102 samples at 8 kHz, as one product of
matrices. A window holds a key when one tone of each group stands out, both are of like level, and next to nothing else is
there: that is what a voice does not do for long. Two windows in a row make a press (40 ms, as Q.24 asks), two without it its
end. With these figures 80 minutes of synthetic speech in five languages held no key.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtp.codecs.g711 import ALAW, MULAW

WINDOW = 102
"""Samples: wide enough (78 Hz) for tones that are 1.5 % off, short enough for two windows in 40 ms."""
ROWS_HZ, COLUMNS_HZ = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")
LEAST_DBOV = -36.0
"""A quieter pair is noise, or an echo of a press at the other end."""
TWIST_DB, REVERSE_TWIST_DB = 8.0, 6.0
"""How much louder the low tone may be than the high one, and the other way round."""
DOMINANCE_DB = 8.0
"""How far a tone stands above the others of its group."""
SHARE = 0.77
"""Of the window's power that the two tones make up: vowels are rich in harmonics, keys have none."""
HITS, MISSES = 2, 2
LOUD, LOUD_SAMPLES = 200, 16
"""A packet with so few samples above this holds no key of LEAST_DBOV, only perhaps the edge of one: it isn't looked into."""

LEAST_CROSSINGS = 0.08
"""Changes of sign in a sample, of a packet in which a press may begin: a key's tones cross zero 0.17 to 0.41 times, and half a
packet of them is enough to begin with. Most vowels cross it less often, and aren't looked into."""

Samples = npt.NDArray[np.int16]
_EMPTY: Samples = np.zeros(0, np.int16)
_QUIET = [bytes(np.flatnonzero(np.abs(table) < LOUD).astype(np.uint8)) for table in (MULAW, ALAW)]
"""Codes of quiet samples."""
_PHASE = 2 * np.pi / 8000 * np.outer(np.arange(WINDOW), (*ROWS_HZ, *COLUMNS_HZ))
_BASIS = np.hstack((np.cos(_PHASE), np.sin(_PHASE))).astype(np.float32) * np.float32(np.sqrt(2) / WINDOW)
"""Gives amplitudes whose square is the power of a sine: float32, shape (102, 16)."""
_LEAST = float(10 ** (LEAST_DBOV / 10) * 2 ** 30)
_TWIST, _REVERSE = 10 ** (TWIST_DB / 10), 10 ** (REVERSE_TWIST_DB / 10)
_DOMINANCE = 10 ** (DOMINANCE_DB / 10)


class InbandDtmfReceiver:
    """Tells each press once, at its beginning. is_alaw: the audio is PCMA, else PCMU."""

    __slots__ = ("_candidate", "_hits", "_misses", "_pressed", "_quiet", "_rest", "_table")

    def __init__(self, is_alaw: bool = False) -> None:
        self._table, self._quiet = ALAW if is_alaw else MULAW, _QUIET[is_alaw]
        self._rest = _EMPTY
        self._candidate: str | None = None
        self._pressed: str | None = None
        self._hits = self._misses = 0

    def receive(self, payload: bytes) -> str | None:
        """The key that is pressed by the end of this packet, if it was not before. payload: G.711 of any length."""
        is_idle = self._candidate is None and self._pressed is None
        if len(payload.translate(None, self._quiet)) < LOUD_SAMPLES or (is_idle and _crossings(payload) < LEAST_CROSSINGS):
            self._rest, self._candidate, self._pressed = _EMPTY, None, None
            return None
        line = np.concatenate((self._rest, self._table[np.frombuffer(payload, np.uint8)]))
        count = len(line) // WINDOW
        self._rest = line[count * WINDOW:]
        found: str | None = None
        for key in _keys(line[:count * WINDOW].reshape(count, WINDOW)):
            found = self._step(key) or found
        return found

    def _step(self, key: str | None) -> str | None:
        self._hits = self._hits + 1 if key is not None and key == self._candidate else 1
        self._candidate = key
        self._misses = 0 if key is not None and key == self._pressed else self._misses + 1
        if self._misses >= MISSES:
            self._pressed = None
        if key is None or key == self._pressed or self._hits < HITS:
            return None
        self._pressed, self._misses = key, 0
        return key


def _crossings(payload: bytes) -> float:
    """Changes of sign a sample: the sign is the first bit of a code of G.711."""
    line = int.from_bytes(payload)
    return ((line ^ line >> 8) & int.from_bytes(b"\x80" * (len(payload) - 1))).bit_count() / len(payload)


def _keys(windows: Samples) -> list[str | None]:
    """What each window holds: int16, shape (n, 102)."""
    lines = windows.astype(np.float32)
    total = np.einsum("ij,ij->i", lines, lines) / WINDOW
    if not len(total) or total.max() < _LEAST:
        return [None] * len(total)
    waves = lines @ _BASIS
    powers = waves[:, :8] ** 2 + waves[:, 8:] ** 2
    return [_key(power, float(whole)) for power, whole in zip(powers, total, strict=True)]


def _key(powers: npt.NDArray[np.float32], total: float) -> str | None:
    low, high = powers[:4], powers[4:]
    row, column = int(low.argmax()), int(high.argmax())
    one, other = float(low[row]), float(high[column])
    if one + other < max(_LEAST, SHARE * total) or one > other * _TWIST or other > one * _REVERSE:
        return None
    if (low * _DOMINANCE > one).sum() > 1 or (high * _DOMINANCE > other).sum() > 1:
        return None
    return KEYS[row][column]
