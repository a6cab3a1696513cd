"""What a phone with one video line sees of a real server: the room composed and arranged, the test picture, itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from confero.testing import Server, start_server
from mcu.picture.composing import TEST_ID
from mcu.picture.layout import gallery, speaker
from rtp.feedback import ReceiverEstimate
from rtp.sdp.video import SLIDES
from tests.helpers.films import Eye, FilmStream
from tests.helpers.watchers import Watchers

pytestmark = pytest.mark.loopback


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests here."""
    running = start_server(tmp_path_factory.mktemp("composed"), "--open")
    yield running
    running.stop()


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


async def test_who_can_take_little_gets_a_smaller_picture_and_the_others_keep_theirs(server: Server) -> None:
    async with Watchers(server) as crowd:
        poor, rich = [await crowd.watch("thin", 440 + 260 * n) for n in range(2)]
        for person in (poor, rich):
            person.streams = {"": FilmStream(person.streams[""].number, "")}
        eyes = Eye(poor), Eye(rich)
        await crowd.show_until(lambda: [eye.size() for eye in eyes] == [(1280, 720), (1280, 720)])
        remote = poor.lines[0].remote
        assert remote is not None and poor.lines[0].rtcp_mux
        poor.sock.sendto(bytes(ReceiverEstimate(1, 300_000, ())), remote)
        await crowd.show_until(lambda: eyes[0].size() == (352, 288))
        assert eyes[1].size() == (1280, 720)


async def test_a_tone_comes_with_a_test_picture_and_an_echo_shows_the_caller(server: Server) -> None:
    async with Watchers(server) as crowd:
        tone, echo = await crowd.watch("tone", 440), await crowd.watch("echo", 660)
        eye = Eye(tone)
        await crowd.show_until(lambda: eye.sees(gallery(1, 1280, 720)) == [TEST_ID & 0xFF] and echo.seen() == {2})
