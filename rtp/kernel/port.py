"""A transport of a forwarder to one participant: sockets, address, protection, bursts out, the estimate of its path (RFC 3550,
RFC 3711, RFC 9143). What is to go out is gathered and sent at the end of a drain, with segmentation offload where there is one.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Protocol

from rtp.allocation import Allocation
from rtp.congestion import MAX_BPS, START_BPS, BandwidthEstimate, RateMeter
from rtp.feedback import Feedback
from rtp.kernel.addressing import SourceFilter
from rtp.kernel.producer import Producer
from rtp.kernel.slot import Slot
from rtp.kernel.sockets import BurstSender, connect
from rtp.kernel.spec import Address
from rtp.kernel.video_spec import PortSpec, PortStatistics
from rtp.rtcp import ReceiverReport, RtcpPacket, SenderReport, SourceDescription, build_compound
from rtp.srtp import VIDEO_WINDOW
from rtp.srtp.session import SrtpSession
from rtp.transport_feedback import ArrivalLog, TransportFeedback, numbers_of

REPORT_NS = 1_000_000_000
"""Pictures deserve more than a report in five seconds (RFC 3550 §6.2 allows 360 over the session's kbit/s)."""
MAX_NUMBERS = 8192
"""Packets whose time of sending is remembered for transport-wide feedback."""
MAX_SOURCES = 16
MAX_BLOCKS = 31


class PortObserver(Protocol):
    """Sees what passes a port, in clear: RTP and RTCP as they would be without SRTP. It must not wait, or change anything."""

    def __call__(self, port: Port, is_out: bool, is_rtcp: bool, time_ns: int, packet: bytes) -> None:
        """A packet of the port, once: what is sent again isn't shown. time_ns: monotonic, of its arrival or of now."""


class Port:
    """The state of one. `producers`: what it sends, `slots`: what it is sent; `by_ssrc`: whose stream an SSRC is.

    `rtp`: the socket that media goes over; `door`: where newcomers are seen once `rtp` is connected to the peer, looked at
    from `look_ns` on.
    """

    def __init__(self, spec: PortSpec, random: Callable[[], float]) -> None:
        self.spec = spec
        self.rtp = socket.socket(fileno=spec.rtp_fd)
        self.door: socket.socket | None = None
        self.look_ns = 0
        self.rtcp = socket.socket(fileno=spec.rtcp_fd) if spec.rtcp_fd >= 0 else None
        self.observers: tuple[PortObserver, ...] = ()
        self.filter = SourceFilter(spec.remote, spec.signalling_host)
        self.producers: list[Producer] = []
        self.slots: list[Slot] = []
        self.by_ssrc: dict[int, Producer] = {}
        self.estimate = BandwidthEstimate(MAX_BPS if spec.is_local else START_BPS)
        self.arrivals = ArrivalLog()
        self.allocation = Allocation()
        self.has_numbers = False
        self.junk = self.foreign = self.looped = self.handshakes = 0
        self.rtt_ns = 100_000_000
        self._random = random
        self._outbox: list[bytes] = []
        self._burst = BurstSender()
        self._number = 0
        self._sent: dict[int, int] = {}
        self._rate = RateMeter()
        self._report_ns = 0
        self.srtp: SrtpSession | None = None
        self.srtcp: SrtpSession | None = None
        self.set_keys()

    def set_keys(self) -> None:
        """Go on under the keys that `spec` names."""
        spec = self.spec
        before, self.srtp = self.srtp, _session(self.srtp, spec)
        if not spec.rtcp_mux and spec.rtcp_keys is not None:
            self.srtcp = SrtpSession(spec.rtcp_keys)
        elif self.srtcp is None or self.srtcp is before or spec.rtcp_mux:
            self.srtcp = self.srtp

    @property
    def may_send(self) -> bool:
        """Whether somebody wants packets, and they can be protected where they must be."""
        return self.spec.remote is not None and (self.srtp is not None or not self.spec.awaits_keys)

    def lock(self, remote: Address) -> None:
        """Hear and serve `remote` alone over a socket of its own. Raises OSError; all stays as it was then."""
        connected = connect(self.rtp, remote)
        self.door, self.rtp = self.rtp, connected

    def unlock(self) -> None:
        """Go back to the one socket that hears all."""
        if self.door is not None:
            self.rtp.close()
            self.rtp, self.door = self.door, None

    # ---- out

    def send(self, packet: bytes, slot: Slot, number: int) -> bool:
        """Protect a packet of a slot, keep it, and send it with the burst; False when it can't go out."""
        if self.observers:
            self.show(True, False, slot.sent_ns, packet)
        if self.srtp is not None:
            protected = self.srtp.protect(packet)
            if protected is None:
                return False
            packet = protected
        elif self.spec.awaits_keys:
            return False
        slot.keep(number, packet)
        self._outbox.append(packet)
        return True

    def show(self, is_out: bool, is_rtcp: bool, time_ns: int, packet: bytes) -> None:
        """Let the observers see a packet in clear."""
        for observer in self.observers:
            observer(self, is_out, is_rtcp, time_ns, packet)

    def put(self, packet: bytes) -> None:
        """Send a finished packet with the burst."""
        self._outbox.append(packet)

    def next_number(self, now_ns: int, size: int) -> bytes:
        """The next transport-wide number, its time of sending noted."""
        self._number += 1
        if len(self._sent) >= MAX_NUMBERS:
            for number in range(self._number - MAX_NUMBERS, self._number - MAX_NUMBERS // 2):
                self._sent.pop(number, None)
        self._sent[self._number] = now_ns
        return (self._number & 0xFFFF).to_bytes(2)

    def flush(self, now_ns: int) -> None:
        """Send what was gathered."""
        out = self._outbox
        if not out:
            return
        remote = self.spec.remote
        if remote is not None:
            self._rate.add(sum(map(len, out)), now_ns)
            self._burst.send(self.rtp, remote, out)
        self._outbox = []

    def sent_bps(self, now_ns: int) -> int:
        """What goes out now."""
        return self._rate.bitrate_bps(now_ns)

    def send_rtcp(self, data: bytes) -> None:
        """Send an RTCP compound, or feedback alone."""
        if self.observers:
            self.show(True, True, time.monotonic_ns(), data)
        out, remote = (self.rtp, self.spec.remote) if self.spec.rtcp_mux else (self.rtcp, self.spec.remote_rtcp)
        packet: bytes | None = data
        if self.srtcp is not None:
            packet = self.srtcp.protect_rtcp(data)
        elif self.spec.awaits_keys:
            return
        if out is None or remote is None or packet is None:
            return
        try:
            out.sendto(packet, remote)
        except OSError:
            pass                                        # lost, as on any network; feedback is repeated

    def send_feedback(self, items: list[Feedback]) -> None:
        """Send feedback, behind an empty report for peers that want a compound (RFC 4585 §3.1)."""
        head = b"" if self.spec.is_reduced else build_compound(
            [ReceiverReport(self.ssrc), SourceDescription({self.ssrc: self.spec.cname})])
        self.send_rtcp(head + b"".join(map(bytes, items)))

    @property
    def ssrc(self) -> int:
        """Who speaks in our RTCP: the first slot, where there is one."""
        return self.slots[0].spec.ssrc if self.slots else self.spec.ssrc

    def report(self, now_ns: int, ntp: int) -> None:
        """Send sender reports of the slots and reception reports on the producers, when they are due (RFC 3550 §6.4)."""
        if now_ns < self._report_ns:
            return
        self._report_ns = now_ns + round(REPORT_NS * (0.5 + self._random()))
        blocks = tuple(producer.statistics.report_block(now_ns / 1e9) for producer in self.producers
                       if producer.statistics is not None)[:MAX_BLOCKS]
        packets: list[RtcpPacket] = []
        for slot in self.slots:
            if slot.sent_ns:
                time = slot.timestamp + (now_ns - slot.sent_ns) * 90_000 // 1_000_000_000
                packets.append(SenderReport(slot.spec.ssrc, ntp, time & 0xFFFFFFFF, slot.packets, slot.octets, blocks))
                blocks = ()
        if not packets:
            packets.append(ReceiverReport(self.ssrc, blocks))
        names = {packet.ssrc: self.spec.cname for packet in packets if isinstance(packet, SenderReport | ReceiverReport)}
        self.send_rtcp(build_compound([*packets, SourceDescription(names)]))

    # ---- in

    def on_transport_feedback(self, feedback: TransportFeedback, now_ns: int) -> None:
        """Compare when packets were sent and came."""
        pairs: list[tuple[int, int]] = []
        count = 0
        for number, arrival_us in numbers_of(feedback, self._number):
            sent_ns = self._sent.pop(number, None)
            if sent_ns is None:
                continue
            count += 1
            if arrival_us is not None:
                pairs.append((sent_ns // 1000, arrival_us))
        if not count:
            return
        received_bps = self.sent_bps(now_ns) * len(pairs) // count
        self.estimate.on_arrivals(pairs, received_bps, now_ns)
        self.estimate.on_loss(1 - len(pairs) / count, self.sent_bps(now_ns), now_ns)

    def figures(self) -> PortStatistics:
        """Figures since the beginning."""
        counted = [producer.statistics for producer in self.producers if producer.statistics is not None]
        requests = [producer.requests for producer in self.producers]
        return PortStatistics(
            self.spec.port_id, sum(one.packets for one in counted), sum(slot.packets for slot in self.slots),
            sum(max(0, one.total_lost) for one in counted), sum(producer.missing.recovered for producer in self.producers),
            sum(slot.resent for slot in self.slots), sum(one.asked for one in requests), sum(one.merged for one in requests),
            self.estimate.bitrate_bps, max((slot.loss for slot in self.slots), default=0.0), self.junk, self.foreign,
            0 if self.srtp is None else self.srtp.auth_failures, self._burst.lost)

    def close(self) -> None:
        """Close the sockets."""
        for sock in (self.rtp, self.door, self.rtcp):
            if sock is not None:
                sock.close()


def _session(before: SrtpSession | None, spec: PortSpec) -> SrtpSession | None:
    if spec.keys is None:
        return None
    if before is None:
        return SrtpSession(spec.keys, spec.streams, window=VIDEO_WINDOW)
    before.change(spec.keys)
    return before
