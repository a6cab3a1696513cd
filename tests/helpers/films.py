"""Really encoded pictures for `tests.helpers.watchers`: streams of charts, and an eye that reads what a phone is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from mcu.picture.layout import Tile
from rtp.codecs.chart import read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder
from rtp.feedback import PictureLossIndication
from rtp.packet import RtpPacket
from rtp.sdp.bundle import MID
from rtp.sdp.several import NegotiatedVideo
from rtp.video_receiver import VideoReceiver
from tests.helpers.watchers import RATE, Stream, Watcher
from tests.mcu.picture.house import Film


class FilmStream(Stream):
    """A stream of charts that are really encoded."""

    @cached_property
    def film(self) -> Film:
        """What it shows."""
        return Film(self.number)

    def picture(self, line: NegotiatedVideo) -> list[bytes]:
        """See Stream."""
        film = self.film
        form = next(one for one in line.formats if one.name == "H264")
        self.timestamp = (self.timestamp + 90000 // RATE) & 0xFFFFFFFF
        now_ns = film.count * 1_000_000_000 // RATE
        if self.is_key_due:
            film.sender.receive_feedback(PictureLossIndication(1, film.sender.ssrc), now_ns)
            self.is_key_due = False
        mid = {line.extensions[MID]: self.mid.encode()} if self.mid and MID in line.extensions else {}
        packets = [RtpPacket.parse(data) for data in film.packets(now_ns)]
        return [bytes(replace(packet, payload_type=form.send_type, ssrc=self.ssrc, timestamp=self.timestamp, extensions=mid))
                for packet in packets]


@dataclass
class Eye:
    """Decodes what a watcher is shown. `picture`: the newest."""

    watcher: Watcher
    picture: Picture | None = None
    taken: int = 0
    decoder: VideoDecoder = field(default_factory=lambda: VideoDecoder("h264"))

    def __post_init__(self) -> None:
        self.receiver = VideoReceiver({form.receive_type: form.name.lower() for form in self.watcher.lines[0].formats})

    def look(self) -> None:
        """Take what has come."""
        for _, packet in self.watcher.came[self.taken:]:
            self.taken += 1
            for coded in self.receiver.receive(bytes(packet), self.taken * 1_000_000):
                self.picture = self.decoder.decode(coded.data)[-1] if coded.is_decodable else self.picture

    def size(self) -> tuple[int, int]:
        """Of the newest picture."""
        self.look()
        return (0, 0) if self.picture is None else (self.picture.width, self.picture.height)

    def sees(self, tiles: Iterable[Tile]) -> list[int | None]:
        """Whose charts are in which tiles."""
        self.look()
        if self.picture is None:
            return []
        charts = [read(self.picture.region(tile.left, tile.top, tile.width, tile.height).y) for tile in tiles]
        return [None if chart is None else chart[0] for chart in charts]
