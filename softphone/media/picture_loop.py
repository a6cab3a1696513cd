"""The thread that reads a call's sockets of pictures, decodes what comes and shows it.

Nobody waits for it: sound and window go on while it decodes. Pictures that can't be decoded cost themselves and a request for a
key frame. A picture that is ahead of its sound waits for it (`rtp.synchrony`, RFC 3550 §6.4.1).
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder
from rtp.errors import CodecError
from rtp.kernel.sockets import receive
from rtp.picture_transport import Arrived
from rtp.synchrony import StreamClock, Synchrony
from rtp.video_receiver import CLOCK_RATE
from softphone.media.picture_figures import InFigures
from softphone.media.picture_way import Way

BATCH = 256
"""Datagrams read at one wake-up."""
TURN_MS = 10
"""How often time is looked at: feedback wants some looks in a round trip."""

TOLERANCE_S = 0.05
"""So much pictures may be ahead of their sound, or behind: nobody sees it (ITU-R BT.1359), and waiting would delay the talk."""
ADJUST_NS = 500_000_000
log = logging.getLogger(__name__)
Show = Callable[[int, int, Picture, int], None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A decoded picture that waits for its time."""

    due_ns: int
    key: int
    origin: int
    picture: Picture
    timestamp: int
    clock: StreamClock | None


class PictureLoop(threading.Thread):
    """Reads ways until `stop`. lock: guards them; show: gets (key, origin, picture, timestamp) of each picture. `sound`: the
    clock of what is heard, None while it is unknown."""

    def __init__(self, ways: Sequence[Way], lock: threading.RLock, show: Show) -> None:
        super().__init__(name="pictures of a call", daemon=True)
        self._ways = ways
        self._lock = lock
        self._show = show
        self._decoders: dict[int, tuple[str, VideoDecoder]] = {}
        self._figures: dict[int, InFigures] = {}
        self.sound: StreamClock | None = None
        self._waiting: deque[_Waiting] = deque()
        self._synchrony: dict[int, Synchrony] = {}
        self._adjusted_ns = 0
        self._is_stopping = threading.Event()
        self._clock_offset_ns = time.time_ns() - time.monotonic_ns()

    def stop(self) -> None:
        """End, and wait for it."""
        self._is_stopping.set()
        if threading.current_thread() is not self:
            self.join()

    def run(self) -> None:
        """See Thread."""
        poller = select.poll()
        known: dict[int, tuple[Way, socket.socket]] = {}
        while not self._is_stopping.is_set():
            for way in self._ways:
                for sock in (way.rtp, way.rtcp):
                    if sock is not None and sock.fileno() not in known:
                        known[sock.fileno()] = (way, sock)
                        poller.register(sock.fileno(), select.POLLIN)
            try:
                self._turn([known[number] for number, _ in poller.poll(TURN_MS)])
            except Exception:
                log.exception("a turn of the pictures failed")

    def _turn(self, ready: list[tuple[Way, socket.socket]]) -> None:
        now_ns = time.monotonic_ns()
        arrived: list[tuple[Way, Arrived]] = []
        for way, sock in ready:
            for _ in range(BATCH):
                found = receive(sock, self._clock_offset_ns, now_ns)
                if found is None:
                    break
                with self._lock:
                    arrived += [(way, each) for each in way.receive(*found, sock is way.rtp)]
        with self._lock:
            for way in self._ways:
                arrived += [(way, each) for each in way.tick(now_ns)]
        for way, each in arrived:
            self._decode(way, each)
        self._show_due()

    def _decode(self, way: Way, arrived: Arrived) -> None:
        figures = self._figures.setdefault(arrived.key, InFigures())
        if not arrived.picture.is_decodable:
            figures.undecodable += 1
            return
        known = self._decoders.get(arrived.key)
        if known is None or known[0] != arrived.codec:
            known = self._decoders[arrived.key] = (arrived.codec, VideoDecoder(arrived.codec))
        try:
            pictures = known[1].decode(arrived.picture.data)
        except CodecError:
            figures.undecodable += 1
            with self._lock:
                way.transport.decoder_failed(arrived.key)
            return
        figures.codec = arrived.codec
        with self._lock:
            clock = way.transport.clock(arrived.key)
        delay_ns = self._delay_ns(arrived.key, clock)
        now_ns = time.monotonic_ns()
        for picture in pictures:
            self._waiting.append(_Waiting(now_ns + delay_ns, arrived.key, arrived.origin, picture, arrived.picture.timestamp,
                                          clock))

    def _delay_ns(self, key: int, clock: StreamClock | None) -> int:
        """How long a line's pictures wait for their sound."""
        sound = self.sound
        if sound is None or clock is None:
            return 0
        synchrony = self._synchrony.get(key)
        if synchrony is None or synchrony.audio is not sound or synchrony.video is not clock:
            synchrony = self._synchrony[key] = Synchrony(CLOCK_RATE, tolerance_s=TOLERANCE_S)
            synchrony.audio, synchrony.video = sound, clock
        return round(synchrony.video_delay_s * 1e9)

    def _show_due(self) -> None:
        now_ns = time.monotonic_ns()
        later: deque[_Waiting] = deque()
        while self._waiting:
            each = self._waiting.popleft()
            if each.due_ns > now_ns + TURN_MS * 500_000:
                later.append(each)
                continue
            if each.clock is not None:
                each.clock.on_shown(each.timestamp, now_ns / 1e9)
            self._figures[each.key].on_picture(each.origin, each.picture.width, each.picture.height, now_ns)
            self._show(each.key, each.origin, each.picture, each.timestamp)
        self._waiting = later
        if now_ns - self._adjusted_ns > ADJUST_NS:
            self._adjusted_ns = now_ns
            for key, synchrony in self._synchrony.items():
                synchrony.adjust()
                skew_s = synchrony.skew_s
                self._figures[key].skew_ms = None if skew_s is None else 1000 * skew_s

    def figures(self) -> dict[int, InFigures]:
        """What came so far, by line."""
        now_ns = time.monotonic_ns()
        out = {}
        with self._lock:
            for key, figures in list(self._figures.items()):
                transport = next((way.transport for way in self._ways if way.transport.receiver(key) is not None), None)
                receiver = None if transport is None else transport.receiver(key)
                if transport is None or receiver is None or receiver.statistics is None:
                    out[key] = replace(figures)
                    continue
                statistics = receiver.statistics
                out[key] = replace(figures, packets=statistics.packets, lost=max(0, statistics.total_lost),
                                   recovered=receiver.missing.recovered, jitter_ms=statistics.jitter_ms,
                                   bitrate_bps=transport.received_bps(key, now_ns))
        return out
