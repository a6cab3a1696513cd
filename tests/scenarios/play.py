"""Plays one cell of the matrix against a server, and holds what was heard against what ought to be heard.

At the other end is a light phone in PCMU with a tone of its own: in a room, or as the user who calls or is called. The server
codes in between, so a level that is right at both ends was decoded and coded rightly both ways.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confero.testing import Server
from mcu.errors import CommandError
from sip.auth import DigestClient
from tests.helpers import tones
from tests.helpers.crowd import Person
from tests.helpers.phones import TONE_LEVEL_DBFS, Phone, Phones, Result
from tests.scenarios.cells import ENDS, STOCK, SUITES, Cell
from tests.scenarios.desk import PASSWORD, Desk, ask
from tests.scenarios.front import Front

CLIENT_HZ, OTHER_HZ, THIRD_HZ = 440, 700, 1000
SECONDS = 5.0
CALLEE_SECONDS = 14.0
"""How long SIPp lives as a callee: its clock starts when it registers."""
LONG_S = 40.0
"""For calls that the other side ends."""
TOLERANCE_DB = 1.5
OWN_BELOW_DB = 30.0
HEARD_DBFS, SILENT_DBFS = -32.0, -60.0
LIMIT_S = 30.0
PACKETS_A_S = 50
STEADY_S = 1.0


@dataclass
class Outcome:
    """What came of a cell. Levels in dBFS by what they are of; `complaints` are empty when all is well."""

    cell: Cell
    setup_ms: float = 0.0
    levels: dict[str, float] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def expect(self, what: str, level: float, expected: float) -> None:
        """A level that has to be near to what is expected."""
        self.levels[what] = level
        if abs(level - expected) > TOLERANCE_DB:
            self.complaints.append(f"{what} {level:.1f} dBFS, not {expected:.1f}")

    def expect_below(self, what: str, level: float, limit: float) -> None:
        """A level that has to be low."""
        self.levels[what] = level
        if level > limit:
            self.complaints.append(f"{what} {level:.1f} dBFS, which is too loud")


@dataclass
class Stage:
    """Where a cell is played."""

    server: Server
    desk: Desk
    front: Front
    phones: Phones
    folder: Path

    def client(self, cell: Cell, uri: str, **options: Any) -> Phone:
        """Start the cell's stock client. Without a URI it registers and answers."""
        given = {"tone": CLIENT_HZ, "seconds": SECONDS, "codec": cell.codec, "transport": cell.transport} | options
        phone: Phone = getattr(self.phones, cell.client)(uri, **given)
        return phone

    async def account(self, name: str, *, registers: bool) -> dict[str, str]:
        """Make an account for a stock client; the client's options."""
        await ask(self.server, "user.add", name=name, password=PASSWORD)
        registrar = {"registrar": f"{self.server.host}:{self.server.port}"} if registers else {}
        return {"user": name, "password": PASSWORD, **registrar}

    async def registered(self, name: str) -> None:
        """Wait until the phone of an account has registered."""
        async with asyncio.timeout(LIMIT_S):
            while not any(row["aor"] == name for row in await ask(self.server, "reg.list")):
                await asyncio.sleep(0.2)


async def play(stage: Stage, cell: Cell) -> Outcome:
    """Make the call of a cell; whatever goes wrong is a complaint."""
    outcome = Outcome(cell)
    try:
        await (_end if cell.client in ENDS else _WAYS[cell.way])(stage, cell, outcome)
    except (TimeoutError, OSError, CommandError, ValueError, subprocess.SubprocessError) as error:
        outcome.complaints.append(f"{type(error).__name__}: {error}".removesuffix(": "))
    return outcome


# ---- the ways


async def _visits(stage: Stage, cell: Cell, outcome: Outcome) -> None:
    other = None if cell.way == "echo" else await stage.desk.join(str(cell), OTHER_HZ, name=f"{cell}-o")
    phone = stage.client(cell, stage.server.uri(str(cell) if other else "echo"))
    await _judge(outcome, await _result(phone), other)


