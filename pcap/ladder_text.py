"""A ladder in characters: one line a message, drawn for the width of a terminal."""

from __future__ import annotations

import unicodedata

from pcap.ladder import Arrow, Ladder, seconds

MIN_LANE, MAX_LANE = 18, 64
"""Characters between two columns."""
TIME = 11


def as_text(ladder: Ladder, width: int = 100) -> str:
    """The ladder for a terminal of `width` characters; one that has too many columns for it grows wider."""
    gaps = max(1, len(ladder.columns) - 1)
    lane = max(MIN_LANE, min(MAX_LANE, (width - TIME - 12) // gaps))
    lines = [clean(ladder.title)] if ladder.title else []
    lines.append(_heads(ladder.columns, lane))
    for arrow in ladder.arrows:
        time = f"{seconds(arrow.time_ns - ladder.start_ns):>{TIME - 3}}   "
        lines.append((time + _arrow(arrow, len(ladder.columns), lane)).rstrip())
    return "\n".join(lines)


def clean(text: str) -> str:
    """Text on one line, without anything that would steer a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def columns_of(text: str) -> int:
    """Columns of a terminal that a text takes: Chinese signs take two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 0 if unicodedata.combining(sign) else 1 for sign in text)


def fitted(text: str, width: int) -> str:
    """A text cut to a number of columns, with an ellipsis where something is missing."""
    text = clean(text)
    if columns_of(text) <= width:
        return text
    while text and columns_of(text) > width - 1:
        text = text[:-1]
    return text + "…"


def _heads(columns: tuple[str, ...], lane: int) -> str:
    """The columns' names, each centred over its line as far as the one before leaves room."""
    out = " " * TIME
    for number, name in enumerate(columns):
        name = fitted(name, lane - 2)
        start = max(TIME + number * lane - columns_of(name) // 2, columns_of(out) + (2 if number else -TIME), 0)
        out = out[:start] if not number else out + " " * (start - columns_of(out))
        out += name
    return out


def _arrow(arrow: Arrow, columns: int, lane: int) -> str:
    left, right = sorted((arrow.source, arrow.destination))
    if left == right:
        return _own(arrow, columns, lane)
    body = "═" if arrow.is_media else "─"
    space = (right - left) * lane - 1
    label = fitted(_words(arrow), space - 6)
    rest = space - columns_of(label) - 5
    if arrow.source < arrow.destination:
        line = f"{body} {label} {body * rest}{body}>"
    else:
        line = f"<{body}{body * rest} {label} {body}"
    return _bars(0, left, lane) + "│" + line + "│" + _bars(right + 1, columns, lane, after=True)


def _words(arrow: Arrow) -> str:
    """What an arrow says."""
    label = f"again {arrow.label}" if arrow.is_repeated else arrow.label
    return f"{label}  {arrow.note}" if arrow.note else label


def _own(arrow: Arrow, columns: int, lane: int) -> str:
    """What happens at one column: a note beside its line."""
    text = fitted(_words(arrow), lane - 3)
    last = arrow.source >= columns - 1
    return (_bars(0, arrow.source, lane) + "│ " + text
            + ("" if last else " " * (lane - 2 - columns_of(text)) + "│" + _bars(arrow.source + 2, columns, lane, after=True)))


def _bars(first: int, end: int, lane: int, *, after: bool = False) -> str:
    """The lines of columns that an arrow does not touch."""
    one = " " * (lane - 1) + "│" if after else "│" + " " * (lane - 1)
    return one * max(0, end - first)
