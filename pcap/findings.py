"""A finding: something in a capture that is wrong, in words of two languages, with its place and its remedy.

The words stand in `pcap.finding_words`; the rules that find are in `pcap.judge_sip`, `judge_media` and `judge_stream`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pcap.finding_words import ERROR, INFO, KINDS, WARNING
from pcap.keylog import Address

ENGLISH, CHINESE = "en", "zh"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong. where: place for people; text, remedy: English and Chinese.

    frame: the first frame that shows it, 0 for none; call_id: of the call, empty for none; source and destination: the way
    on which media went wrong, None for none.
    """

    kind: str
    severity: str
    where: str
    text: tuple[str, str]
    remedy: tuple[str, str]
    frame: int = 0
    call_id: str = ""
    source: Address | None = None
    destination: Address | None = None

    def summary(self, language: str = ENGLISH) -> dict[str, Any]:
        """For JSON."""
        number = int(language == CHINESE)
        return {"kind": self.kind, "severity": self.severity, "where": self.where, "text": self.text[number],
                "remedy": self.remedy[number], "frame": self.frame, "call_id": self.call_id,
                "source": written(self.source), "destination": written(self.destination)}


def finding(kind: str, where: str, *, frame: int = 0, call_id: str = "", source: Address | None = None,
            destination: Address | None = None, **values: object) -> Finding:
    """A finding of a kind; `values` go into its words."""
    words = KINDS[kind]
    return Finding(kind, words.severity, where, _filled(words.text, values), _filled(words.remedy, values), frame, call_id,
                   source, destination)


def written(address: Address | None) -> str:
    """An address for people; empty for none."""
    if address is None:
        return ""
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The gravest first, else in order of frames."""
    order = (ERROR, WARNING, INFO)
    return sorted(findings, key=lambda one: (order.index(one.severity), one.frame))


def _filled(words: tuple[str, str], values: dict[str, object]) -> tuple[str, str]:
    return words[0].format(**values), words[1].format(**values)
