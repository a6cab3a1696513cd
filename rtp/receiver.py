"""Reception statistics of one source (RFC 3550 §6.4.1, A.1, A.3, A.8): extended sequence, loss, jitter, report blocks."""

from __future__ import annotations

from rtp.clock import ntp_middle
from rtp.rtcp import ReportBlock

MAX_DROPOUT = 3000
"""A larger jump of the sequence number is a restart of the sender (A.1)."""
MAX_MISORDER = 100


class ReceptionStatistics:
    """Counts what comes from one SSRC. clock_rate: of the RTP timestamps, Hz."""

    __slots__ = (
        "_suspect",
        "_timestamp",
        "base",
        "bytes",
        "clock_rate",
        "expected_prior",
        "highest",
        "jitter16",
        "lost_before",
        "packets",
        "received_prior",
        "restarts",
        "sr_at",
        "sr_ntp",
        "ssrc",
        "transit",
    )

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.packets = self.bytes = self.restarts = 0
        self.base = self.highest = -1
        self.lost_before = 0
        self.jitter16 = 0
        self.transit: int | None = None
        self.expected_prior = self.received_prior = 0
        self.sr_ntp = 0
        self.sr_at = 0.0
        self._suspect = self._timestamp = -1

    def on_packet(self, sequence: int, timestamp: int, arrival_ns: int, size: int = 0) -> bool:
        """Count a packet; False for one that is far off and not (yet) believed.

        Packets that share a timestamp (those of a telephone event) don't count for the jitter: their times say nothing of it.
        """
        highest = self.highest
        if highest < 0:
            self.base = self.highest = sequence
        else:
            delta = (sequence - highest) & 0xFFFF
            if delta < MAX_DROPOUT:
                self.highest = highest + delta
            elif delta <= 0x10000 - MAX_MISORDER:
                if sequence != self._suspect:
                    self._suspect = (sequence + 1) & 0xFFFF
                    return False
                self._restart(sequence)
        self.packets += 1
        self.bytes += size
        if timestamp != self._timestamp:
            self._timestamp = timestamp
            self._measure_jitter(timestamp, arrival_ns)
        return True

    def _measure_jitter(self, timestamp: int, arrival_ns: int) -> None:
        transit = (arrival_ns * self.clock_rate // 1_000_000_000 - timestamp) & 0xFFFFFFFF
        if self.transit is not None:
            difference = abs(((transit - self.transit + 0x80000000) & 0xFFFFFFFF) - 0x80000000)
            if difference < self.clock_rate:
                self.jitter16 += difference - ((self.jitter16 + 8) >> 4)
        self.transit = transit

    def _restart(self, sequence: int) -> None:
        self.lost_before += self.lost
        self.base = self.highest = sequence
        self.packets_reset()

    def packets_reset(self) -> None:
        """Begin counting anew after a restart of the sender (A.1, init_seq)."""
        self.packets = self.expected_prior = self.received_prior = 0
        self.restarts += 1
        self.transit = None
        self._suspect = -1

    @property
    def expected(self) -> int:
        """Packets that should have come."""
        return self.highest - self.base + 1 if self.highest >= 0 else 0

    @property
    def lost(self) -> int:
        """Expected less received; negative when there were duplicates."""
        return self.expected - self.packets

    @property
    def total_lost(self) -> int:
        """Lost since the beginning, restarts of the sender included."""
        return self.lost_before + self.lost

    @property
    def jitter(self) -> int:
        """Interarrival jitter in timestamp units."""
        return self.jitter16 >> 4

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter in ms."""
        return self.jitter * 1000 / self.clock_rate

    def on_sender_report(self, ntp: int, now: float) -> None:
        """Remember the last SR, for LSR and DLSR."""
        self.sr_ntp, self.sr_at = ntp, now

    def report_block(self, now: float) -> ReportBlock:
        """What goes into our next SR or RR (A.3); counts from the last call."""
        expected, received = self.expected, self.packets
        expected_interval, received_interval = expected - self.expected_prior, received - self.received_prior
        self.expected_prior, self.received_prior = expected, received
        lost = expected_interval - received_interval
        fraction = min(255, (lost << 8) // expected_interval) if expected_interval > 0 and lost > 0 else 0
        lsr = ntp_middle(self.sr_ntp)
        dlsr = int((now - self.sr_at) * 65536) & 0xFFFFFFFF if lsr else 0
        return ReportBlock(self.ssrc, fraction, self.total_lost, self.highest, self.jitter, lsr, dlsr)
