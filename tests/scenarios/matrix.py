"""Every stock client with every codec and transport that it has, in every way of use: who hears what.

    python -m tests.scenarios.matrix                                        # all of it, as a table (some minutes)
    python -m tests.scenarios.matrix --only linphone --only transfer        # cells that have all of these in their names
    python -m tests.scenarios.matrix --again 3 --write docs/reference/interop.md        # all of it, as the page

It starts a server of its own. GStreamer's cells need Debian's gstreamer1.0-tools with the plugins base, good, bad and libav.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import sys
import tempfile
from pathlib import Path

from confero.testing import Server, start_server
from tests.helpers.phones import Phones
from tests.scenarios.cells import ALL, Cell
from tests.scenarios.desk import Desk
from tests.scenarios.front import Front
from tests.scenarios.page import page, table
from tests.scenarios.play import Outcome, Stage, play

AT_ONCE = 6
__all__ = ["ALL", "Cell", "run", "table"]


async def run(server: Server, cells: tuple[Cell, ...], folder: Path, at_once: int = AT_ONCE) -> list[Outcome]:
    """Make the calls, at most so many together."""
    free = asyncio.Semaphore(at_once)
    async with Desk(server) as desk, Front(server) as front:
        with Phones(folder) as phones:
            stage = Stage(server, desk, front, phones, folder)
            return list(await asyncio.gather(*(_play(stage, cell, free) for cell in cells)))


async def _play(stage: Stage, cell: Cell, free: asyncio.Semaphore) -> Outcome:
    async with free:
        outcome = await play(stage, cell)
        stage.desk.clear(str(cell))
        return outcome


def _on_a_server(cells: tuple[Cell, ...], folder: Path, at_once: int) -> list[Outcome]:
    server = start_server(folder / "server", "--open")
    try:
        return asyncio.run(run(server, cells, folder / "calls", at_once))
    finally:
        server.stop()


def main() -> int:
    """Run the cells; the exit status is 1 when there is a complaint."""
    parser = argparse.ArgumentParser(description="the interop matrix")
    parser.add_argument("--only", action="append", default=[], help="cells with this word in their names")
    parser.add_argument("--write", type=Path, help="write the page here")
    parser.add_argument("--keep", type=Path, help="keep logs and recordings in this folder")
    parser.add_argument("--again", type=int, default=0, metavar="N", help="play what is not well again, N times at most, "
                        "two at a time: on a machine that has other work a tone is cut short now and then")
    given = parser.parse_args()
    cells = tuple(cell for cell in ALL if all(word in str(cell).split("-") for word in given.only))
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        outcomes = _on_a_server(cells, folder / "0", AT_ONCE)
        for turn in range(1, given.again + 1):
            bad = tuple(one.cell for one in outcomes if one.complaints)
            replaced = {one.cell: one for one in _on_a_server(bad, folder / str(turn), 2)} if bad else {}
            outcomes = [replaced.get(one.cell, one) for one in outcomes]
    print(table(outcomes))
    if given.write:
        given.write.write_text(page(outcomes, datetime.date.today()))
    return 1 if any(one.complaints for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
