"""A stream of pictures at its sender: payloads into packets, what a NACK asks for, when a key frame is due (RFC 6184, RFC 7741,
RFC 4585). Encoding is left to the caller, who asks `takes_key_frame` before each picture.
"""

from __future__ import annotations

from collections.abc import Callable

from rtp.feedback import BitrateLimit, Feedback, FullIntraRequest, Nack, PictureLossIndication, ReceiverEstimate
from rtp.packet import RtpPacket
from rtp.payload import h264, vp8

KEPT = 512
MIN_KEY_INTERVAL_NS = 500_000_000
"""Key frames are no closer together, whoever asks: a flood of requests must not eat the rate."""
RESEND_NS = 20_000_000
MAX_RESENT_SHARE = 0.5
"""Of the packets sent in the last second, so many may be sent again."""


class VideoSender:
    """One line of pictures. codec: `h264` or `vp8`; mode: packetization-mode of the receiver; limit_bps: from REMB or TMMBR.

    protect: makes of a packet what goes out, and is called once for each, so that a NACK brings the very packet (RFC 3711
    §9.1). Raises CodecError where a picture doesn't fit the mode.
    """

    def __init__(self, codec: str, payload_type: int, ssrc: int, sequence: int, protect: Callable[[bytes], bytes | None],
                 *, mode: int = 1, extensions: dict[int, bytes] | None = None) -> None:
        self.ssrc = ssrc
        self.packets = self.octets = self.resent = 0
        self.limit_bps = 0
        self._codec, self._payload_type, self._mode = codec, payload_type, mode
        self._sequence = sequence
        self._protect = protect
        self._extensions = extensions or {}
        self._picture_id = sequence & 0x7FFF
        self._kept: list[tuple[int, bytes, int]] = [(-1, b"", 0)] * KEPT
        self._is_key_wanted = True
        self._key_ns = -MIN_KEY_INTERVAL_NS
        self._budget = 0.0
        self._fir_number = -1

    def takes_key_frame(self, now_ns: int) -> bool:
        """Whether the next picture is to be a key frame; asking counts as making it."""
        if not self._is_key_wanted or now_ns - self._key_ns < MIN_KEY_INTERVAL_NS:
            return False
        self._is_key_wanted, self._key_ns = False, now_ns
        return True

    def packets_of(self, data: bytes, timestamp: int) -> list[bytes]:
        """The protected packets of a coded picture. Raises CodecError."""
        if self._codec == "h264":
            payloads = h264.packetize(data, mode=self._mode)
        else:
            payloads = vp8.packetize(data, self._picture_id)
            self._picture_id = (self._picture_id + 1) & 0x7FFF
        out = []
        for index, payload in enumerate(payloads):
            packet = self._protect(bytes(RtpPacket(
                self._payload_type, self._sequence, timestamp, self.ssrc, payload, index == len(payloads) - 1,
                extensions=self._extensions)))
            if packet is not None:
                self._kept[self._sequence % KEPT] = (self._sequence, packet, -RESEND_NS)
                out.append(packet)
                self.octets += len(payload)
            self._sequence = (self._sequence + 1) & 0xFFFF
        self.packets += len(out)
        self._budget = min(float(KEPT), self._budget + MAX_RESENT_SHARE * len(out))
        return out

    def receive_feedback(self, item: Feedback, now_ns: int) -> list[bytes]:
        """Take feedback of the receiver; the packets that are to be sent again."""
        match item:
            case Nack(source=source, lost=lost) if source == self.ssrc:
                return self._resend(lost, now_ns)
            case PictureLossIndication(source=source) if source == self.ssrc:
                self._is_key_wanted = True
            case FullIntraRequest(entries=entries):
                for ssrc, number in entries:
                    if ssrc == self.ssrc and number != self._fir_number:        # a repeated command means the same one
                        self._fir_number, self._is_key_wanted = number, True
            case ReceiverEstimate(bitrate_bps=bitrate_bps, sources=sources) if not sources or self.ssrc in sources:
                self.limit_bps = bitrate_bps
            case BitrateLimit(entries=limits):
                self.limit_bps = next((bitrate for ssrc, bitrate, _ in limits if ssrc == self.ssrc), self.limit_bps)
        return []

    def _resend(self, lost: tuple[int, ...], now_ns: int) -> list[bytes]:
        out = []
        for number in lost:
            kept, packet, sent_ns = self._kept[number % KEPT]
            if kept == number and now_ns - sent_ns >= RESEND_NS and self._budget >= 1:
                self._kept[number % KEPT] = (kept, packet, now_ns)
                self._budget -= 1
                out.append(packet)
        self.resent += len(out)
        return out
