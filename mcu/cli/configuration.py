"""`confero config`: check a configuration file, and show what a server would run with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcu.cli.options import JsonOption, make_group

app = make_group("The configuration file.")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="a TOML file")]
DEFAULT_FILE = Path("confero.toml")


@app.command()
def check(file: FileArgument = DEFAULT_FILE, as_json: JsonOption = False) -> None:
    """Say what is wrong with a file, if anything. Example: confero config check confero.toml"""
    from mcu.cli.output import show
    from mcu.config import load

    load(file, {})
    show({"file": str(file), "is_valid": True}, as_json, lambda found: f"{found['file']}: valid")


@app.command("show")
def show_config(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="a TOML file; else the defaults are shown")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every setting with its value. Example: confero config show confero.toml"""
    from mcu.config import load

    config = load(file, {})
    typer.echo(config.model_dump_json() if as_json else config.to_toml())
