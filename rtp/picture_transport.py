"""One transport of pictures at a phone: lines in and out, told apart by mid and SSRC (RFC 9143 §9.2), with the reports and
feedback of all (RFC 3550 §6.4, RFC 4585, RFC 5506) and an estimate of what the path takes.

Packets are in clear here. Driven by packets and by time, as `rtp.video_receiver` is; a forwarder's side is `rtp.kernel.port`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rtp.clock import ntp_middle, ntp_timestamp
from rtp.congestion import BandwidthEstimate, RateMeter
from rtp.errors import ParseError
from rtp.feedback import BitrateLimit, Feedback, ReceiverEstimate, parse_feedback
from rtp.packet import RtpPacket
from rtp.payload.assembly import EncodedPicture
from rtp.rtcp import (
    Goodbye,
    OtherPacket,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_compound,
    parse_compound,
)
from rtp.synchrony import StreamClock
from rtp.transport_feedback import ArrivalLog, TransportFeedback, numbers_of
from rtp.video_receiver import CLOCK_RATE, VideoReceiver
from rtp.video_sender import VideoSender

REPORT_NS = 1_000_000_000
FEEDBACK_NS = 100_000_000
"""How often arrivals are told (transport-wide feedback), and an estimate (REMB)."""
MAX_RTT_NS = 2_000_000_000
IDLE_SHARE = 4
"""Who sends less than a quarter of what the path is believed to take has not filled it: a delay that grows without loss is
somebody else's, and the estimate, once down, could not grow again, as what isn't sent can't be known to fit."""
PROBE_NS = 3_000_000_000
"""After so long without loss and growing delay half as much again is tried."""
MAX_NUMBERS = 4096
MAX_BLOCKS = 31


