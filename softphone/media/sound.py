"""The phone's sound between device and call: processing, levels, mute, rings and chimes, recording, and what to do when the
device goes away (the call stays, on the silent twin)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rtp.codecs.resample import Samples
from softphone.media.devices import Device, SourceDevice
from softphone.media.levels import SILENT, level_dbov
from softphone.media.player import Source
from softphone.media.processing import Processor, Through
from softphone.media.recorder import Recorder
from softphone.media.resample import FRAME

CHECK_EVERY = 25
"""Ticks between two looks at whether the device is still alive."""


class Sound:
    """Moves a frame of 20 ms each way when asked. on_lost: gets the device that has gone away, to be stopped.

    `microphone_dbov` and `speaker_dbov` are the levels of the last frames.
    """

    def __init__(self, device: Device | None = None, on_lost: Callable[[Device], None] = lambda device: None) -> None:
        self.device: Device = device if device is not None else SourceDevice()
        self.processor: Processor = Through()
        self.recorder: Recorder | None = None
        self.is_muted = False
        self.microphone_dbov = self.speaker_dbov = SILENT
        self._on_lost = on_lost
        self._chime: Source | None = None
        self._far: Samples = np.zeros(FRAME, np.int16)
        self._ticks = 0

    def capture(self) -> Samples:
        """The microphone's next frame, processed; zeros while muted (its level is measured all the same)."""
        self._watch()
        near = self.processor.process(self.device.read(), self._far)
        self.microphone_dbov = level_dbov(near)
        return np.zeros(FRAME, np.int16) if self.is_muted else near

    def play(self, heard: Samples | None) -> None:
        """Let a frame of the call be heard (None: nothing came), with the chime over it."""
        frame = heard if heard is not None else np.zeros(FRAME, np.int16)
        if self.recorder is not None:
            self.recorder.write(frame)
        if self._chime is not None:
            piece = self._chime.read()
            if piece is None:
                self._chime = None
            else:
                frame = np.clip(frame.astype(np.int32) + piece, -32768, 32767).astype(np.int16)
        self.speaker_dbov = level_dbov(frame)
        self._far = frame
        self.device.write(frame)

    def record_silence(self, frames: int) -> None:
        """The clock stood still for so many frames: keep the recording in real time."""
        if self.recorder is not None and frames > 0:
            self.recorder.write(np.zeros(frames * FRAME, np.int16))

    def chime(self, source: Source | None) -> None:
        """Play a source over everything until its end, or stop the one that plays."""
        self._chime = source

    @property
    def is_chiming(self) -> bool:
        """Whether a chime plays."""
        return self._chime is not None

    def use(self, device: Device) -> Device:
        """Take another device, already started; the old one is given back to be stopped."""
        old, self.device = self.device, device
        return old

    def _watch(self) -> None:
        self._ticks += 1
        if self._ticks % CHECK_EVERY == 0 and self.device.is_lost():
            lost = self.use(SourceDevice())
            self._on_lost(lost)

    def close(self) -> None:
        """Stop the device and finish the recording."""
        self.device.stop()
        if self.recorder is not None:
            self.recorder.close()
            self.recorder = None
