"""A stream in that many may watch: reception (RFC 3550 §6.4), gaps asked for again, key frames asked for once (RFC 4585)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rtp.congestion import BandwidthEstimate, RateMeter
from rtp.errors import ParseError
from rtp.feedback import BitrateLimit, Feedback, FullIntraRequest, Nack, PictureLossIndication, ReceiverEstimate
from rtp.kernel.video_spec import ProducerSpec, ProducerStatistics
from rtp.key_frame_requests import KeyFrameRequests
from rtp.missing import MissingPackets
from rtp.payload import h264, vp8
from rtp.payload.h264_parameters import parse_sequence_parameters
from rtp.receiver import ReceptionStatistics
from rtp.sequence import extend_timestamp

if TYPE_CHECKING:
    from rtp.kernel.port import Port
    from rtp.kernel.slot import Slot

CLOCK_RATE = 90_000
SEQUENCE_PARAMETERS = 7
LIMIT_NS = 1_000_000_000
"""How often a sender is told how much it may send."""
_BEGINNINGS: dict[str, Callable[[bytes], bool]] = {"h264": h264.begins_key_frame, "vp8": vp8.begins_key_frame}


class Producer:
    """The state of one. `slots`: those that show it or will, `targets`: their ports; `coding`, `mode`: of the
    payload type that comes now.

    `size`: width and height of the last key frame, as far as it told; `junk`: packets that were none of it; `limit_bps`: what
    the sender was last told.
    """

    __slots__ = (
        "_begins", "_key_timestamp", "_kinds", "_limit_ns", "_second", "_time", "coding", "estimate", "is_vp8", "junk",
        "limit_bps", "missing", "mode", "rate", "requests", "size", "slots", "spec", "ssrc", "statistics", "targets",
    )

    def __init__(self, spec: ProducerSpec) -> None:
        self.spec = spec
        self.slots: list[Slot] = []
        self.targets: frozenset[Port] = frozenset()
        self.ssrc = -1
        self.statistics: ReceptionStatistics | None = None
        self.missing = MissingPackets()
        self.requests = KeyFrameRequests()
        self.rate = RateMeter()
        self.estimate = BandwidthEstimate()
        self.coding, self.mode = (spec.formats[0][1], spec.formats[0][2]) if spec.formats else ("", 0)
        self.is_vp8 = self.coding == "vp8"
        self.size = (0, 0)
        self.junk = 0
        self.limit_bps = 0
        self._limit_ns = 0
        self._time = 0
        self._kinds = {number: (name, mode) for number, name, mode in spec.formats}
        self._second = -1
        self._begins = _BEGINNINGS.get(self.coding, h264.begins_key_frame)
        self._key_timestamp = -1

    def receive(self, second: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, arrival_ns: int,
                now_ns: int) -> list[Slot]:
        """Take a packet and forward it; the slots that switched to this producer with it. second: the header's second byte."""
        kind = second & 0x7F
        if kind != self._second and not self._change_kind(kind):
            self.junk += 1
            return []
        statistics = self.statistics
        if statistics is None or ssrc != self.ssrc:
            statistics = self._begin_source(ssrc)
        if not statistics.on_packet(sequence, timestamp, arrival_ns, len(payload)):
            return []
        self.rate.add(len(payload) + 12, arrival_ns)
        if not self.missing.on_packet(sequence, now_ns):
            self.requests.want()
        is_newest = sequence == self.missing.highest & 0xFFFF
        is_key = is_newest and timestamp != self._key_timestamp and self._begins(payload)
        if is_key:
            self._key_timestamp = timestamp
            self.requests.on_key_frame()
            self.size = _size_of(self.is_vp8, payload) or self.size
        if not self.spec.is_open:
            return []
        marker = second & 0x80
        switched = []
        for slot in self.slots:
            if slot.take(self, marker, sequence, timestamp, payload, is_key, now_ns):
                switched.append(slot)
        return switched

    def attach(self, slot: Slot) -> None:
        """Forward to that slot, too, as far as it wants this producer."""
        self.slots.append(slot)
        self.targets |= {slot.port}

    def detach(self, slot: Slot) -> None:
        """Forward to that slot no more."""
        self.slots.remove(slot)
        self.targets = frozenset(other.port for other in self.slots)

    def figures(self, now_ns: int) -> ProducerStatistics:
        """Figures since the beginning."""
        heard = self.statistics
        if heard is None:
            return ProducerStatistics(self.spec.producer_id)
        return ProducerStatistics(self.spec.producer_id, self.coding, *self.size, self.rate.bitrate_bps(now_ns), heard.packets,
                                  max(0, heard.total_lost), heard.jitter * 1000 / CLOCK_RATE)

    def _change_kind(self, kind: int) -> bool:
        """Another payload type: its coding counts from now on, and who shows this producer needs a key frame of it."""
        if kind not in self._kinds:
            return False
        is_other = self._second >= 0 and self._kinds[kind] != (self.coding, self.mode)
        self._second = kind
        self.coding, self.mode = self._kinds[kind]
        self.is_vp8 = self.coding == "vp8"
        self._begins = _BEGINNINGS[self.coding]
        if is_other:
            self._begin_anew()
        return True

    def _begin_source(self, ssrc: int) -> ReceptionStatistics:
        if self.statistics is not None:
            self._begin_anew()
        self.ssrc = ssrc
        self.statistics = ReceptionStatistics(ssrc, CLOCK_RATE)
        self.missing = MissingPackets()
        return self.statistics

    def _begin_anew(self) -> None:
        for slot in self.slots:
            if slot.current is self:
                slot.current = None
        self._key_timestamp = -1
        self.requests.want()

    @property
    def takes_limits(self) -> bool:
        """Whether the sender can be told by RTCP how much it may send."""
        return not self.spec.feedback.isdisjoint(("goog-remb", "ccm tmmbr"))

    def measure_arrival(self, timestamp: int, arrival_ns: int, now_ns: int) -> None:
        """Watch the delay of the sender's path by its timestamps, for what it is told that it may send."""
        self._time = extend_timestamp(timestamp, self._time)
        sent_us = self._time * 100 // 9
        self.estimate.on_arrivals([(sent_us, arrival_ns // 1000)], self.rate.bitrate_bps(now_ns), now_ns)

    def feedback(self, sender: int, rtt_ns: int, now_ns: int) -> list[Feedback]:
        """What is to be asked of the sender now, of what it takes: lost packets, key frames."""
        items: list[Feedback] = []
        wishes = self.spec.feedback
        if self.missing.has_gaps:
            lost, is_given_up = self.missing.due(now_ns, rtt_ns)
            if lost and "nack" in wishes:
                items.append(Nack(sender, self.ssrc, lost))
            if is_given_up or (lost and "nack" not in wishes):
                self.requests.want()
        if self.ssrc >= 0 and self.requests.is_due(now_ns):
            if "ccm fir" in wishes and "nack pli" not in wishes:
                items.append(FullIntraRequest(sender, ((self.ssrc, self.requests.number),)))
            else:
                items.append(PictureLossIndication(sender, self.ssrc))
        return items

    def limit(self, sender: int, bitrate_bps: int, now_ns: int) -> Feedback | None:
        """Tell the sender what it may send, once a second, at once when it is much less; None for nothing to say."""
        wishes = self.spec.feedback
        is_urgent = bitrate_bps < self.limit_bps * 0.8
        if self.ssrc < 0 or (now_ns < self._limit_ns and not is_urgent):
            return None
        self._limit_ns = now_ns + LIMIT_NS
        self.limit_bps = bitrate_bps
        if "goog-remb" in wishes:
            return ReceiverEstimate(sender, bitrate_bps, (self.ssrc,))
        if "ccm tmmbr" in wishes:
            return BitrateLimit(sender, ((self.ssrc, bitrate_bps, 40),))
        return None


def _size_of(is_vp8: bool, payload: bytes) -> tuple[int, int] | None:
    """Width and height that the first packet of a key frame tells, None when it does not."""
    try:
        if is_vp8:
            return vp8.key_frame_size(payload[vp8.Descriptor.parse(payload)[1]:])
        for unit in h264.units_of(payload):
            if unit[:1] and unit[0] & 0x1F == SEQUENCE_PARAMETERS:
                found = parse_sequence_parameters(unit)
                return found.width, found.height
    except ParseError:
        pass
    return None
