"""Named telephone events (RFC 4733): keys of a phone as RTP payloads, both ways."""

from __future__ import annotations

import struct

from rtp.errors import ParseError

KEYS = "0123456789*#ABCD"
"""Event codes 0 to 15 in order (RFC 4733 §3.2)."""
VOLUME = 10
"""Level of the tone for those who play it: −10 dBm0."""
END_REPEATS = 3
LATE_UNITS = 1 << 17
"""How far back a timestamp is a late packet of an earlier press; farther, the sender began a new time base."""


def parse_event(payload: bytes) -> tuple[int, bool, int]:
    """(event code, whether it is the end, duration in timestamp units). Raises ParseError."""
    if len(payload) < 4:
        raise ParseError(f"a telephone event of {len(payload)} bytes")
    event, flags, duration = struct.unpack_from("!BBH", payload)
    return event, bool(flags & 0x80), duration


class DtmfReceiver:
    """Tells each press once: packets of one press share a timestamp, its end comes three times and may be lost.

    A press that outlasts the duration field goes on as another segment (§2.5.1.3), which is no new press.
    """

    __slots__ = ("_duration", "_event", "_last")

    def __init__(self) -> None:
        self._last: int | None = None
        self._event = self._duration = -1

    def receive(self, payload: bytes, timestamp: int) -> str | None:
        """The key, at the first packet of its press; None for the others and for events that are no keys."""
        try:
            event, _, duration = parse_event(payload)
        except ParseError:
            return None
        last = self._last
        if event >= len(KEYS):
            return None
        if last is not None and (last - timestamp) & 0xFFFFFFFF < LATE_UNITS:
            self._duration = max(self._duration, duration) if timestamp == last else self._duration
            return None
        is_segment = last is not None and event == self._event and self._duration > 0xFF00 and (
            timestamp == (last + self._duration) & 0xFFFFFFFF)
        self._last, self._event, self._duration = timestamp, event, duration
        return None if is_segment else KEYS[event]


def event_payloads(key: str, packet_units: int, packets: int) -> list[tuple[bytes, bool]]:
    """The payloads of one press: (payload, is first). All go out with the timestamp of the first (RFC 4733 §2.5.1.2).

    key: one of KEYS; packet_units: timestamp units in a packet; packets: how long, at least 1, and no longer than the duration
    field (65,535 units). Raises ValueError.
    """
    if len(key) != 1 or packets < 1 or packet_units * (packets + 1) > 0xFFFF:
        raise ValueError(f"no press: {key!r} for {packets} packets of {packet_units} units")
    event = KEYS.index(key.upper())
    durations = [packet_units * (i + 1) for i in range(packets)]
    out = [(struct.pack("!BBH", event, VOLUME, d), i == 0) for i, d in enumerate(durations)]
    end = struct.pack("!BBH", event, 0x80 | VOLUME, durations[-1] + packet_units)
    return out + [(end, False)] * END_REPEATS
