"""Real screens and windows as sources of a share: what is found, what is seen, what changed, and their end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from softphone.errors import PhoneError
from softphone.media.screen import find_shareables, open_source
from softphone.media.share import ShareSettings, Slides
from softphone.remote.injector import Area
from softphone.remote.x11 import open_display
from softphone.shares import Choice
from tests.helpers.screen import Display, display
from tests.helpers.vnc import terminal, until

pytestmark = pytest.mark.window


@pytest.fixture(scope="module")
def screen() -> Iterator[Display]:
    """A screen."""
    with display(640, 480) as one:
        yield one


def test_a_window_is_found_and_seen_alone_whatever_lies_over_it_until_it_is_closed(screen: Display) -> None:
    with terminal(screen, "exec cat", "-T", "Under", "-bg", "blue", "-geometry", "40x10+20+20"):
        found = {one.title: one for one in find_shareables(screen.name)}
        assert found[""].size == (640, 480) and found["Under"].preview is not None
        source = open_source(found["Under"].choice, screen.name)
        width, height = source.size()
        assert (width, height) == found["Under"].size
        whole = Area(0, 0, width, height)
        with terminal(screen, "exec cat", "-T", "Over", "-bg", "red", "-geometry", "40x10+30+30"):
            until(lambda: np.asarray(screen.picture())[height // 2 + 20, 100].tolist() == [255, 0, 0])
            pixels = source.grab(whole)
            assert pixels is not None and int(pixels[height // 2, 100]) & 0xFFFFFF == 0x0000FF
        subprocess.run(["xdotool", "search", "--name", "^Under$", "windowsize", "200", "100"], check=True,
                       env={"DISPLAY": screen.name, "PATH": "/usr/bin:/bin"})
        until(lambda: source.size() != (width, height))
    until(lambda: not any(one.title == "Under" for one in find_shareables(screen.name)))
    with pytest.raises(PhoneError, match="window was closed"):
        source.size()
    source.close()
    with pytest.raises(PhoneError, match="There is no window"):
        open_source(found["Under"].choice, screen.name)


def test_of_a_region_only_changes_within_are_told_and_the_pointer_is_in_the_picture(screen: Display) -> None:
    screen.xdotool("mousemove", 600, 10)
    source = open_source(Choice("region", region=(200, 100, 300, 200)), screen.name)
    assert source.size() == (300, 200)
    until(lambda: source.take() is None)
    with terminal(screen, "exec cat", "-geometry", "12x5+530+370"):
        until(lambda: len(find_shareables(screen.name)) == 2)
        assert source.take() is None
    before = source.grab(Area(0, 0, 300, 200))
    screen.xdotool("mousemove", 250, 150)
    changed: list[Area] = []

    def look() -> bool:
        changed.extend(filter(None, [source.take()]))
        return bool(changed)

    until(look)
    after = source.grab(Area(0, 0, 300, 200))
    assert before is not None and after is not None
    rows, columns = np.nonzero(before != after)
    assert {*rows, *columns} <= set(range(30, 71))
    area = changed[-1]
    assert area.x <= columns.min() and area.y <= rows.min()
    assert area.x + area.width > columns.max() and area.y + area.height > rows.max()
    source.close()


def test_a_screen_that_changes_its_size_goes_on_in_the_new_one_and_one_that_goes_is_told() -> None:
    with display(800, 600) as screen:
        whole = open_source(Choice("screen"), screen.name)
        part = open_source(Choice("region", region=(0, 0, 700, 64)), screen.name)
        slides = Slides(whole, ShareSettings("h264"))
        first = slides.turn(1.0)
        assert first is not None and (first.width, first.height) == (800, 600) and part.size() == (700, 64)
        connection = open_display(screen.name, ["RANDR"])
        root = connection.screen().root
        resources = root.xrandr_get_screen_resources()
        connection.xrandr_set_crtc_config(resources.crtcs[0], resources.config_timestamp, 0, 0, 0, 1, [])
        root.xrandr_set_screen_size(640, 480, 170, 127)
        connection.sync()
        then = slides.turn(1.1)
        assert then is not None and (then.width, then.height, then.is_key) == (640, 480, True) and part.size() == (640, 64)
        connection.close()
    for source in (whole, part):
        with pytest.raises(PhoneError, match="can't be read any more"):
            source.take()
