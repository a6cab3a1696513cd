"""The pictures of one call: lines in the SDP, their sockets and keys, who sends on them and who sees what comes.

The main line carries the camera both ways and shares its transport with slots that only take pictures (RFC 9143), as a
conference forwards many; slides have a line and a transport of their own (RFC 4796). `softphone.media.picture_loop` reads the
sockets in a thread; negotiation happens in the event loop's; cameras send in theirs. One lock guards what they share, and is
never held while a picture is coded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from rtp.codecs.i420 import Picture
from rtp.errors import CodecError
from rtp.keying.dtls import Role
from rtp.picture_transport import PictureLine
from rtp.sdp.bundle import MID
from rtp.sdp.negotiation import LocalMedia
from rtp.sdp.several import LocalVideo, NegotiatedVideo
from rtp.sdp.video import SLIDES as SLIDES_CONTENT
from rtp.sdp.video import VideoCapabilities
from rtp.synchrony import StreamClock
from rtp.transport_feedback import TRANSPORT_SEQUENCE
from softphone.media.encoding import LineEncoder, OutFigures
from softphone.media.lines import Pictures
from softphone.media.picture_figures import InFigures
from softphone.media.picture_loop import PictureLoop
from softphone.media.picture_way import Way
from softphone.media.ports import Observer
from softphone.media.security import SecuritySettings

MAIN, SLIDES, FIRST_SLOT = 0, 1, 2
"""Keys of the lines."""
SLOTS = 9
"""Lines that only take pictures: so many others are seen at once."""
DEFAULT_BPS = 1_000_000
CAPABILITIES = VideoCapabilities(extensions=((3, MID), (4, TRANSPORT_SEQUENCE)))


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that came. key: of its line; origin: whose it is (member id), 0 where nobody says; timestamp: RTP, of its
    sender; at_ns: monotonic."""

    key: int
    origin: int
    picture: Picture
    timestamp: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class PictureSettings:
    """slots: lines that only take pictures; has_slides: whether a line for a shared screen is offered; is_sending: whether the
    camera is on from the start; bitrate_bps: what the camera may use at most."""

    slots: int = SLOTS
    has_slides: bool = True
    is_sending: bool = True
    bitrate_bps: int = DEFAULT_BPS
    capabilities: VideoCapabilities = CAPABILITIES


