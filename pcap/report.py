"""From a capture to its report page: calls with ladders and messages, streams with plots and sound, findings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pcap.audio import CLOCKS, Track
from pcap.clip import Clip
from pcap.errors import CaptureError
from pcap.media_map import Codec
from pcap.ordering import Ordered, Reorder
from pcap.quality import mos
from pcap.report_page import Fact, Page, PageCall, PageFinding, PageMessage, PageStream
from pcap.series import Series
from pcap.sip_ladder import SeenMessage, sip_ladder
from pcap.survey import Call, StreamSurvey, Survey, seen_stream, title_of
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
    survey = Survey(path)
    if survey.broken and not survey.packets:
        raise CaptureError(survey.broken)
    streams = survey.streams[:MAX_STREAMS]
    calls = survey.calls()
    shown = sorted(calls, key=lambda call: not call.is_call)[:MAX_CALLS]
    begun = datetime.fromtimestamp(survey.first_ns / 1e9, UTC)
    seconds = (survey.last_ns - survey.first_ns) / 1e9
    about = f"{begun:%Y-%m-%d %H:%M:%S} UTC, {seconds:.1f} s, {len(survey.messages)} SIP, {len(survey.streams)} RTP"
    return Page(
        path.name, about, _findings(survey), tuple(_call(survey, call) for call in shown), _messages(shown),
        _Media(survey, streams).pages(path), survey.broken, _left_out(survey, len(calls)),
    )


def _left_out(survey: Survey, calls: int) -> str:
    words = [f"{calls} calls, {MAX_CALLS} shown"] if calls > MAX_CALLS else []
    if len(survey.streams) > MAX_STREAMS:
        words.append(f"{len(survey.streams)} streams, {MAX_STREAMS} shown")
    if survey.left_out:
        words.append(f"{survey.left_out} messages not read")
    return "; ".join(words)


def _findings(survey: Survey) -> tuple[PageFinding, ...]:
    return ()


def _call(survey: Survey, call: Call) -> PageCall:
    streams = [seen_stream(survey, stream) for stream in survey.streams_of(call)] if call.is_call else []
    return PageCall(title_of(call), _call_facts(call), sip_ladder("", call.messages, streams))


def _call_facts(call: Call) -> tuple[Fact, ...]:
    first = call.messages[0]
    begun = datetime.fromtimestamp(first.time_ns / 1e9, UTC)
    return (("begun", f"{begun:%H:%M:%S.%f}"[:-3]), ("from", first.message.headers.get("From") or ""),
            ("to", first.message.headers.get("To") or ""))


def _messages(calls: list[Call]) -> dict[int, PageMessage]:
    found: dict[int, PageMessage] = {}
    for one in (one for call in calls for one in call.messages):
        if len(found) < MAX_MESSAGES:
            found[one.number] = PageMessage(_written(one, True), _written(one, False), _message_text(one))
    return found


def _written(one: SeenMessage, is_source: bool) -> str:
    host, port = one.source if is_source else one.destination
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _message_text(one: SeenMessage) -> str:
    text = bytes(one.message).decode("utf-8", "replace").replace("\r\n", "\n")
    text = "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"


class _Media:
    """Plots and sound of the streams, gathered in a second reading."""

    def __init__(self, survey: Survey, streams: list[StreamSurvey]) -> None:
        self._survey = survey
        self._streams = {stream.name: _Stream(survey, stream) for stream in streams}

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

    def __init__(self, survey: Survey, stream: StreamSurvey) -> None:
        self._stream = stream
        self._codec: Codec | None = survey.codec(stream)
        self._is_protected = survey.media.is_protected(*stream.name[1:])
        self._series = Series(self._codec.clock if self._codec is not None else 8000)
        self._reorder = Reorder()
        self._types = survey.types(stream)
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
        ssrc, source, destination = self._stream.name
        title = f"{name or 'RTP'}  {_address(source)} → {_address(destination)}  0x{ssrc:08x}"
        return PageStream(title, _stream_facts(self._stream, name), tuple(self._series.points(name)),
                          self._series.step_ns / 1e9, audio, note)

    def _hear(self, ordered: Ordered) -> None:
        if self._track is None or self._clip is None or ordered.packet.payload_type not in self._types:
            return
        for samples in self._track.add(ordered):
            self._clip.add(samples)


def _stream_facts(stream: StreamSurvey, codec: str) -> tuple[Fact, ...]:
    figures = stream.figures
    share = 100 * figures.lost / figures.expected if figures.expected else 0.0
    return (("codec", codec), ("packets", str(figures.packets)), ("lost", f"{figures.lost} ({share:.1f} %)"),
            ("duplicates", str(figures.duplicated or "")), ("reordered", str(figures.reordered or "")),
            ("max_delta", f"{figures.max_delta_ms:.1f} ms"), ("max_jitter", f"{figures.max_jitter_ms:.2f} ms"),
            ("mos", f"{mos(codec, share, 20 + 2 * figures.max_jitter_ms):.2f}" if codec in CLOCKS else ""),
            ("length", f"{(figures.last_ns - figures.first_ns) / 1e9:.1f} s"))


def _address(address: tuple[str, int]) -> str:
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
