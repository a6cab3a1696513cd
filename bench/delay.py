"""From one phone's picture to another's through a composed room: two phones with one video line, a real server, loopback.

    python -m bench.delay        (prints one JSON object; ms from drawing a picture to reading it in the decoded composed one)
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from functools import cached_property
from pathlib import Path

from confero.testing import Server, start_server
from mcu.picture.layout import gallery
from rtp.codecs.chart import draw, read
from rtp.codecs.i420 import Picture
from tests.helpers.films import Eye, FilmStream
from tests.helpers.watchers import Watcher, Watchers
from tests.mcu.picture.house import Film

SECONDS, WARM_UP = 8.0, 30


class Clock(Film):
    """Charts that count milliseconds."""

    def draw(self, picture: Picture) -> None:
        """See Film."""
        draw(picture, self.number, now_ms())


class ClockStream(FilmStream):
    """A camera before such a clock."""

    @cached_property
    def film(self) -> Film:
        """See FilmStream."""
        return Clock(self.number, size=(640, 360))


class Observers(Watchers):
    """Phones of which the first reads the time in the second's picture. `delays`: ms, of each picture once."""

    eye: Eye | None = None

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.delays: dict[int, int] = {}

    def _on_picture(self, watcher: Watcher) -> None:
        super()._on_picture(watcher)
        if self.eye is None or watcher is not self.eye.watcher:
            return
        self.eye.look()
        tile = gallery(2, 1280, 720)[1]
        chart = None
        if self.eye.picture is not None:
            chart = read(self.eye.picture.region(tile.left, tile.top, tile.width, tile.height).y)
        if chart is not None and chart[0] == 2:
            self.delays.setdefault(chart[1], (now_ms() - chart[1]) & 0xFFFF)


def now_ms() -> int:
    """The clock of the charts."""
    return int(time.monotonic() * 1000) & 0xFFFF


async def measure(server: Server) -> list[int]:
    """The delays of a few seconds, smallest first."""
    crowd = Observers(server)
    async with crowd:
        people = [await crowd.watch("daily", 440 + 200 * number) for number in range(2)]
        for person in people:
            person.streams = {"": ClockStream(person.streams[""].number, "")}
        crowd.eye = Eye(people[0])
        await crowd.show(SECONDS)
        return sorted(list(crowd.delays.values())[WARM_UP:])


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder), "--open")
        try:
            delays = asyncio.run(measure(server))
        finally:
            server.stop()
    print(json.dumps({"pictures": len(delays), "median_ms": statistics.median(delays),
                      "p95_ms": delays[len(delays) * 95 // 100], "max_ms": delays[-1]}))


if __name__ == "__main__":
    main()
