"""`confero doctor`: what is wrong with this machine and configuration, each with its remedy, and a test call."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcu.cli.options import DataOption, JsonOption

if TYPE_CHECKING:
    from mcu.config import ServerConfig

MARKS = {"good": "good   ", "warning": "warning", "bad": "BAD    "}


def doctor(
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="the server's TOML file")] = None,
    data: DataOption = None,
    makes_call: Annotated[bool, typer.Option("--call/--no-call", help="end with a test call to echo")] = True,
    as_json: JsonOption = False,
) -> None:
    """Look for what is wrong, and say what helps; exits 1 if it is bad. Example: confero doctor --config confero.toml"""
    from mcu.config import load
    from mcu.doctor import call, machine, network

    settings = load(config, {"data": str(data) if data else None})
    is_running = _is_running(settings)
    found = [*machine.examine(os.environ, now=time.time(), here=Path(machine.__file__).parent),
             *network.examine(settings, is_running=is_running, now=network.today())]
    if makes_call:
        found.append(call.examine(settings, is_running=is_running))
    facts = [asdict(one) for one in found]
    if as_json:
        from mcu.cli.output import show

        show(facts, True, str)
    else:
        typer.echo(words(facts))
    raise typer.Exit(int(any(one.state == "bad" for one in found)))


def _is_running(settings: ServerConfig) -> bool:
    """Whether a server has this data folder."""
    from mcu.errors import McuError
    from mcu.storage.folder import DataLock

    if not settings.data.is_dir():
        return False
    lock = DataLock(settings.data)
    try:
        lock.acquire()
    except McuError:
        return True
    lock.release()
    return False


def words(facts: list[dict[str, Any]]) -> str:
    """The findings for people: a line each, the remedy below."""
    lines = []
    for one in facts:
        lines.append(f"{MARKS[one['state']]}  {one['subject']:13} {one['text']}")
        if one["remedy"]:
            lines.append(f"{'':23}-> {one['remedy']}")
    bad = sum(one["state"] == "bad" for one in facts)
    worth = sum(one["state"] == "warning" for one in facts)
    lines.append(f"{bad} bad, {worth} worth a thought." if bad or worth else "All is well.")
    return "\n".join(lines)
