"""Echo cancelling by WebRTC: the far end's voice goes, the near one stays."""

from __future__ import annotations

import numpy as np

from softphone.media.processing import Through, Wanted, create_processor, is_available
from tests.helpers import tones


def speech(seed: int, seconds: float) -> np.ndarray:
    """Something like speech: noise in syllables."""
    random = np.random.default_rng(seed)
    count = int(seconds * 48000)
    syllables = np.repeat(random.uniform(0, 1, count // 7200 + 1) > 0.4, 7200)[:count]
    smooth = np.convolve(random.normal(0, 1, count), np.ones(24) / 24, "same")
    return (smooth / np.max(np.abs(smooth)) * 9000 * syllables).astype(np.int16)


def test_nothing_wanted_changes_nothing() -> None:
    processor = create_processor(Wanted(False, False, False))
    frame = np.arange(960, dtype=np.int16)
    assert isinstance(processor, Through) and processor.process(frame, frame) is frame


def test_the_echo_of_the_far_end_is_cancelled() -> None:
    assert is_available()
    processor = create_processor(Wanted(True, False, False), delay_ms=20)
    far = speech(1, 8)
    near = (np.roll(far, 960) * 0.5).astype(np.int16)
    out = np.concatenate([processor.process(near[i:i + 960], far[i:i + 960]) for i in range(0, len(far) - 960, 960)])
    late = slice(5 * 48000, 7 * 48000)
    assert tones.rms_dbfs(near[late] / 32768) - tones.rms_dbfs(out[late] / 32768) > 15


def test_the_near_voice_stays_while_nobody_else_speaks() -> None:
    processor = create_processor(Wanted(True, False, False))
    near, silence = speech(2, 3), np.zeros(960, np.int16)
    out = np.concatenate([processor.process(near[i:i + 960], silence) for i in range(0, len(near) - 960, 960)])
    late = slice(48000, 2 * 48000)
    assert abs(tones.rms_dbfs(near[late] / 32768) - tones.rms_dbfs(out[late] / 32768)) < 3
