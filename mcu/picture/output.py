"""A composed stream: pictures in, packets for all who see the same out; what its receivers say of it (RFC 4585, RFC 5104)."""

from __future__ import annotations

from mcu.picture.messages import Output, OutputFigures
from rtp.codecs.i420 import Picture
from rtp.codecs.video import MIN_BITRATE_BPS, VideoEncoder, create_video_encoder
from rtp.feedback import Feedback
from rtp.video_sender import VideoSender

CLOCK_RATE = 90_000
REPEAT_NS = 500_000_000
"""A picture that doesn't change is sent again so often, so that nobody takes the stream for dead."""


class OutputStream:
    """One. Raises CodecError when the codec can't be had."""

    def __init__(self, spec: Output) -> None:
        self.spec = spec
        self._sender = VideoSender(spec.codec, spec.payload_type, spec.ssrc, spec.sequence, lambda packet: packet,
                                   mode=spec.mode)
        self._encoder: VideoEncoder = create_video_encoder(spec.codec, spec.width, spec.height, spec.bitrate_bps,
                                                           frame_rate=spec.frame_rate, mode=spec.mode)
        self._interval_ns = 1_000_000_000 // spec.frame_rate
        self._due_ns = self._sent_ns = 0
        self._start_ns = -1
        self._pictures = self._key_frames = 0
        self._last: tuple[int, int] = (-1, -1)

    @property
    def ssrc(self) -> int:
        """Of the stream."""
        return self.spec.ssrc

    def is_due(self, now_ns: int) -> bool:
        """Whether its next picture is due, which counts as making it."""
        if now_ns < self._due_ns:
            return False
        self._due_ns = max(self._due_ns + self._interval_ns, now_ns - self._interval_ns)
        return True

    def encode(self, picture: Picture, version: tuple[int, int], now_ns: int) -> list[bytes]:
        """The packets of a picture; none where it is the one before and nobody waits for it. Raises CodecError.

        version: another one for each picture that differs.
        """
        is_key = self._sender.takes_key_frame(now_ns)
        if version == self._last and not is_key and now_ns - self._sent_ns < REPEAT_NS:
            return []
        self._last, self._sent_ns = version, now_ns
        if self._start_ns < 0:
            self._start_ns = now_ns
        timestamp = (now_ns - self._start_ns) * CLOCK_RATE // 1_000_000_000
        data = self._encoder.encode(picture, timestamp, is_key=is_key)
        if not data:
            return []
        self._pictures += 1
        self._key_frames += is_key
        return self._sender.packets_of(data, (timestamp + self.spec.ssrc) & 0xFFFFFFFF)

    def receive_feedback(self, item: Feedback, now_ns: int) -> list[bytes]:
        """Take what the forwarder says for its receivers; packets to send again."""
        again = self._sender.receive_feedback(item, now_ns)
        if self._sender.limit_bps:
            self._encoder.bitrate_bps = max(MIN_BITRATE_BPS, min(self.spec.bitrate_bps, self._sender.limit_bps))
        return again

    def figures(self, studio_id: int) -> OutputFigures:
        """What it has done so far."""
        return OutputFigures(studio_id, self.spec.output_id, self._pictures, self._key_frames, self._sender.packets,
                             self._sender.octets, self._encoder.bitrate_bps)
