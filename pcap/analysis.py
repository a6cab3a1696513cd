"""The analysis of a capture: streams with their figures, calls with their stories, and findings in words.

`analyse(path)` reads the file once, in memory that does not grow with the media in it (RFC 3550, RFC 3611, ITU-T G.107).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pcap.calls import CallStory, story_of
from pcap.errors import CaptureError
from pcap.findings import Finding, ordered
from pcap.judge_media import CallMedia, complained, is_lasting, judge_media, media_of
from pcap.judge_sip import judge_call, judge_registrations, judge_transactions
from pcap.judge_stream import judge_stream
from pcap.media_ends import End, ends_of, streams_to
from pcap.observe import Observed, Observer
from pcap.quality import mos
from pcap.reader import read_packets
from pcap.survey import StreamName, StreamSurvey, Survey
from pcap.transactions import Transaction, transactions

BUFFER_MS, NETWORK_MS = 60.0, 20.0
"""What the score takes for the delay beyond jitter: a usual buffer, and a way through the network."""
EXPLAINED_BY = {
    "no_response": ("sip_unreachable",), "no_media": ("never_acked", "ack_lost"), "wrong_ptime": ("wrong_pace",),
    "rtcp_missing": ("one_way_audio", "private_address", "port_closed", "wrong_port"),
}
"""Findings that follow from others."""
MAX_JUMPS, MAX_COPIES = 0.1, 0.6
"""Shares of packets in RTP that no SDP announces; in the numbers of other protocols there are more."""


@dataclass(frozen=True, slots=True)
class StreamAnalysis:
    """A stream: what the survey and the observer know of it, its codec's name, and its score (1 to 4.4, None for no sound)."""

    survey: StreamSurvey
    observed: Observed
    codec: str
    mos: float | None

    @property
    def packet_ms(self) -> float:
        """Time from packet to packet, lost ones included, on average."""
        figures = self.survey.figures
        return (figures.last_ns - figures.first_ns) / 1e6 / max(1, figures.expected - 1)

    def summary(self) -> dict[str, Any]:
        """For JSON: the survey's figures, Wireshark's, and ours."""
        columns, losses = self.observed.columns, self.observed.losses
        skew = self.observed.skew.skew() if self.observed.skew is not None else None
        return {
            **self.survey.figures.summary(), "codec": self.codec, "first_frame": self.observed.first_frame,
            "wireshark": {"lost": columns.lost, "delta_ms": _three(columns.delta), "jitter_ms": _three(columns.jitter),
                          "problem": columns.problem},
            "loss_percent": round(losses.loss_percent, 2), "longest_loss": losses.worst, "bursts": losses.bursts,
            "burst_density": round(losses.burst_density, 3), "gap_density": round(losses.gap_density, 4),
            "burst_ms": round(losses.mean_burst * self.packet_ms, 1), "gap_ms": round(losses.mean_gap * self.packet_ms, 1),
            "skew_ppm": skew.ppm if skew is not None else None, "keys": self.observed.keys.pressed, "mos": self.mos,
        }


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that is known of a capture. first_ns: its first frame; broken: where it breaks off, empty for a whole one."""

    first_ns: int
    survey: Survey
    streams: tuple[StreamAnalysis, ...]
    calls: tuple[CallStory, ...]
    findings: tuple[Finding, ...]
    broken: str

    def summary(self, language: str = "en") -> dict[str, Any]:
        """For JSON."""
        return {"streams": [one.summary() for one in self.streams], "calls": [one.summary() for one in self.calls],
                "findings": [one.summary(language) for one in self.findings], "packets": self.survey.packets,
                "messages": len(self.survey.messages), "broken": self.broken}


def analyse(path: Path) -> Analysis:
    """Analyse a capture. What can be read of a broken file is analysed; `broken` says where it ends."""
    observer = Observer()
    survey = Survey(path, observer)
    observer.finish()
    calls = survey.calls()
    found = {call.call_id: transactions(call.messages) for call in calls}
    stories = [story_of(call) for call in calls if call.is_call]
    media = [media_of(story, ends, survey) for story in stories
             if story.answered_ns and (ends := ends_of(story)) is not None]
    named = {address for one in media for end in (one.ends.caller, one.ends.callee) for address in end.addresses}
    streams = [one for one in survey.streams if is_rtp(one, observer) or {one.figures.source, one.figures.destination} & named]
    findings: list[Finding] = []
    for call in calls:
        findings += judge_transactions(call, found[call.call_id], survey.last_ns)
    for story in stories:
        findings += judge_call(story, survey.last_ns)
    findings += judge_registrations(calls, found)
    findings += _of_media(media, streams, survey, observer)
    findings += _of_signalling(observer, found)
    analysed = tuple(_analysed(one, survey, observer) for one in streams if one.name in observer.streams)
    return Analysis(_first_ns(path), survey, analysed, tuple(stories), tuple(_without_echoes(ordered(findings))), survey.broken)


def _first_ns(path: Path) -> int:
    """When a capture begins, whatever its first frame is; 0 for none."""
    try:
        return next((packet.time_ns for packet in read_packets(path)), 0)
    except CaptureError:
        return 0


def is_rtp(stream: StreamSurvey, observer: Observer) -> bool:
    """Whether what looks like RTP behaves so: its sequence numbers move on, and hardly ever jump (RFC 3550 A.1)."""
    figures, observed = stream.figures, observer.streams.get(stream.name)
    return observed is not None and observed.losses.restarts <= MAX_JUMPS * figures.packets \
        and figures.duplicated <= MAX_COPIES * figures.packets


def _analysed(stream: StreamSurvey, survey: Survey, observer: Observer) -> StreamAnalysis:
    observed, codec = observer.streams[stream.name], survey.codec(stream)
    name = codec.name if codec is not None else ""
    score = None
    if codec is not None and codec.kind == "audio":
        delay = NETWORK_MS + max(BUFFER_MS, 2 * observed.columns.jitter.most)
        score = mos(name, observed.losses.loss_percent, delay, observed.losses.burst_ratio)
    return StreamAnalysis(stream, observed, name, score)


def _of_media(media: Sequence[CallMedia], streams: Sequence[StreamSurvey], survey: Survey,
              observer: Observer) -> Iterator[Finding]:
    receivers: dict[StreamName, tuple[str, End]] = {}
    for one in media:
        yield from judge_media(one, survey, observer)
        for sender, receiver in one.ends.each():
            for stream in streams_to(receiver, sender, one.streams):
                receivers.setdefault(stream.name, (one.story.call.call_id, receiver))
    for stream in streams:
        if (observed := observer.streams.get(stream.name)) is not None:
            call_id, end = receivers.get(stream.name, ("", None))
            yield from judge_stream(stream, observed, survey, observer, call_id, end)


def _of_signalling(observer: Observer, found: dict[str, list[Transaction]]) -> Iterator[Finding]:
    """ICMP about SIP."""
    ways = {(one.source, one.destination): call_id for call_id, all_of_them in found.items() for one in all_of_them
            if one.request is not None}
    for one in observer.complaints.values():
        call_id = ways.get((one.source, one.destination))
        if call_id is not None and (is_lasting(one) or not _is_answered(found[call_id])):
            yield complained("sip_unreachable", one, call_id)


def _is_answered(found: Sequence[Transaction]) -> bool:
    return any(one.responses for one in found)


def _without_echoes(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Each finding once, and none that another one of the same call explains."""
    seen: set[tuple[str, str, str]] = set()
    kinds = {(one.call_id, one.kind) for one in findings}
    for one in findings:
        key = (one.kind, one.where, one.call_id)
        if key not in seen and not any((one.call_id, cause) in kinds for cause in EXPLAINED_BY.get(one.kind, ())):
            seen.add(key)
            yield one


def _three(running: Any) -> dict[str, float]:
    return {"min": round(max(0.0, running.least), 3), "mean": round(running.mean, 3), "max": round(running.most, 3)}
