"""The commands of `confero room` that are verbs of a meeting, made from their table (`mcu.verbs.VERBS`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mcu.cli.client import execute
from mcu.cli.options import DataOption, JsonOption
from mcu.cli.output import Facts, show
from mcu.verbs import VERBS, Argument, Verb

RoomName = Annotated[str, typer.Argument(metavar="ROOM", help="a-z, 0-9 and -")]
EXAMPLES = {"who": "alice", "reason": '"too loud"', "new_name": '"Alice Ng"', "banned": "bob", "role": "co-host",
            "switch": "unmute", "value": "hosts", "uri": "bob", "action": "start", "layout": "speaker",
            "text": '"We begin"', "what": "jingle.wav"}
"""An argument of each name, for the help."""
_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def add_verbs(app: typer.Typer) -> None:
    """Add the verbs that the group has no command of its own for."""
    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    for verb in VERBS.values():
        name = verb.cli or verb.name
        if name not in known:
            app.command(name)(_command(verb))


def people_words(count: int) -> str:
    """So many members, in words."""
    return "1 member" if count == 1 else f"{count} members"


def _command(verb: Verb) -> Callable[..., None]:
    def run(**given: Any) -> None:
        data, as_json, room = given.pop("data"), given.pop("as_json"), given.pop("room")
        arguments = {name: value for name, value in given.items() if value is not None}
        show(execute(data, f"room.{verb.name}", {"name": room, **arguments}), as_json, lambda done: _done(verb, done))

    parameters = [inspect.Parameter("room", _KEYWORD, annotation=RoomName)]
    parameters += [_parameter(argument) for argument in verb.arguments]
    parameters += [inspect.Parameter("data", _KEYWORD, default=None, annotation=DataOption),
                   inspect.Parameter("as_json", _KEYWORD, default=False, annotation=JsonOption)]
    run.__signature__ = inspect.Signature(parameters)                                    # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    told = verb.help.replace(", or yourself", "").replace(", or yours", "")        # the command line is nobody's phone
    run.__doc__ = f"{told[0].upper()}{told[1:]}. Example: {_example(verb)}"
    return run


def _parameter(argument: Argument) -> inspect.Parameter:
    is_needed = argument.is_required or argument.kind == "who"
    told = argument.help or ", ".join(argument.choices)
    shown = typer.Argument(metavar=argument.name.upper().replace("_", " "), help=told.partition(";")[0])
    if is_needed:
        return inspect.Parameter(argument.name, _KEYWORD, annotation=Annotated[str, shown])
    return inspect.Parameter(argument.name, _KEYWORD, default=None, annotation=Annotated[str | None, shown])


def _example(verb: Verb) -> str:
    words = [EXAMPLES[argument.name] for argument in verb.arguments if argument.is_required or argument.kind == "who"]
    return " ".join(["confero room", verb.cli or verb.name, "daily", *words])


def _done(verb: Verb, done: Facts) -> str:
    if verb.who is not None:
        return f"{people_words(done['count'])} {verb.done} in room {done['name']}"
    return f"room {done['name']} {verb.done}" + (f": {people_words(done['count'])}" if verb.name == "count" else "")
