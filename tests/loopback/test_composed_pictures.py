"""What a phone with one video line sees of a real server: the room composed, the test picture, itself."""

from __future__ import annotations

import pytest

from confero.testing import Server
from mcu.picture.composing import TEST_ID
from rtp.codecs.chart import read
from rtp.codecs.i420 import Picture
from rtp.codecs.video import VideoDecoder
from rtp.video_receiver import VideoReceiver
from tests.helpers.watchers import Watcher, Watchers

pytestmark = pytest.mark.loopback


def shown(watcher: Watcher) -> Picture | None:
    """The newest picture that came."""
    receiver = VideoReceiver({form.receive_type: form.name.lower() for form in watcher.lines[0].formats})
    decoder, newest = VideoDecoder("h264"), None
    for index, (_, packet) in enumerate(watcher.came):
        for coded in receiver.receive(bytes(packet), index * 1_000_000):
            newest = decoder.decode(coded.data)[-1] if coded.is_decodable else newest
    return newest


async def test_a_tone_comes_with_a_test_picture_and_an_echo_shows_the_caller(server: Server) -> None:
    async with Watchers(server) as crowd:
        tone, echo = await crowd.watch("tone", 440), await crowd.watch("echo", 660)
        await crowd.show_until(lambda: shown(tone) is not None and echo.seen() == {2})
        picture = shown(tone)
        assert picture is not None
        chart = read(picture.y)
        assert chart is not None and chart[0] == TEST_ID & 0xFF
