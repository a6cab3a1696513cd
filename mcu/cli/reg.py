"""`confero reg`: the phones that are registered."""

from __future__ import annotations

from mcu.cli.client import execute
from mcu.cli.options import DataOption, JsonOption, make_group
from mcu.cli.output import show, table

app = make_group("Registrations: which phones can be called.")


@app.callback()
def _group() -> None:
    """Registrations: which phones can be called."""


@app.command("list")
def list_registrations(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the registered phones. Example: confero reg list"""
    columns = (("aor", "ADDRESS OF RECORD"), ("contact", "CONTACT"), ("source", "FROM"), ("transport", "VIA"),
               ("expires_at", "EXPIRES"), ("user_agent", "PHONE"))
    show(execute(data, "reg.list", {}), as_json, table(columns, "no phone is registered"))
