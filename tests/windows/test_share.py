"""Real screens and windows as sources of a share: what is found, what is seen, what changed, and their end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from softphone.errors import PhoneError
from softphone.media.screen import find_shareables, open_source
from softphone.remote.injector import Area
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
