"""The form in which sound waits to be played: a short head, then 48 kHz, mono, 16 bits, in whole ticks of 20 ms.

    "CNFR" · state (4): 0 it grows, 1 it is complete, 2 it could not be made · ticks (8) · reason (240, UTF-8) · samples

The file has no name: control opens it and gives its descriptor to the process that fills it and to the worker that plays it.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

import numpy as np

from rtp.codecs.resample import Samples
from rtp.kernel.spec import TICK_SAMPLES

GROWING, COMPLETE, FAILED = 0, 1, 2
HEAD = struct.Struct("<4sIQ240s")
MAGIC = b"CNFR"
TICK_BYTES = TICK_SAMPLES * 2
MAX_TICKS = 4 * 3600 * 50
"""Four hours: some 1.4 GB on the disk while they are played."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of the whole. ticks: of what is there so far, or in all."""

    state: int
    ticks: int
    reason: str = ""


def write_head(descriptor: int, head: Head) -> None:
    """Put the head in place. Raises OSError."""
    os.pwrite(descriptor, HEAD.pack(MAGIC, head.state, head.ticks, head.reason.encode()[:240]), 0)


def read_head(descriptor: int) -> Head:
    """The head; that of a file with nothing in it while there is none."""
    data = os.pread(descriptor, HEAD.size, 0)
    if len(data) < HEAD.size:
        return Head(GROWING, 0)
    magic, state, ticks, reason = HEAD.unpack(data)
    if magic != MAGIC:
        return Head(FAILED, 0, "no sound of ours")
    return Head(state, ticks, reason.rstrip(b"\0").decode("utf-8", "replace"))


def append(descriptor: int, tick: int, samples: Samples) -> None:
    """Write whole ticks at a place. samples: int16, a multiple of 960. Raises OSError."""
    os.pwrite(descriptor, samples.astype("<i2").tobytes(), HEAD.size + tick * TICK_BYTES)


def read_tick(descriptor: int, tick: int) -> Samples | None:
    """The samples of a tick, None where there are none."""
    data = os.pread(descriptor, TICK_BYTES, HEAD.size + tick * TICK_BYTES)
    return np.frombuffer(data, np.int16) if len(data) == TICK_BYTES else None
