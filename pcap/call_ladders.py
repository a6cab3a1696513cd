"""The ladders of a capture that was analysed: each call's messages, with its streams and their figures."""

from __future__ import annotations

from pcap.analysis import Analysis, StreamAnalysis
from pcap.ladder import Ladder
from pcap.sip_ladder import SeenStream, sip_ladder
from pcap.survey import Call


def call_ladder(analysis: Analysis, call: Call, title: str = "") -> Ladder:
    """The ladder of one of the capture's calls, or of other messages with one Call-ID."""
    if not call.is_call:
        return sip_ladder(title, call.messages)
    known = {one.survey.name: one for one in analysis.streams}
    streams = [known[one.name] for one in analysis.survey.streams_of(call) if one.name in known]
    return sip_ladder(title, call.messages, [seen_stream(analysis, one) for one in streams])


def seen_stream(analysis: Analysis, stream: StreamAnalysis) -> SeenStream:
    """A stream in words."""
    figures, observed = stream.survey.figures, stream.observed
    name = stream.codec or f"type {figures.payload_type}"
    if analysis.survey.media.is_protected(figures.source, figures.destination):
        name = f"{name} (SRTP)"
    share, jitter = observed.losses.loss_percent, observed.columns.jitter.most
    lost = f"{figures.lost} lost ({share:.1f} %)" if figures.lost else "none lost"
    lost_zh = f"丢失 {figures.lost}（{share:.1f} %）" if figures.lost else "无丢失"
    return SeenStream(
        figures.source, figures.destination, figures.first_ns, figures.last_ns, f"RTP {name}",
        f"{figures.packets} packets, {lost}, jitter ≤ {jitter:.1f} ms",
        f"{figures.packets} 包，{lost_zh}，抖动 ≤ {jitter:.1f} ms")
