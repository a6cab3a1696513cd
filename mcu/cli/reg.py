"""`confero reg`: the phones that are registered here, and where this server is registered itself."""

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
    """List the registered phones, and our registrations at providers. Example: confero reg list"""
    columns = (("aor", "ADDRESS OF RECORD"), ("contact", "CONTACT"), ("source", "FROM"), ("transport", "VIA"),
               ("expires_at", "EXPIRES"), ("user_agent", "PHONE"), ("trunk", "TRUNK"), ("state", "STATE"))
    show(execute(data, "reg.list", {}), as_json, table(columns, "no phone is registered"))
