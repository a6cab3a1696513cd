"""What may be shared, as it is written on the command line."""

from __future__ import annotations

import pytest

from rtp.codecs.i420 import Picture
from softphone.shares import Choice, LatestPicture


@pytest.mark.parametrize(("text", "choice"), [
    ("test", Choice("test")),
    ("screen", Choice("screen")),
    ("screen:2@5", Choice("screen", 2, frame_rate=5)),
    ("window:0x1a00003", Choice("window", 0x1A00003)),
    ("window:27262979@30", Choice("window", 27262979, frame_rate=30)),
    ("region:800x600+10+20", Choice("region", region=(10, 20, 800, 600))),
], ids=str)
def test_a_choice_is_read_as_it_is_written(text: str, choice: Choice) -> None:
    assert Choice.parse(text) == choice


@pytest.mark.parametrize("text", [
    "", "camera", "screen:", "screen:-1", "screen:١", "window:", "window:0x", "window:firefox", "region:800x600", "test:1",
    "region:8x600+0+0", "region:99999x600+0+0", "screen@24", "screen@", "screen@x", "screen:1_0", "test\n@5\n",
], ids=repr)
def test_what_is_no_choice_is_refused_with_the_way_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="region:WxH"):
        Choice.parse(text)


def test_the_newest_picture_is_taken_once_and_made_to_fit_where_a_size_is_wanted() -> None:
    latest = LatestPicture()
    assert latest.take() is None and latest.take_fitted() is None
    pictures = [Picture.create(640, 360) for _ in range(2)]
    pictures[1].fill(235, 128, 128)
    for picture in pictures:
        latest.put(picture)
    assert latest.take() is pictures[1] and latest.take() is None and latest.take_fitted() is None
    latest.want(320, 320)
    fitted = latest.take_fitted()
    assert fitted is not None and fitted.shape == (180, 320, 3) and int(fitted.min()) > 250
    latest.put(pictures[0])
    fitted = latest.take_fitted()
    assert fitted is not None and fitted.shape == (180, 320, 3) and int(fitted.max()) < 5 and latest.take_fitted() is None
    latest.want(1280, 1000)
    fitted = latest.take_fitted()
    assert fitted is not None and fitted.shape == (720, 1280, 3)
