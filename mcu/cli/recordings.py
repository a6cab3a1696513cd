"""`confero recordings`: what was recorded in rooms."""

from __future__ import annotations

from typing import Any

from mcu.api import control
from mcu.cli.options import DataOption, JsonOption, make_group
from mcu.cli.output import show, table
from mcu.recording.listing import FOLDER, listed
from mcu.storage.folder import default_folder

app = make_group("Recordings: what was recorded in rooms.")


@app.callback()
def _group() -> None:
    """Recordings: what was recorded in rooms."""


@app.command("list")
def list_recordings(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the recordings, newest first. Example: confero recordings list --json"""
    folder = data or default_folder()
    found: list[dict[str, Any]]
    try:
        found = control.call(folder / control.FILE_NAME, "recordings.list", {})
    except control.NoServerError:
        found = [facts for _, facts in listed(folder / FOLDER)]
    columns = (("room", "ROOM"), ("state", "STATE"), ("begun_at", "BEGUN"), ("seconds", "SECONDS"), ("by", "BY"),
               ("parts", "PARTS"), ("folder", "FOLDER"))
    show(found, as_json, table(columns, "nothing was recorded; begin with: confero room record ROOM start"))
