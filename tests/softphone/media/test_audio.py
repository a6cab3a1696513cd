"""The sound card behind PyAudio, with a PyAudio of our own."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from softphone.media.audio import CAPACITY, MISSING, Ring, SoundCard, find_devices
from softphone.media.devices import DeviceError
from softphone.media.player import Tone
from tests.helpers import tones


class FakeStream:
    """A stream whose callback the test calls."""

    def __init__(self, callback: Any, rate: int) -> None:
        self.callback, self.rate, self.is_running = callback, rate, False

    def start_stream(self) -> None:
        self.is_running = True

    def stop_stream(self) -> None:
        self.is_running = False

    def close(self) -> None:
        self.is_running = False

    def is_active(self) -> bool:
        return self.is_running

    def get_input_latency(self) -> float:
        return 0.01

    get_output_latency = get_input_latency


class FakeApi:
    """A machine with the given devices; rates: which each of them takes."""

    devices: ClassVar[list[dict[str, Any]]] = []
    rates: ClassVar[tuple[int, ...]] = (48000, 44100)
    streams: ClassVar[list[FakeStream]] = []

    def get_device_count(self) -> int:
        return len(self.devices)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return self.devices[index]

    def _default(self, key: str) -> dict[str, Any]:
        for device in self.devices:
            if device[key] > 0:
                return device
        raise OSError("No Default Device Available")

    def get_default_input_device_info(self) -> dict[str, Any]:
        return self._default("maxInputChannels")

    def get_default_output_device_info(self) -> dict[str, Any]:
        return self._default("maxOutputChannels")

    def open(self, *, rate: int, stream_callback: Any, **_: Any) -> FakeStream:
        if rate not in self.rates:
            raise OSError(-9997, "Invalid sample rate")
        self.streams.append(FakeStream(stream_callback, rate))
        return self.streams[-1]

    def terminate(self) -> None:
        return None


def device(name: str, inputs: int, outputs: int, rate: int = 48000) -> dict[str, Any]:
    return {"name": name, "maxInputChannels": inputs, "maxOutputChannels": outputs, "defaultSampleRate": float(rate)}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> type[FakeApi]:
    class Machine(FakeApi):
        devices: ClassVar[list[dict[str, Any]]] = [device("Headset", 1, 2), device("Camera", 2, 0),
                                                   device("Loudspeaker", 0, 2)]
        streams: ClassVar[list[FakeStream]] = []

    monkeypatch.setitem(sys.modules, "pyaudio", SimpleNamespace(PyAudio=Machine, paInt16=8, paContinue=0))
    return Machine


def test_devices_are_found_by_what_they_can(machine: type[FakeApi]) -> None:
    found = find_devices()
    assert [d.name for d in found.microphones] == ["Headset", "Camera"]
    assert [d.name for d in found.speakers] == ["Headset", "Loudspeaker"]
    assert found.trouble == ""
    machine.devices = []
    assert "no sound card" in find_devices().trouble


def test_without_pyaudio_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    assert find_devices().trouble == MISSING and "python3-pyaudio" in MISSING
    with pytest.raises(DeviceError, match="PyAudio"):
        SoundCard().start()


@pytest.mark.parametrize("rate", [48000, 44100])
def test_sound_goes_through_the_card_both_ways(machine: type[FakeApi], rate: int) -> None:
    machine.devices = [device("Headset", 1, 2, rate)]
    machine.rates = (rate,)
    card = SoundCard("Headset", "Headset")
    card.start()
    microphone, speaker = machine.streams
    piece = rate // 100
    spoken = (tones.sines(440, 3, rate, -20) * 32768).astype(np.int16)
    far, heard, played = Tone(1000, -20), [], []
    for tick in range(140):
        for half in (0, 1):
            at = (2 * tick + half) * piece
            microphone.callback(spoken[at:at + piece].tobytes(), piece, None, 0)
            played.append(np.frombuffer(speaker.callback(None, piece, None, 0)[0], np.int16))
        heard.append(card.read())
        frame = far.read()
        assert frame is not None
        card.write(frame)
    card.stop()
    card.stop()
    assert {len(frame) for frame in heard} == {960}
    for samples, hz, its_rate in ((np.concatenate(heard) / 32768, 440, 48000), (np.concatenate(played) / 32768, 1000, rate)):
        middle = tones.steady(its_rate, samples)
        assert tones.level_dbfs(its_rate, middle, hz) == pytest.approx(-20, abs=0.5)
        assert tones.longest_gap_ms(its_rate, middle) == 0
    assert not any(stream.is_running for stream in machine.streams)


def test_without_a_microphone_the_speaker_works_and_the_trouble_is_told(machine: type[FakeApi]) -> None:
    machine.devices = [device("Loudspeaker", 0, 2)]
    card = SoundCard()
    card.start()
    assert "no microphone was found" in card.trouble and len(machine.streams) == 1
    assert not np.any(card.read())
    card.stop()


def test_a_machine_without_any_device_is_refused_in_words(machine: type[FakeApi]) -> None:
    machine.devices = []
    with pytest.raises(DeviceError, match=r"no microphone was found.*no speaker was found"):
        SoundCard().start()


def test_a_device_that_is_not_there_any_more_is_named(machine: type[FakeApi]) -> None:
    card = SoundCard("Old headset", "Headset")
    card.start()
    assert card.trouble == "the microphone 'Old headset' is not there; choose another one"
    card.stop()


def test_a_card_whose_stream_stops_is_lost(machine: type[FakeApi]) -> None:
    card = SoundCard()
    card.start()
    assert not card.is_lost()
    machine.streams[0].is_running = False
    assert card.is_lost()
    card.stop()


def test_a_ring_keeps_the_newest_and_fills_up_with_silence() -> None:
    ring = Ring(10)
    ring.put(np.arange(1, 8, dtype=np.int16))
    assert ring.take(3).tolist() == [1, 2, 3]
    ring.put(np.arange(8, 16, dtype=np.int16))
    assert ring.overruns == 1 and len(ring) == 10
    assert ring.take(12).tolist() == [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0]
    assert ring.underruns == 1
    ring.put(np.arange(50, dtype=np.int16))
    assert ring.take(10).tolist() == list(range(40, 50))


def test_a_ring_between_two_threads_loses_and_invents_nothing() -> None:
    ring, total, got = Ring(), 200_000, list[np.ndarray]()

    def writer() -> None:
        sent = 0
        while sent < total:
            if len(ring) < CAPACITY - 500:
                ring.put((np.arange(sent, sent + 480) % 30000).astype(np.int16))
                sent += 480

    thread = threading.Thread(target=writer)
    thread.start()
    count = 0
    while count < total - 480:
        if len(ring) >= 480:
            got.append(ring.take(480))
            count += 480
    thread.join()
    samples = np.concatenate(got)
    assert np.array_equal(samples, np.arange(len(samples)) % 30000)
