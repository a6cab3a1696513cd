"""Stock phones with one video line, one with H.264 alone and one with VP8 alone: each photographs the room composed of both."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from confero.testing import Server
from mcu.picture.layout import gallery
from tests.helpers.charts import seen, write_clip
from tests.helpers.phones import Phones

pytestmark = pytest.mark.interop
SECONDS = 60
"""How long the phones would stay; they are hung up as soon as they have seen what they should."""


def photographs(command: str, path: Path) -> tuple[str, ...]:
    """Options of a client: a picture of what it sees each second."""
    return "--script", ",".join(f"{second}:{command} {path}" for second in range(1, SECONDS))


def test_a_phone_of_h264_and_a_phone_of_vp8_see_both_of_them_side_by_side(house: Server, tmp_path: Path) -> None:
    clip, still = write_clip(tmp_path / "clip.mp4", 5, 10), write_clip(tmp_path / "still.png", 9, 1)
    of_baresip, of_linphone = tmp_path / "baresip.png", tmp_path / "linphone.jpg"
    house.json("room", "create", "side-by-side")
    uri, tiles = house.uri("side-by-side"), gallery(2, 1280, 720)
    with Phones(tmp_path / "phones") as phones:
        phones.baresip(uri, user="bara", tone=440, seconds=SECONDS, extra=(
            "--video", "h264", "--play-video", str(clip), *photographs("snapshot_recv", of_baresip)))
        phones.linphone(uri, user="lina", seconds=SECONDS, extra=(
            "--video", "vp8", "--play-video", str(still), *photographs("snapshot", of_linphone)))
        deadline = time.monotonic() + SECONDS
        views: list[list[int | None]] = []
        while time.monotonic() < deadline and not (views and set(views[0]) == set(views[1]) == {5, 9}):
            time.sleep(0.2)
            views = [seen(of_baresip, tiles), seen(of_linphone, tiles)]
        assert views[0] == views[1] and set(views[0]) == {5, 9}
