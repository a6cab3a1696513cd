"""Sources of a share without a screen, and the words where there can be none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtp.codecs import chart
from rtp.codecs.i420 import Picture
from softphone.errors import PhoneError
from softphone.media.screen import NullSource, TestSource, find_shareables, open_source, preview_of
from softphone.media.share import put
from softphone.remote.injector import Area
from softphone.shares import Choice


def test_the_test_picture_counts_and_survives_the_way_through_colours() -> None:
    source = open_source(Choice("test"))
    assert isinstance(source, TestSource)
    picture = Picture.create(1280, 720)
    for expected in (1, 2):
        area = source.take()
        assert area is not None
        pixels = source.grab(area)
        assert pixels is not None
        put(pixels, picture, area, source.size())
        assert chart.read(picture.y) == (200, expected)


def test_a_file_is_a_slide(tmp_path: Path) -> None:
    path = tmp_path / "slide.png"
    Image.new("RGB", (320, 200), (255, 128, 3)).save(path)
    source = open_source(Choice("file", path=str(path)))
    assert source.size() == (320, 200) and source.take() is None
    pixels = source.grab(Area(10, 10, 4, 2))
    assert pixels is not None and pixels.shape == (2, 4) and {int(one) & 0xFFFFFF for one in pixels.ravel()} == {0xFF8003}


def test_files_that_are_no_pictures_are_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    for name in ("empty.png", "text.png", "none.png"):
        with pytest.raises(PhoneError, match=name):
            open_source(Choice("file", path=str(tmp_path / name)))


def test_the_null_source_is_black_and_still() -> None:
    source = NullSource()
    pixels = source.grab(Area(0, 0, *source.size()))
    assert source.take() is None and pixels is not None and not pixels.any()


def test_a_small_picture_keeps_its_shape_and_colours() -> None:
    small = preview_of(np.full((1080, 1920), 0x102030, np.uint32))
    assert small is not None and small[:2] == (200, 112) and small[2][:3] == b"\x10\x20\x30"
    assert preview_of(None) is None


@pytest.mark.parametrize("choice", [Choice("screen"), Choice("window", 5), Choice("region", region=(0, 0, 64, 64))], ids=str)
def test_under_wayland_the_reason_and_the_remedy_come_before_anything_is_tried(monkeypatch: pytest.MonkeyPatch,
                                                                               choice: Choice) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    with pytest.raises(PhoneError, match="on Xorg"):
        open_source(choice)
    with pytest.raises(PhoneError, match="on Xorg"):
        find_shareables()


def test_without_a_display_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for choice in (Choice("screen"), Choice("window", 5)):
        with pytest.raises(PhoneError, match="X11"):
            open_source(choice, ":54321")
