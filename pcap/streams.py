"""RTP streams of a capture: packets, loss, gaps in the timestamps, deltas and jitter (RFC 3550 §6.4.1, A.1, A.8).

RTP is recognised without its SDP: version 2, a payload type outside of RTCP's range (RFC 5761 §4), and at least four
packets of the same SSRC between the same addresses.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pcap.frames import Datagram

CLOCK_RATES = {0: 8000, 8: 8000, 9: 8000}
"""Static payload types (RFC 3551 §6); G.722's RTP clock is 8000 by its historical error (§4.5.2)."""
DYNAMIC_CLOCK_RATE = 48000
MIN_PACKETS = 4
MAX_VALUES = 1000
"""Different steps of timestamps, and contributors, that are kept of a stream."""
REMEMBERED = 4096
"""Sequence numbers behind the highest within which a copy is known as one; an older packet counts as late."""


@dataclass(slots=True)
class Stream:
    """What was seen of one SSRC between two addresses. Jitter and deltas in ms."""

    ssrc: int
    source: tuple[str, int]
    destination: tuple[str, int]
    payload_type: int
    packets: int = 0
    first_ns: int = 0
    last_ns: int = 0
    max_delta_ms: float = 0.0
    jitter_ms: float = 0.0
    max_jitter_ms: float = 0.0
    reordered: int = 0
    duplicated: int = 0
    payload_types: set[int] = field(default_factory=set)
    csrcs: set[int] = field(default_factory=set)
    timestamp_steps: dict[int, int] = field(default_factory=dict)
    _highest: int = 0
    _lowest: int = 0
    _last_timestamp: int = 0
    _transit: float | None = None
    _seen: set[int] = field(default_factory=set)
    _different: int = 0

    @property
    def expected(self) -> int:
        """Packets between the first and the last sequence number."""
        return self._highest - self._lowest + 1

    @property
    def lost(self) -> int:
        """Expected less the different ones that came."""
        return self.expected - self._different

    def add(self, datagram: Datagram, payload_type: int, sequence: int, timestamp: int, csrcs: tuple[int, ...]) -> None:
        """Count one packet."""
        if csrcs and len(self.csrcs) < MAX_VALUES:
            self.csrcs.update(csrcs)
        self.payload_types.add(payload_type)
        if not self.packets:
            self.first_ns, self._highest, self._lowest = datagram.time_ns, sequence, sequence
        extended = self._extend(sequence)
        if extended in self._seen:
            self.duplicated += 1
        elif self.packets and extended < self._highest:
            self.reordered += 1
        elif self.packets and extended == self._highest + 1:
            step = (timestamp - self._last_timestamp) & 0xFFFFFFFF
            if step in self.timestamp_steps or len(self.timestamp_steps) < MAX_VALUES:
                self.timestamp_steps[step] = self.timestamp_steps.get(step, 0) + 1
        self._remember(extended)
        self._highest, self._lowest = max(self._highest, extended), min(self._lowest, extended)
        self._time(datagram.time_ns, timestamp, payload_type)
        self.packets += 1
        self.last_ns, self._last_timestamp = datagram.time_ns, timestamp

    def _remember(self, extended: int) -> None:
        self._different += extended not in self._seen
        self._seen.add(extended)
        if len(self._seen) > 2 * REMEMBERED:
            self._seen = {number for number in self._seen if number > self._highest - REMEMBERED}

    def _extend(self, sequence: int) -> int:
        return self._highest + ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000

    def _time(self, time_ns: int, timestamp: int, payload_type: int) -> None:
        if self.packets:
            self.max_delta_ms = max(self.max_delta_ms, (time_ns - self.last_ns) / 1e6)
        transit = time_ns / 1e6 - timestamp * 1000 / CLOCK_RATES.get(payload_type, DYNAMIC_CLOCK_RATE)
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < 10_000:
                self.jitter_ms += (difference - self.jitter_ms) / 16
                self.max_jitter_ms = max(self.max_jitter_ms, self.jitter_ms)
        self._transit = transit

    def summary(self) -> dict[str, Any]:
        """The figures for a table or for JSON."""
        return {
            "ssrc": f"0x{self.ssrc:08x}", "source": f"{self.source[0]}:{self.source[1]}",
            "destination": f"{self.destination[0]}:{self.destination[1]}", "payload_types": sorted(self.payload_types),
            "packets": self.packets, "lost": self.lost, "duplicated": self.duplicated, "reordered": self.reordered,
            "max_delta_ms": round(self.max_delta_ms, 2), "jitter_ms": round(self.jitter_ms, 2),
            "max_jitter_ms": round(self.max_jitter_ms, 2), "seconds": round((self.last_ns - self.first_ns) / 1e9, 3),
            "timestamp_steps": dict(sorted(self.timestamp_steps.items())),
        }


def rtp_streams(datagrams: Iterable[Datagram]) -> list[Stream]:
    """The RTP streams among datagrams, in order of appearance; those of fewer than 4 packets are left out."""
    streams: dict[tuple[int, tuple[str, int], tuple[str, int]], Stream] = {}
    for datagram in datagrams:
        data = datagram.payload
        if len(data) < 12 or data[0] >> 6 != 2 or 192 <= data[1] <= 223:
            continue
        payload_type, sequence = data[1] & 0x7F, int.from_bytes(data[2:4])
        timestamp, ssrc = struct.unpack_from("!II", data, 4)
        count = data[0] & 0x0F
        if len(data) < 12 + 4 * count:
            continue
        csrcs = struct.unpack_from(f"!{count}I", data, 12)
        key = (ssrc, datagram.source, datagram.destination)
        if key not in streams:
            streams[key] = Stream(ssrc, datagram.source, datagram.destination, payload_type)
        streams[key].add(datagram, payload_type, sequence, timestamp, csrcs)
    return [stream for stream in streams.values() if stream.packets >= MIN_PACKETS]
