"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="folder of the server's database")]
SrtpOption = Annotated[str | None, typer.Option("--srtp", metavar="off|prefer|require",
                                                help="protection of media, where the server's own setting won't do")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
CaptureAction = Annotated[str, typer.Argument(metavar="start|stop", help="begin, or end and keep the file")]


def make_group(help_text: str) -> typer.Typer:
    """A group of commands in plain text."""
    return typer.Typer(help=help_text, add_completion=False, rich_markup_mode=None)
