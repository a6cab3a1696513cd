"""What a phone with one video line sees of a real server: the room composed and arranged, the test picture, itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from confero.testing import Server, start_server
from mcu.picture.composing import TEST_ID
from mcu.picture.layout import Tile, gallery, speaker
from rtp.codecs.chart import read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder
from rtp.feedback import PictureLossIndication
from rtp.packet import RtpPacket
from rtp.sdp.bundle import MID
from rtp.sdp.several import NegotiatedVideo
from rtp.sdp.video import SLIDES
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
        now_ns = film.count * 1_000_000_000 // RATE
        if self.is_key_due:
            film.sender.receive_feedback(PictureLossIndication(1, film.sender.ssrc), now_ns)
            self.is_key_due = False
        mid = {line.extensions[MID]: self.mid.encode()} if self.mid and MID in line.extensions else {}
        packets = [RtpPacket.parse(data) for data in film.packets(now_ns)]
        return [bytes(replace(packet, payload_type=form.send_type, ssrc=self.ssrc, timestamp=self.timestamp, extensions=mid))
                for packet in packets]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests here."""
    running = start_server(tmp_path_factory.mktemp("composed"), "--open")
    yield running
    running.stop()


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


async def test_a_room_is_composed_as_its_host_says_and_what_is_shared_is_in_front(server: Server) -> None:
    async with Watchers(server) as crowd:
        people = [await crowd.watch("daily", 440 + 260 * n) for n in range(2)]
        people.append(await crowd.watch("daily", 960, slots=3, has_slides=True, has_floors=True))
        for person in people:
            person.streams = {content: FilmStream(stream.number, content, stream.is_on, stream.mid)
                              for content, stream in person.streams.items()}
        eye = Eye(people[0])
        await crowd.show_until(lambda: eye.sees(gallery(3, 1280, 720)) == [1, 2, 3])
        server.json("room", "layout", "daily", "speaker")
        people[2].person.is_talking = True
        await crowd.show_until(lambda: eye.sees(speaker(3, 1280, 720)) == [3, 1, 2])
        people[2].person.is_talking, people[1].person.is_talking = False, True
        await crowd.show_until(lambda: eye.sees(speaker(3, 1280, 720)) == [2, 1, 3])
        server.json("room", "layout", "daily", "switch")
        await crowd.show_until(lambda: eye.sees(speaker(1, 1280, 720)) == [2])
        floors = await people[2].floors()
        people[2].streams[SLIDES].is_on = True
        granted = await floors.ask(1)
        await crowd.show_until(lambda: eye.sees(speaker(1, 1280, 720, is_slides=True)) == [103])
        floors.session.release(granted.request_id, 0.0)
        floors.flush()
        await crowd.show_until(lambda: eye.sees(speaker(1, 1280, 720)) == [2])
        await floors.close()


async def test_a_tone_comes_with_a_test_picture_and_an_echo_shows_the_caller(server: Server) -> None:
    async with Watchers(server) as crowd:
        tone, echo = await crowd.watch("tone", 440), await crowd.watch("echo", 660)
        eye = Eye(tone)
        await crowd.show_until(lambda: eye.sees(gallery(1, 1280, 720)) == [TEST_ID & 0xFF] and echo.seen() == {2})
