"""Microphone and speaker by PortAudio (package PyAudio), in callback mode.

The callbacks run in PortAudio's thread and only move bytes between the card and two ring buffers; all else is done by who
calls `read` and `write` at the phone's 20 ms clock. The card's clock differs from ours by some parts per million: each side's
ring is kept near its target by taking a sample or two more or less in a frame. PyAudio is imported only when it is used.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtp.codecs.resample import RATE, Samples
from softphone.media.devices import DEFAULT_KEY, NULL_KEY, DeviceError
from softphone.media.resample import FRAME, Resampler, correction, stretched
from softphone.model import AudioDevice

SWITCH_INTERVAL_S = 0.001
"""How long another Python thread may keep the callback from the interpreter; CPython's own 5 ms would be heard."""
CARD_FRAMES_MS = 10
TARGET = 2 * FRAME
"""Samples that each ring tends to hold: 40 ms at worst, which covers the jitter of both threads."""
CAPACITY = 12 * FRAME
LOST_AFTER_S = 1.5
"""A stream without a callback for so long is dead."""
MISSING = "sound needs the package PyAudio; on Debian and Ubuntu: sudo apt-get install python3-pyaudio"

CHATTY = {
    "libasound.so.2": ("snd_lib_error_set_handler",), "libjack.so.0": ("jack_set_error_function", "jack_set_info_function"),
}
"""Libraries below PortAudio, and how each is given a function for its complaints."""
_IGNORE = ctypes.CFUNCTYPE(None)(lambda: None)


