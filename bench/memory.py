"""Memory of a process tree: PSS as the kernel tells it, and what the tree would take if nobody else ran the same files.

PSS shares a library's pages with every other process that has them mapped, so that it flatters a server on a machine where
several run; `alone` counts what is a process's own, and each page of a file once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)")
_FIGURE = re.compile(r"(Rss|Pss|Anonymous): +([0-9]+) kB")


def tree(pid: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from tree(int(child))


def memory_mb(pid: int) -> dict[str, float]:
    """MB of a process and its descendants: `pss`, and `alone`."""
    pss = own = 0
    files: Counter[str] = Counter()
    for process in tree(pid):
        mapped = _read(Path(f"/proc/{process}/smaps"))
        pss += sum(figures["Pss"] for figures in mapped.values())
        own += sum(figures["Anonymous"] for figures in mapped.values())
        files |= Counter({name: figures["Rss"] - figures["Anonymous"] for name, figures in mapped.items()})
    return {"pss": round(pss / 1024, 1), "alone": round((own + files.total()) / 1024, 1)}


def _read(smaps: Path) -> dict[str, Counter[str]]:
    """kB by figure for each file mapped; what is of no file is under the empty name."""
    found: dict[str, Counter[str]] = {}
    name = ""
    for line in smaps.read_text().splitlines():
        if (mapping := _MAPPING.fullmatch(line)) is not None:
            name = mapping[1] if mapping[1].startswith("/") else ""
        elif (figure := _FIGURE.match(line)) is not None:
            found.setdefault(name, Counter())[figure[1]] += int(figure[2])
    return found
