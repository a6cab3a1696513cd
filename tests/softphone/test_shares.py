"""What may be shared, as it is written on the command line."""

from __future__ import annotations

import pytest

from softphone.shares import Choice


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
