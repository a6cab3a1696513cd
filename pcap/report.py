"""From a capture to its report page: calls with ladders and messages, streams with plots and sound, findings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pcap.analysis import Analysis, StreamAnalysis, analyse
from pcap.audio import CLOCKS, Track
from pcap.call_ladders import call_ladder
from pcap.calls import CallStory
from pcap.clip import Clip
from pcap.errors import CaptureError
from pcap.findings import written
from pcap.ladder_text import clean
from pcap.media_map import Codec
from pcap.ordering import Ordered, Reorder
from pcap.report_page import Fact, Page, PageCall, PageFinding, PageMessage, PageStream
from pcap.report_words import STATES
from pcap.series import Series
from pcap.sip_ladder import SeenMessage
from pcap.survey import Call, Survey, title_of
from pcap.walk import SeenPacket, walk

MAX_CALLS = 50
MAX_MESSAGES = 4000
MAX_MESSAGE = 20_000
"""Characters of one message that are shown."""
MAX_STREAMS = 200
MAX_SOUND = 12_000_000
"""Characters of all sound in the page."""


def report(path: Path) -> Page:
    """The page of a capture. Raises CaptureError for a file that is no capture at all."""
    analysis = analyse(path)
    survey = analysis.survey
    if analysis.broken and not survey.packets:
        raise CaptureError(analysis.broken)
    calls = survey.calls()
    shown = sorted(calls, key=lambda call: not call.is_call)[:MAX_CALLS]
    seconds = (survey.last_ns - survey.first_ns) / 1e9
    counts = f"{len(survey.messages)} SIP, {len(analysis.streams)} RTP"
    about = f"{_utc(survey.first_ns):%Y-%m-%d %H:%M:%S} UTC, {seconds:.1f} s, {counts}"
    findings = tuple(PageFinding(one.severity, one.where, one.text, one.remedy) for one in analysis.findings)
    stories = {story.call.call_id: story for story in analysis.calls}
    return Page(
        path.name, about, findings, tuple(_call(analysis, call, stories.get(call.call_id)) for call in shown),
        _messages(shown), _Media(survey, analysis.streams[:MAX_STREAMS]).pages(path), analysis.broken,
        _left_out(analysis, len(calls)),
    )


def _utc(time_ns: int) -> datetime:
    """A time of a capture; one that no calendar has is its first day."""
    try:
        return datetime.fromtimestamp(time_ns / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _left_out(analysis: Analysis, calls: int) -> str:
    words = [f"{calls} calls, {MAX_CALLS} shown"] if calls > MAX_CALLS else []
    if len(analysis.streams) > MAX_STREAMS:
        words.append(f"{len(analysis.streams)} streams, {MAX_STREAMS} shown")
    if analysis.survey.left_out:
        words.append(f"{analysis.survey.left_out} messages not read")
    return "; ".join(words)


def _call(analysis: Analysis, call: Call, story: CallStory | None) -> PageCall:
    first = call.messages[0]
    facts: list[Fact] = [("begun", f"{_utc(first.time_ns):%H:%M:%S.%f}"[:-3])]
    if story is not None:
        facts += [("state", STATES.get(story.state, story.state)), ("setup", _seconds(story.post_dial_delay_s)),
                  ("ring", _seconds(story.ring_s)), ("talk", _seconds(story.talk_s)), ("end", story.cause)]
    facts += [("from", first.message.headers.get("From") or ""), ("to", first.message.headers.get("To") or "")]
    return PageCall(title_of(call), tuple(facts), call_ladder(analysis, call))


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"


def _messages(calls: list[Call]) -> dict[int, PageMessage]:
    """Messages by their frame; those that share one, as on TCP, stand below each other."""
    found: dict[int, PageMessage] = {}
    for one in (one for call in calls for one in call.messages):
        before = found.get(one.number)
        text = _message_text(one) if before is None else f"{before.text}\n\n{_message_text(one)}"[:2 * MAX_MESSAGE]
        if before is not None or len(found) < MAX_MESSAGES:
            found[one.number] = PageMessage(written(one.source), written(one.destination), text, clean(one.comment))
    return found


def _message_text(one: SeenMessage) -> str:
    text = bytes(one.message).decode("utf-8", "replace").replace("\r\n", "\n")
    text = "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"


class _Media:
    """Plots and sound of the streams, gathered in a second reading."""

    def __init__(self, survey: Survey, streams: Sequence[StreamAnalysis]) -> None:
        self._streams = {stream.survey.name: _Stream(survey, stream) for stream in streams}

    def pages(self, path: Path) -> tuple[PageStream, ...]:
        """The streams as the page shows them."""
        try:
            for one in walk(path):
                if isinstance(one, SeenPacket) and (stream := self._streams.get(one.stream)) is not None:
                    stream.add(one)
        except CaptureError:
            pass
        left, out = MAX_SOUND, []
        for stream in self._streams.values():
            page = stream.page(left)
            left -= len(page.audio)
            out.append(page)
        return tuple(out)


class _Stream:
    """One stream's plots and sound."""

    def __init__(self, survey: Survey, stream: StreamAnalysis) -> None:
        self._stream = stream
        self._codec: Codec | None = survey.codec(stream.survey)
        self._is_protected = survey.media.is_protected(*stream.survey.name[1:])
        self._series = Series(self._codec.clock if self._codec is not None else 8000)
        self._reorder = Reorder()
        self._types = survey.types(stream.survey)
        has_sound = self._codec is not None and self._codec.name in CLOCKS and not self._is_protected
        self._track = Track(self._codec.name) if has_sound and self._codec is not None else None
        self._clip = Clip(self._track.rate) if self._track is not None else None

    def add(self, one: SeenPacket) -> None:
        """Take a packet."""
        packet = one.packet
        self._series.add(one.time_ns, one.size, packet.sequence, packet.timestamp)
        if self._track is not None:
            for ordered in self._reorder.push(one.time_ns, packet):
                self._hear(ordered)

    def page(self, room: int) -> PageStream:
        """The stream as it is shown; its sound only where it has room for its characters."""
        for ordered in self._reorder.flush():
            self._hear(ordered)
        audio, note = "", "protected" if self._is_protected else ""
        if self._clip is not None:
            audio, note = self._clip.data_uri(), "cut" if self._clip.is_cut else ""
            if self._clip.is_silent:
                audio, note = "", "silent"
            elif len(audio) > room:
                audio, note = "", "no_room"
        name = self._codec.name if self._codec is not None else ""
        ssrc, source, destination = self._stream.survey.name
        title = f"{name or 'RTP'}  {written(source)} → {written(destination)}  0x{ssrc:08x}"
        return PageStream(title, _stream_facts(self._stream), tuple(self._series.points(name)),
                          self._series.step_ns / 1e9, audio, note)

    def _hear(self, ordered: Ordered) -> None:
        if self._track is None or self._clip is None or self._clip.is_cut or ordered.packet.payload_type not in self._types:
            return
        for samples in self._track.add(ordered):
            self._clip.add(samples)


def _stream_facts(stream: StreamAnalysis) -> tuple[Fact, ...]:
    figures, columns, losses = stream.survey.figures, stream.observed.columns, stream.observed.losses
    skew = stream.observed.skew.skew() if stream.observed.skew is not None else None
    lost = f"{figures.lost} ({losses.loss_percent:.1f} %)"
    return (("codec", stream.codec), ("packets", str(figures.packets)), ("lost", lost),
            ("worst", str(losses.worst) if losses.worst > 1 else ""), ("duplicates", str(figures.duplicated or "")),
            ("reordered", str(figures.reordered or "")), ("max_delta", f"{columns.delta.most:.1f} ms"),
            ("mean_jitter", f"{columns.jitter.mean:.2f} ms"), ("max_jitter", f"{columns.jitter.most:.2f} ms"),
            ("skew", f"{skew.ppm:.0f} ppm" if skew is not None else ""), ("keys", str(stream.observed.keys.pressed or "")),
            ("mos", "" if stream.mos is None else f"{stream.mos:.2f}"),
            ("length", f"{(figures.last_ns - figures.first_ns) / 1e9:.1f} s"))
