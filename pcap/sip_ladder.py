"""From the messages and streams of a call to its ladder: who the columns are, what each arrow says, where media goes.

A column is a host where all that it says comes from one place, else an address. Media goes under the column that named its
address in an SDP (RFC 8866 §5.7, §5.14), else under that of its host, else it gets a column of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pcap.keylog import Address
from pcap.ladder import MAX_ARROWS, MEDIA, Arrow, Ladder
from rtp.errors import ParseError as SdpError
from rtp.sdp.model import SessionDescription
from rtp.sdp.parser import parse as parse_sdp
from sip.errors import ParseError
from sip.message import Request, Response

SHORT_NS = 1_500_000_000
"""A stream that is over sooner has one arrow for its beginning and its end."""
MAX_CODECS = 4

_RTPMAP = re.compile(r"([0-9]{1,3}) +([^/ ]{1,32})/.*", re.A)
_STATIC = {"0": "PCMU", "3": "GSM", "8": "PCMA", "9": "G722", "18": "G729", "13": "CN"}


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A SIP message as it was on the wire. number: its frame; comment: what the capture itself says of that."""

    number: int
    time_ns: int
    source: Address
    destination: Address
    message: Request | Response
    comment: str = ""


@dataclass(frozen=True, slots=True)
class SeenStream:
    """A stream of media: what it is, what became of it, in words of both languages."""

    source: Address
    destination: Address
    first_ns: int
    last_ns: int
    label: str
    summary: str
    summary_zh: str = ""


def sip_ladder(title: str, messages: Sequence[SeenMessage], streams: Iterable[SeenStream] = ()) -> Ladder:
    """The ladder of a call. Of more messages than MAX_ARROWS, the first are taken."""
    columns = _Columns(messages)
    arrows: list[Arrow] = []
    seen: set[tuple[Address, Address, bytes]] = set()
    for one in messages[:MAX_ARROWS]:
        identity = (one.source, one.destination, bytes(one.message))
        label, kind, note = described(one.message)
        arrows.append(Arrow(one.time_ns, columns.of(one.source), columns.of(one.destination), label, kind, note, one.number,
                            identity in seen))
        seen.add(identity)
    for stream in streams:
        arrows += _media(stream, *columns.of_stream(stream.source, stream.destination))
    arrows.sort(key=lambda arrow: arrow.time_ns)
    return Ladder(title, columns.names(), tuple(arrows), arrows[0].time_ns if arrows else 0)


def sdp_of(message: Request | Response) -> SessionDescription | None:
    """The SDP in a message, None for none that can be read."""
    if not message.body.startswith(b"v=0"):
        return None
    try:
        return parse_sdp(message.body)
    except SdpError:
        return None


def user_of(message: Request | Response, name: str) -> str:
    """Who stands in From or To: the user, else the host; empty for what can't be read."""
    try:
        uri = (message.from_ if name == "from" else message.to).uri
    except ParseError:
        return ""
    return str(getattr(uri, "user", "") or getattr(uri, "host", ""))


def described(message: Request | Response) -> tuple[str, str, str]:
    """Label, kind and note of a message's arrow."""
    notes = []
    session = sdp_of(message)
    if session is not None:
        notes.append(_sdp_words(session))
    if isinstance(message, Request):
        if reason := message.headers.get("Reason"):
            notes.append(reason)
        if message.method in ("SUBSCRIBE", "NOTIFY") and (event := message.headers.get("Event")):
            notes.append(event)
        return message.method, "request", "  ".join(notes)
    label = f"{message.status} {message.reason}".strip()
    if warning := message.headers.get("Warning"):
        notes.append(warning)
    method = message.headers.get("CSeq")
    if method and "INVITE" not in method:
        notes.insert(0, f"({method.split()[-1]})")
    kind = "provisional" if message.status < 200 else "success" if message.status < 300 else "failure"
    return label, kind, "  ".join(notes)


