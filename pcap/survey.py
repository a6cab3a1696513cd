"""One reading of a capture for ladder, extract and report: its calls, its streams, and what the SDPs say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pcap.dissect import Seen, SeenPacket, dissect
from pcap.errors import CaptureError
from pcap.frames import Datagram
from pcap.keylog import Address
from pcap.media_map import Codec, MediaMap
from pcap.observe import Observer
from pcap.sip_ladder import SeenMessage, sdp_of, user_of
from pcap.streams import MIN_PACKETS, Stream

MAX_MESSAGES = 100_000
"""Messages that are kept; a capture with more is surveyed up to there, and says so."""
MAX_STREAMS = 20_000

StreamName = tuple[int, Address, Address]
"""SSRC, source, destination."""


@dataclass(slots=True)
class StreamSurvey:
    """A stream and how often it used which payload type."""

    figures: Stream
    types: Counter[int] = field(default_factory=Counter)

    @property
    def name(self) -> StreamName:
        """What tells it from others."""
        return self.figures.ssrc, self.figures.source, self.figures.destination


@dataclass(frozen=True, slots=True)
class Call:
    """The messages with one Call-ID, in order, and whether an INVITE is among them."""

    call_id: str
    messages: tuple[SeenMessage, ...]
    is_call: bool


class Survey:
    """What is in a capture. broken: where the file breaks off; left_out: messages beyond the limit.

    observer: sees all that is read, for who wants to know more.
    """

    def __init__(self, path: Path, observer: Observer | None = None) -> None:
        self.media = MediaMap()
        self.messages: list[SeenMessage] = []
        self.first_ns = self.last_ns = self.packets = self.left_out = 0
        self.broken = ""
        self._streams: dict[StreamName, StreamSurvey] = {}
        for one in self._readable(path):
            self.first_ns = self.first_ns or one.time_ns
            self.last_ns = max(self.last_ns, one.time_ns)
            self.packets += 1
            if isinstance(one, SeenMessage):
                self._message(one)
            elif isinstance(one, SeenPacket):
                self._packet(one)
            if observer is not None:
                observer.receive(one, self.media)

    @property
    def streams(self) -> list[StreamSurvey]:
        """The streams, in order of appearance; what has fewer than MIN_PACKETS packets is hardly RTP."""
        return [stream for stream in self._streams.values() if stream.figures.packets >= MIN_PACKETS]

    def codec(self, stream: StreamSurvey) -> Codec | None:
        """The codec that a stream is made of, None when nothing tells; keys and comfort noise count where there is no other."""
        figures = stream.figures
        told = [self.media.codec(figures.source, figures.destination, number) for number, _ in stream.types.most_common()]
        known = [codec for codec in told if codec is not None]
        return next((codec for codec in known if not codec.is_event), known[0] if known else None)

    def types(self, stream: StreamSurvey) -> set[int]:
        """The payload types of a stream that carry its codec; the others are keys, comfort noise or another codec."""
        codec = self.codec(stream)
        told = {kind: self.media.codec(stream.name[1], stream.name[2], kind) for kind in stream.types}
        return {kind for kind, found in told.items() if codec is not None and found is not None and found.name == codec.name}

    def calls(self) -> list[Call]:
        """Messages by Call-ID, in order of their first."""
        by_id: dict[str, list[SeenMessage]] = {}
        for one in self.messages:
            by_id.setdefault(one.message.headers.get("Call-ID") or "", []).append(one)
        return [Call(call_id, tuple(found), any(_method(one) == "INVITE" for one in found)) for call_id, found in by_id.items()]

    def streams_of(self, call: Call) -> list[StreamSurvey]:
        """The streams from or to an address that an SDP of the call names, in its time."""
        addresses: set[Address] = set()
        for one in call.messages:
            session = sdp_of(one.message)
            for media in session.media if session is not None else ():
                host = session.host_of(media) if session is not None else None
                if host and media.port:
                    addresses.add((host, media.port))
        begin, end = call.messages[0].time_ns, call.messages[-1].time_ns
        is_over = any(_method(one) == "BYE" for one in call.messages)
        return [stream for stream in self.streams
                if (stream.figures.destination in addresses or stream.figures.source in addresses)
                and stream.figures.last_ns >= begin and (stream.figures.first_ns <= end or not is_over)]

    def _readable(self, path: Path) -> Iterator[Seen]:
        try:
            yield from dissect(path)
        except CaptureError as error:
            self.broken = str(error)

    def _message(self, one: SeenMessage) -> None:
        self.media.learn(one.message.body)
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append(one)
        else:
            self.left_out += 1

    def _packet(self, one: SeenPacket) -> None:
        packet, name = one.packet, one.stream
        stream = self._streams.get(name)
        if stream is None:
            if len(self._streams) >= MAX_STREAMS:
                return
            stream = self._streams[name] = StreamSurvey(Stream(packet.ssrc, one.source, one.destination, packet.payload_type))
        stream.types[packet.payload_type] += 1
        datagram = Datagram(one.time_ns, one.source, one.destination, b"")
        stream.figures.add(datagram, packet.payload_type, packet.sequence, packet.timestamp, packet.csrcs)


def title_of(call: Call) -> str:
    """A call in a line: who calls whom."""
    first = call.messages[0].message
    return f"{user_of(first, 'from') or '?'} → {user_of(first, 'to') or '?'}"


def _method(one: SeenMessage) -> str:
    """The method of a request, or of what a response answers."""
    words = (one.message.headers.get("CSeq") or "").split()
    return words[-1] if words else ""
