"""Every stock client with every codec and transport that it has, into a room and to the echo: who hears what.

    python -m tests.scenarios.matrix            # all of it against a server of its own, as a table

In a room sits a light phone with a tone of its own; the client has to hear that one and not itself, and to be heard by it.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from confero.testing import Server, start_server
from tests.helpers import tones
from tests.helpers.crowd import Crowd, Person
from tests.helpers.phones import LINPHONE_G722_DB, TONE_LEVEL_DBFS, Phone, Phones, Result

CODECS = {"baresip": ("opus", "g722", "pcmu", "pcma"), "linphone": ("opus", "g722", "pcmu", "pcma"), "sipp": ("pcmu", "pcma")}
TRANSPORTS = ("udp", "tcp")
PLACES = ("room", "echo")
CLIENT_HZ, OTHER_HZ = 440, 700
SECONDS = 5.0
TOLERANCE_DB = 1.5
OWN_BELOW_DB = 30.0
AT_ONCE = 10


@dataclass(frozen=True)
class Cell:
    """One call of the matrix."""

    client: str
    codec: str
    transport: str
    place: str

    def __str__(self) -> str:
        return f"{self.client}-{self.codec}-{self.transport}-{self.place}"

    @property
    def shift_db(self) -> float:
        """How much lower than others the client sends, and how much higher it plays."""
        return LINPHONE_G722_DB if (self.client, self.codec) == ("linphone", "g722") else 0.0


@dataclass(frozen=True)
class Outcome:
    """What came of a cell. Levels in dBFS; `complaints` are empty when all is well."""

    cell: Cell
    setup_ms: float
    heard: float
    own: float
    was_heard: float
    complaints: tuple[str, ...]


ALL = tuple(Cell(client, codec, transport, place) for client, codecs in CODECS.items()
            for codec, transport, place in itertools.product(codecs, TRANSPORTS, PLACES))


async def run(server: Server, cells: tuple[Cell, ...], folder: Path) -> list[Outcome]:
    """Make the calls, at most AT_ONCE together."""
    outcomes: list[Outcome] = []
    for start in range(0, len(cells), AT_ONCE):
        outcomes += await _run_batch(server, cells[start:start + AT_ONCE], folder / str(start))
    return outcomes


async def _run_batch(server: Server, cells: tuple[Cell, ...], folder: Path) -> list[Outcome]:
    calls: dict[Cell, Phone] = {}
    people: dict[Cell, Person] = {}
    async with Crowd(server) as crowd:
        with Phones(folder) as phones:
            for cell in cells:
                target = "echo"
                if cell.place == "room":
                    target = str(cell)
                    people[cell] = await crowd.join(target, OTHER_HZ)
                calls[cell] = getattr(phones, cell.client)(server.uri(target), tone=CLIENT_HZ, seconds=SECONDS,
                                                           codec=cell.codec, transport=cell.transport)
            while any(call.process.poll() is None for call in calls.values()):
                await crowd.talk(0.2)
            return [judge(cell, call.finish(), people.get(cell)) for cell, call in calls.items()]


def judge(cell: Cell, result: Result, other: Person | None) -> Outcome:
    """Hold what was heard against what ought to be heard."""
    complaints: list[str] = []
    heard = own = was_heard = tones.FLOOR_DBFS
    if not result.is_connected:
        complaints.append(f"no call: {result.facts.get('reason') or result.facts.get('error') or result.errors[-200:]}")
    elif not result.recording.exists():
        complaints.append("no recording")
    else:
        rate, samples = tones.read_wav(result.recording)
        middle = tones.steady(rate, samples)
        own = tones.level_dbfs(rate, middle, CLIENT_HZ)
        heard = own if other is None else tones.level_dbfs(rate, middle, OTHER_HZ)
        expected = TONE_LEVEL_DBFS + (0.0 if other is None else cell.shift_db)
        if abs(heard - expected) > TOLERANCE_DB:
            complaints.append(f"hears {heard:.1f} dBFS, not {expected:.1f}")
        if other is not None:
            if own > expected - OWN_BELOW_DB:
                complaints.append(f"hears itself at {own:.1f} dBFS")
            _, was_heard = tones.level_range_dbfs(8000, other.sound(), CLIENT_HZ)
            if abs(was_heard + cell.shift_db - TONE_LEVEL_DBFS) > TOLERANCE_DB:
                complaints.append(f"is heard at {was_heard:.1f} dBFS")
            if other.missing:
                complaints.append(f"{other.missing} gaps in what the server sent to the other")
    return Outcome(cell, float(result.facts.get("setup_ms", 0)), heard, own, was_heard, tuple(complaints))


def table(outcomes: list[Outcome]) -> str:
    """The outcomes for a person."""
    lines = [f"{'client':9}{'codec':6}{'over':5}{'to':6}{'set-up ms':>10}{'hears':>8}{'itself':>8}{'heard at':>9}  "]
    for one in outcomes:
        cell = one.cell
        figures = "".join(f"{level:{width}.1f}" if level > tones.FLOOR_DBFS else f"{'-':>{width}}"
                          for level, width in ((one.heard, 8), (one.own, 8), (one.was_heard, 9)))
        lines.append(f"{cell.client:9}{cell.codec:6}{cell.transport:5}{cell.place:6}{one.setup_ms:10.0f}{figures}  "
                     + ("; ".join(one.complaints) or "well"))
    return "\n".join(lines)


def main() -> int:
    """Run all of it; the exit status is 1 when there is a complaint."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder) / "server", "--open")
        try:
            outcomes = asyncio.run(run(server, ALL, Path(folder) / "calls"))
        finally:
            server.stop()
    print(table(outcomes))
    return 1 if any(one.complaints for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