@dataclass(frozen=True, slots=True)
class PictureLine:
    """A line as it was agreed. key: our name for it; mid: in a bundle; receives: codec by payload type, empty where nothing
    comes; sends: (codec, payload type, packetization mode), None where nothing goes; wishes: feedback that the peer takes;
    limit_bps: what it wants at most, 0 for anything."""

    key: int
    mid: str = ""
    receives: tuple[tuple[int, str], ...] = ()
    sends: tuple[str, int, int] | None = None
    wishes: frozenset[str] = frozenset()
    limit_bps: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A coded picture of a line. origin: whose it is, as a CSRC; 0 where the sender does not say."""

    key: int
    origin: int
    codec: str
    picture: EncodedPicture


class _Line:
    """The state of one."""

    __slots__ = ("clock", "rate", "receiver", "sender", "spec")

    def __init__(self, spec: PictureLine, sender: VideoSender | None) -> None:
        self.spec = spec
        self.sender = sender
        self.receiver = VideoReceiver(dict(spec.receives), spec.wishes)
        self.rate = RateMeter()
        self.clock = StreamClock(CLOCK_RATE)


class PictureTransport:
    """All lines of a transport. cname: of ours; protect: makes of an RTP packet what goes out, once each, None for nothing;
    draw: random 32 bits.

    `estimate`: of the way out; `wanted_bps`: what would be sent if it went through; `rtt_ns`; `foreign`: packets of no line.
    """

    def __init__(self, cname: str, protect: Callable[[bytes], bytes | None], draw: Callable[[], int]) -> None:
        self.estimate = BandwidthEstimate()
        self.incoming = BandwidthEstimate()
        self.wanted_bps = 0
        self.rtt_ns = 100_000_000
        self.foreign = self.junk = 0
        self._cname = cname
        self._protect = protect
        self._draw = draw
        self._ssrc = draw()
        self._base = draw()
        self._lines: dict[int, _Line] = {}
        self._by_mid: dict[str, _Line] = {}
        self._by_ssrc: dict[int, _Line] = {}
        self._mid_id = self._number_id = 0
        self._is_reduced = False
        self._number = 0
        self._sent: dict[int, int] = {}
        self._out = RateMeter()
        self._arrivals = ArrivalLog()
        self._report_ns = self._feedback_ns = 0
        self._now_ns = self._quiet_ns = 0

    def set_lines(self, lines: Iterable[PictureLine], *, mid_id: int = 0, number_id: int = 0, is_reduced: bool = False) -> None:
        """These lines from now on; one that is the same as before goes on. mid_id, number_id: of the header extensions."""
        before, self._lines = self._lines, {}
        self._mid_id, self._number_id, self._is_reduced = mid_id, number_id, is_reduced
        for spec in lines:
            known = before.get(spec.key)
            if known is not None and known.spec == spec:
                self._lines[spec.key] = known
                continue
            fresh = _Line(spec, self._new_sender(spec))
            if known is not None and (known.spec.sends, known.spec.mid) == (spec.sends, spec.mid):
                fresh.sender = known.sender
            if known is not None and known.spec.receives == spec.receives:
                fresh.receiver, fresh.clock = known.receiver, known.clock
            self._lines[spec.key] = fresh
        self._by_mid = {line.spec.mid: line for line in self._lines.values() if line.spec.mid}
        self._by_ssrc = {}

    def _new_sender(self, spec: PictureLine) -> VideoSender | None:
        if spec.sends is None:
            return None
        codec, payload_type, mode = spec.sends
        extensions = {self._number_id: bytes(2)} if self._number_id else {}
        if self._mid_id and spec.mid:
            extensions[self._mid_id] = spec.mid.encode()[:16]
        return VideoSender(codec, payload_type, self._draw(), self._draw() & 0x7FFF, self._seal, mode=mode,
                           extensions=extensions)

    def _seal(self, packet: bytes) -> bytes | None:
        if self._number_id:                             # the first extension: its two bytes begin behind header and head
            self._number = self._number + 1 & 0xFFFFFFFF
            packet = packet[:17] + (self._number & 0xFFFF).to_bytes(2) + packet[19:]
            if len(self._sent) >= MAX_NUMBERS:
                self._sent.clear()
            self._sent[self._number] = self._now_ns
        return self._protect(packet)

    # ---- out

    def timestamp_at(self, now_ns: int) -> int:
        """The RTP time of a picture that was taken then; one clock for all lines."""
        return (self._base + now_ns * CLOCK_RATE // 1_000_000_000) & 0xFFFFFFFF

    def sends(self, key: int) -> tuple[str, int, int] | None:
        """(codec, payload type, mode) of what may be sent on a line."""
        line = self._lines.get(key)
        return None if line is None or line.sender is None else line.spec.sends

    def takes_key_frame(self, key: int, now_ns: int) -> bool:
        """Whether the line's next picture is to be a key frame; asking counts as making it."""
        line = self._lines.get(key)
        return line is not None and line.sender is not None and line.sender.takes_key_frame(now_ns)

    def send(self, key: int, coded: bytes, taken_ns: int, now_ns: int) -> list[bytes]:
        """The protected packets of a coded picture that was taken at `taken_ns`. Raises CodecError."""
        line = self._lines.get(key)
        if line is None or line.sender is None or not coded:
            return []
        self._now_ns = now_ns
        packets = line.sender.packets_of(coded, self.timestamp_at(taken_ns))
        self._out.add(sum(map(len, packets)), now_ns)
        return packets

    def bitrate_bps(self, key: int) -> int:
        """What the path and the peer allow on a line."""
        line = self._lines.get(key)
        if line is None or line.sender is None:
            return 0
        limits = (self.estimate.bitrate_bps, line.sender.limit_bps, line.spec.limit_bps)
        return min(limit for limit in limits if limit)

    # ---- in

    def receive(self, data: bytes, arrival_ns: int) -> list[Arrived]:
        """Take an RTP packet; what is complete with it."""
        try:
            packet = RtpPacket.parse(data)
        except ParseError:
            self.junk += 1
            return []
        if self._number_id and len(number := packet.extensions.get(self._number_id, b"")) == 2:
            self._arrivals.on_packet(int.from_bytes(number), arrival_ns)
        line = self._line_of(packet)
        if line is None:
            self.foreign += 1
            return []
        line.rate.add(len(data), arrival_ns)
        if not self._number_id:
            received_bps = sum(each.rate.bitrate_bps(arrival_ns) for each in self._lines.values())
            sent_us = packet.timestamp * 1_000_000 // CLOCK_RATE
            if len(self._by_ssrc) == 1:
                self.incoming.on_arrivals([(sent_us, arrival_ns // 1000)], received_bps, arrival_ns)
        return self._arrived(line, line.receiver.receive(data, arrival_ns, self.rtt_ns))

    def _line_of(self, packet: RtpPacket) -> _Line | None:
        mid = packet.extensions.get(self._mid_id, b"").decode("ascii", "replace") if self._mid_id and self._by_mid else ""
        line = self._by_mid.get(mid) if mid else self._by_ssrc.get(packet.ssrc)
        if line is None and not mid:
            receiving = [each for each in self._lines.values() if each.spec.receives]
            line = receiving[0] if receiving else None
        if line is not None:
            self._by_ssrc[packet.ssrc] = line
        return line

    def _arrived(self, line: _Line, pictures: list[EncodedPicture]) -> list[Arrived]:
        receiver = line.receiver
        return [Arrived(line.spec.key, receiver.origin, receiver.codec, picture) for picture in pictures]

    @property
    def next_ns(self) -> int | None:
        """When `expire` has something to do, None for never."""
        return min((at for line in self._lines.values() if (at := line.receiver.next_ns) is not None), default=None)

    def expire(self, now_ns: int) -> list[Arrived]:
        """Give up what was waited for long enough; what lies behind it."""
        return [each for line in self._lines.values() for each in self._arrived(line, line.receiver.expire(now_ns))]

    def decoder_failed(self, key: int) -> None:
        """A picture of a line could not be decoded."""
        if key in self._lines:
            self._lines[key].receiver.decoder_failed()

    def receiver(self, key: int) -> VideoReceiver | None:
        """The receiving half of a line, for its figures."""
        line = self._lines.get(key)
        return None if line is None else line.receiver

    def sender(self, key: int) -> VideoSender | None:
        """The sending half of a line, for its figures."""
        line = self._lines.get(key)
        return None if line is None else line.sender

    def clock(self, key: int) -> StreamClock | None:
        """The clock of a line's pictures by its sender."""
        line = self._lines.get(key)
        return None if line is None else line.clock

    def received_bps(self, key: int, now_ns: int) -> int:
        """What comes on a line now."""
        line = self._lines.get(key)
        return 0 if line is None else line.rate.bitrate_bps(now_ns)

    # ---- RTCP

    def receive_rtcp(self, data: bytes, now_ns: int, wallclock: float) -> list[bytes] | None:
        """Take a compound, or feedback alone; the packets to send again, None for what is no RTCP."""
        try:
            packets = parse_compound(data)
        except ParseError:
            self.junk += 1
            return None
        again: list[bytes] = []
        for packet in packets:
            if isinstance(packet, SenderReport) and (line := self._by_ssrc.get(packet.ssrc)) is not None:
                line.clock.on_sender_report(packet.ntp, packet.timestamp)
                if line.receiver.statistics is not None:
                    line.receiver.statistics.on_sender_report(packet.ntp, now_ns / 1e9)
            if isinstance(packet, SenderReport | ReceiverReport):
                for block in packet.blocks:
                    self._on_block(block, now_ns, wallclock)
            elif isinstance(packet, OtherPacket):
                try:
                    again += self._on_feedback(parse_feedback(packet), now_ns)
                except ParseError:
                    self.junk += 1
        return again

    def _on_block(self, block: ReportBlock, now_ns: int, wallclock: float) -> None:
        if all(line.sender is None or line.sender.ssrc != block.ssrc for line in self._lines.values()):
            return
        if not self._number_id:
            self.estimate.on_loss(block.fraction_lost / 256, self._out.bitrate_bps(now_ns), now_ns)
        if block.lsr:
            delay = (ntp_middle(ntp_timestamp(wallclock)) - block.lsr - block.dlsr) & 0xFFFFFFFF
            rtt_ns = delay * 1_000_000_000 // 65536
            if rtt_ns < MAX_RTT_NS:
                self.rtt_ns = (3 * self.rtt_ns + rtt_ns) // 4

    def _on_feedback(self, item: Feedback | None, now_ns: int) -> list[bytes]:
        if item is None:
            return []
        match item:
            case TransportFeedback():
                self._on_arrivals(item, now_ns)
                return []
            case ReceiverEstimate(bitrate_bps=bitrate_bps):
                self.estimate.on_remote_estimate(bitrate_bps)
            case BitrateLimit():
                pass
        senders = [line.sender for line in self._lines.values() if line.sender is not None]
        return [packet for sender in senders for packet in sender.receive_feedback(item, now_ns)]

    def _on_arrivals(self, feedback: TransportFeedback, now_ns: int) -> None:
        pairs: list[tuple[int, int]] = []
        count = 0
        for number, arrival_us in numbers_of(feedback, self._number):
            sent_ns = self._sent.pop(number, None)
            if sent_ns is not None:
                count += 1
                if arrival_us is not None:
                    pairs.append((sent_ns // 1000, arrival_us))
        if not count:
            return
        sent_bps, estimate = self._out.bitrate_bps(now_ns), self.estimate
        if sent_bps < estimate.bitrate_bps // IDLE_SHARE and len(pairs) == count:
            for sent_us, arrival_us in pairs:
                estimate.trend.on_packet(sent_us, arrival_us)
        else:
            estimate.on_arrivals(pairs, sent_bps * len(pairs) // count, now_ns)
        estimate.on_loss(1 - len(pairs) / count, sent_bps, now_ns)
        if len(pairs) < count or estimate.trend.state == "overuse":
            self._quiet_ns = now_ns
        elif now_ns - self._quiet_ns > PROBE_NS:
            self._quiet_ns = now_ns
            if estimate.bitrate_bps < self.wanted_bps:
                estimate.probe(min(self.wanted_bps, estimate.bitrate_bps * 3 // 2))

    @property
    def ssrc(self) -> int:
        """Who speaks in our RTCP: the first line that sends, else nobody's."""
        return next((line.sender.ssrc for line in self._lines.values() if line.sender is not None), self._ssrc)

    def rtcp_to_send(self, now_ns: int, wallclock: float) -> list[bytes]:
        """What is due now: reports about once a second, feedback at once; look some times in a round trip."""
        out = []
        if now_ns >= self._report_ns:
            self._report_ns = now_ns + REPORT_NS * (50 + self._draw() % 100) // 100
            out.append(self._report(now_ns, wallclock))
        items = [item for line in self._lines.values()
                 for item in line.receiver.feedback_to_send(self.ssrc, self.rtt_ns, now_ns)]
        if now_ns >= self._feedback_ns:
            self._feedback_ns = now_ns + FEEDBACK_NS
            items += self._estimates(now_ns)
        if items:
            head = b"" if self._is_reduced else build_compound(
                [ReceiverReport(self.ssrc), SourceDescription({self.ssrc: self._cname})])
            out.append(head + b"".join(map(bytes, items)))
        return out

    def _estimates(self, now_ns: int) -> list[Feedback]:
        sources = tuple(self._by_ssrc)
        if not sources:
            return []
        if self._number_id:
            feedback = self._arrivals.take(self.ssrc, sources[0])
            return [] if feedback is None else [feedback]
        wishes = frozenset[str]().union(*(line.spec.wishes for line in self._lines.values()))
        if "goog-remb" not in wishes or len(sources) > 1:
            return []
        return [ReceiverEstimate(self.ssrc, self.incoming.bitrate_bps, sources)]

    def _report(self, now_ns: int, wallclock: float) -> bytes:
        known = [line.receiver.statistics for line in self._lines.values() if line.receiver.statistics is not None]
        blocks = tuple(each.report_block(now_ns / 1e9) for each in known if each.highest >= 0)[:MAX_BLOCKS]
        packets: list[RtcpPacket] = []
        for line in self._lines.values():
            sender = line.sender
            if sender is not None and sender.packets:
                packets.append(SenderReport(sender.ssrc, ntp_timestamp(wallclock), self.timestamp_at(now_ns), sender.packets,
                                            sender.octets, blocks))
                blocks = ()
        if not packets:
            packets.append(ReceiverReport(self.ssrc, blocks))
        names = {packet.ssrc: self._cname for packet in packets if isinstance(packet, SenderReport | ReceiverReport)}
        return build_compound([*packets, SourceDescription(names)])

    def goodbye(self) -> bytes:
        """The compound that ends our streams (RFC 3550 §6.3.7); empty when nothing was sent."""
        ssrcs = tuple(line.sender.ssrc for line in self._lines.values() if line.sender is not None and line.sender.packets)
        if not ssrcs:
            return b""
        return build_compound([ReceiverReport(ssrcs[0]), SourceDescription({ssrcs[0]: self._cname}), Goodbye(ssrcs)])
