"""NTP timestamps, by dates whose seconds are known."""

from __future__ import annotations

import pytest

from rtp.clock import ntp_middle, ntp_timestamp


@pytest.mark.parametrize(("wallclock", "seconds", "fraction"), [
    (0.0, 2_208_988_800, 0),                      # 1970-01-01
    (1_000_000_000.5, 3_208_988_800, 0x80000000),
    (2_085_978_496.25, 0, 0x40000000),            # 2036-02-07 06:28:16: the era ends and the seconds wrap
])
def test_unix_time_becomes_seconds_since_1900_and_a_fraction(wallclock: float, seconds: int, fraction: int) -> None:
    assert divmod(ntp_timestamp(wallclock), 1 << 32) == (seconds, fraction)


def test_middle_keeps_the_low_seconds_and_the_high_fraction() -> None:
    assert ntp_middle(0x11112222_33334444) == 0x22223333
