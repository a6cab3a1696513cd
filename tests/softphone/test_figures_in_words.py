"""Figures of pictures as the window shows them: bars, lines over a minute, words."""

from __future__ import annotations

import pytest

from softphone.model import Meeting, Member, PictureQuality, Quality
from softphone.ui.faces import faces_of
from softphone.ui.sparklines import SERIES, heights, kbps_of
from softphone.ui.strings import Translator
from softphone.ui.words import picture_figures, picture_strength, rate_text

TR = Translator("en")
GOOD = PictureQuality("id:7", "h264", 640, 360, 25.0, 600)


@pytest.mark.parametrize(("loss", "rate", "bars"), [(0.0, 25.0, 4), (2.0, 25.0, 3), (5.0, 25.0, 2), (20.0, 25.0, 1),
                                                   (0.0, 9.0, 3), (0.0, 5.0, 2), (0.0, 1.0, 1), (20.0, 9.0, 1)])
def test_bars_say_the_worse_of_loss_and_smoothness(loss: float, rate: float, bars: int) -> None:
    assert picture_strength(PictureQuality("id:7", "h264", 640, 360, rate, 600, loss)) == bars


def test_a_tile_has_bars_when_its_picture_comes_and_none_without() -> None:
    members = (Member(7, "Bob"), Member(8, "Eve"))
    meeting = Meeting("sip:daily@x", "daily", True, members=members, quality=Quality(pictures=(GOOD,)))
    faces = faces_of(meeting, frozenset(), TR)
    assert [faces[key].bars for key in ("id:7", "id:8")] == [4, 0]


def test_what_comes_is_summed_and_what_goes_is_not() -> None:
    own = PictureQuality("self", "", 640, 360, 25.0, 1000)
    assert kbps_of(Quality(kbps=40, pictures=(own, GOOD, GOOD))) == 1240.0


def test_figures_name_the_people() -> None:
    own = PictureQuality("self", "", 1280, 720, 30.0, 1500, 0.0)
    other = PictureQuality("id:9", "vp8", 320, 180, 12.4, 90, 3.25)
    rows = picture_figures(Quality(pictures=(own, GOOD, other)), {"id:7": "Bob"}, TR)
    assert rows == [("Own picture", "1280×720 · 30/s · 1.5 Mbit/s"), ("Bob", "640×360 · 25/s · 600 kbit/s"),
                    ("Picture", "320×180 · 12/s · 90 kbit/s · 3.2 %")]
    assert rate_text(999) == "999 kbit/s"


def test_lines_stand_between_their_bottom_and_top() -> None:
    by_name = {series.name: series for series in SERIES}
    assert heights([0.0, 2.5], by_name["Loss"]) == [0.0, 0.5]
    assert heights([0.0, 50.0], by_name["Loss"]) == [0.0, 1.0]
    assert heights([1.0, 4.5, 0.5], by_name["MOS"]) == [0.0, 1.0, 0.0]
    assert heights([], by_name["MOS"]) == []
    assert [series.value(Quality()) for series in SERIES] == [None] * 4
