"""Sound and picture at once (RFC 3550 §6.4.1): sender reports tie timestamps to one clock, from which follows who is to wait.

A stream's lag is the time from a sample's capture, by its sender's clock, to its showing, by ours; the clocks' offset is the
same for all streams of a sender and drops out of the difference. Who is ahead waits: sound in its jitter buffer, pictures
before they are shown.
"""

from __future__ import annotations

from rtp.sequence import extend_timestamp

MAX_DELAY_S = 0.5
"""A larger difference is a mistake of a sender's clocks, and nothing that waiting should mend."""
TOLERANCE_S = 0.02
"""Less is seen by nobody (ITU-R BT.1359: 45 ms ahead, 125 ms behind)."""
STEP_S = 0.01
"""So much a report changes the delay at most, so that nothing jumps."""
_NTP_UNIT = 1 / 4_294_967_296


class StreamClock:
    """One stream's timestamps by its sender's clock. clock_rate: Hz."""

    __slots__ = ("_clock_rate", "_lag_s", "_ntp_s", "_timestamp")

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._ntp_s: float | None = None
        self._timestamp = 0
        self._lag_s: float | None = None

    def on_sender_report(self, ntp: int, timestamp: int) -> None:
        """Take a report; an NTP time of zero says that the sender has no clock."""
        if ntp:
            self._ntp_s, self._timestamp = ntp * _NTP_UNIT, timestamp

    def captured_s(self, timestamp: int) -> float | None:
        """When a sample was captured, in seconds of the sender's clock; None before the first report."""
        if self._ntp_s is None:
            return None
        return self._ntp_s + (extend_timestamp(timestamp, self._timestamp) - self._timestamp) / self._clock_rate

    def on_shown(self, timestamp: int, now: float) -> None:
        """Something with this timestamp is shown, or heard, now (monotonic seconds)."""
        captured_s = self.captured_s(timestamp)
        if captured_s is not None:
            lag_s = now - captured_s
            is_new = self._lag_s is None or abs(lag_s - self._lag_s) > MAX_DELAY_S
            self._lag_s = lag_s if is_new or self._lag_s is None else 0.9 * self._lag_s + 0.1 * lag_s

    @property
    def lag_s(self) -> float | None:
        """From capture to showing, smoothed, by two clocks; None while it is unknown."""
        return self._lag_s


class Synchrony:
    """Sound and picture of one participant. `audio_delay_s`, `video_delay_s`: what each has to wait, one of them 0.

    tolerance_s: a smaller difference is left; who talks rather sees soon than exactly.
    """

    __slots__ = ("_tolerance_s", "audio", "audio_delay_s", "video", "video_delay_s")

    def __init__(self, audio_rate: int, video_rate: int = 90_000, tolerance_s: float = TOLERANCE_S) -> None:
        self._tolerance_s = tolerance_s
        self.audio, self.video = StreamClock(audio_rate), StreamClock(video_rate)
        self.audio_delay_s = self.video_delay_s = 0.0

    @property
    def skew_s(self) -> float | None:
        """By how much the picture is behind the sound; None while it is unknown or can't be true."""
        if self.audio.lag_s is None or self.video.lag_s is None:
            return None
        skew_s = self.video.lag_s - self.audio.lag_s
        return skew_s if abs(skew_s) <= 2 * MAX_DELAY_S else None

    def adjust(self) -> None:
        """Move the delays a step towards no skew; some times a second."""
        skew_s = self.skew_s
        if skew_s is None or abs(skew_s) < self._tolerance_s:
            return
        step_s = max(-STEP_S, min(STEP_S, skew_s))
        balance_s = max(-MAX_DELAY_S, min(MAX_DELAY_S, self.audio_delay_s - self.video_delay_s + step_s))
        self.audio_delay_s, self.video_delay_s = max(0.0, balance_s), max(0.0, -balance_s)