async def _visits_protected(stage: Stage, cell: Cell, outcome: Outcome) -> None:
    """A call to a room with keys by the cell's way; at the other end is the plain phone, as everywhere."""
    name, server = str(cell), stage.server
    other = await stage.desk.join(name, OTHER_HZ, name=f"{cell}-o")
    host = "localhost" if cell.client == "linphone" else server.host       # linphone looks at names alone, baresip asks DNS
    uri = f"sip:{name}@{host}:{server.tls_port}" if cell.transport == "tls" else server.uri(name)
    authority = ("--ca", str(server.data / "tls" / "ca.pem")) if cell.transport == "tls" else ()
    phone = stage.client(cell, uri, user=name, extra=("--srtp", cell.way, *authority))
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(LIMIT_S):
        while not any(person["suite"] for person in found) and phone.process.poll() is None:
            await asyncio.sleep(0.2)
            found = await ask(server, "room.people", name=name)
    kinds = sorted((person["suite"] or "", person["keying"] or "", person["is_protected"]) for person in found)
    if kinds != [("", "", False), (SUITES[cell.client, cell.way], cell.way, cell.transport == "tls")]:
        outcome.complaints.append(f"protection {kinds}")
    await _judge(outcome, await _result(phone), other)


async def _calls(stage: Stage, cell: Cell, outcome: Outcome) -> None:
    callee = f"{cell}-b"
    await stage.desk.sign_in(callee, OTHER_HZ)
    account = await stage.account(str(cell), registers=cell.client != "sipp")
    phone = stage.client(cell, stage.server.uri(callee), **account)
    result = await _result(phone)
    await _judge(outcome, result, await stage.desk.arrival(callee, 0.1) if result.is_connected else None)


async def _calls_stock(stage: Stage, cell: Cell, outcome: Outcome) -> None:
    callee = f"{cell}-b"
    options = await stage.account(callee, registers=True) | {"transport": cell.transport}
    answers: Phone = getattr(stage.phones, cell.way.removeprefix("to-"))("", tone=OTHER_HZ, seconds=CALLEE_SECONDS, **options)
    await stage.registered(callee)
    account = await stage.account(str(cell), registers=cell.client != "sipp")
    phone = stage.client(cell, stage.server.uri(callee), **account)
    for what, one, hz in (("hears", phone, OTHER_HZ), ("is heard at", answers, CLIENT_HZ)):
        result = await _result(one)
        if _connected(outcome, result):
            (level,) = await asyncio.to_thread(_levels, result.recording, hz)
            outcome.expect(what, level, TONE_LEVEL_DBFS)
    outcome.setup_ms = float((await _result(phone)).facts.get("setup_ms", 0))


async def _is_called(stage: Stage, cell: Cell, outcome: Outcome) -> None:
    name, caller = str(cell), f"{cell}-a"
    seconds = CALLEE_SECONDS if cell.client == "sipp" else SECONDS
    phone = stage.client(cell, "", seconds=seconds, **await stage.account(name, registers=True))
    await stage.registered(name)
    if cell.way == "dialled":
        other = await stage.desk.join(name + "-r", OTHER_HZ, name=f"{cell}-o")
        await ask(stage.server, "room.dial", name=name + "-r", target=name)
    else:
        await stage.desk.sign_in(caller, OTHER_HZ)
        other = await stage.desk.call(name, caller)
    if cell.client == "sipp":
        await asyncio.sleep(SECONDS)
        other.call.hang_up(stage.desk.driver.now())
        if cell.way == "dialled":
            await ask(stage.server, "room.kick", name=name + "-r", who=name)
        stage.desk.driver.pump()
    await _judge(outcome, await _result(phone), other)


