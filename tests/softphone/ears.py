"""What tests of the phone listen with."""

from __future__ import annotations

import asyncio

import numpy as np

from rtp.codecs.resample import Samples
from softphone.call import Call
from softphone.media.player import Source
from tests.helpers import tones


class Ear:
    """Collects what a call hears."""

    def __init__(self) -> None:
        self.frames: list[Samples] = []

    async def listen(self, call: Call) -> None:
        """Until the call ends, or this task is cancelled."""
        async for frame in call.audio():
            self.frames.append(frame)

    @property
    def samples(self) -> tones.Signal:
        """All that was heard, full scale ±1."""
        return np.concatenate(self.frames) / 32768 if self.frames else np.zeros(0)


async def talk(call: Call, source: Source, seconds: float, ear: Ear) -> None:
    """Send a source and listen for so long, counted in the frames heard."""
    listening = asyncio.create_task(ear.listen(call))
    for _ in range(int(seconds * 50)):
        frame = source.read()
        assert frame is not None
        call.play(frame)
    try:
        async with asyncio.timeout(3 * seconds + 5):
            while len(ear.frames) < seconds * 50:
                await asyncio.sleep(0.02)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
