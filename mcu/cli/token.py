"""`confero token`: the tokens with which programs use the REST API."""

from __future__ import annotations

from typing import Annotated

import typer

from mcu.cli.client import execute
from mcu.cli.options import DataOption, JsonOption, make_group
from mcu.cli.output import Facts, show, table

app = make_group("Tokens: who may use the REST API, and how far.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9, - and _")]


@app.command()
def add(
    name: NameArgument,
    scope: Annotated[str, typer.Option("--scope", metavar="read|admin", help="look only (default), or do everything")] = "read",
    days: Annotated[int | None, typer.Option("--days", metavar="N", help="good for so long; default: until deleted")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token; it is printed once. Example: confero token add grafana --scope read"""
    show(execute(data, "token.add", {"name": name, "scope": scope, "days": days}), as_json, _made)


@app.command("list")
def list_tokens(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the tokens. Example: confero token list"""
    columns = (("name", "NAME"), ("scope", "SCOPE"), ("created_at", "CREATED"), ("expires_at", "GOOD UNTIL"))
    show(execute(data, "token.list", {}), as_json, table(columns, "no tokens; make one with: confero token add NAME"))


@app.command("del")
def delete(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Delete a token; it is refused from now on. Example: confero token del grafana"""
    show(execute(data, "token.del", {"name": name}), as_json, lambda gone: f"token {gone['name']} is deleted")


def _made(token: Facts) -> str:
    return f"token {token['name']}, scope {token['scope']}\n{token['token']}  (shown only this once)"
