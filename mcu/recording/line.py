"""The way from a media room to the process that records it: one message a tick, on a socket of the kind SOCK_SEQPACKET.

    kind (1) · streams (1) · dropped so far (4) · time of the tick in ns (8) · for each stream: leg (4) · 960 samples

Leg 0 is the mix. What is silent isn't sent, but the tick is: time goes on. The socket is shared: a media worker sends sound,
control sends facts (who a leg is; pause, resume) as JSON. Neither ever waits: what does not fit within MAX_WAITING bytes is
dropped and counted, and the count is written down.
"""

from __future__ import annotations

import json
import socket
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcu.errors import ProtocolError
from rtp.codecs.resample import Samples
from rtp.kernel.spec import TICK_SAMPLES

SOUND, FACT = 1, 2
"""Kinds of messages."""
MIX = 0
"""In place of a leg's id: what everybody hears."""
MAX_STREAMS = 64
"""A room mixes eight; nobody sends more."""
MAX_WAITING = 4_000_000
"""Bytes that wait in a worker: five seconds of a mix and eight speakers."""
MAX_FACT = 16_000
MAX_LINE = 200_000
_HEAD = struct.Struct("!BBIQ")
_LEG = struct.Struct("!I")
_SIZE = TICK_SAMPLES * 2


@dataclass(frozen=True, slots=True)
class Sound:
    """What was heard in one tick. time_ns: when the tick was due (monotonic); dropped: ticks that were lost on the way so far;
    streams: leg id and int16, shape (960,), 48 kHz mono each."""

    time_ns: int
    dropped: int
    streams: tuple[tuple[int, Samples], ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that control tells. kind: "room", "person", "left", "pause", "resume"; the rest by name."""

    kind: str
    values: dict[str, Any]


class Sender:
    """The end that is told. sock: non-blocking; it belongs to the sender from now on.

    dropped: ticks and facts that did not fit; is_broken: whether the other end is gone.
    """

    def __init__(self, sock: socket.socket, max_waiting: int = MAX_WAITING) -> None:
        sock.setblocking(False)
        self.dropped = 0
        self.is_broken = False
        self._socket = sock
        self._max_waiting = max_waiting
        self._waiting: deque[bytes] = deque()
        self._size = 0

    def sound(self, time_ns: int, streams: Sequence[tuple[int, Samples]]) -> None:
        """What was heard in a tick; see Sound."""
        pieces = [_HEAD.pack(SOUND, len(streams), self.dropped, time_ns)]
        for leg_id, samples in streams:
            pieces += (_LEG.pack(leg_id), samples.tobytes())
        self._put(b"".join(pieces))

    def fact(self, kind: str, **values: Any) -> None:
        """Something to be known; see Fact. Values are what JSON holds."""
        self._put(bytes([FACT]) + json.dumps({"kind": kind, **values}).encode()[:MAX_FACT])

    def _put(self, message: bytes) -> None:
        if self.is_broken:
            return
        if self._size + len(message) > self._max_waiting:
            self.dropped += 1
            return
        self._waiting.append(message)
        self._size += len(message)
        self.flush()

    def flush(self) -> None:
        """Hand over what waits, as far as the other end takes it just now."""
        while self._waiting:
            try:
                self._socket.send(self._waiting[0])
            except BlockingIOError:
                return
            except OSError:
                self.is_broken = True
                self._waiting.clear()
                self._size = 0
                return
            self._size -= len(self._waiting.popleft())

    def close(self) -> None:
        """Hand over what the other end takes, and let go of it."""
        self.flush()
        self._socket.close()


def read(message: bytes) -> Sound | Fact:
    """What a message says. Raises ProtocolError."""
    if message[:1] == bytes([FACT]):
        return _read_fact(message[1:])
    if len(message) < _HEAD.size:
        raise ProtocolError(f"a message of {len(message)} bytes")
    kind, count, dropped, time_ns = _HEAD.unpack_from(message)
    if kind != SOUND or count > MAX_STREAMS or len(message) != _HEAD.size + count * (_LEG.size + _SIZE):
        raise ProtocolError(f"kind {kind} with {count} streams in {len(message)} bytes")
    streams = []
    for position in range(_HEAD.size, len(message), _LEG.size + _SIZE):
        (leg_id,) = _LEG.unpack_from(message, position)
        streams.append((leg_id, np.frombuffer(message, np.int16, TICK_SAMPLES, position + _LEG.size)))
    return Sound(time_ns, dropped, tuple(streams))


def _read_fact(data: bytes) -> Fact:
    try:
        values = json.loads(data)
        kind = values.pop("kind")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ProtocolError(f"no fact: {error}") from None
    return Fact(str(kind), values)
