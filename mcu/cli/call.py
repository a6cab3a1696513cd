"""`confero call`: the calls that are running, and those that were."""

from __future__ import annotations

from typing import Annotated

import typer

from mcu.cli.client import execute
from mcu.cli.options import CaptureAction, DataOption, JsonOption, make_group
from mcu.cli.output import capture_words, facts, show, table

app = make_group("Calls: running and finished ones.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="as `confero call list` shows it")]


@app.command("list")
def list_calls(
    shows_all: Annotated[bool, typer.Option("--all", help="the last finished calls, too")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="how many finished ones at most")] = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the calls. Example: confero call list --all"""
    columns = (("call_id", "ID"), ("room", "ROOM"), ("remote_uri", "FROM"), ("source", "ADDRESS"), ("codec", "CODEC"),
               ("started_at", "STARTED"), ("ended_at", "ENDED"), ("lost", "LOST"), ("cause", "CAUSE"))
    result = execute(data, "call.list", {"all": shows_all, "limit": limit})
    show(result, as_json, table(columns, "no calls" if shows_all else "no call is running; --all shows finished ones"))


@app.command("show")
def show_call(call_id: IdArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show all that is known of a call. Example: confero call show 7f3a-1@192.0.2.7"""
    show(execute(data, "call.show", {"call_id": call_id}), as_json, facts)


@app.command()
def capture(call_id: IdArgument, action: CaptureAction, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Write a call for Wireshark, signalling and media in clear. Example: confero call capture 7f3a-1@192.0.2.7 start"""
    show(execute(data, "call.capture", {"call_id": call_id, "action": action}), as_json, capture_words)


@app.command()
def hangup(call_id: IdArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """End a call. Example: confero call hangup 7f3a-1@192.0.2.7"""
    show(execute(data, "call.hangup", {"call_id": call_id}), as_json, lambda done: f"call {done['call_id']} is ended")
