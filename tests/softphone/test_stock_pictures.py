"""A stock phone with a camera calls ours directly: each sees the other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mcu.picture.layout import Tile
from softphone.media.camera import Camera, ChartSource
from softphone.media.pictures import MAIN, PictureSettings
from softphone.media.witness import Witness
from softphone.phone import Phone
from tests.helpers.charts import seen, write_clip
from tests.helpers.phones import Phones

pytestmark = pytest.mark.interop
SECONDS = 40
"""How long the stock phone would stay; it is hung up as soon as both have seen what they should."""
LIMIT_S = 30.0
WHOLE = (Tile(0, 0, 640, 360),)


async def test_baresip_with_a_camera_and_our_phone_see_each_other(tmp_path: Path) -> None:
    film, photograph = write_clip(tmp_path / "film.mp4", 5, 10), tmp_path / "seen.png"
    script = ",".join(f"{second}:snapshot_recv {photograph}" for second in range(1, SECONDS))
    witness = Witness()
    async with Phone(listen="127.0.0.1", pictures=PictureSettings()) as phone:
        with Phones(tmp_path / "phones") as phones:
            phones.baresip(phone.addresses[0], tone=440, seconds=SECONDS, extra=(
                "--video", "h264", "--play-video", str(film), "--script", script))
            call = await asyncio.wait_for(phone.next_call(), LIMIT_S)
            pictures = call.media.pictures
            assert pictures is not None
            pictures.on_picture = witness.show
            await call.answer()
            camera = Camera(ChartSource("9"))
            camera.outlets = (pictures.send,)
            camera.start()
            try:
                async with asyncio.timeout(LIMIT_S):
                    while not (MAIN in witness.sights and witness.sights[MAIN].seen.get(5) and seen(photograph, WHOLE) == [9]):
                        await asyncio.sleep(0.2)
            finally:
                camera.stop()
                call.hang_up()
    assert pictures.received()[MAIN].codec == "h264"