class _Columns:
    """Which column an address belongs to."""

    def __init__(self, messages: Sequence[SeenMessage]) -> None:
        self._by_host = not any(one.source[0] == one.destination[0] for one in messages)
        self._numbers: dict[str, int] = {}
        self._ports: list[Counter[Address]] = []
        self._people: dict[int, str] = {}
        self._media: dict[Address, int] = {}
        for one in messages:
            source, destination = self.of(one.source), self.of(one.destination)
            self._ports[source][one.source] += 1
            self._ports[destination][one.destination] += 1
            self._learn_media(one, source)
        self._name(messages)

    def of(self, address: Address) -> int:
        """The column of an address of signalling; a new one for a new party."""
        key = address[0] if self._by_host else f"{address[0]}:{address[1]}"
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._ports.append(Counter((address,)))
        return self._numbers[key]

    def of_stream(self, source: Address, destination: Address) -> tuple[int, int]:
        """The columns of a stream's two ends. Between two parties, the end that no SDP named is the other one's."""
        ends = [self._of_media(source), self._of_media(destination)]
        if len(self._ports) == 2 and ends.count(None) == 1:
            known = ends[0] if ends[0] is not None else ends[1]
            other = 1 if known == 0 else 0
            ends = [other if end is None else end for end in ends]
        columns = [self._new(address) if end is None else end for address, end in zip((source, destination), ends, strict=True)]
        return columns[0], columns[1]

    def _of_media(self, address: Address) -> int | None:
        """The column whose SDP named an address of media, or that has its host alone."""
        if address in self._media:
            return self._media[address]
        hosts = [counter.most_common(1)[0][0][0] for counter in self._ports]
        return hosts.index(address[0]) if hosts.count(address[0]) == 1 and self._by_host else None

    def _new(self, address: Address) -> int:
        self._media[address] = self.of(address)
        return self._media[address]

    def names(self) -> tuple[str, ...]:
        """What stands over each column: the address that it used most, and who it is."""
        out = []
        for number, counter in enumerate(self._ports):
            host, port = counter.most_common(1)[0][0]
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            person = self._people.get(number, "")
            out.append(f"{address}  {person}" if person else address)
        return tuple(out)

    def _learn_media(self, one: SeenMessage, column: int) -> None:
        session = sdp_of(one.message)
        if session is None:
            return
        for media in session.media:
            host = session.host_of(media)
            if host and media.port:
                for port in (media.port, media.port + 1):
                    self._media.setdefault((host, port), column)

    def _name(self, messages: Sequence[SeenMessage]) -> None:
        for one in messages:
            for column, name in ((self.of(one.source), "source"), (self.of(one.destination), "destination")):
                if column not in self._people and (person := _person(one.message, name == "source")):
                    self._people[column] = person


def _person(message: Request | Response, is_sender: bool) -> str:
    """Who sends or gets a message, as far as it tells: the caller beside a request, else what calls itself a server."""
    if isinstance(message, Request):
        return user_of(message, "from" if is_sender else "to")
    return user_of(message, "to" if is_sender else "from")


def _sdp_words(session: SessionDescription) -> str:
    """An SDP in a few words: kinds of media, codecs, direction, what is refused or protected."""
    parts = []
    for media in session.media:
        names = {match[1]: match[2] for value in media.values("rtpmap") if (match := _RTPMAP.fullmatch(value))}
        codecs = [names.get(number, _STATIC.get(number, "")) for number in media.formats]
        codecs = [name for name in dict.fromkeys(codecs) if name and name.lower() != "telephone-event"]
        words = [media.kind, *codecs[:MAX_CODECS], *(["…"] if len(codecs) > MAX_CODECS else [])]
        if not media.port:
            words = [media.kind, "refused"]
        elif (direction := session.direction(media)) != "sendrecv":
            words.append(direction)
        if "SAVP" in media.protocol:
            words.append("SRTP")
        parts.append(" ".join(words))
    return " + ".join(parts)


def _media(stream: SeenStream, source: int, destination: int) -> list[Arrow]:
    if stream.last_ns - stream.first_ns < SHORT_NS:
        return [Arrow(stream.first_ns, source, destination, stream.label, MEDIA, stream.summary, note_zh=stream.summary_zh)]
    return [Arrow(stream.first_ns, source, destination, stream.label, MEDIA, "begins", note_zh="开始"),
            Arrow(stream.last_ns, source, destination, stream.label, MEDIA, stream.summary, note_zh=stream.summary_zh)]
