"""A shared screen at its encoder: what is sent and what is not, how sharp it becomes, what happens when the source changes."""

from __future__ import annotations

import queue
from dataclasses import replace

import numpy as np
import pytest

from rtp.codecs.video import VideoDecoder
from rtp.rfb.pixels import Pixels
from softphone.errors import PhoneError
from softphone.media.screen import NullSource, ShareSource
from softphone.media.share import SETTLED_BYTES, CodedSlide, ShareSettings, Sharing, Slides, fitted
from softphone.remote.injector import Area

STEP = 1 / 15
H264 = ShareSettings("h264", bitrate_bps=1_500_000)


def page(width: int = 640, height: int = 360, seed: int = 1) -> Pixels:
    """Something like text: dark strokes on white, no two rows alike."""
    marks = np.random.Generator(np.random.PCG64(seed)).random((height // 8 + 1, width // 4 + 1)) < 0.4
    strokes = np.kron(marks, np.ones((8, 4), np.bool_))[:height, :width]
    strokes[::8] = False
    return np.where(strokes, np.uint32(0x202030), np.uint32(0xFFFFFF)).astype(np.uint32)


class Desk:
    """A source that the test paints on. `grabs`: the areas that were asked for; `is_hidden`: it can't be seen."""

    def __init__(self, picture: Pixels) -> None:
        self.picture = picture
        self.grabs: list[Area] = []
        self.is_hidden = self.is_gone = False
        self._changed: Area | None = None

    def paint(self, left: int, top: int, part: Pixels) -> None:
        """Change a part."""
        height, width = part.shape
        self.picture[top:top + height, left:left + width] = part
        self._changed = Area(left, top, width, height)

    def size(self) -> tuple[int, int]:
        """See ShareSource."""
        if self.is_gone:
            raise PhoneError("The shared window was closed.")
        return self.picture.shape[1], self.picture.shape[0]

    def take(self) -> Area | None:
        """See ShareSource."""
        changed, self._changed = self._changed, None
        return changed

    def grab(self, part: Area) -> Pixels | None:
        """See ShareSource."""
        self.grabs.append(part)
        return None if self.is_hidden else self.picture[part.y:part.y + part.height, part.x:part.x + part.width]

    def close(self) -> None:
        """Nothing to do."""


class Watcher:
    """Slides of a source, and who decodes them."""

    def __init__(self, source: ShareSource, settings: ShareSettings = H264) -> None:
        self.slides = Slides(source, settings)
        self.sent: list[CodedSlide] = []
        self._decoder = VideoDecoder(settings.codec)
        self._now = 100.0
        self.luma = np.zeros((2, 2), np.uint8)

    def turn(self, times: int = 1) -> list[CodedSlide]:
        """So many turns; what was sent in them."""
        sent = []
        for _ in range(times):
            coded = self.slides.turn(self._now)
            self._now += STEP
            if coded is not None:
                sent.append(coded)
                for picture in self._decoder.decode(coded.data):
                    self.luma = np.array(picture.y)
        self.sent += sent
        return sent


def error(watcher: Watcher, source: Desk) -> float:
    """How far the decoded luma is off, root mean square."""
    red, green, blue = (source.picture >> shift & 0xFF for shift in (16, 8, 0))
    luma = 16 + (65.738 * red + 129.057 * green + 25.064 * blue) / 256
    height, width = watcher.luma.shape
    return float(np.sqrt(np.mean((luma[:height, :width] - watcher.luma) ** 2)))


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_a_picture_at_rest_becomes_sharp_and_then_costs_nothing(codec: str) -> None:
    source = Desk(page())
    watcher = Watcher(source, replace(H264, codec=codec, bitrate_bps=800_000))
    watcher.turn(1)
    at_first = error(watcher, source)
    watcher.turn(90)
    assert error(watcher, source) < min(6.0, at_first + 0.1)
    assert watcher.turn(30) == [] and len(source.grabs) == 1
    assert watcher.sent[0].is_key and not any(coded.is_key for coded in watcher.sent[1:])


def test_only_what_changed_is_taken_from_the_screen_and_shown() -> None:
    source = Desk(page())
    watcher = Watcher(source)
    watcher.turn(60)
    source.paint(101, 51, page(63, 31, seed=9))
    before = len(watcher.sent)
    watcher.turn(30)
    assert source.grabs == [Area(0, 0, 640, 360), Area(100, 50, 64, 32)]
    assert len(watcher.sent) > before and error(watcher, source) < 6.0


def test_a_key_frame_is_made_on_request_even_if_nothing_changes() -> None:
    watcher = Watcher(Desk(page()))
    watcher.turn(90)
    assert watcher.turn(5) == []
    watcher.slides.want_key_frame()
    assert [coded.is_key for coded in watcher.turn(1)] == [True]
    assert len(watcher.sent[-1].data) > SETTLED_BYTES


def test_a_source_that_changes_its_size_begins_anew_with_a_key_frame() -> None:
    source = Desk(page())
    watcher = Watcher(source)
    watcher.turn(20)
    source.picture = page(401, 303, seed=3)
    first, *_ = watcher.turn(20)
    assert (first.is_key, first.width, first.height) == (True, 400, 302)
    assert error(watcher, source) < 8.0
    assert all(one.timestamp < other.timestamp for one, other in zip(watcher.sent, watcher.sent[1:], strict=False))


def test_while_it_cannot_be_seen_the_last_picture_stays_and_later_all_is_taken_anew() -> None:
    source = Desk(page())
    watcher = Watcher(source)
    watcher.turn(60)
    source.is_hidden = True
    source.paint(0, 0, page(64, 64, seed=5))
    assert watcher.turn(5) == []
    source.is_hidden = False
    watcher.turn(30)
    assert source.grabs[-1] == Area(0, 0, 640, 360) and error(watcher, source) < 6.0


def test_a_larger_screen_is_sent_smaller_and_a_tiny_one_with_an_edge() -> None:
    coded, = Watcher(Desk(page(2560, 1440))).turn(1)
    assert (coded.width, coded.height) == (1920, 1080)
    coded, = Watcher(Desk(page(20, 9)), replace(H264, max_macroblocks=396)).turn(1)
    assert (coded.width, coded.height) == (20, 16)


@pytest.mark.parametrize(("size", "macroblocks", "expected"), [
    ((1920, 1080), 8160, (1920, 1080)), ((1921, 1081), 8160, (1920, 1080)), ((1, 1), 8160, (16, 16)),
    ((1920, 1080), 3600, (1280, 720)), ((3840, 2160), 8160, (1920, 1080)), ((1080, 1920), 8160, (1080, 1920)),
], ids=str)
def test_pictures_keep_their_shape_within_what_the_other_side_takes(size: tuple[int, int], macroblocks: int,
                                                                    expected: tuple[int, int]) -> None:
    assert fitted(*size, macroblocks) == expected


def test_on_a_narrow_way_pictures_are_few_and_follow_the_limit() -> None:
    source = Desk(page())
    slides = Slides(source, replace(H264, frame_rate=30))
    assert slides.frame_rate == 30
    slides.bitrate_bps = 200_000
    assert slides.frame_rate == 5
    octets = 0
    for number in range(50):
        source.paint(0, 0, page(seed=number))
        coded = slides.turn(10.0 + number / 5)
        octets += len(coded.data) if coded is not None and not coded.is_key else 0
    assert 8 * octets / 10 < 320_000


class Line:
    """A line that keeps what is sent."""

    def __init__(self) -> None:
        self.sent = queue.Queue[CodedSlide]()
        self.is_key_wanted = False

    def takes_key_frame(self) -> bool:
        """See SlidesLine."""
        wanted, self.is_key_wanted = self.is_key_wanted, False
        return wanted

    def bitrate_bps(self) -> int:
        """See SlidesLine."""
        return 0

    def send(self, slide: CodedSlide) -> None:
        """See SlidesLine."""
        self.sent.put(slide)


def test_the_thread_ends_in_words_when_its_window_is_closed() -> None:
    source, line, ended = Desk(page(64, 48)), Line(), queue.Queue[str]()
    sharing = Sharing(lambda: source, replace(H264, frame_rate=30), line, ended.put)
    sharing.start()
    assert line.sent.get(timeout=20).is_key
    line.is_key_wanted = True
    while not line.sent.get(timeout=20).is_key:
        pass
    source.is_gone = True
    assert ended.get(timeout=20) == "The shared window was closed."


def test_a_stopped_share_ends_without_a_reason_and_one_that_cannot_begin_says_why() -> None:
    ended = queue.Queue[str]()
    sharing = Sharing(NullSource, H264, Line(), ended.put)
    sharing.start()
    sharing.stop(20)
    assert ended.get(timeout=20) == "" and not sharing.is_running

    def refuse() -> ShareSource:
        raise PhoneError("There is no display here.")

    Sharing(refuse, H264, Line(), ended.put).start()
    assert ended.get(timeout=20) == "There is no display here."