class PictureMedia:
    """Pictures of a call. host: our address; security: as that of sound; cname: ours; observer: sees the packets in clear.

    on_picture: gets each `Shown`, in the reading thread; it must not wait; on_slides: those of a shared screen, too.
    `bitrate_bps`: what the camera may use, at any time.
    """

    def __init__(self, settings: PictureSettings, host: str, security: SecuritySettings, cname: str,
                 observer: Observer | None = None) -> None:
        self.settings = settings
        self.bitrate_bps = settings.bitrate_bps
        self.on_picture: Callable[[Shown], None] = lambda shown: None
        self.on_slides: Callable[[Shown], None] = lambda shown: None
        self.negotiated: dict[int, NegotiatedVideo] = {}
        self._host = host
        self._lock = threading.RLock()
        self._ways = (Way(host, security, cname, observer), Way(host, security, cname, observer))
        self._is_sent = {MAIN: settings.is_sending, SLIDES: False}
        self._encoders: dict[int, LineEncoder] = {}
        self._loop: PictureLoop | None = None

    # ---- negotiation (the event loop's thread)

    def lines(self, *, is_offer: bool, is_new: bool, is_held: bool) -> Pictures:
        """Our lines for an offer or an answer; opens their sockets. Raises OSError when there is no port."""
        keys = [MAIN] + [SLIDES] * self.settings.has_slides
        slots = [FIRST_SLOT + number for number in range(self.settings.slots)]
        if is_new:
            keys += slots if is_offer else []
        else:
            keys = [key for key in keys + slots if key in self.negotiated or not (is_offer or key in slots)]
        return Pictures(self.settings.capabilities, tuple(self._line(key, is_offer, is_held) for key in keys))

    def _line(self, key: int, is_offer: bool, is_held: bool) -> LocalVideo:
        way = self._way(key)
        port = way.open()
        may_send = self._is_sent.get(key, False)
        direction = "inactive" if is_held else "sendrecv" if may_send else "recvonly"
        local = LocalMedia(self._host, port, port + 1, direction)
        if not is_offer:
            local = replace(local, role=Role.CLIENT)
        local = way.security.described(local, is_offer=is_offer)
        if key == SLIDES:
            return LocalVideo(local, SLIDES_CONTENT, "slides", "slides")
        return LocalVideo(local, "", "", "main" if key == MAIN else f"v{key - FIRST_SLOT + 1}", key >= FIRST_SLOT)

    def _way(self, key: int) -> Way:
        return self._ways[1 if key == SLIDES else 0]

    def keys_of(self, lines: Pictures) -> list[int]:
        """The keys of what `lines` gave, in its order."""
        found = []
        for line in lines.lines:
            if line.content == SLIDES_CONTENT:
                found.append(SLIDES)
            else:
                found.append(MAIN if not line.is_bundle_only else FIRST_SLOT + int(line.mid[1:]) - 1)
        return found

    def check(self, agreed: tuple[NegotiatedVideo, ...], lines: Pictures) -> bool:
        """Whether the peer goes on with new keys, and will expect new ones of ours, which are made then. Raises
        NegotiationFailed when a call would lose its protection."""
        keys = self.keys_of(lines)
        is_new = False
        with self._lock:
            for each in agreed:
                security = self._way(keys[each.slot]).security
                security.check(each.protection)
                if security.is_begun_anew(each.protection):
                    security.make_keys()
                    is_new = True
        return is_new

    def use(self, agreed: tuple[NegotiatedVideo, ...], lines: Pictures) -> None:
        """This is agreed from now on."""
        keys = self.keys_of(lines)
        with self._lock:
            before = self.negotiated
            self.negotiated = {keys[each.slot]: each for each in agreed}
            for number, way in enumerate(self._ways):
                mine = {key: each for key, each in self.negotiated.items() if (key == SLIDES) == bool(number)}
                way.use(mine.get(SLIDES if number else MAIN), [_picture_line(key, each) for key, each in mine.items()])
            for key in list(self._encoders):
                kept, now = before.get(key), self.negotiated.get(key)
                if kept is None or now is None or kept.formats[0] != now.formats[0]:
                    del self._encoders[key]
        if self.negotiated and self._loop is None:
            self._loop = PictureLoop(self._ways, self._lock, self._show)
            self._loop.start()

    def release(self) -> None:
        """The call is over: say goodbye, close the sockets."""
        if self._loop is not None:
            self._loop.stop()
        with self._lock:
            for way in self._ways:
                way.close()
            self.negotiated = {}

    def follow(self, sound: StreamClock) -> None:
        """Show pictures with this sound, by its clock (RFC 3550 §6.4.1)."""
        if self._loop is not None:
            self._loop.sound = sound

    # ---- what is sent (any thread)

    def set_sent(self, key: int, is_sent: bool) -> bool:
        """Send on a line (MAIN, SLIDES) or not, from the next offer on; whether that is news, which an offer should tell."""
        was_sent, self._is_sent[key] = self._is_sent.get(key, False), is_sent
        return was_sent != is_sent

    def is_sent(self, key: int) -> bool:
        """Whether we mean to send on a line."""
        return self._is_sent.get(key, False)

    def may_send(self, key: int) -> bool:
        """Whether the peer takes pictures on a line, and we mean to send them."""
        agreed = self.negotiated.get(key)
        return agreed is not None and agreed.may_send and self.is_sent(key)

    def bitrate_for(self, key: int) -> int:
        """What a line may use now: as the path and the peer allow."""
        with self._lock:
            return self._way(key).transport.bitrate_bps(key)

    def send(self, picture: Picture, taken_ns: int) -> None:
        """Send a picture of the camera, taken at `taken_ns`. Called by one thread at a time. A codec's trouble costs the
        picture."""
        agreed = self.negotiated.get(MAIN)
        if agreed is None or not self.may_send(MAIN):
            return
        encoder = self._encoders.get(MAIN)
        if encoder is None:
            encoder = self._encoders[MAIN] = LineEncoder(agreed.formats[0])
        now_ns = time.monotonic_ns()
        transport = self._ways[0].transport
        with self._lock:
            transport.wanted_bps = self.bitrate_bps
            is_key = transport.takes_key_frame(MAIN, now_ns)
            bitrate_bps = min(self.bitrate_bps, transport.bitrate_bps(MAIN) or self.bitrate_bps)
        try:
            coded = encoder.encode(picture, taken_ns * 9 // 100_000, bitrate_bps, now_ns, is_key=is_key)
        except CodecError:
            self._encoders.pop(MAIN, None)
            return
        self.send_coded(MAIN, coded, taken_ns)

    def want(self, key: int, bitrate_bps: int) -> None:
        """What would be sent on a line if it went through: an estimate that is less is tried to be raised."""
        with self._lock:
            self._way(key).transport.wanted_bps = bitrate_bps

    def takes_key_frame(self, key: int) -> bool:
        """Whether the line's next picture is to be a key frame; asking counts as making it."""
        with self._lock:
            return self._way(key).transport.takes_key_frame(key, time.monotonic_ns())

    def send_coded(self, key: int, coded: bytes, taken_ns: int) -> None:
        """Send a coded picture on a line, for who codes by themselves (a shared screen)."""
        way = self._way(key)
        with self._lock:
            try:
                packets = way.transport.send(key, coded, taken_ns, time.monotonic_ns())
            except CodecError:
                return
            way.send(packets)

    # ---- what comes (the reading thread)

    def _show(self, key: int, origin: int, picture: Picture, timestamp: int) -> None:
        shown = Shown(key, origin, picture, timestamp, time.monotonic_ns())
        if key == SLIDES:
            self.on_slides(shown)
        self.on_picture(shown)

    # ---- figures (any thread)

    def received(self) -> dict[int, InFigures]:
        """What came, by line."""
        return {} if self._loop is None else self._loop.figures()

    def sent(self, key: int = MAIN) -> OutFigures | None:
        """What went out on a line; None before the first picture."""
        encoder = self._encoders.get(key)
        return None if encoder is None else encoder.figures

    def sending(self, key: int = MAIN) -> dict[str, int]:
        """Packets of a line that went out, those sent again, what the path is believed to take in bit/s, round trip in ms."""
        with self._lock:
            transport = self._way(key).transport
            sender = transport.sender(key)
            if sender is None:
                return {}
            return {"packets": sender.packets, "resent": sender.resent, "estimate_bps": transport.estimate.bitrate_bps,
                    "rtt_ms": transport.rtt_ns // 1_000_000}

    @property
    def last_received_at(self) -> float:
        """When the newest packet came, monotonic seconds; 0 for never."""
        return max(way.last_received_at for way in self._ways)


def _picture_line(key: int, agreed: NegotiatedVideo) -> PictureLine:
    receives = tuple((each.receive_type, each.name.lower()) for each in agreed.formats) if agreed.may_receive else ()
    first = agreed.formats[0]
    wishes = frozenset[str]().union(*(each.feedback for each in agreed.formats))
    sends = (first.name.lower(), first.send_type, first.mode) if agreed.may_send else None
    return PictureLine(key, agreed.mid, receives, sends, wishes, agreed.bitrate_bps)
