"""What a command prints: JSON for programs, or a table or a line for people."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import typer

Facts = dict[str, Any]
Column = tuple[str, str]


def show(result: Any, as_json: bool, words: Callable[[Any], str]) -> None:
    """Print a result: as one line of JSON, or in words."""
    typer.echo(json.dumps(result) if as_json else words(result))


def table(columns: Sequence[Column], nothing: str) -> Callable[[list[Facts]], str]:
    """Words for a list: a table of (key, heading) columns, or a sentence when it is empty."""

    def words(rows: list[Facts]) -> str:
        if not rows:
            return nothing
        cells = [[heading for _, heading in columns], *([cell(key, row.get(key)) for key, _ in columns] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells)
        return "\n".join(line.rstrip() for line in lines)

    return words


def facts(result: Facts) -> str:
    """Words for one thing: a line for each of its facts."""
    width = max(map(len, result), default=0)
    return "\n".join(f"{key.ljust(width)}  {cell(key, value)}".rstrip() for key, value in result.items())


def capture_words(done: Facts) -> str:
    """Words for a capture that begins or ends."""
    if done["action"] == "start":
        return (f"capturing {done['capture']} into {done['file']}\n"
                "What is said is in it, in clear: keep it as you would keep a recording.")
    lost = f"; {done['dropped']} packets were dropped" if done["dropped"] else ""
    return f"captured {done['capture']}: {done['file']}{lost}\nRead it: confero-pcap report {done['file']}"


def cell(key: str, value: Any) -> str:
    """One value, on one line, without anything that would steer a terminal."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float() | int() if key == "at" or key.endswith("_at"):
            return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
        case float():
            return f"{value:.2f}"
        case _:
            return "".join(sign if sign.isprintable() else "?" for sign in str(value))
