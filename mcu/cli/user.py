"""`confero user`: the accounts of people and their phones."""

from __future__ import annotations

from typing import Annotated

import typer

from mcu.cli.client import execute
from mcu.cli.options import DataOption, JsonOption, SrtpOption, make_group
from mcu.cli.output import Facts, show, table

app = make_group("Accounts: who may register phones and call rooms.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9, - and _")]
PasswordOption = Annotated[str | None, typer.Option("--password", metavar="P", help="else one is made and printed once")]
DigestOption = Annotated[str | None, typer.Option("--digest", metavar="md5|sha256",
                                                  help="how its phones prove the password; many phones know md5 only")]


@app.command()
def add(
    name: NameArgument,
    password: PasswordOption = None,
    digest: DigestOption = None,
    is_admin: Annotated[bool, typer.Option("--admin", help="may administer the server")] = False,
    display_name: Annotated[str | None, typer.Option("--display-name", metavar="TEXT", help="shown to others")] = None,
    srtp: SrtpOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an account. Example: confero user add alice"""
    arguments = {"name": name, "password": password, "digest": digest, "admin": is_admin, "display_name": display_name,
                 "srtp": srtp}
    show(execute(data, "user.add", arguments), as_json, lambda made: _credentials(made, password is None))


@app.command("list")
def list_users(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the accounts. Example: confero user list --json"""
    columns = (("name", "NAME"), ("display_name", "SHOWN AS"), ("is_admin", "ADMIN"), ("digest", "DIGEST"), ("srtp", "SRTP"),
               ("created_at", "CREATED"))
    show(execute(data, "user.list", {}), as_json, table(columns, "no accounts; make one with: confero user add NAME"))


@app.command()
def passwd(
    name: NameArgument,
    password: PasswordOption = None,
    digest: DigestOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a password. Example: confero user passwd alice"""
    arguments = {"name": name, "password": password, "digest": digest}
    show(execute(data, "user.passwd", arguments), as_json, lambda made: _credentials(made, password is None))


@app.command("del")
def delete(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Delete an account; its phones and calls are cut off. Example: confero user del alice"""
    show(execute(data, "user.del", {"name": name}), as_json, lambda gone: f"user {gone['name']} is deleted")


def _credentials(account: Facts, is_generated: bool) -> str:
    line = f"user {account['name']}, domain (realm) {account['domain']}"
    return f"{line}\npassword {account['password']}  (shown only this once)" if is_generated else line
