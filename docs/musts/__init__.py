"""Every MUST of the RFCs that the product stands on: which code keeps it and which test would fail, or why it is left out.

One file for each RFC, one row a line: section, how often it says MUST there, the rule in our own few words, and code and tests
(or the word `left` and the reason). `docs.generate` makes a page of them; a test counts, and looks for code and tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = ("rfc3261.txt", "rfc3264.txt", "rfc3550.txt")
LEFT = "left"


@dataclass(frozen=True, slots=True)
class Must:
    """One row. `code`: module:name, empty for what is left out; `tests`: their names; `reason`: why it is left out."""

    section: str
    count: int
    rule: str
    code: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    reason: str = ""


def read(name: str) -> tuple[str, list[Must]]:
    """(title, rows) of one file. Raises ValueError for a line that is no row."""
    lines = (HERE / name).read_text("utf-8").splitlines()
    return lines[0].removeprefix("# "), [_parse(line) for line in lines if line and not line.startswith("#")]


def _parse(line: str) -> Must:
    section, count, rule, code, rest = line.split(" | ")
    if code == LEFT:
        return Must(section, int(count), rule, reason=rest)
    return Must(section, int(count), rule, tuple(code.split(", ")), tuple(rest.split(", ")))
