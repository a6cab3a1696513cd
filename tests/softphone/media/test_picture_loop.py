"""Decoded pictures wait for their sound, and no longer than it takes."""

from __future__ import annotations

import threading
import time

from rtp.codecs.i420 import Picture
from rtp.synchrony import StreamClock
from softphone.media.picture_figures import FREEZE_NS, InFigures
from softphone.media.picture_loop import PictureLoop, _Waiting

SECOND = 1 << 32


def clock(rate: int, lag_s: float) -> StreamClock:
    """A stream whose newest sample was shown `lag_s` after it was taken, by a clock of the sender's that begins at 1000 s."""
    found = StreamClock(rate)
    found.on_sender_report(1000 * SECOND, 0)
    for count in range(50):
        found.on_shown(count * rate // 50, 500 + count / 50 + lag_s)
    return found


def test_a_picture_ahead_of_its_sound_waits_until_it_is_no_more_than_a_blink() -> None:
    loop = PictureLoop((), threading.RLock(), lambda *shown: None)
    loop._figures[0] = InFigures()
    loop.sound = clock(48000, 0.300)
    pictures = clock(90000, 0.020)
    assert loop._delay_ns(0, pictures) == 0
    for _ in range(60):
        loop._adjusted_ns = -(1 << 40)
        loop._show_due()
    assert 200_000_000 <= loop._delay_ns(0, pictures) <= 500_000_000
    assert loop._figures[0].skew_ms is not None and round(loop._figures[0].skew_ms) == -280


def test_nothing_waits_without_a_clock_of_the_sound() -> None:
    loop = PictureLoop((), threading.RLock(), lambda *shown: None)
    assert loop._delay_ns(0, clock(90000, 0.020)) == 0


def test_a_picture_is_shown_at_its_time_and_not_before() -> None:
    shown: list[int] = []
    loop = PictureLoop((), threading.RLock(), lambda key, origin, picture, timestamp: shown.append(timestamp))
    loop._figures[0] = InFigures()
    picture, now_ns = Picture.create(16, 16), time.monotonic_ns()
    for timestamp, due_ns in ((1, now_ns - 1), (2, now_ns + 3600 * 10**9)):
        loop._waiting.append(_Waiting(due_ns, 0, 5, picture, timestamp, None))
    loop._show_due()
    assert shown == [1] and len(loop._waiting) == 1 and loop._figures[0].origins[0][0] == 5


def test_a_picture_that_stands_too_long_is_a_freeze_and_another_person_is_none() -> None:
    figures = InFigures()
    figures.on_picture(1, 640, 360, 0)
    figures.on_picture(1, 640, 360, FREEZE_NS + 1)
    figures.on_picture(2, 640, 360, 3 * FREEZE_NS)
    figures.on_picture(2, 320, 180, 3 * FREEZE_NS + 40_000_000)
    assert (figures.freezes, round(figures.frozen_ms), figures.pictures) == (1, 400, 4)
    assert [origin for origin, _ in figures.origins] == [1, 2] and (figures.width, figures.height) == (320, 180)
