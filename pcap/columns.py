"""The figures that Wireshark gives a stream, by its own rules, so that both say the same: `tshark -q -z rtp,streams`.

Its jitter is that of RFC 3550 §6.4.1, taken from the packets in the order in which they came. Its "lost" are the numbers
between the first and the last packet less all that came, so copies count against losses, and a first packet that was
overtaken can count for a round of 65536; `pcap.streams` tells them apart. Deltas before a marker, around comfort noise
(RFC 3389) and of packets older than the first one are not in its means and extremes; telephone events (RFC 4733) move its
clock but not its timestamp.
Written for Wireshark 4.0 by what it does; a stream of any length takes the same memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

COMFORT_NOISE = (13, 19)
HEADINGS = ("Start time", "End time", "Src IP addr", "Port", "Dest IP addr", "Port", "SSRC", "Payload", "Pkts", "Lost",
            "Min Delta(ms)", "Mean Delta(ms)", "Max Delta(ms)", "Min Jitter(ms)", "Mean Jitter(ms)", "Max Jitter(ms)",
            "Problems?")
_NAMES = {0: "g711U", 3: "GSM", 4: "g723", 5: "DVI4_8k", 6: "DVI4_16k", 8: "g711A", 9: "g722", 10: "16-bit audio, stereo",
          11: "16-bit audio, monaural", 13: "CN", 15: "g728", 18: "g729", 26: "JPEG", 31: "h261", 34: "h263"}
_HALF = 0x80000000


@dataclass(slots=True)
class Running:
    """Least (-1 for none), mean and most of a figure. The mean is over `count`, which the caller gives, as Wireshark does."""

    least: float = -1.0
    mean: float = 0.0
    most: float = 0.0

    def add(self, value: float, count: int) -> None:
        """Take a value as number `count` of the stream's deltas."""
        self.least = value if self.least < 0 else min(self.least, value)
        self.most = max(self.most, value)
        self.mean = (self.mean * (count - 1) + value) / count


@dataclass(slots=True)
class Columns:
    """One stream's row. Times in ns since 1970; deltas and jitter in ms."""

    start_ns: int = 0
    end_ns: int = 0
    packets: int = 0
    problem: bool = False
    delta: Running = field(default_factory=Running)
    jitter: Running = field(default_factory=Running)
    names: dict[str, None] = field(default_factory=dict)
    _first_sequence: int = 0
    _last_sequence: int = 0
    _expected_sequence: int = 0
    _cycles: int = 0
    _is_under: bool = False
    _first_timestamp: int = 0
    _timestamp: int = 0
    _time_ns: int = 0
    _jitter_ms: float = 0.0
    _payload_type: int = -1

    @property
    def lost(self) -> int:
        """Missing packets as Wireshark counts them; below zero where copies outnumber losses."""
        return self._last_sequence + 0x10000 * self._cycles - self._first_sequence + 1 - self.packets

    @property
    def lost_percent(self) -> float:
        """Of the expected packets."""
        expected = self.lost + self.packets
        return 100 * self.lost / expected if expected else 0.0

    def add(self, time_ns: int, payload_type: int, sequence: int, timestamp: int, is_marked: bool, clock: int,
            name: str = "") -> None:
        """Count a packet. clock: in Hz, 0 where it is not known or means nothing (telephone events); name: the codec's."""
        self.names.setdefault(payload_name(payload_type, name))
        self.end_ns = time_ns
        if not self.packets:
            self.start_ns = self._time_ns = time_ns
            self._first_sequence = self._last_sequence = self._expected_sequence = sequence
            self._first_timestamp = self._timestamp = timestamp
            self._payload_type, self.packets = payload_type, 1
            return
        step = (timestamp - self._timestamp + _HALF) % (2 * _HALF) - _HALF
        is_in_time = (timestamp - self._first_timestamp) % (2 * _HALF) < _HALF
        self._count_cycles(sequence, is_in_time)
        self._check_order(sequence, is_in_time)
        delta_ms = (time_ns - self._time_ns) / 1e6
        if clock and is_in_time:
            self._jitter_ms = (15 * self._jitter_ms + abs(delta_ms - step / (clock / 1000))) / 16
        is_noise = payload_type in COMFORT_NOISE or self._payload_type in COMFORT_NOISE
        if is_in_time and not is_marked and not is_noise:
            self.delta.add(delta_ms, self.packets)
            if clock:
                self.jitter.add(self._jitter_ms, self.packets)
        if is_in_time:
            self._time_ns = time_ns
            self._timestamp = timestamp if clock else self._timestamp
        self.problem = self.problem or not is_in_time
        self._last_sequence, self._payload_type = sequence, payload_type
        self.packets += 1

    def row(self, first_ns: int, source: tuple[str, int], destination: tuple[str, int], ssrc: int) -> tuple[str, ...]:
        """The cells under HEADINGS. first_ns: when the capture begins."""
        deltas, jitters = ((one.least, one.mean, one.most) for one in (self.delta, self.jitter))
        return (f"{(self.start_ns - first_ns) / 1e9:.6f}", f"{(self.end_ns - first_ns) / 1e9:.6f}", source[0], str(source[1]),
                destination[0], str(destination[1]), f"0x{ssrc:08X}", ", ".join(self.names), str(self.packets),
                f"{self.lost} ({self.lost_percent:.1f}%)", *(f"{value:.3f}" for value in (*deltas, *jitters)),
                "X" if self.problem else "")

    def _count_cycles(self, sequence: int, is_in_time: bool) -> None:
        """A number below the first one begins another round of 65536."""
        if not is_in_time:
            return
        begins = sequence < self._first_sequence or (sequence == 0 and self._last_sequence == 0xFFFF)
        if begins and not self._is_under:
            self._cycles, self._is_under = self._cycles + 1, True
        elif sequence > self._first_sequence:
            self._is_under = False

    def _check_order(self, sequence: int, is_in_time: bool) -> None:
        ahead = sequence - self._expected_sequence
        if is_in_time and (ahead == 1 or (self._expected_sequence == 0xFFFF and sequence == 0)):
            self._expected_sequence = sequence
        elif is_in_time and (ahead > 1 or -ahead > 0xFF00):
            self._expected_sequence, self.problem = sequence, True
        elif ahead < 1:
            self.problem = True


def payload_name(payload_type: int, name: str) -> str:
    """What Wireshark calls a payload type. name: of the codec by the SDP, empty for none."""
    if payload_type < 96:
        return _NAMES.get(payload_type, f"Unknown ({payload_type})")
    return name or f"RTPType-{payload_type}"
