"""Somebody's pictures at a studio: packets in, the newest picture out (RFC 6184, RFC 7741 by `rtp.video_receiver`).

What can't be read costs itself and is counted. A source that takes more of the processor than its share is left out until its
next key frame, a longer while each time: whoever sends too much suffers alone.
"""

from __future__ import annotations

from collections.abc import Callable

from mcu.engine.composing import COMPOSED_TYPES
from mcu.picture.messages import PutSource, SourceFigures, SourceKind
from rtp.codecs.chart import draw
from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder
from rtp.errors import CodecError
from rtp.feedback import Feedback
from rtp.payload.assembly import EncodedPicture
from rtp.video_receiver import VideoReceiver

SHARE_NS = 350_000_000
"""Of each second, what decoding one source may take of a core: four times what 720p at 30 pictures does."""
REST_NS, MAX_REST_NS = 1_000_000_000, 16_000_000_000
STALE_NS = 6_000_000_000
"""A camera of which nothing came for so long is shown as an avatar."""
WISHES = frozenset({"nack pli"})
RTT_NS = 10_000_000
CHART_SIZE = (640, 360)
CHART_NS = 40_000_000


class Source:
    """One. `picture`: the newest, None for an avatar. cpu_ns: CPU time of this thread; note: called with the id before
    a picture is decoded, and with 0 after it."""

    def __init__(self, spec: PutSource, cpu_ns: Callable[[], int], note: Callable[[int], None]) -> None:
        self.spec = spec
        self.picture: Picture | None = None
        self._cpu_ns, self._note = cpu_ns, note
        self._receiver = VideoReceiver({number: name for number, name, _ in COMPOSED_TYPES}, WISHES)
        self._decoder: VideoDecoder | None = None
        self._codec = ""
        self._packets = self._pictures = self._refused = self._shed = 0
        self._decode_ns = self._spent_ns = self._second_ns = 0
        self._rests_until_ns, self._rest_ns = 0, REST_NS
        self._is_resting = False
        self._came_ns = -1

    @property
    def is_stream(self) -> bool:
        """Whether packets are expected of it."""
        return self.spec.kind is SourceKind.STREAM

    def change(self, spec: PutSource) -> None:
        """Another name, or another kind; a stream of another SSRC begins anew."""
        is_other = (spec.ssrc, spec.kind) != (self.spec.ssrc, self.spec.kind)
        self.spec = spec
        if is_other:
            self.picture = None

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take a packet of its stream."""
        self._packets += 1
        self._came_ns = now_ns
        self._take(self._receiver.receive(data, now_ns), now_ns)

    def tend(self, now_ns: int) -> None:
        """Called with each composed picture: what was waited for is given up, what is old is shown no more."""
        if self.spec.kind is SourceKind.CHART:
            self._draw_chart(now_ns)
            return
        due = self._receiver.next_ns
        if due is not None and now_ns >= due:
            self._take(self._receiver.expire(now_ns), now_ns)
        if self._came_ns >= 0 and now_ns - self._came_ns > STALE_NS:
            self.picture = None

    def feedback(self, sender: int, now_ns: int) -> list[Feedback]:
        """What to ask its sender for now."""
        return self._receiver.feedback_to_send(sender, RTT_NS, now_ns) if self.is_stream else []

    def _take(self, pictures: list[EncodedPicture], now_ns: int) -> None:
        for picture in pictures:
            if self._may_decode(picture, now_ns):
                self._decode(picture, now_ns)

    def _may_decode(self, picture: EncodedPicture, now_ns: int) -> bool:
        if not picture.is_decodable:
            return False
        if self._is_resting and (not picture.is_key or now_ns < self._rests_until_ns):
            self._shed += 1
            if now_ns >= self._rests_until_ns:
                self._receiver.requests.want()
            return False
        self._is_resting = False
        return True

    def _decode(self, picture: EncodedPicture, now_ns: int) -> None:
        if self._decoder is None or self._codec != self._receiver.codec:
            self._codec = self._receiver.codec
            self._decoder = VideoDecoder(self._codec)
        began_ns = self._cpu_ns()
        self._note(self.spec.source_id)
        try:
            for decoded in self._decoder.decode(picture.data):
                self.picture = decoded
                self._pictures += 1
        except CodecError:
            self._refused += 1
            self._receiver.decoder_failed()
        finally:
            self._note(0)
        self._spend(self._cpu_ns() - began_ns, now_ns)

    def _spend(self, spent_ns: int, now_ns: int) -> None:
        self._decode_ns += spent_ns
        if now_ns - self._second_ns > 1_000_000_000:
            if now_ns - self._second_ns > 4 * self._rest_ns:
                self._rest_ns = REST_NS
            self._second_ns, self._spent_ns = now_ns, 0
        self._spent_ns += spent_ns
        if self._spent_ns > SHARE_NS:
            self._is_resting, self._rests_until_ns = True, now_ns + self._rest_ns
            self._rest_ns = min(MAX_REST_NS, 2 * self._rest_ns)

    def _draw_chart(self, now_ns: int) -> None:
        if self.picture is not None and now_ns - self._came_ns < CHART_NS:
            return
        self._came_ns = now_ns
        picture = Picture.create(*CHART_SIZE)
        draw(picture, self.spec.source_id & 0xFF, now_ns // 1_000_000)
        self.picture = picture
        self._pictures += 1

    def figures(self) -> SourceFigures:
        """What it has done so far."""
        width, height = (self.picture.width, self.picture.height) if self.picture is not None else (0, 0)
        return SourceFigures(self.spec.studio_id, self.spec.source_id, self._packets, self._pictures,
                             self._refused + self._receiver.refused, self._shed, self._receiver.requests.asked, width, height,
                             self._decode_ns // 1000)
