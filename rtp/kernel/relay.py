"""A call between two: what one leg receives goes out on the other (RFC 3550 §7.1: a mixer of one source, with our own SSRCs).

Where both legs have one codec and packet time, the payload goes over untouched and at once: sequence numbers and timestamps are
shifted, so that loss, order, pauses (DTX) and jitter are those of the sender, for the receiver to make the best of. Otherwise
the room decodes and encodes, and only telephone events (RFC 4733) go over here.
"""

from __future__ import annotations

import struct

from rtp.kernel.leg import HEADER, Leg
from rtp.kernel.spec import LegSpec
from rtp.packet import write_extensions

EVENT_TICKS = 3
"""How long after the last packet of a press that goes over between encoded packets no audio is sent (RFC 4733 §2.5.1.4)."""
MAX_LATE = 256
"""How far behind the newest a packet may be that is still passed on."""
_EVENT = struct.Struct("!BBH")


def is_alike(one: LegSpec, other: LegSpec) -> bool:
    """Whether payloads of one leg are what the other takes."""
    return (one.codec, one.ptime_ms) == (other.codec, other.ptime_ms)


class Passage:
    """The way from a leg to its partner. is_whole: audio goes over untouched, else telephone events alone."""

    __slots__ = ("_event_at", "_event_timestamp", "_first", "_from", "_head", "_highest", "_sequence_shift", "_ssrc",
                 "_timestamp_shift", "_to", "is_whole")

    def __init__(self, source: Leg, to: Leg, is_whole: bool) -> None:
        self.is_whole = is_whole
        self._from = source
        self._to = to
        self._head = struct.pack("!I", source.spec.leg_id)
        self._ssrc: int | None = None
        self._sequence_shift = self._timestamp_shift = self._highest = self._first = 0
        self._event_at = -1
        self._event_timestamp = 0

    def carry(self, second: int, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> None:
        """Take a packet of the source. second: its header's second byte (marker and payload type)."""
        source, to = self._from, self._to
        is_event = second & 0x7F == source.spec.dtmf_type
        if not source.is_in_mix or not to.may_send:
            self._ssrc = None
        elif self.is_whole:
            self._carry_whole(second & 0x80, sequence, timestamp, ssrc, payload, is_event)
        elif is_event and to.spec.dtmf_send_type >= 0 and len(payload) >= _EVENT.size:
            self._carry_event(timestamp, payload)

    def _carry_whole(self, marker: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, is_event: bool) -> None:
        to = self._to
        if ssrc != self._ssrc:
            self._ssrc, self._highest, self._first = ssrc, sequence, sequence
            self._sequence_shift, self._timestamp_shift = to.sequence - sequence, to.timestamp - timestamp
            marker = 0x80
        if (sequence - self._first) & 0xFFFF >= 0x8000:
            return                                      # from before the numbers were shifted anew: its own may be in use
        is_newest = (sequence - self._highest) & 0xFFFF < 0x8000
        if is_newest:
            self._highest = sequence
            if (sequence - self._first) & 0xFFFF > MAX_LATE:
                self._first = (sequence - MAX_LATE) & 0xFFFF
        kind = to.spec.dtmf_send_type if is_event else to.spec.send_type
        if kind < 0:
            if is_newest:                               # it is left out: no gap that would look like loss
                self._sequence_shift -= 1
                self._first = (sequence + 1) & 0xFFFF
            return
        out_sequence = (sequence + self._sequence_shift) & 0xFFFF
        out_timestamp = (timestamp + self._timestamp_shift) & 0xFFFFFFFF
        first, head = 0x81, self._head
        level, extension = self._from.level_byte, to.spec.level_extension
        if level is not None and extension:
            first, head = 0x91, head + write_extensions({extension: bytes((level,))})
        if is_newest:
            to.sequence = (out_sequence + 1) & 0xFFFF
            to.timestamp = to.timestamp if is_event else out_timestamp
            to.marker = False
        to.put(HEADER.pack(first, marker | kind, out_sequence, out_timestamp, to.spec.ssrc) + head + payload, len(payload))

    def _carry_event(self, timestamp: int, payload: bytes) -> None:
        """A packet of a press, with the time of its beginning on our stream and its duration in that stream's units."""
        to = self._to
        marker = 0
        if timestamp != self._event_at:
            self._event_at, self._event_timestamp, marker = timestamp, to.timestamp, 0x80
        event, flags, duration = _EVENT.unpack_from(payload)
        duration = min(0xFFFF, duration * to.clock_rate // self._from.clock_rate)
        header = HEADER.pack(0x81, marker | to.spec.dtmf_send_type, to.sequence, self._event_timestamp, to.spec.ssrc)
        to.put(header + self._head + _EVENT.pack(event, flags, duration), _EVENT.size)
        to.sequence = (to.sequence + 1) & 0xFFFF
        to.event_ticks = EVENT_TICKS
