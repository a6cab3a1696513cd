"""The report as one HTML page that needs nothing else: no network, no file beside it, no right to load anything.

Text from the capture enters as escaped text, or as JSON that the page's own script puts in as text. A content security policy
lets that one script run by its hash (CSP 2 §4.2.5) and no other, so that even a hole in the escaping would start nothing.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from pcap import ladder_svg
from pcap.ladder import Ladder
from pcap.ladder_text import clean
from pcap.report_words import both, english
from pcap.series import Point

ASSETS = Path(__file__).resolve().parent / "assets"
SEVERITIES = ("error", "warning", "info")

Fact = tuple[str, str | tuple[str, str]]
"""The name of a word, and its value: one for both languages, or one for each."""


@dataclass(frozen=True, slots=True)
class PageFinding:
    """A finding with its remedy in both languages."""

    severity: str
    where: str
    text: tuple[str, str]
    remedy: tuple[str, str]


@dataclass(frozen=True, slots=True)
class PageCall:
    """A call: its heading, facts and ladder."""

    title: str
    facts: tuple[Fact, ...]
    ladder: Ladder


@dataclass(frozen=True, slots=True)
class PageMessage:
    """What stands behind an arrow: who, whom, the message as text, and what the capture says of it."""

    source: str
    destination: str
    text: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class PageStream:
    """A stream: heading, facts, plots, and its sound as a `data:` URI or the name of the word that says why there is none."""

    title: str
    facts: tuple[Fact, ...]
    points: tuple[Point, ...]
    step_s: float
    audio: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page shows. about: a line about the file; broken: where the file breaks off; left_out: what is not shown."""

    title: str
    about: str
    findings: tuple[PageFinding, ...]
    calls: tuple[PageCall, ...]
    messages: dict[int, PageMessage] = field(default_factory=dict)
    streams: tuple[PageStream, ...] = ()
    broken: str = ""
    left_out: str = ""


def as_html(page: Page) -> str:
    """The page."""
    script = (ASSETS / "report.js").read_text("utf-8")
    style = (ASSETS / "report.css").read_text("utf-8") + ladder_svg.STYLE
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; media-src data:; img-src data:"
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(page.title)}</title><style>{style}</style></head><body>",
        f'<header><h1>{_text(page.title)}</h1><span class="about">{_text(page.about)}</span>',
        f'<button id="language" type="button" data-word="language">{english("language")}</button></header><main>',
        _warnings(page), _findings(page.findings), *map(_call, range(len(page.calls)), page.calls), _streams(page.streams),
        f'</main><script type="application/json" id="data">{_json(page)}</script><script>{script}</script></body></html>\n',
    ]
    return "".join(parts)


def _json(page: Page) -> str:
    data: dict[str, Any] = {
        "words": both(),
        "messages": {number: {"from": one.source, "to": one.destination, "text": one.text, "comment": one.comment}
                     for number, one in page.messages.items()},
        "streams": [{"step": stream.step_s, "points": _columns(stream.points)} for stream in page.streams],
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").replace("\u2028", "\\u2028")


def _columns(points: tuple[Point, ...]) -> dict[str, list[float | None]]:
    return {
        "at": [one.at_s for one in points], "delta": [one.delta_ms for one in points],
        "jitter": [one.jitter_ms for one in points], "loss": [one.loss_percent for one in points],
        "rate": [one.rate_kbps for one in points], "mos": [one.mos for one in points],
    }


def _text(text: str) -> str:
    return escape(clean(text), quote=True)


def _word(name: str, tag: str = "span", extra: str = "") -> str:
    return f'<{tag} data-word="{name}"{extra}>{_text(english(name))}</{tag}>'


def _translated(texts: tuple[str, str], tag: str, kind: str = "") -> str:
    classes = f' class="{kind}"' if kind else ""
    return f'<{tag}{classes} data-en="{_text(texts[0])}" data-zh="{_text(texts[1])}">{_text(texts[0])}</{tag}>'


def _warnings(page: Page) -> str:
    lines = [f'<p class="broken">{_word(name)}: {_text(text)}</p>' for name, text in (("broken", page.broken),
                                                                                   ("left_out", page.left_out)) if text]
    return "".join(lines)


def _findings(findings: tuple[PageFinding, ...]) -> str:
    items = []
    for one in findings:
        severity = one.severity if one.severity in SEVERITIES else "info"
        where = f' <span class="where">{_text(one.where)}</span>' if one.where else ""
        items.append(f'<li class="{severity}">{_translated(one.text, "span")}{where}'
                     f'{_translated(one.remedy, "div", "remedy") if any(one.remedy) else ""}</li>')
    inside = "".join(items) or f'<li class="none">{_word("no_findings")}</li>'
    return f'<section>{_word("findings", "h2")}<ul class="findings">{inside}</ul></section>'


def _facts(facts: tuple[Fact, ...]) -> str:
    values = {name: _translated(value, "dd") if isinstance(value, tuple) else f"<dd>{_text(value)}</dd>"
              for name, value in facts if value}
    inside = "".join(f"<div>{_word(name, 'dt')}{value}</div>" for name, value in values.items())
    return f'<dl class="facts">{inside}</dl>'


def _call(number: int, call: PageCall) -> str:
    picture = ladder_svg.as_svg(call.ladder, with_style=False)
    return (f'<section><h2>{_text(call.title)}</h2>{_facts(call.facts)}<div class="call" data-call="{number}">'
            f'<div class="scroll">{picture}</div>'
            f'<div class="message" id="message-{number}">{_word("message", "div")}</div>'
            "</div></section>")


def _streams(streams: tuple[PageStream, ...]) -> str:
    if not streams:
        return f'<section>{_word("streams", "h2")}{_word("no_streams", "p")}</section>'
    parts = [f'<section>{_word("streams", "h2")}']
    for number, stream in enumerate(streams):
        parts.append(f"<h3>{_text(stream.title)}</h3>{_facts(stream.facts)}")
        if stream.audio:
            parts.append(f'<audio controls preload="metadata" src="{escape(stream.audio, quote=True)}"></audio>')
        if stream.note:
            parts.append(_word(stream.note, "p", ' class="soft"'))
        parts.append(f'<div class="plots" id="plots-{number}"></div>')
    return "".join([*parts, "</section>"])
