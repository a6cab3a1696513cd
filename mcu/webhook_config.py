"""The tables `[[webhook]]` of the configuration: who is told what happens, by POST.

    [[webhook]]
    url = "https://chat.example.org/hooks/meetings"
    events = ["participant-joined", "conference-closed"]
    secret = "…"
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from mcu.trunk_config import quote

MOST_WEBHOOKS = 20
_EVENT = re.compile(r"[a-z0-9-]{1,64}|[a-z0-9-]{1,63}\*|\*")


def _to_url(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > 2048 or not value.isprintable() or " " in value:
        raise ValueError
    found = urlsplit(value)
    if found.scheme not in ("http", "https") or not found.hostname or found.port == 0 or found.username is not None:
        raise ValueError
    return value


def _to_event(value: Any) -> Any:
    if not isinstance(value, str) or not _EVENT.fullmatch(value):
        raise ValueError
    return value


def _to_tuple(value: Any) -> Any:
    if isinstance(value, str):
        value = [value]
    return tuple(value) if isinstance(value, list) else value


def to_webhooks(value: Any) -> Any:
    """A tuple out of TOML's list of tables."""
    if not isinstance(value, list | tuple) or len(value) > MOST_WEBHOOKS:
        raise ValueError
    return tuple(value)


class WebhookConfig(BaseModel):
    """One target. events: names of events, `*` at the end for all that begin so; secret: of the signature, empty for none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: Annotated[str, BeforeValidator(_to_url)]
    events: Annotated[tuple[Annotated[str, BeforeValidator(_to_event)], ...], BeforeValidator(_to_tuple)] = ("*",)
    secret: SecretStr = Field(SecretStr(""))

    def wants(self, event: str) -> bool:
        """Whether an event of that name is told."""
        return any(event == one or (one.endswith("*") and event.startswith(one[:-1])) for one in self.events)

    def to_toml(self) -> str:
        """The table as the text of a file; the secret is not shown."""
        events = ", ".join(map(quote, self.events))
        return f"[[webhook]]\nurl = {quote(self.url)}\nevents = [{events}]\nsecret = {quote(str(self.secret))}"


EXPECTED = {
    "url": "an address such as https://chat.example.org/hooks/meetings",
    "events": 'a list of names of events such as ["participant-*", "audio-start"]',
    "secret": "a text",
}
"""What each key of a webhook takes, in words."""


def explain(error: Any, text: str) -> tuple[int, str]:
    """Line and words for what pydantic found wrong in a table of the file; the secret is never told."""
    number = error["loc"][1] if isinstance(error["loc"][1], int) else 0
    key = str(error["loc"][2]) if len(error["loc"]) > 2 else ""
    line = _line(text, number, key)
    place = "webhook" + (f".{key}" if key else "")
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key.replace("-", "_"), EXPECTED, 1)
        return line, f"{place}: there is no such key" + (f"; did you mean {near[0]}?" if near else "")
    if error["type"] == "missing":
        return line, f"{place} is missing: {EXPECTED[key]} was expected"
    if key not in EXPECTED:
        return line, f"{place}: a table such as [[webhook]] was expected"
    shown = "" if key == "secret" else f", not {error['input']!r}"
    return line, f"{place}: {EXPECTED[key]} was expected{shown}"


def _line(text: str, number: int, key: str) -> int:
    """The line of a key in the table of that number (from 0), else the one of the table."""
    lines = text.split("\n")
    heads = [at for at, line in enumerate(lines) if re.match(r"\s*\[\[\s*webhook\s*\]\]", line)]
    if number >= len(heads):
        return next((at for at, line in enumerate(lines, 1) if re.match(r"\s*webhook\b", line)), 1)
    begin = heads[number]
    end = next((at for at in range(begin + 1, len(lines)) if re.match(r"\s*\[", lines[at])), len(lines))
    pattern = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
    return next((at for at in range(begin, end) if key and pattern.match(lines[at])), begin) + 1
