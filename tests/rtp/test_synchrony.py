"""Lip sync: who is ahead waits, in small steps, whatever the clocks' offset; nonsense moves nothing."""

from __future__ import annotations

import pytest

from rtp.clock import ntp_timestamp
from rtp.synchrony import MAX_DELAY_S, StreamClock, Synchrony


def watched(synchrony: Synchrony, audio_lag_s: float, video_lag_s: float, seconds: float, *, offset_s: float = 1e9) -> float:
    """Both streams shown with their own lags and the delays asked for, reports each second; the skew at the end."""
    begin = 100.0
    for step in range(round(seconds * 50)):
        now = begin + step / 50
        captured = now + offset_s
        if step % 50 == 0:
            synchrony.audio.on_sender_report(ntp_timestamp(captured), step * 960 & 0xFFFFFFFF)
            synchrony.video.on_sender_report(ntp_timestamp(captured), 4_294_000_000 + step * 1800 & 0xFFFFFFFF)
        synchrony.audio.on_shown(step * 960 & 0xFFFFFFFF, now + audio_lag_s + synchrony.audio_delay_s)
        synchrony.video.on_shown(4_294_000_000 + step * 1800 & 0xFFFFFFFF, now + video_lag_s + synchrony.video_delay_s)
        if step % 10 == 9:
            synchrony.adjust()
    return (video_lag_s + synchrony.video_delay_s) - (audio_lag_s + synchrony.audio_delay_s)


@pytest.mark.parametrize(("audio", "video"), [(0.06, 0.25), (0.2, 0.05), (0.08, 0.08)])
def test_the_one_ahead_waits_for_the_other(audio: float, video: float) -> None:
    synchrony = Synchrony(48_000)
    assert abs(watched(synchrony, audio, video, 15)) < 0.04
    assert min(synchrony.audio_delay_s, synchrony.video_delay_s) == 0


def test_delay_changes_in_small_steps_and_ends_where_it_must() -> None:
    synchrony = Synchrony(48_000)
    watched(synchrony, 0.06, 0.5, 1)
    assert 0 < synchrony.audio_delay_s <= 0.06
    watched(synchrony, 0.0, 0.9, 60)
    assert synchrony.audio_delay_s == pytest.approx(MAX_DELAY_S, abs=0.02)


def test_skew_that_can_not_be_true_moves_nothing() -> None:
    synchrony = Synchrony(48_000)
    watched(synchrony, 0.0, 30.0, 5)
    assert synchrony.skew_s is None and synchrony.audio_delay_s == synchrony.video_delay_s == 0


def test_nothing_is_known_before_reports_or_with_a_sender_without_a_clock() -> None:
    clock = StreamClock(90_000)
    clock.on_shown(1000, 5.0)
    clock.on_sender_report(0, 1000)
    clock.on_shown(1000, 6.0)
    assert clock.lag_s is None and clock.captured_s(1000) is None


def test_capture_is_told_over_the_wrap_of_the_timestamp() -> None:
    clock = StreamClock(90_000)
    clock.on_sender_report(ntp_timestamp(1000.0), 0xFFFFFFFF - 44_999)
    first, second = clock.captured_s(0), clock.captured_s(0xFFFFFFFF - 89_999)
    assert first is not None and second is not None
    assert first - second == pytest.approx(1.0, abs=1e-5)