async def _holds(stage: Stage, cell: Cell, outcome: Outcome) -> None:
    other = await stage.desk.join(str(cell), OTHER_HZ, name=f"{cell}-o")
    phone = stage.client(cell, stage.server.uri(str(cell)), seconds=9, extra=("--script", "2:hold,5:resume"))
    expected = TONE_LEVEL_DBFS - cell.shift_db
    for what in ("heard at", "on hold", "resumed"):
        is_silent = what == "on hold"
        await _until(lambda is_silent=is_silent: (_recent(other, CLIENT_HZ) < SILENT_DBFS) if is_silent  # type: ignore[misc]
                     else _recent(other, CLIENT_HZ) > HEARD_DBFS)
        level = await _steady_level(other, CLIENT_HZ)
        if is_silent:
            outcome.expect_below(what, level, SILENT_DBFS)
        else:
            outcome.expect(what, level, expected)
    if other.missing:
        outcome.complaints.append(f"{other.missing} gaps in what the server sent to the other")
    _connected(outcome, await _result(phone))


async def _presses(stage: Stage, cell: Cell, outcome: Outcome) -> None:
    other = await stage.desk.join(str(cell), OTHER_HZ, name=f"{cell}-o")
    has_tone = (cell.client, cell.way) != ("sipp", "events")
    option = {("sipp", "events"): ("--dtmf-events",), ("baresip", "info"): ("--dtmf-info",),
              ("linphone", "info"): ("--dtmf-info",)}.get((cell.client, cell.way), ())
    phone = stage.client(cell, stage.server.uri(str(cell)), seconds=9, dtmf="*6", extra=option)
    if has_tone:
        await _until(lambda: _recent(other, CLIENT_HZ) > HEARD_DBFS)
        outcome.expect("heard at", await _steady_level(other, CLIENT_HZ), TONE_LEVEL_DBFS - cell.shift_db)
        await _until(lambda: _recent(other, CLIENT_HZ) < SILENT_DBFS)
        outcome.expect_below("muted", await _steady_level(other, CLIENT_HZ), SILENT_DBFS)
    await _until_muted(stage, cell)
    _connected(outcome, await _result(phone))


async def _until_muted(stage: Stage, cell: Cell) -> None:
    """Wait until the roster shows the client muted."""
    async with asyncio.timeout(LIMIT_S):
        while [person["is_muted"] for person in await ask(stage.server, "room.people", name=str(cell))
               if person["name"] != f"{cell}-o"] != [True]:
            await asyncio.sleep(0.2)


async def _transfers(stage: Stage, cell: Cell, outcome: Outcome) -> None:
    partner, target = f"{cell}-b", f"{cell}-c"
    await stage.desk.sign_in(partner, OTHER_HZ)
    await stage.desk.sign_in(target, THIRD_HZ)
    script = ("--script", f"3:transfer {stage.server.uri(target)}")
    account = await stage.account(str(cell), registers=cell.client != "sipp")
    phone = stage.client(cell, stage.server.uri(partner), seconds=LONG_S, extra=script, **account)
    one = await stage.desk.arrival(partner)
    await _until(lambda: _recent(one, CLIENT_HZ) > HEARD_DBFS)
    outcome.expect("heard at", await _steady_level(one, CLIENT_HZ), TONE_LEVEL_DBFS - cell.shift_db)
    third = await stage.desk.arrival(target)
    await _until(lambda: _recent(one, THIRD_HZ) > HEARD_DBFS and _recent(third, OTHER_HZ) > HEARD_DBFS)
    outcome.expect("then partner hears", await _steady_level(one, THIRD_HZ), TONE_LEVEL_DBFS)
    outcome.expect("target hears", await _steady_level(third, OTHER_HZ), TONE_LEVEL_DBFS)
    outcome.expect_below("transferor", _recent(one, CLIENT_HZ), SILENT_DBFS)
    _connected(outcome, await _result(phone))


