"""RTCP of one RTP session with one peer (RFC 3550 §6): when to send reports, what is in them, what the peer's say.

The session has two members, so the interval is the five seconds of §6.2, halved for the first report, drawn at random between
half and one and a half times that (§6.3.1) and divided by e − 1.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtp.clock import ntp_middle, ntp_timestamp
from rtp.errors import ParseError
from rtp.receiver import ReceptionStatistics
from rtp.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_compound,
    parse_compound,
)

MINIMUM_INTERVAL_S = 5.0
COMPENSATION = 2.71828 - 1.5
"""Makes up for timer reconsideration (§6.3.1)."""


@dataclass(slots=True)
class RemoteView:
    """What the peer says of our stream: `loss` as a share since its last report, `jitter` in units, `rtt_s`;
    clock: (NTP time, RTP timestamp) of its last sender report."""

    fraction_lost: float = 0.0
    cumulative_lost: int = 0
    jitter: int = 0
    rtt_s: float | None = None
    clock: tuple[int, int] | None = None


class RtcpSession:
    """Reports for one stream out and at most one source in.

    ssrc, cname: our own; clock_rate: of our timestamps; random: gives numbers from 0 to 1.
    """

    def __init__(self, ssrc: int, cname: str, random: Callable[[], float], now: float) -> None:
        self.ssrc = ssrc
        self.cname = cname
        self.remote = RemoteView()
        self.remote_said_goodbye = False
        self.packets_sent = self.octets_sent = 0
        self._random = random
        self._is_first = True
        self._sent_before = (0, 0)
        self.due_at = now + self._interval()

    def _interval(self) -> float:
        least = MINIMUM_INTERVAL_S / 2 if self._is_first else MINIMUM_INTERVAL_S
        return least * (self._random() + 0.5) / COMPENSATION

    def on_sent(self, octets: int) -> None:
        """Count a packet of ours with so many payload octets."""
        self.packets_sent += 1
        self.octets_sent += octets

    def report(self, now: float, wallclock: float, timestamp: int, source: ReceptionStatistics | None) -> bytes:
        """The compound that is due now, with SDES: SR when we sent since the last report but one, else RR (§6.4).

        timestamp: RTP time of `wallclock`.
        """
        self._is_first = False
        self.due_at = now + self._interval()
        blocks = (source.report_block(now),) if source is not None and source.highest >= 0 else ()
        head: RtcpPacket
        is_sender = self.packets_sent != self._sent_before[0]
        self._sent_before = (self._sent_before[1], self.packets_sent)
        if is_sender:
            ntp = ntp_timestamp(wallclock)
            head = SenderReport(self.ssrc, ntp, timestamp, self.packets_sent, self.octets_sent, blocks)
        else:
            head = ReceiverReport(self.ssrc, blocks)
        return build_compound([head, SourceDescription({self.ssrc: self.cname})])

    def goodbye(self) -> bytes:
        """The compound that ends our stream (§6.3.7); empty when we never sent a thing, since then nobody knows us."""
        if self._is_first and not self.packets_sent:
            return b""
        return build_compound([ReceiverReport(self.ssrc), SourceDescription({self.ssrc: self.cname}), Goodbye((self.ssrc,))])

    def receive(self, data: bytes, now: float, wallclock: float, source: ReceptionStatistics | None) -> bool:
        """Take a compound of the peer's; False for what is no RTCP."""
        try:
            packets = parse_compound(data)
        except ParseError:
            return False
        for packet in packets:
            if isinstance(packet, SenderReport | ReceiverReport):
                if isinstance(packet, SenderReport) and source is not None and packet.ssrc == source.ssrc:
                    source.on_sender_report(packet.ntp, now)
                    self.remote.clock = (packet.ntp, packet.timestamp)
                for block in packet.blocks:
                    if block.ssrc == self.ssrc:
                        self._on_block(block, wallclock)
            elif isinstance(packet, Goodbye) and source is not None and source.ssrc in packet.ssrcs:
                self.remote_said_goodbye = True
        return True

    def _on_block(self, block: ReportBlock, wallclock: float) -> None:
        self.remote.fraction_lost = block.fraction_lost / 256
        self.remote.cumulative_lost = block.cumulative_lost
        self.remote.jitter = block.jitter
        if block.lsr:
            delay = (ntp_middle(ntp_timestamp(wallclock)) - block.lsr - block.dlsr) & 0xFFFFFFFF
            if delay < 60 * 65536:
                self.remote.rtt_s = delay / 65536
