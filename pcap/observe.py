"""What the analysis wants to know beyond the survey: figures of each stream, keys (RFC 4733), RTCP, complaints of ICMP.

It watches while the survey reads, and keeps counts only, so that a capture of any length takes the same memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pcap.columns import Columns
from pcap.dissect import Seen, SeenComplaint, SeenControl, SeenPacket
from pcap.keylog import Address
from pcap.loss import Losses
from pcap.media_map import Codec, MediaMap
from pcap.skew import SkewMeter
from rtp.rtcp import ReceiverReport, ReportBlock, SenderReport

MAX_STREAMS = 20_000
MAX_COMPLAINTS = 1000
MAX_OPEN_KEYS = 32
KEY_IS_OVER_NS = 300_000_000
"""A key of which nothing came for so long, while its stream goes on, has ended, whether or not its end was heard."""
_KEYS = "0123456789*#ABCD"


@dataclass(slots=True)
class Keys:
    """Keys of one stream (RFC 4733 §2.3, §2.5.1). unended: those whose end never came, as (time, key)."""

    pressed: int = 0
    unended: list[tuple[int, str]] = field(default_factory=list)
    _open: dict[int, tuple[int, str]] = field(default_factory=dict)
    _over: int = -1

    def add(self, time_ns: int, timestamp: int, payload: bytes) -> None:
        """A packet of an event."""
        if len(payload) < 4 or timestamp == self._over:
            return
        if timestamp not in self._open:
            self.pressed += 1
        key = _KEYS[payload[0]] if payload[0] < len(_KEYS) else str(payload[0])
        self._open[timestamp] = (time_ns, key)
        if payload[1] & 0x80:
            self._over = timestamp
            del self._open[timestamp]
        elif len(self._open) > MAX_OPEN_KEYS:
            del self._open[next(iter(self._open))]

    def settle(self, now_ns: int) -> None:
        """Time goes on in this stream."""
        for timestamp, (time_ns, key) in list(self._open.items()):
            if now_ns - time_ns > KEY_IS_OVER_NS:
                del self._open[timestamp]
                if len(self.unended) < MAX_OPEN_KEYS:
                    self.unended.append((time_ns, key))

    @property
    def is_waiting(self) -> bool:
        """Whether a key has not ended yet."""
        return bool(self._open)


@dataclass(slots=True)
class Observed:
    """One stream: Wireshark's figures, losses in bursts, skew of its clock, keys, and the frame in which it began."""

    first_frame: int
    columns: Columns = field(default_factory=Columns)
    losses: Losses = field(default_factory=Losses)
    skew: SkewMeter | None = None
    keys: Keys = field(default_factory=Keys)
    octets: int = 0
    _codecs: dict[int, tuple[int, Codec | None]] = field(default_factory=dict)

    def add(self, one: SeenPacket, media: MediaMap) -> None:
        """A packet of the stream."""
        packet = one.packet
        version, codec = self._codecs.get(packet.payload_type, (-1, None))
        if version != media.version:
            codec = media.codec(one.source, one.destination, packet.payload_type)
            self._codecs[packet.payload_type] = (media.version, codec)
        is_event = codec is not None and codec.name == "telephone-event"
        clock = 0 if codec is None or is_event else codec.clock
        self.columns.add(one.time_ns, packet.payload_type, packet.sequence, packet.timestamp, packet.marker, clock,
                         codec.name if codec is not None else "")
        self.losses.add(packet.sequence)
        self.octets += len(packet.payload)
        if is_event:
            self.keys.add(one.time_ns, packet.timestamp, packet.payload)
        elif clock:
            if self.skew is None or self.skew.clock != clock:
                self.skew = SkewMeter(clock)
            self.skew.add(one.time_ns, packet.timestamp)
        if self.keys.is_waiting:
            self.keys.settle(one.time_ns)


@dataclass(slots=True)
class Complaint:
    """ICMP about one way: how often, when first and last, who complains, and the first frame."""

    kind: str
    source: Address
    destination: Address
    reporter: str
    first_ns: int
    last_ns: int
    frame: int
    count: int = 1


class Observer:
    """Watches all that a survey reads."""

    def __init__(self) -> None:
        self.streams: dict[tuple[int, Address, Address], Observed] = {}
        self.complaints: dict[tuple[str, Address, Address], Complaint] = {}
        self.controls: Counter[tuple[str, str]] = Counter()
        self.reports: dict[int, ReportBlock] = {}

    def receive(self, one: Seen, media: MediaMap) -> None:
        """Take what was read; `media` has learnt what the SDPs before it said."""
        match one:
            case SeenPacket():
                stream = self.streams.get(one.stream)
                if stream is None:
                    if len(self.streams) >= MAX_STREAMS:
                        return
                    stream = self.streams[one.stream] = Observed(one.number)
                stream.add(one, media)
            case SeenControl():
                self._control(one)
            case SeenComplaint():
                self._complain(one)

    def finish(self) -> None:
        """The capture is over."""
        for stream in self.streams.values():
            stream.losses.finish()

    def _control(self, one: SeenControl) -> None:
        self.controls[one.source[0], one.destination[0]] += 1
        for packet in one.packets:
            if isinstance(packet, SenderReport | ReceiverReport):
                for block in packet.blocks:
                    if block.ssrc in self.reports or len(self.reports) < MAX_STREAMS:
                        self.reports[block.ssrc] = block

    def _complain(self, one: SeenComplaint) -> None:
        key = (one.kind, one.source, one.destination)
        if (known := self.complaints.get(key)) is not None:
            known.count, known.last_ns = known.count + 1, one.time_ns
        elif len(self.complaints) < MAX_COMPLAINTS:
            self.complaints[key] = Complaint(one.kind, one.source, one.destination, one.reporter, one.time_ns, one.time_ns,
                                             one.number)
