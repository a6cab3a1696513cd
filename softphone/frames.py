"""The sound of a call for programs: what is to be sent, piece after piece, and what is heard, for any number of readers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import numpy as np

from rtp.codecs.resample import Samples
from softphone.media.resample import FRAME

HEARD_FRAMES = 50
"""Frames that wait for a reader; who is more than a second behind loses the oldest."""
PLAY_FRAMES = 3000
"""Frames that wait to be sent: a minute. What does not fit is refused."""
SILENCE: Samples = np.zeros(FRAME, np.int16)
SILENCE.flags.writeable = False


class Frames:
    """Both directions, in frames of 20 ms: int16, shape (960,), 48 kHz mono. `overruns` counts what slow readers lost."""

    def __init__(self) -> None:
        self.overruns = 0
        self._readers: list[asyncio.Queue[Samples | None]] = []
        self._waiting: deque[Samples] = deque()
        self._rest: Samples = SILENCE[:0]
        self._drained = asyncio.Event()
        self._drained.set()
        self._is_over = False

    async def heard(self) -> AsyncIterator[Samples]:
        """Each frame that is heard from now on, until the call ends."""
        if self._is_over:
            return
        queue: asyncio.Queue[Samples | None] = asyncio.Queue(HEARD_FRAMES)
        self._readers.append(queue)
        try:
            while (frame := await queue.get()) is not None:
                yield frame
        finally:
            self._readers.remove(queue)

    def play(self, samples: Samples) -> bool:
        """Append sound of any length. False, and nothing is taken, when a minute of it waits."""
        if self._is_over or len(self._waiting) + len(samples) // FRAME > PLAY_FRAMES:
            return False
        whole = np.concatenate((self._rest, samples)).astype(np.int16)
        count = len(whole) // FRAME
        self._waiting.extend(whole[i * FRAME:(i + 1) * FRAME] for i in range(count))
        self._rest = whole[count * FRAME:]
        if len(whole):
            self._drained.clear()
        return True

    async def played(self) -> None:
        """Wait until all is sent, or the call is over."""
        await self._drained.wait()

    def next_to_send(self) -> Samples:
        """The next frame, what is left at the end filled up; silence when there is nothing."""
        if self._waiting:
            return self._waiting.popleft()
        if self._drained.is_set():
            return SILENCE
        self._drained.set()
        rest, self._rest = self._rest, SILENCE[:0]
        return np.concatenate((rest, SILENCE[len(rest):])) if len(rest) else SILENCE

    def hear(self, frame: Samples | None) -> None:
        """Give a frame to all readers, silence for None."""
        for queue in self._readers:
            if queue.full():
                queue.get_nowait()
                self.overruns += 1
            queue.put_nowait(frame if frame is not None else SILENCE)

    def end(self) -> None:
        """The call is over: readers come to their end, nobody waits for what is not sent."""
        self._is_over = True
        for queue in self._readers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)
        self._drained.set()
