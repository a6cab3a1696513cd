"""The sound of the phone with a window: which devices are in use, processing as set, rings and chimes, and trouble in words.

Devices are opened and closed in one thread of their own (PortAudio may take a second, and takes one call at a time), never on
the loop. Where a device can't be had, or goes away in a call, its silent twin takes its place and a banner says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from softphone.media.audio import Found, SoundCard, find_devices
from softphone.media.devices import DEFAULT_KEY, NULL_KEY, Device, DeviceError, SourceDevice
from softphone.media.player import Notes
from softphone.media.processing import Wanted, create_processor, is_available
from softphone.media.recorder import Recorder
from softphone.media.sound import Sound
from softphone.model import AudioDevice, Banner, DevicesChanged

RING = ((659.25, 0.25), (783.99, 0.25), (659.25, 0.25), (0.0, 1.75))
RING_IN_CALL = ((880.0, 0.12), (0.0, 2.88))
TEST = ((523.25, 0.25), (659.25, 0.25), (783.99, 0.4))
LOOK_AGAIN_S = 3.0
"""How often a device that has gone away is looked for."""

T = TypeVar("T")
MakeDevice = Callable[[str, str], Device]


class Desk:
    """Microphone and speaker of the window. tell: shows a banner; make_device: by the keys of microphone and speaker.

    `sound` is what the phone's clock moves; it lives as long as the desk, with the silent twin while the desk is closed.
    """

    def __init__(self, tell: Callable[[Banner], None], make_device: MakeDevice = SoundCard, *, is_real: bool = True,
                 record: Path | None = None) -> None:
        self.found = Found()
        self.microphone = self.speaker = DEFAULT_KEY
        self.wanted = Wanted()
        self.is_open = False
        self.sound = Sound(on_lost=self._on_lost)
        self._tell = tell
        self._make_device = make_device
        self._is_real = is_real
        self._record = record
        self._thread = ThreadPoolExecutor(1, "sound")
        self._lock = asyncio.Lock()
        self._retry: asyncio.Task[None] | None = None
        self._told_trouble = ""

    async def look(self) -> DevicesChanged:
        """Which devices there are, and which are chosen."""
        if self._is_real:
            self.found = await self._in_thread(find_devices)
        return self.devices()

    def devices(self) -> DevicesChanged:
        """What was found last, the system's own choice first; the silent ones alone where there is nothing."""
        microphones, speakers = _listed(self.found.microphones), _listed(self.found.speakers)
        return DevicesChanged(microphones, speakers, _chosen(microphones, self.microphone), _chosen(speakers, self.speaker))

    def choose(self, microphone: str | None, speaker: str | None) -> None:
        """Remember other devices; `reopen` takes them into use."""
        self.microphone = microphone if microphone is not None else self.microphone
        self.speaker = speaker if speaker is not None else self.speaker

    def process(self, wanted: Wanted) -> None:
        """Do this to the microphone's sound from now on."""
        self.wanted = wanted
        if self.is_open and self._is_real:
            self.sound.processor = create_processor(wanted, int(self.sound.device.delay_ms))
            if not wanted.is_nothing and not is_available():
                self._trouble("echo cancelling needs the package pywebrtc-audio; use a headset, or install confero[phone]")

    async def open(self) -> None:
        """Start the devices, when they are not started yet. What can't be had is told by a banner."""
        async with self._lock:
            if self.is_open:
                return
            self.is_open = True
            await self._start()

    async def reopen(self) -> None:
        """Take the chosen devices into use, also in a running call."""
        async with self._lock:
            if self.is_open:
                await self._stop(self.sound.use(SourceDevice()))
                await self._start()

    async def close(self) -> None:
        """Stop the devices; the microphone is not listened to any more."""
        async with self._lock:
            if self._retry is not None:
                self._retry.cancel()
                self._retry = None
            if self.is_open:
                self.is_open = False
                await self._stop(self.sound.use(SourceDevice()))

    async def end(self) -> None:
        """Close for good."""
        await self.close()
        self.sound.close()
        self._thread.shutdown(wait=False)

    def record(self) -> None:
        """Begin the recording that was asked for, once."""
        if self._record is not None and self.sound.recorder is None:
            path, self._record = self._record, None
            try:
                self.sound.recorder = Recorder(path)
            except OSError as error:
                self._trouble(f"{path} can't be written ({error.strerror or error})")

    def ring(self, ringing: bool, in_call: bool = False) -> None:
        """Ring, quietly beside a call, or stop."""
        self.sound.chime(Notes(RING_IN_CALL if in_call else RING, loop=True) if ringing else None)

    def play_test(self) -> None:
        """Let the speaker be heard."""
        self.sound.chime(Notes(TEST))

    async def _start(self) -> None:
        try:
            device = self._make_device(self.microphone, self.speaker)
            await self._in_thread(device.start)
        except DeviceError as error:
            self._trouble(str(error))
            return
        self.sound.use(device)
        trouble = getattr(device, "trouble", "")
        if trouble:
            self._trouble(trouble)
        self.process(self.wanted)

    async def _stop(self, device: Device) -> None:
        await self._in_thread(device.stop)

    def _on_lost(self, device: Device) -> None:
        self._tell(Banner("The sound device has gone away; the call goes on in silence. Plug it in again, or choose another.",
                          "warning"))
        self._retry = asyncio.get_running_loop().create_task(self._look_again(device), name="sound: look again")

    async def _look_again(self, lost: Device) -> None:
        await self._stop(lost)
        while self.is_open:
            await asyncio.sleep(LOOK_AGAIN_S)
            try:
                device = self._make_device(self.microphone, self.speaker)
                await self._in_thread(device.start)
            except DeviceError:
                continue
            if not self.is_open or not isinstance(self.sound.device, SourceDevice):
                await self._stop(device)
                return
            self.sound.use(device)
            self.process(self.wanted)
            self._tell(Banner("The sound device is back."))
            return

    def _trouble(self, text: str) -> None:
        if text != self._told_trouble:
            self._told_trouble = text
            self._tell(Banner(text[:1].upper() + text[1:], "warning"))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _listed(found: tuple[AudioDevice, ...]) -> tuple[AudioDevice, ...]:
    if not found:
        return (AudioDevice(NULL_KEY, "None"),)
    others = tuple(device for device in found if device.key != DEFAULT_KEY)
    return (AudioDevice(DEFAULT_KEY, "System default"), *others)


def _chosen(listed: tuple[AudioDevice, ...], key: str) -> str:
    return key if any(device.key == key for device in listed) else listed[0].key
