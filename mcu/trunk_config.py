"""The tables `[trunk.NAME]` of the configuration: a provider that we are a customer of, and which of its numbers mean what.

    [trunk.acme]
    server = "sip.acme.example"
    user = "4930123"
    password = "…"
    numbers = { "+4930123" = "room:daily", "+4930124" = "user:alice", "+4930125" = "prompt" }
    dial_out = ["+49", "0"]
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

ANY_NUMBER = "*"
"""In place of a number: every other one that the provider calls."""
_SERVER = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9.\-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_USER = re.compile(r"[A-Za-z0-9+._\-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_\-]{1,32}")
_NUMBER = re.compile(r"\+?[A-Za-z0-9][A-Za-z0-9 ().\-]{0,31}|\*")
_TARGET = re.compile(r"prompt|room:[a-z0-9][a-z0-9-]{0,63}|user:[a-z0-9][a-z0-9_-]{0,63}")
_PREFIX = re.compile(r"\+?[0-9]{0,15}")


def _matching(pattern: re.Pattern[str]) -> BeforeValidator:
    """Takes a text of a form and nothing else."""
    def check(value: Any) -> Any:
        if not isinstance(value, str) or not value or not pattern.fullmatch(value):
            raise ValueError
        return value

    return BeforeValidator(check)


def _to_server(value: Any) -> Any:
    match = _SERVER.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[2] or 1) <= 65535:
        raise ValueError
    if value.startswith("["):
        ipaddress.IPv6Address(match[1][1:-1])
    return value


def _to_tuple(value: Any) -> Any:
    if isinstance(value, str):
        value = [value]
    return tuple(value) if isinstance(value, list) else value


def _to_network(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError
    return str(ipaddress.ip_network(value))


Number = Annotated[str, _matching(_NUMBER)]
Target = Annotated[str, _matching(_TARGET)]
TrunkName = Annotated[str, _matching(_NAME)]


class TrunkConfig(BaseModel):
    """One provider.

    server: HOST or HOST:PORT, looked up as RFC 3263 says; user, password: what the provider gave; registers (`register` in the
    file): whether it learns by REGISTER where we are, else it calls our address by itself; numbers: what a called number means;
    dial_out: how the numbers begin that our users may call through it; sources: networks that its calls come from, besides
    the addresses of `server`; max_calls: calls out at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    server: Annotated[str, BeforeValidator(_to_server)]
    user: Annotated[str, _matching(_USER)]
    password: SecretStr = SecretStr("")
    transport: Literal["udp", "tcp", "tls"] = "udp"
    registers: bool = Field(True, alias="register")
    numbers: dict[Number, Target] = Field(default_factory=dict)
    dial_out: Annotated[tuple[Annotated[str, _matching(_PREFIX)], ...], BeforeValidator(_to_tuple)] = ()
    sources: Annotated[tuple[Annotated[str, BeforeValidator(_to_network)], ...], BeforeValidator(_to_tuple)] = ()
    max_calls: int = Field(10, ge=1, le=1000)

    def to_toml(self, name: str) -> str:
        """The table as the text of a file; the password is not shown."""
        lines = [f"[trunk.{name}]", f"server = {quote(self.server)}", f"user = {quote(self.user)}",
                 f"password = {quote(str(self.password))}", f"transport = {quote(self.transport)}",
                 f"register = {str(self.registers).lower()}"]
        pairs = ", ".join(f"{quote(number)} = {quote(target)}" for number, target in self.numbers.items())
        lines += [f"numbers = {{ {pairs} }}" if pairs else "numbers = {}"]
        lines += [f"{key} = [{', '.join(map(quote, values))}]" for key, values in (("dial_out", self.dial_out),
                                                                                    ("sources", self.sources))]
        return "\n".join([*lines, f"max_calls = {self.max_calls}"])


EXPECTED = {
    "server": "a server such as sip.example.org or 192.0.2.1:5060",
    "user": "a user name of letters, digits and + . _ -",
    "password": "a text",
    "transport": "one of udp, tcp, tls",
    "register": "true or false",
    "numbers": 'a table such as { "+4930123" = "room:daily" }, "user:alice" or "prompt",',
    "dial_out": 'a list of beginnings of numbers such as ["+49", "0"]',
    "sources": 'a list of networks such as ["192.0.2.0/24"]',
    "max_calls": "a number from 1 to 1000",
}
"""What each key of a trunk takes, in words."""


def explain(error: Any, text: str) -> tuple[int, str]:
    """Line and words for what pydantic found wrong in a table of the file; the password is never told."""
    path = [str(part) for part in error["loc"] if part != "[key]"]
    if len(path) < 2:
        return _line(text, ()), "trunk: tables such as [trunk.acme] were expected"
    name, key = path[1], path[2] if len(path) > 2 else ""
    line, place = _line(text, path[1:3]), f"trunk.{name}" + (f".{key}" if key else "")
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key.replace("-", "_"), EXPECTED, 1)
        return line, f"{place}: there is no such key" + (f"; did you mean {near[0]}?" if near else "")
    if error["type"] == "missing":
        return line, f"{place} is missing: {EXPECTED[key]} was expected"
    if not key:
        return line, f"trunk.{name}: a table whose name has letters, digits, - and _ was expected"
    shown = "" if key == "password" else f", not {error['input']!r}"
    return line, f"{place}: {EXPECTED[key]} was expected{shown}"


def quote(text: str) -> str:
    """A text as TOML writes it."""
    return '"' + re.sub(r'["\\]', r"\\\g<0>", text) + '"'


def _line(text: str, path: list[str] | tuple[()]) -> int:
    """The line of a key in the table `[trunk.NAME]`, else the one of the table."""
    lines = text.split("\n")
    found = next((number for number, line in enumerate(lines, 1) if re.match(r"\s*\[?\s*trunk\b", line)), 1)
    if not path:
        return found
    table = re.compile(rf"\s*\[\s*trunk\s*\.\s*[\"']?{re.escape(path[0])}[\"']?\s*[.\]]")
    begin = next((number for number, line in enumerate(lines, 1) if table.match(line)), found)
    if len(path) == 1:
        return begin
    key = re.compile(rf"\s*(\[.*\.\s*)?[\"']?{re.escape(path[1])}[\"']?\s*[=\]]")
    for number, line in enumerate(lines[begin - 1:], begin):
        if key.match(line):
            return number
        if number > begin and re.match(r"\s*\[", line) and not table.match(line):
            break
    return begin
