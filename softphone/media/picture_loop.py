"""The thread that reads a call's sockets of pictures, decodes what comes and shows it.

Nobody waits for it: sound and window go on while it decodes. Pictures that can't be decoded cost themselves and a request for a
key frame.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder
from rtp.errors import CodecError
from rtp.kernel.sockets import receive
from rtp.picture_transport import Arrived
from softphone.media.picture_figures import InFigures
from softphone.media.picture_way import Way

BATCH = 256
"""Datagrams read at one wake-up."""
TURN_MS = 10
"""How often time is looked at: feedback wants some looks in a round trip."""

log = logging.getLogger(__name__)
Show = Callable[[int, int, Picture, int], None]


class PictureLoop(threading.Thread):
    """Reads ways until `stop`. lock: guards them; show: gets (key, origin, picture, timestamp) of each picture."""

    def __init__(self, ways: Sequence[Way], lock: threading.RLock, show: Show) -> None:
        super().__init__(name="pictures of a call", daemon=True)
        self._ways = ways
        self._lock = lock
        self._show = show
        self._decoders: dict[int, tuple[str, VideoDecoder]] = {}
        self._figures: dict[int, InFigures] = {}
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
        for picture in pictures:
            figures.codec = arrived.codec
            figures.on_picture(arrived.origin, picture.width, picture.height, time.monotonic_ns())
            self._show(arrived.key, arrived.origin, picture, arrived.picture.timestamp)

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
