"""What a phone with one video line sees of a real server: the room composed and arranged, the test picture, itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from confero.testing import Server
from mcu.picture.composing import TEST_ID
from mcu.picture.layout import Tile, gallery, speaker
from rtp.codecs.chart import read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder
from rtp.packet import RtpPacket
from rtp.sdp.several import NegotiatedVideo
from rtp.video_receiver import VideoReceiver
from tests.helpers.watchers import RATE, Stream, Watcher, Watchers
from tests.mcu.picture.house import Film

pytestmark = pytest.mark.loopback


class FilmStream(Stream):
    """A stream of charts that are really encoded."""

    def picture(self, line: NegotiatedVideo) -> list[bytes]:
        """See Stream."""
        film = self.__dict__.setdefault("film", Film(self.number))
        form = next(one for one in line.formats if one.name == "H264")
        self.timestamp = (self.timestamp + 90000 // RATE) & 0xFFFFFFFF
        packets = [RtpPacket.parse(data) for data in film.packets(film.count * 1_000_000_000 // RATE)]
        return [bytes(replace(packet, payload_type=form.send_type, ssrc=self.ssrc, timestamp=self.timestamp))
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

    def sees(self, tiles: Iterable[Tile]) -> list[int | None]:
        """Whose charts are in which tiles."""
        for _, packet in self.watcher.came[self.taken:]:
            self.taken += 1
            for coded in self.receiver.receive(bytes(packet), self.taken * 1_000_000):
                self.picture = self.decoder.decode(coded.data)[-1] if coded.is_decodable else self.picture
        if self.picture is None:
            return []
        charts = [read(self.picture.region(tile.left, tile.top, tile.width, tile.height).y) for tile in tiles]
        return [None if chart is None else chart[0] for chart in charts]


async def test_a_room_is_composed_and_arranged_as_its_host_says(server: Server) -> None:
    async with Watchers(server) as crowd:
        people = [await crowd.watch("daily", 440 + 260 * n) for n in range(3)]
        for person in people:
            person.streams[""] = FilmStream(person.streams[""].number, "")
        eye = Eye(people[0])
        await crowd.show_until(lambda: eye.sees(gallery(3, 1280, 720)) == [1, 2, 3])
        server.json("room", "layout", "daily", "speaker")
        people[2].person.is_talking = True
        await crowd.show_until(lambda: eye.sees(speaker(3, 1280, 720)) == [3, 1, 2])
        people[2].person.is_talking, people[1].person.is_talking = False, True
        await crowd.show_until(lambda: eye.sees(speaker(3, 1280, 720)) == [2, 1, 3])
        server.json("room", "layout", "daily", "switch")
        await crowd.show_until(lambda: eye.sees(speaker(1, 1280, 720)) == [2])


async def test_a_tone_comes_with_a_test_picture_and_an_echo_shows_the_caller(server: Server) -> None:
    async with Watchers(server) as crowd:
        tone, echo = await crowd.watch("tone", 440), await crowd.watch("echo", 660)
        eye = Eye(tone)
        await crowd.show_until(lambda: eye.sees(gallery(1, 1280, 720)) == [TEST_ID & 0xFF] and echo.seen() == {2})