class Ring:
    """Samples between two threads. When it is full the oldest go; when it is empty silence comes."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._buffer = np.zeros(capacity, np.int16)
        self._start = self._fill = 0
        self._lock = threading.Lock()
        self.overruns = self.underruns = 0

    def __len__(self) -> int:
        return self._fill

    def put(self, samples: Samples) -> None:
        """Append samples."""
        size = len(self._buffer)
        samples = samples[-size:]
        with self._lock:
            excess = self._fill + len(samples) - size
            if excess > 0:
                self._start = (self._start + excess) % size
                self._fill -= excess
                self.overruns += 1
            at = (self._start + self._fill) % size
            first = min(len(samples), size - at)
            self._buffer[at:at + first] = samples[:first]
            self._buffer[:len(samples) - first] = samples[first:]
            self._fill += len(samples)

    def take(self, count: int) -> Samples:
        """The oldest `count` samples, filled up with silence."""
        out = np.zeros(count, np.int16)
        size = len(self._buffer)
        with self._lock:
            got = min(count, self._fill)
            first = min(got, size - self._start)
            out[:first] = self._buffer[self._start:self._start + first]
            out[first:got] = self._buffer[:got - first]
            self._start = (self._start + got) % size
            self._fill -= got
            if got < count:
                self.underruns += 1
        return out


@dataclass(frozen=True, slots=True)
class Found:
    """The devices of this machine and those that the system prefers ("" where there are none)."""

    microphones: tuple[AudioDevice, ...] = ()
    speakers: tuple[AudioDevice, ...] = ()
    trouble: str = ""


def find_devices() -> Found:
    """Ask PortAudio; never raises: `trouble` says why there is no sound."""
    try:
        pyaudio = _import()
    except DeviceError as error:
        return Found(trouble=str(error))
    api = pyaudio.PyAudio()
    try:
        microphones: dict[str, AudioDevice] = {}
        speakers: dict[str, AudioDevice] = {}
        for index in range(api.get_device_count()):
            info = api.get_device_info_by_index(index)
            name = str(info["name"])
            if info["maxInputChannels"] > 0:
                microphones.setdefault(name, AudioDevice(name, name))
            if info["maxOutputChannels"] > 0:
                speakers.setdefault(name, AudioDevice(name, name))
    finally:
        api.terminate()
    trouble = "" if microphones and speakers else "no sound card was found; plug one in, or use a machine that has one"
    return Found(tuple(microphones.values()), tuple(speakers.values()), trouble)


def _import() -> Any:
    try:
        import pyaudio
    except ImportError:
        raise DeviceError(MISSING) from None
    _silence_libraries()
    return pyaudio


def _silence_libraries() -> None:
    """Keep ALSA and JACK from writing a page about devices that are not there to the terminal at each look."""
    for library, functions in CHATTY.items():
        try:
            loaded = ctypes.CDLL(library)
        except OSError:
            continue
        for name in functions:
            if hasattr(loaded, name):
                getattr(loaded, name)(_IGNORE)


class SoundCard:
    """A microphone and a speaker by their keys (names); "default" or "" is what the system prefers, "null" none.

    Where one of the two can't be had the other works all the same, and `trouble` says why.
    """

    def __init__(self, microphone: str = DEFAULT_KEY, speaker: str = DEFAULT_KEY) -> None:
        self.delay_ms = 0.0
        self.trouble = ""
        self._names = (microphone, speaker)
        self._api: Any = None
        self._input: _Side | None = None
        self._output: _Side | None = None

    def start(self) -> None:
        """Open both. Raises DeviceError when neither can be had; may take some hundred milliseconds."""
        pyaudio = _import()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._api = pyaudio.PyAudio()
        troubles: list[str] = []
        self._input = self._side(pyaudio, self._names[0], troubles, is_input=True)
        self._output = self._side(pyaudio, self._names[1], troubles, is_input=False)
        self.trouble = "; ".join(troubles)
        if self._input is None and self._output is None:
            self.stop()
            raise DeviceError(self.trouble or "neither a microphone nor a speaker was chosen")
        latencies = [side.latency_ms for side in (self._input, self._output) if side is not None]
        self.delay_ms = sum(latencies) + 2 * TARGET * 1000 / RATE

    def _side(self, pyaudio: Any, name: str, troubles: list[str], *, is_input: bool) -> _Side | None:
        if name == NULL_KEY:
            return None
        try:
            return _Side(self._api, pyaudio, name, is_input=is_input)
        except DeviceError as error:
            troubles.append(str(error))
            return None

    def read(self) -> Samples:
        """See Device."""
        return self._input.read() if self._input is not None else np.zeros(FRAME, np.int16)

    def write(self, samples: Samples) -> None:
        """See Device."""
        if self._output is not None:
            self._output.write(samples)

    def is_lost(self) -> bool:
        """See Device."""
        return any(side is not None and side.is_dead() for side in (self._input, self._output))

    def stop(self) -> None:
        """See Device."""
        for side in (self._input, self._output):
            if side is not None:
                side.close()
        self._input = self._output = None
        if self._api is not None:
            self._api.terminate()
            self._api = None


class _Side:
    """One direction: a stream of the card and its ring."""

    def __init__(self, api: Any, pyaudio: Any, name: str, *, is_input: bool) -> None:
        self._is_input = is_input
        self._continue = pyaudio.paContinue
        self._ring = Ring()
        self._fill = float(TARGET)
        self._is_filled = self._is_flowing = False
        self._resampled: Samples = np.zeros(0, np.int16)
        index = _index_of(api, name, is_input)
        self._stream, self._rate = self._open(api, pyaudio, index, name)
        self._resampler = Resampler(self._rate, RATE) if is_input else Resampler(RATE, self._rate)
        self._called_at = time.monotonic()
        try:
            self._stream.start_stream()
            self.latency_ms = 1000 * float(self._stream.get_input_latency() if is_input else self._stream.get_output_latency())
        except (OSError, ValueError) as error:
            raise DeviceError(_trouble(name, is_input, error)) from None

    def _open(self, api: Any, pyaudio: Any, index: int | None, name: str) -> tuple[Any, int]:
        direction = "input" if self._is_input else "output"
        trouble: Exception = OSError()
        for rate in dict.fromkeys((RATE, _default_rate(api, index, self._is_input))):
            options = {direction: True, f"{direction}_device_index": index}
            try:
                stream = api.open(rate=rate, channels=1, format=pyaudio.paInt16, start=False, stream_callback=self._callback,
                                  frames_per_buffer=rate * CARD_FRAMES_MS // 1000, **options)
                return stream, rate
            except (OSError, ValueError) as error:
                trouble = error
        raise DeviceError(_trouble(name, self._is_input, trouble))

    def _callback(self, data: bytes | None, count: int, _timing: object, _status: int) -> tuple[bytes | None, int]:
        self._called_at = time.monotonic()
        if self._is_input:
            self._ring.put(np.frombuffer(data or b"", np.int16))
            return None, self._continue
        return self._ring.take(count).tobytes(), self._continue

    def read(self) -> Samples:
        """A frame of the microphone at 48 kHz."""
        frame = self._rate // 50
        if not self._is_filled:
            if len(self._ring) < frame + frame // 2:
                return np.zeros(FRAME, np.int16)
            self._is_filled = True
        self._fill += (len(self._ring) - self._fill) / 64
        target = TARGET * self._rate // RATE
        raw = self._ring.take(frame + correction(self._fill, target, frame // 2))
        if self._rate == RATE:
            return stretched(raw, FRAME)
        return self._next_frame(self._resampler.process(stretched(raw, frame)))

    def _next_frame(self, samples: Samples) -> Samples:
        """A frame of what came out of the resampler, which gives pieces of uneven length: a frame is held in reserve."""
        self._resampled = np.concatenate((self._resampled, samples))
        if len(self._resampled) < (FRAME if self._is_flowing else 2 * FRAME):
            self._is_flowing = False
            return np.zeros(FRAME, np.int16)
        self._is_flowing = True
        out, self._resampled = self._resampled[:FRAME], self._resampled[FRAME:]
        return out

    def write(self, samples: Samples) -> None:
        """A frame for the speaker."""
        frame = self._rate // 50
        self._fill += (len(self._ring) - self._fill) / 64
        target = TARGET * self._rate // RATE
        if not self._is_filled:
            self._is_filled = True
            self._ring.put(np.zeros(target - frame, np.int16))
        out = self._resampler.process(samples)
        self._ring.put(stretched(out, max(1, len(out) - correction(self._fill, target, frame // 2))) if len(out) else out)

    def is_dead(self) -> bool:
        """Whether the card's thread calls no more."""
        try:
            stopped = not self._stream.is_active()
        except OSError:
            stopped = True
        return stopped or time.monotonic() - self._called_at > LOST_AFTER_S

    def close(self) -> None:
        """Stop and close the stream."""
        try:
            self._stream.stop_stream()
            self._stream.close()
        except OSError:
            return


