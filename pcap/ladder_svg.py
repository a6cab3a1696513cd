"""A ladder as SVG: a picture that stands by itself, or inside the report, where each message can be clicked."""

from __future__ import annotations

from html import escape
from itertools import pairwise

from pcap.ladder import Arrow, Ladder, seconds
from pcap.ladder_text import clean

LEFT, RIGHT, TOP, ROW = 130, 110, 76, 30
LANES = {1: 300, 2: 460}
LANE = 300
"""Between two columns; a ladder of two has more room."""
LETTER = 6.4
"""How wide a letter of a label is on the average."""

STYLE = """
.ladder { font-family: Inter, "Helvetica Neue", Arial, "WenQuanYi Micro Hei", sans-serif; font-size: 12px }
.ladder .paper { fill: #ffffff } .ladder .line { stroke: #c3cad5; stroke-width: 1.5 }
.ladder .name { font-weight: 600; fill: #1f2733 }
.ladder .time, .ladder .note { fill: #6b7686 } .ladder .time { font-size: 11px }
.ladder .label { fill: #1f2733 } .ladder .arrow { fill: none; stroke-width: 1.6 }
.ladder .request .arrow { stroke: #2463eb } .ladder .request .head { fill: #2463eb }
.ladder .provisional .arrow { stroke: #8a94a6 } .ladder .provisional .head { fill: #8a94a6 }
.ladder .success .arrow { stroke: #15924b } .ladder .success .head { fill: #15924b }
.ladder .failure .arrow { stroke: #d03535 } .ladder .failure .head { fill: #d03535 }
.ladder .media .arrow { stroke: #7a4fd0; stroke-width: 3.5; stroke-opacity: .55 } .ladder .media .head { fill: #7a4fd0 }
.ladder .again .arrow { stroke-dasharray: 5 4 }
.ladder .chosen .wash { fill: #2463eb; fill-opacity: .12 } .ladder .wash { fill: transparent }
@media (prefers-color-scheme: dark) {
 .ladder .paper { fill: #151a21 } .ladder .line { stroke: #3c4654 } .ladder .name, .ladder .label { fill: #e8edf4 }
 .ladder .time, .ladder .note { fill: #97a3b4 }
 .ladder .request .arrow { stroke: #6d9dff } .ladder .request .head { fill: #6d9dff }
 .ladder .success .arrow { stroke: #4cc27d } .ladder .success .head { fill: #4cc27d }
 .ladder .failure .arrow { stroke: #ff7b7b } .ladder .failure .head { fill: #ff7b7b }
 .ladder .media .arrow { stroke: #ab8cf0 } .ladder .media .head { fill: #ab8cf0 }
}
"""


def as_svg(ladder: Ladder, *, with_style: bool = True) -> str:
    """The picture. with_style: False leaves the style sheet out, for a page that has it already.

    Each message is a group with `data-number`, the number of its frame. All text is escaped.
    """
    lane = LANES.get(len(ladder.columns), LANE)
    width = LEFT + max(1, len(ladder.columns) - 1) * lane + RIGHT
    height = TOP + len(ladder.arrows) * ROW + 24
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" class="ladder" viewBox="0 0 {width} {height}" width="{width}" '
             f'height="{height}" role="img"><title>{_text(ladder.title)}</title>']
    if with_style:
        parts.append(f"<style>{STYLE}</style>")
    parts.append(f'<rect class="paper" width="{width}" height="{height}"/>')
    for number, name in enumerate(ladder.columns):
        parts += _column(name, LEFT + number * lane, height)
    parts += [_row(arrow, ladder.start_ns, TOP + row * ROW, width, lane) for row, arrow in enumerate(ladder.arrows)]
    return "".join([*parts, "</svg>"])


def _column(name: str, x: int, height: int) -> list[str]:
    lines = [part for part in _wrapped(clean(name), 34) if part][:2]
    out = [f'<text class="name" x="{x}" y="{26 + 16 * row}" text-anchor="middle">{_text(part)}</text>'
           for row, part in enumerate(lines)]
    return [*out, f'<line class="line" x1="{x}" y1="52" x2="{x}" y2="{height - 12}"/>']


def _row(arrow: Arrow, start_ns: int, y: int, width: int, lane: int) -> str:
    classes = f"{arrow.kind}{' again' if arrow.is_repeated else ''}"
    time = f'<text class="time" x="8" y="{y + 4}">{seconds(arrow.time_ns - start_ns)}</text>'
    wash = f'<rect class="wash" x="0" y="{y - 19}" width="{width}" height="{ROW - 2}" rx="4"/>'
    full = f"<title>{_text(arrow.label)}{_text('  ' + arrow.note if arrow.note else '')}</title>"
    ends = LEFT + arrow.source * lane, LEFT + arrow.destination * lane
    return f'<g class="{classes}" data-number="{arrow.number}">{full}{wash}{time}{_line(*ends, y)}{_label(arrow, *ends, y)}</g>'


def _line(x1: int, x2: int, y: int) -> str:
    if x1 == x2:
        return (f'<path class="arrow" d="M{x1} {y - 6} h26 v10 h-18"/>'
                f'<path class="head" d="M{x1 + 1} {y + 4} l9 -4 v8 z"/>')
    step = 1 if x2 > x1 else -1
    return (f'<path class="arrow" d="M{x1 + 2 * step} {y} H{x2 - 9 * step}"/>'
            f'<path class="head" d="M{x2 - step} {y} l{-10 * step} -4.5 v9 z"/>')


def _label(arrow: Arrow, x1: int, x2: int, y: int) -> str:
    room = int((abs(x2 - x1) or 240) / LETTER)
    label = _cut(clean(arrow.label), room)
    note = _cut(clean(arrow.note), room - len(label) - 2) if room - len(label) > 6 else ""
    x, anchor = ((x1 + 34, "start") if x1 == x2 else ((x1 + x2) // 2, "middle"))
    both = f' data-en="{_text(note)}" data-zh="{_text(arrow.note_zh)}"' if arrow.note_zh else ""
    inside = f'{_text(label)}<tspan class="note" dx="8"{both}>{_text(note)}</tspan>' if note else _text(label)
    return f'<text class="label" x="{x}" y="{y - 6 if x1 != x2 else y + 4}" text-anchor="{anchor}">{inside}</text>'


def _text(text: str) -> str:
    return escape(clean(text), quote=True)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[:max(1, room - 1)] + "…"


def _wrapped(text: str, width: int) -> list[str]:
    """A name on two lines, broken at its last space before `width`."""
    if len(text) <= width and "  " not in text:
        return [text]
    head, gap, rest = text.partition("  ")
    if gap:
        return [_cut(head, width), _cut(rest.strip(), width)]
    return [text[a:b] for a, b in pairwise((0, width, 2 * width))]
