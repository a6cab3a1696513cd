"""What an examination finds: good, worth a thought, or bad, in words with the remedy."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, WARNING, BAD = "good", "warning", "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """subject: what was looked at; state: GOOD, WARNING or BAD; text: what was found; remedy: what to do, empty when good."""

    subject: str
    state: str
    text: str
    remedy: str = ""
