"""Concealment: a tone and a voice go on through a lost packet without a click, and fade when nothing comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtp.codecs.conceal import FADE_MS, HOLD_MS, Concealer
from rtp.codecs.resample import Samples
from tests.rtp.codecs.signals import snr_db


def sine(hz: float, rate: int, seconds: float = 1.0) -> Samples:
    """A tone of peak 8000."""
    values: Samples = np.rint(8000 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)
    return values


def with_losses(samples: Samples, rate: int, every: int, ptime_ms: int = 20) -> Samples:
    """The signal after one packet of `every` was lost and made up."""
    concealer, size = Concealer(rate), rate * ptime_ms // 1000
    out = []
    for number, start in enumerate(range(0, len(samples) - size + 1, size)):
        is_lost = number % every == every - 1
        out.append(concealer.make(size) if is_lost else concealer.hear(samples[start:start + size]))
    return np.concatenate(out)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("hz", [100, 187, 440, 1004])
def test_tone_goes_on_in_phase_through_a_lost_packet(rate: int, hz: float) -> None:
    heard = with_losses(sine(hz, rate), rate, 10)
    assert snr_db(heard, hz, rate) > 18
    clean_step = np.max(np.abs(np.diff(sine(hz, rate).astype(int))))
    assert np.max(np.abs(np.diff(heard.astype(int)))) < 1.6 * clean_step + 300


def test_voice_is_nearer_to_the_truth_than_repeating_the_packet_or_silence() -> None:
    rate = 8000
    phase = 2 * np.pi * np.cumsum(130 + 20 * np.sin(2 * np.pi * np.arange(rate * 2) / rate)) / rate
    voice = (4000 * sum(np.sin(k * phase) / k for k in range(1, 12))).astype(np.int16)
    heard = with_losses(voice, rate, 10)
    lost = np.arange(len(heard)) // 160 % 10 == 9
    truth = voice[:len(heard)].astype(float)
    error = np.mean((heard[lost] - truth[lost]) ** 2)
    repeated = np.roll(truth, 160)[lost]
    assert error < np.mean((repeated - truth[lost]) ** 2) / 3
    assert error < np.mean(truth[lost] ** 2) / 3


def test_nothing_is_left_when_the_fade_is_over() -> None:
    concealer = Concealer(8000)
    for start in range(0, 1600, 160):
        concealer.hear(sine(300, 8000)[start:start + 160])
    made = np.concatenate([concealer.make(160) for _ in range(6)]).astype(int)
    assert np.max(np.abs(made[:HOLD_MS * 8])) > 7500
    assert not np.any(made[(HOLD_MS + FADE_MS) * 8:])
    levels = [np.max(np.abs(made[start:start + 80])) for start in range(80, 720, 80)]
    assert levels == sorted(levels, reverse=True)


def test_before_anything_was_heard_there_is_silence() -> None:
    assert not np.any(Concealer(8000).make(160))
    quiet = Concealer(8000)
    quiet.hear(np.zeros(8, np.int16))
    assert not np.any(quiet.make(160))


def test_without_a_loss_nothing_is_changed() -> None:
    concealer, tone = Concealer(16000), sine(500, 16000)
    for start in range(0, 3200, 320):
        assert np.array_equal(concealer.hear(tone[start:start + 320]), tone[start:start + 320])


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400), st.integers(-32768, 32767)), max_size=20))
def test_any_lengths_and_levels_are_taken_and_never_wrap(steps: list[tuple[bool, int, int]]) -> None:
    concealer, loudest = Concealer(8000), 0
    for is_lost, size, value in steps:
        if is_lost:
            made = concealer.make(size)
            assert made.shape == (size,) and np.max(np.abs(made.astype(int)), initial=0) <= loudest + 1
        else:
            loudest = max(loudest, abs(value))
            samples = (value * np.cos(np.arange(size) / 5)).astype(np.int16)
            assert concealer.hear(samples).shape == (size,)
