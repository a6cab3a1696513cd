"""The picture worker as a process: real streams in, composed ones out, and its death."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Iterable

import pytest

from mcu.engine.composing import Scene, Viewer
from mcu.picture.layout import Layout, Tile, gallery, speaker
from mcu.picture.process import PictureWorkers
from tests.mcu.picture.house import House, Screen, living, until

pytestmark = pytest.mark.loopback
H264, VP8 = ("h264", 1), ("vp8", 0)


def shows(screen: Screen, tiles: Iterable[Tile], charts: list[int | None]) -> bool:
    """Whether those charts are in the tiles of the newest picture."""
    return screen.charts(tiles) == charts


async def test_stock_phones_of_two_codecs_see_everybody_and_the_one_who_speaks_in_front() -> None:
    async with PictureWorkers() as workers, living(House()) as house:
        house.film(1, "h264")
        house.film(2, "vp8")
        house.film(3, "h264")
        screens = house.watch_tv(1), house.watch_tv(2)
        composer = workers(house)
        composer.show(Scene(house.faces("Zoe Unseen"), speakers=(2,)))
        composer.serve((Viewer(1, (H264,)), Viewer(2, (VP8,))))
        for screen, codec in zip(screens, ("h264", "vp8"), strict=True):
            await until(functools.partial(shows, screen, gallery(4, 1280, 720), [1, 2, 3, None]), "all are in their places")
            assert screen.codecs == {codec}
        assert house.watched == 3 and len(house.producers) == 2
        composer.set_layout(Layout.SPEAKER)
        tiles = speaker(4, 1280, 720)
        await until(lambda: screens[0].charts(tiles)[:3] == [2, 1, 3], "who speaks is in front")
        composer.show(Scene(house.faces("Zoe Unseen"), speakers=(3, 2)))
        await until(lambda: screens[0].charts(tiles)[:3] == [3, 1, 2], "the picture follows who speaks")
        assert [screen.failures for screen in screens] == [0, 0]
        composer.close()
    assert workers.workers[0].pid == 0


async def test_a_worker_that_hangs_is_replaced_and_the_pictures_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcu.picture.process.PATIENCE_S", 1.0)
    async with PictureWorkers() as workers, living(House()) as house:
        house.film(1)
        screen = house.watch_tv(1)
        composer = workers(house)
        composer.show(Scene(house.faces()))
        composer.serve((Viewer(1, (H264,)),))
        tiles = gallery(1, 1280, 720)
        await until(lambda: screen.charts(tiles) == [1], "the picture is there")
        worker = workers.workers[0]
        os.kill(worker.pid, signal.SIGSTOP)
        await until(lambda: worker.restarts and worker.pid, "there is another one")
        monkeypatch.undo()
        seen = screen.pictures
        await until(lambda: screen.pictures > seen + 5 and screen.charts(tiles) == [1], "the picture is there again")
        assert screen.failures == 0


async def test_who_takes_two_workers_along_is_not_decoded_again() -> None:
    house = House()
    async with PictureWorkers() as workers:
        composer, worker = workers(house), workers.workers[0]
        house.film(1)
        composer.show(Scene(house.faces()))
        composer.serve((Viewer(1, (H264,)),))
        assert house.watched == 1
        for _ in range(2):
            await until(lambda: worker.figures().rooms == 1, "it runs")
            worker.note(house.room_id, 1)
            os.kill(worker.pid, signal.SIGKILL)
            await until(lambda: worker.figures().rooms == 0, "it is replaced")
        assert worker.restarts == 2
        assert house.watched == 0
    house.close()


async def test_where_no_worker_can_run_phones_are_shown_who_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcu.picture.process.sys.executable", "/bin/false")
    house = House()
    async with PictureWorkers() as workers:
        composer = workers(house)
        composer.serve((Viewer(1, (H264,)),))
        await until(lambda: house.assigned == {1: None}, "nobody composes")
        monkeypatch.undo()
        await until(lambda: house.assigned[1] in house.producers, "somebody composes")
    house.close()
