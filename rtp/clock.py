"""NTP timestamps of RTCP (RFC 3550 §4): wallclock in, 64 or the middle 32 bits out."""

from __future__ import annotations

NTP_OFFSET_S = 2_208_988_800
"""Seconds from 1900 to 1970."""


def ntp_timestamp(wallclock: float) -> int:
    """64-bit NTP timestamp of Unix time in seconds."""
    seconds = int(wallclock)
    return ((seconds + NTP_OFFSET_S) & 0xFFFFFFFF) << 32 | int((wallclock - seconds) * 4294967296) & 0xFFFFFFFF


def ntp_middle(ntp: int) -> int:
    """The middle 32 bits: 16 of seconds, 16 of fraction (RFC 3550 §6.4.1, LSR)."""
    return (ntp >> 16) & 0xFFFFFFFF