async def _end(stage: Stage, cell: Cell, outcome: Outcome) -> None:
    """A call of ffmpeg or GStreamer."""
    name, desk, front = str(cell), stage.desk, stage.front
    end = front.expect(name, cell.client, cell.codec, stage.folder / name, CLIENT_HZ, TONE_LEVEL_DBFS)
    other: Person | None = None
    if cell.way in ("callee", "dialled"):
        room = name + "-r"
        if cell.way == "callee":
            await front.sign_in(end, cell.transport, await _credentials(stage, name))
            await desk.sign_in(f"{name}-a", OTHER_HZ)
            other = await desk.call(name, f"{name}-a")
        else:
            other = await desk.join(room, OTHER_HZ, name=f"{cell}-o")
            await ask(stage.server, "room.dial", name=room, target=front.uri(name, cell.transport))
            async with asyncio.timeout(LIMIT_S):
                await end.answered
    elif cell.way == "caller":
        await desk.sign_in(f"{name}-b", OTHER_HZ)
        await front.call(end, f"{name}-b", cell.transport, await _credentials(stage, name))
        other = await desk.arrival(f"{name}-b")
    else:
        other = None if cell.way == "echo" else await desk.join(name, OTHER_HZ, name=f"{cell}-o")
        await front.call(end, "echo" if other is None else name, cell.transport)
    await asyncio.sleep(SECONDS)
    await front.hang_up(name)
    result = Result(0, {"setup_ms": end.setup_ms}, end.recording, (end.work / "log").read_text(errors="replace"))
    await _judge(outcome, result, other)


async def _credentials(stage: Stage, name: str) -> DigestClient:
    await ask(stage.server, "user.add", name=name, password=PASSWORD)
    return DigestClient(name, PASSWORD)


_WAYS = {"room": _visits, "echo": _visits, "caller": _calls, "callee": _is_called, "dialled": _is_called, "hold": _holds,
         "events": _presses, "info": _presses, "transfer": _transfers, "sdes": _visits_protected, "dtls": _visits_protected,
         **{f"to-{callee}": _calls_stock for callee in STOCK}}


# ---- judging


def _connected(outcome: Outcome, result: Result) -> bool:
    outcome.setup_ms = float(result.facts.get("setup_ms", 0))
    if not result.is_connected:
        outcome.complaints.append(f"no call: {result.facts.get('reason') or result.facts.get('error') or result.errors[-200:]}")
    return result.is_connected


async def _judge(outcome: Outcome, result: Result, other: Person | None) -> None:
    """Levels at both ends of a call that is over. other: None where the client's own sound came back (the echo)."""
    cell = outcome.cell
    if not _connected(outcome, result):
        return
    if not result.recording.exists():
        heard = tones.level_dbfs(8000, tones.steady(8000, other.sound()), CLIENT_HZ) if other is not None else tones.FLOOR_DBFS
        outcome.complaints.append(f"no recording, heard at {heard:.1f} dBFS: {result.errors.strip()[-200:]}")
        return
    own, others = await asyncio.to_thread(_levels, result.recording, CLIENT_HZ, OTHER_HZ)
    if other is None:
        outcome.expect("hears", own, TONE_LEVEL_DBFS)
        return
    expected = TONE_LEVEL_DBFS + cell.shift_db
    outcome.expect("hears", others, expected)
    outcome.expect_below("itself", own, expected - OWN_BELOW_DB)
    _, heard = tones.level_range_dbfs(8000, other.sound(), CLIENT_HZ)
    outcome.expect("heard at", heard, TONE_LEVEL_DBFS - cell.shift_db)
    if other.missing and cell.way in ("room", "dialled"):
        outcome.complaints.append(f"{other.missing} gaps in what the server sent to the other")


def _levels(recording: Path, *frequencies: float) -> list[float]:
    """How loud tones are in the middle of a recording."""
    rate, samples = tones.read_wav(recording)
    middle = tones.steady(rate, samples)
    return [tones.level_dbfs(rate, middle, hz) for hz in frequencies]


async def _result(phone: Phone) -> Result:
    return await asyncio.to_thread(phone.finish)


async def _until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.1)


def _recent(person: Person, hz: float) -> float:
    """How loud a tone was in the last half second of what came."""
    sound = person.sound()[-4000:]
    return tones.level_dbfs(8000, sound, hz) if len(sound) == 4000 else tones.FLOOR_DBFS


async def _steady_level(person: Person, hz: float) -> float:
    """How loud a tone is in the next second of what comes (of half a second in which it may begin or end, nothing counts)."""
    start = len(person.heard) + PACKETS_A_S // 2
    await _until(lambda: len(person.heard) >= start + PACKETS_A_S * STEADY_S)
    return tones.level_dbfs(8000, person.sound()[-round(8000 * STEADY_S):], hz)