def _index_of(api: Any, name: str, is_input: bool) -> int | None:
    """PortAudio's number of a device, None for the system's own choice. Raises DeviceError when it isn't there."""
    channels = "maxInputChannels" if is_input else "maxOutputChannels"
    try:
        if name in ("", DEFAULT_KEY):
            (api.get_default_input_device_info if is_input else api.get_default_output_device_info)()
            return None
        for index in range(api.get_device_count()):
            info = api.get_device_info_by_index(index)
            if info["name"] == name and info[channels] > 0:
                return index
    except OSError as error:
        raise DeviceError(_trouble(name, is_input, error)) from None
    raise DeviceError(f"the {'microphone' if is_input else 'speaker'} {name!r} is not there; choose another one")


def _default_rate(api: Any, index: int | None, is_input: bool) -> int:
    if index is not None:
        info = api.get_device_info_by_index(index)
    else:
        info = (api.get_default_input_device_info if is_input else api.get_default_output_device_info)()
    return int(info["defaultSampleRate"])


def _trouble(name: str, is_input: bool, error: Exception) -> str:
    what = "microphone" if is_input else "speaker"
    shown = f" {name!r}" if name not in ("", DEFAULT_KEY) else ""
    detail = str(error.args[-1] if error.args else error)
    if "No Default" in detail or "-9996" in str(error.args):
        return f"no {what} was found; plug one in, or choose another device"
    return f"the {what}{shown} can't be opened ({detail or 'no reason given'}); is another program using it?"
