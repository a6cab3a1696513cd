"""Keys in the audio (ITU-T Q.24): found from 40 ms on, told once, at all levels and a little off; never in speech."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from rtp.codecs import g711
from rtp.inband_dtmf import COLUMNS_HZ, KEYS, ROWS_HZ, InbandDtmfReceiver

Signal = npt.NDArray[np.float64]
ALL_KEYS = "".join(KEYS)
TABLES = {False: g711.MULAW, True: g711.ALAW}


def press(key: str, ms: int, *, level_dbfs: float = -12.0, twist_db: float = 0.0, off: float = 0.0) -> Signal:
    """Both tones of a key at 8 kHz. twist_db: how much louder the low one is; off: relative error of the frequencies."""
    row = next(number for number, keys in enumerate(KEYS) if key in keys)
    time = np.arange(8 * ms) / 8000
    peak = 32768 * 10 ** (level_dbfs / 20)
    low = 10 ** (twist_db / 40) * np.sin(2 * np.pi * ROWS_HZ[row] * (1 + off) * time)
    high = 10 ** (-twist_db / 40) * np.sin(2 * np.pi * COLUMNS_HZ[KEYS[row].index(key)] * (1 + off) * time)
    return peak * (low + high)


def quiet(ms: int) -> Signal:
    """Nothing."""
    return np.zeros(8 * ms)


def keys_in(*pieces: Signal, packet: int = 160, is_alaw: bool = False) -> str:
    """What is found in a signal that went through G.711, packet by packet."""
    line = np.clip(np.rint(np.concatenate(pieces)), -32768, 32767).astype(np.int32)
    steps = np.sort(TABLES[is_alaw].astype(np.int32))
    codes = np.argsort(TABLES[is_alaw], kind="stable").astype(np.uint8)[np.clip(np.searchsorted(steps, line), 0, 255)].tobytes()
    receiver = InbandDtmfReceiver(is_alaw)
    found = (receiver.receive(codes[start:start + packet]) for start in range(0, len(codes), packet))
    return "".join(key for key in found if key)


@pytest.mark.parametrize("key", ALL_KEYS)
def test_each_key_is_found_once_wherever_it_begins(key: str) -> None:
    for lead in range(0, 26, 5):
        assert keys_in(quiet(lead), press(key, 40), quiet(60)) == key
        assert keys_in(quiet(lead), press(key, 400), quiet(60), packet=240, is_alaw=True) == key


@pytest.mark.parametrize(("twist_db", "level_dbfs", "off"), [
    (6, -12, 0), (-4, -12, 0), (0, -6, 0), (0, -30, 0), (0, -12, 0.015), (0, -12, -0.015)])
def test_keys_are_found_with_twist_at_all_levels_and_a_little_off(twist_db: float, level_dbfs: float, off: float) -> None:
    for key in ALL_KEYS:
        assert keys_in(press(key, 80, twist_db=twist_db, level_dbfs=level_dbfs, off=off), quiet(60)) == key


@pytest.mark.parametrize("wrong", [
    press("5", 12), press("5", 100, off=0.035), press("5", 100, twist_db=14), press("5", 100, twist_db=-12),
    press("5", 100, level_dbfs=-50), quiet(200)],
    ids=["too short", "far off", "twisted", "twisted the other way", "too quiet", "nothing"])
def test_what_is_no_key_is_not_taken_for_one(wrong: Signal) -> None:
    assert keys_in(quiet(7), wrong, quiet(60)) == ""


def test_one_tone_alone_or_three_are_no_key() -> None:
    time = np.arange(1600) / 8000
    for tones in ((770,), (1336,), (770, 1336, 1477), (697, 770, 1336), (440, 480)):
        assert keys_in(sum((6000 * np.sin(2 * np.pi * hz * time) for hz in tones), np.zeros(1600))) == ""


def test_a_number_is_read_in_order_also_with_a_key_twice() -> None:
    pieces = [piece for key in "1223*0#" for piece in (press(key, 60), quiet(50))]
    assert keys_in(*pieces) == "1223*0#"


def test_a_short_dropout_makes_no_second_press() -> None:
    assert keys_in(press("8", 100), quiet(10), press("8", 100), quiet(60)) == "8"


def test_keys_are_found_under_the_noise_of_a_line() -> None:
    random = np.random.default_rng(3)
    line = np.concatenate([piece for key in ALL_KEYS for piece in (press(key, 80), quiet(60))])
    assert keys_in(line + random.normal(0, 150, len(line))) == ALL_KEYS


def test_two_minutes_of_vowels_and_noise_hold_no_key() -> None:
    random = np.random.default_rng(11)
    pieces = []
    for _ in range(600):
        time = np.arange(1600) / 8000
        pitch = random.uniform(80, 330) * (1 + 0.1 * np.sin(2 * np.pi * random.uniform(2, 6) * time))
        phase = 2 * np.pi * np.cumsum(pitch) / 8000
        formants = np.sort(random.uniform((250, 800, 2200), (900, 2300, 3000)))
        vowel = np.zeros(1600)
        for harmonic in range(1, 40):
            hz = harmonic * pitch.mean()
            if hz > 3600:
                break
            weight = sum(1 / (1 + ((hz - formant) / 90) ** 2) for formant in formants)
            vowel += weight * np.sin(harmonic * phase + random.uniform(0, 6))
        envelope = np.sin(np.linspace(0, np.pi, 1600)) ** 0.5
        pieces.append(4000 * vowel * envelope + random.normal(0, random.choice((20, 400)), 1600))
    assert keys_in(*pieces) == ""
