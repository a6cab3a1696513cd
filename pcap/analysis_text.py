"""An analysis as text for a terminal, in English or Chinese: streams under Wireshark's columns and ours, calls, findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pcap.analysis import Analysis, StreamAnalysis
from pcap.calls import CallStory
from pcap.columns import HEADINGS
from pcap.findings import CHINESE, Finding
from pcap.ladder_text import clean, columns_of

OUR_HEADINGS = ("Skew(ppm)", "Bursts", "Burst loss", "Gap loss", "MOS")
"""Clock skew, bursts and the loss inside and outside of them (RFC 3611 §4.7.2), score by the E-model."""
_WORDS = {
    "streams": ("RTP streams", "RTP 流"), "calls": ("Calls", "通话"), "findings": ("Findings", "发现"),
    "no_streams": ("no RTP stream", "没有 RTP 流"), "nothing": ("Nothing stands out.", "没有发现异常。"),
    "no response": ("no response", "无应答"), "calling": ("calling", "呼叫中"), "ringing": ("ringing", "振铃"),
    "talking": ("talking", "通话中"), "ended": ("ended", "已结束"), "refused": ("refused", "被拒绝"),
    "cancelled": ("cancelled", "已取消"), "delay": ("post-dial delay", "接通前等待"), "ring": ("rang", "振铃"),
    "talk": ("talked", "通话"), "dialogs": ("dialogs", "对话"), "error": ("ERROR", "错误"), "warning": ("warning", "警告"),
    "info": ("note", "提示"), "remedy": ("→", "→"), "frame": ("frame", "帧"),
}


def as_text(analysis: Analysis, language: str = "en") -> str:
    """The whole analysis. language: "en" or "zh"."""
    number = int(language == CHINESE)
    word = {name: words[number] for name, words in _WORDS.items()}
    parts = [stream_table(analysis) if analysis.streams else word["no_streams"]]
    if analysis.calls:
        parts.append("\n".join([word["calls"], *(f"  {_call(one, word)}" for one in analysis.calls)]))
    if analysis.streams or analysis.calls or analysis.findings:
        found = [line for one in analysis.findings for line in _finding(one, number, word)]
        parts.append("\n".join([word["findings"], *(found or [f"  {word['nothing']}"])]))
    return "\n\n".join(parts)


def stream_table(analysis: Analysis) -> str:
    """A row for each stream: the columns of `tshark -q -z rtp,streams`, and ours behind them."""
    rows: list[Sequence[str]] = [(*HEADINGS, *OUR_HEADINGS)]
    rows += [_row(one, analysis.first_ns) for one in analysis.streams]
    widths = [max(columns_of(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(map(_right, row, widths)) for row in rows)


def _right(cell: str, width: int) -> str:
    return " " * (width - columns_of(cell)) + cell


def _row(one: StreamAnalysis, first_ns: int) -> tuple[str, ...]:
    figures, losses = one.survey.figures, one.observed.losses
    skew = one.observed.skew.skew() if one.observed.skew is not None else None
    theirs = one.observed.columns.row(first_ns, figures.source, figures.destination, figures.ssrc)
    ours = (f"{skew.ppm:.1f}" if skew is not None else "-", str(losses.bursts), f"{100 * losses.burst_density:.1f}%",
            f"{100 * losses.gap_density:.1f}%", f"{one.mos:.2f}" if one.mos is not None else "-")
    return tuple(clean(cell) for cell in (*theirs, *ours))


def _call(one: CallStory, word: dict[str, str]) -> str:
    times = [f"{word[name]} {seconds:.3f} s" for name, seconds in
             (("delay", one.post_dial_delay_s), ("ring", one.ring_s), ("talk", one.talk_s)) if seconds is not None]
    if len(one.dialogs) > 1:
        times.append(f"{len(one.dialogs)} {word['dialogs']}")
    state = f"{word[one.state]}: {one.cause}" if one.cause else word[one.state]
    return clean(", ".join([f"{one.title}  {state}", *times]))


def _finding(one: Finding, number: int, word: dict[str, str]) -> Iterator[str]:
    frame = f" ({word['frame']} {one.frame})" if one.frame else ""
    yield clean(f"  {word[one.severity]}  {one.kind}  {one.where}{frame}")
    yield clean(f"    {one.text[number]}")
    yield clean(f"    {word['remedy']} {one.remedy[number]}")
