"""The resamplers: flat where speech is, nothing folded back, the delay that they claim, no seam between two frames."""

from __future__ import annotations

import numpy as np
import pytest

from rtp.codecs.resample import TAPS, Downsampler, Upsampler
from tests.rtp.codecs.signals import FRAME, delay_samples, frames_of, level_db, snr_db, tone

PEAK_DB = 20 * np.log10(8000)


@pytest.mark.parametrize(("factor", "hz"), [
    (6, 50), (6, 300), (6, 1000), (6, 2000), (6, 3000), (6, 3400), (3, 50), (3, 1000), (3, 5000), (3, 6800),
])
def test_pass_band_is_flat_within_a_tenth_of_a_db_both_ways(factor: int, hz: float) -> None:
    down, up = Downsampler(factor), Upsampler(factor)
    low = np.concatenate([down.process(frame) for frame in frames_of(tone(hz))])[1000:]
    assert abs(level_db(low, hz, 48000 // factor) - PEAK_DB) < 0.1
    high = up.process(low)[6000:]
    assert abs(level_db(high, hz) - PEAK_DB) < 0.1
    assert snr_db(high, hz) > 60


@pytest.mark.parametrize(("factor", "hz"), [
    (6, 4600), (6, 5000), (6, 7000), (6, 9000), (6, 15000), (6, 23000), (3, 9200), (3, 15500),
])
def test_what_would_fold_back_is_60_db_down(factor: int, hz: float) -> None:
    down = Downsampler(factor)
    low = np.concatenate([down.process(frame) for frame in frames_of(tone(hz, peak=30000))])[1000:]
    assert 20 * np.log10(np.sqrt(2 * np.mean(low.astype(float) ** 2)) / 30000 + 1e-9) < -60


def test_images_of_the_low_rate_are_60_db_down() -> None:
    low = np.rint(20000 * np.sin(2 * np.pi * 3000 / 8000 * np.arange(8000))).astype(np.int16)
    high = Upsampler(6).process(low)[6000:]
    assert level_db(high, 3000) - level_db(high, 5000) > 60


@pytest.mark.parametrize("factor", [3, 6])
def test_delay_there_and_back_is_that_of_both_filters(factor: int) -> None:
    noise = np.random.default_rng(1).normal(0, 3000, 48000)
    smooth = np.convolve(noise, np.hanning(64) / 32, "same").astype(np.int16)
    back = Upsampler(factor).process(Downsampler(factor).process(smooth))
    assert delay_samples(smooth, back) == (TAPS - 1) * factor


@pytest.mark.parametrize("size", [480, 960, 2880, 60, 6])
@pytest.mark.parametrize("factor", [3, 6])
def test_frames_of_any_size_give_what_the_whole_gives(factor: int, size: int) -> None:
    noise = np.random.default_rng(2).integers(-30000, 30000, 8640).astype(np.int16)
    whole = Downsampler(factor).process(noise)
    down, up = Downsampler(factor), Upsampler(factor)
    lowered = np.concatenate([down.process(frame) for frame in frames_of(noise, size)])
    assert np.max(np.abs(lowered.astype(int) - whole)) <= 1
    raised = np.concatenate([up.process(frame) for frame in frames_of(whole, size // factor)])
    assert np.max(np.abs(raised.astype(int) - Upsampler(factor).process(whole))) <= 1


def test_copy_goes_on_like_the_original() -> None:
    down = Downsampler(6)
    down.process(tone(700, 1))
    twin, more = down.copy(), tone(900, 1)
    assert np.array_equal(twin.process(more), down.process(more))


def test_full_scale_is_clipped_and_not_wrapped() -> None:
    square = np.where(np.arange(FRAME * 5) // 120 % 2, 32767, -32768).astype(np.int16)
    low = Downsampler(6).process(square)
    high = Upsampler(6).process(low).astype(int)
    delay = (TAPS - 1) * 6
    inner = np.flatnonzero((np.arange(FRAME * 5 - delay) % 120 >= 20) & (np.arange(FRAME * 5 - delay) % 120 < 100))[200:]
    assert np.all(np.sign(high[inner + delay]) == np.sign(square[inner])) and np.all(np.abs(high[inner + delay]) > 25000)
    assert high.max() == 32767 and high.min() == -32768


def test_length_is_exact() -> None:
    assert Downsampler(6).process(tone(500, 1)).shape == (160,) and Downsampler(3).process(tone(500, 1)).shape == (320,)
    assert Upsampler(6).process(np.zeros(80, np.int16)).shape == (480,)
