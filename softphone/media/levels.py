"""How loud a piece of sound is, in dBov (RFC 6464 §3, RFC 6465 §3)."""

from __future__ import annotations

import math

import numpy as np

from rtp.codecs.resample import Samples

SILENT = -127
SPEAKING_DBOV = -45
"""From here on a microphone counts as somebody speaking."""


def level_dbov(samples: Samples) -> int:
    """0 for a full-scale square wave, −127 for silence; samples: int16, at least one."""
    values = samples.astype(np.float32)
    power = float(np.dot(values, values)) / len(values)
    if power < 1.0:
        return SILENT
    return max(SILENT, round(10 * math.log10(power / 1073741824.0)))


def level_byte(level: int) -> int:
    """RFC 6464's octet: the level as a positive number, and the top bit when it is voice."""
    return min(127, max(0, -level)) | (0x80 if level >= SPEAKING_DBOV else 0)
