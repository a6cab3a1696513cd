"""A stream of pictures at its receiver, whole: reception, order, what is asked for again, pictures (RFC 3550 §6.4, RFC 4585).

Driven by packets and by time: `receive`, `next_ns`, `expire`, `feedback_to_send`. Decoding is left to the caller, who says
`decoder_failed` when a picture can't be read.
"""

from __future__ import annotations

from collections.abc import Callable

from rtp.errors import ParseError
from rtp.feedback import Feedback, FullIntraRequest, Nack, PictureLossIndication
from rtp.key_frame_requests import KeyFrameRequests
from rtp.missing import MissingPackets
from rtp.packet import RtpPacket
from rtp.payload.assembly import EncodedPicture, PictureAssembler, Unpacker
from rtp.payload.h264 import H264Unpacker
from rtp.payload.vp8 import Vp8Unpacker
from rtp.playout import PacketOrder
from rtp.receiver import ReceptionStatistics

CLOCK_RATE = 90_000
MIN_PATIENCE_NS, MAX_PATIENCE_NS = 80_000_000, 400_000_000
UNPACKERS: dict[str, Callable[[], Unpacker]] = {"h264": H264Unpacker, "vp8": Vp8Unpacker}


class VideoReceiver:
    """One line of pictures. formats: codec name (lower case) by payload type; wishes: kinds of a=rtcp-fb that the sender takes.

    `statistics`: of the source that comes now, None before the first packet; `codec`: its codec's name; `origin`: the first
    CSRC of the newest packet, which names whose picture a forwarded one is, 0 for none. `frozen_ns`: how long altogether
    nothing could be shown for want of a key frame.
    """

    def __init__(self, formats: dict[int, str], wishes: frozenset[str] = frozenset()) -> None:
        self.formats = formats
        self.wishes = wishes
        self.statistics: ReceptionStatistics | None = None
        self.codec = ""
        self.origin = 0
        self.junk = 0
        self.frozen_ns = 0
        self.missing = MissingPackets()
        self.requests = KeyFrameRequests()
        self._order: PacketOrder[RtpPacket] = PacketOrder()
        self._assembler = PictureAssembler(H264Unpacker())
        self._frozen_since = -1
        self._restarts = 0

    def receive(self, data: bytes, arrival_ns: int, rtt_ns: int = 100_000_000) -> list[EncodedPicture]:
        """Take an RTP packet in clear; the pictures that are complete with it, in order."""
        try:
            packet = RtpPacket.parse(data)
        except ParseError:
            self.junk += 1
            return []
        codec = self.formats.get(packet.payload_type)
        if codec is None:
            self.junk += 1
            return []
        if self.statistics is None or packet.ssrc != self.statistics.ssrc or codec != self.codec:
            self._begin(packet.ssrc, codec)
        assert self.statistics is not None
        if not self.statistics.on_packet(packet.sequence, packet.timestamp, arrival_ns, len(packet.payload)):
            return []
        if self.statistics.restarts != self._restarts:
            self._begin_numbers(codec)
        if not self.missing.on_packet(packet.sequence, arrival_ns):
            self.requests.want()
        is_mended = "nack" in self.wishes
        self._order.patience_ns = max(MIN_PATIENCE_NS, min(MAX_PATIENCE_NS, 3 * rtt_ns)) if is_mended else MIN_PATIENCE_NS
        return self._assemble(self._order.push(packet.sequence, packet, arrival_ns), arrival_ns)

    def _begin(self, ssrc: int, codec: str) -> None:
        self.statistics = ReceptionStatistics(ssrc, CLOCK_RATE)
        self.codec = codec
        self._begin_numbers(codec)

    def _begin_numbers(self, codec: str) -> None:
        """Begin a line of numbers: the first, or one that goes on elsewhere (RFC 3550 A.1), as when a sender starts anew."""
        assert self.statistics is not None
        self._restarts = self.statistics.restarts
        self.missing = MissingPackets()
        self._order = PacketOrder()
        self._assembler = PictureAssembler(UNPACKERS[codec]())

    def _assemble(self, packets: list[RtpPacket], now_ns: int) -> list[EncodedPicture]:
        pictures: list[EncodedPicture] = []
        damaged = self._assembler.damaged
        for packet in packets:
            self.origin = packet.csrcs[0] if packet.csrcs else 0
            pictures += self._assembler.receive(packet.sequence, packet.timestamp, packet.marker, packet.payload)
        if any(picture.is_key for picture in pictures):
            self.requests.on_key_frame()
        if self._assembler.damaged > damaged or any(not picture.is_decodable for picture in pictures):
            self.requests.want()
        self._watch(now_ns)
        return pictures

    def _watch(self, now_ns: int) -> None:
        if self._assembler.needs_key_frame:
            self._frozen_since = now_ns if self._frozen_since < 0 else self._frozen_since
        elif self._frozen_since >= 0:
            self.frozen_ns += now_ns - self._frozen_since
            self._frozen_since = -1

    @property
    def refused(self) -> int:
        """Packets that were none, and pictures of this source whose headers lied."""
        return self.junk + self._assembler.refused

    @property
    def next_ns(self) -> int | None:
        """When `expire` has something to do, None for never."""
        return self._order.next_ns

    def expire(self, now_ns: int) -> list[EncodedPicture]:
        """Give up what was waited for long enough; the pictures behind it."""
        return self._assemble(self._order.expire(now_ns), now_ns)

    def decoder_failed(self) -> None:
        """A picture could not be decoded: only a key frame helps."""
        self._assembler.needs_key_frame = True
        self.requests.want()

    def feedback_to_send(self, sender: int, rtt_ns: int, now_ns: int) -> list[Feedback]:
        """What to ask the source for now; look some times in a round trip, and at once after a loss."""
        if self.statistics is None:
            return []
        source = self.statistics.ssrc
        items: list[Feedback] = []
        lost, _ = self.missing.due(now_ns, rtt_ns)
        if lost and "nack" in self.wishes:
            items.append(Nack(sender, source, lost))
        if not self.wishes.isdisjoint(("nack pli", "ccm fir")) and self.requests.is_due(now_ns):
            if "nack pli" in self.wishes:
                items.append(PictureLossIndication(sender, source))
            else:
                items.append(FullIntraRequest(sender, ((source, self.requests.number),)))
        return items
