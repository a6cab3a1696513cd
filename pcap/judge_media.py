"""Findings in the media of a call: ways that stay silent or go astray, and payloads that nobody agreed on (RFC 3264, RFC 3550).

What is wrong with a stream by itself is in `pcap.judge_stream`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pcap.calls import CallStory
from pcap.dissect import TIME_EXCEEDED, TOO_BIG
from pcap.findings import Finding, finding, written
from pcap.keylog import Address
from pcap.media_ends import End, Ends, is_private, streams_of_call, streams_to
from pcap.observe import Complaint, Observer
from pcap.survey import StreamSurvey, Survey

SHORTEST_TALK_S = 2.0
"""In a shorter one, media may not have begun."""
COMPLAINTS, COMPLAINING_NS = 3, 1_000_000_000
"""ICMP about single packets, at the beginning and the end of a call, is usual: a socket opens late or closes early."""
STRAY_PACKETS = 10
FOREIGN_PACKETS = 3
RENEWED_NS = 2_000_000_000
"""An SDP so soon before explains a new SSRC."""


@dataclass(frozen=True, slots=True)
class CallMedia:
    """A call with its ends and streams. until_ns: its BYE, or the end of the capture."""

    story: CallStory
    ends: Ends
    streams: Sequence[StreamSurvey]
    until_ns: int

    @property
    def talk_s(self) -> float:
        """How long media could flow."""
        return (self.until_ns - self.story.answered_ns) / 1e9


def media_of(story: CallStory, ends: Ends, survey: Survey) -> CallMedia:
    """The media of an answered call."""
    until = story.ended_ns or survey.last_ns
    return CallMedia(story, ends, streams_of_call(ends, survey.streams, story.invited_ns, until), until)


def judge_media(media: CallMedia, survey: Survey, observer: Observer) -> Iterator[Finding]:
    """What is wrong with the ways of a call's media."""
    yield from _ways(media, survey, observer)
    for sender, receiver in media.ends.each():
        for stream in streams_to(receiver, sender, media.streams):
            yield from _foreign_types(media, stream, receiver, observer)
        yield from _new_ssrc(media, sender, receiver, observer)
    yield from _complaints(media, observer)
    if any(survey.media.is_protected(one.figures.source, one.figures.destination) for one in media.streams):
        yield _finding("srtp_closed", media, media.streams[0], observer)


def _finding(kind: str, media: CallMedia, stream: StreamSurvey, observer: Observer, **values: object) -> Finding:
    figures = stream.figures
    frame = observer.streams[stream.name].first_frame if stream.name in observer.streams else 0
    return finding(kind, place(stream), frame=frame, call_id=media.story.call.call_id, source=figures.source,
                   destination=figures.destination, **values)


def place(stream: StreamSurvey) -> str:
    """Where a stream is, for people."""
    figures = stream.figures
    return f"{written(figures.source)} → {written(figures.destination)} (SSRC 0x{figures.ssrc:08x})"


def _ways(media: CallMedia, survey: Survey, observer: Observer) -> Iterator[Finding]:
    """Each direction: whether anything flows, and where to."""
    if media.talk_s < SHORTEST_TALK_S or media.ends.caller.is_closed or media.ends.callee.is_closed:
        return
    flows = {id(receiver): streams_to(receiver, sender, media.streams) for sender, receiver in media.ends.each()}
    astray = {id(receiver): _astray(media, sender, receiver, survey) for sender, receiver in media.ends.each()}
    frame, call_id = media.story.call.messages[0].number, media.story.call.call_id
    if not any(flows.values()) and not any(astray.values()):
        if any(sender.sends and receiver.receives for sender, receiver in media.ends.each()):
            yield finding("no_media", media.story.title, frame=frame, call_id=call_id, seconds=media.talk_s)
        return
    for sender, receiver in media.ends.each():
        if stray := astray[id(receiver)]:
            yield _finding("wrong_port", media, stray, observer, who=receiver.name, address=written(stray.figures.destination),
                           port=receiver.addresses[-1][1])
        elif (lost := _to_private(receiver, flows[id(receiver)])) is not None:
            yield _finding("private_address", media, lost, observer, who=receiver.name,
                           address=written(lost.figures.destination), real=receiver.signalling[0])
        elif not flows[id(receiver)] and sender.sends and receiver.receives:
            address = sender.addresses[0] if sender.addresses else sender.signalling
            yield finding("one_way_audio", f"{written(address)} → {written(receiver.addresses[0])}", frame=frame,
                          call_id=call_id, source=address, destination=receiver.addresses[0], who=sender.name,
                          address=written(address))


def _to_private(receiver: End, flow: Sequence[StreamSurvey]) -> StreamSurvey | None:
    """A stream to a private address that is not where its owner's packets come from; none where the sender has learnt the
    right one from what came in, and sends there too."""
    if any(one.figures.destination not in receiver.addresses and not is_private(one.figures.destination[0]) for one in flow):
        return None
    for stream in flow:
        host = stream.figures.destination[0]
        if stream.figures.destination in receiver.addresses and host != receiver.signalling[0] and is_private(host) \
                and not is_private(receiver.signalling[0]):
            return stream
    return None


def _astray(media: CallMedia, sender: End, receiver: End, survey: Survey) -> StreamSurvey | None:
    """A stream from one end's host to the other's, on a port that nobody named and from which nothing comes."""
    hosts = {host for host, _ in receiver.addresses}
    ours = {port for host, port in receiver.addresses}
    sources = {one.figures.source for one in survey.streams}
    for one in survey.streams:
        figures = one.figures
        comes_from_sender = figures.source in sender.addresses
        if comes_from_sender and figures.destination[0] in hosts and figures.destination[1] not in ours \
                and figures.destination not in sources and figures.packets >= STRAY_PACKETS \
                and media.story.answered_ns <= figures.last_ns and figures.first_ns <= media.until_ns:
            return one
    return None


def _foreign_types(media: CallMedia, stream: StreamSurvey, receiver: End, observer: Observer) -> Iterator[Finding]:
    if not receiver.types:
        return
    for payload_type, count in stream.types.items():
        if payload_type not in receiver.types and count >= FOREIGN_PACKETS:
            named = ", ".join(map(str, sorted(receiver.types)))
            yield _finding("payload_type", media, stream, observer, count=count, type=payload_type, named=named)


def _new_ssrc(media: CallMedia, sender: End, receiver: End, observer: Observer) -> Iterator[Finding]:
    """One stream that goes on where another stopped, on the same way, with no SDP in between."""
    by_way: dict[tuple[Address, Address], list[StreamSurvey]] = {}
    for one in streams_to(receiver, sender, media.streams):
        by_way.setdefault((one.figures.source, one.figures.destination), []).append(one)
    told = sorted((*sender.sdp_times, *receiver.sdp_times))
    for streams in by_way.values():
        streams.sort(key=lambda one: one.figures.first_ns)
        for old, new in pairwise(streams):
            begins = new.figures.first_ns
            explained = any(begins - RENEWED_NS <= at <= begins for at in told)
            if old.figures.last_ns <= begins <= old.figures.last_ns + RENEWED_NS and not explained:
                yield _finding("ssrc_change", media, new, observer, old=old.figures.ssrc, new=new.figures.ssrc)


def _complaints(media: CallMedia, observer: Observer) -> Iterator[Finding]:
    """ICMP about the call's media, while it lasts; ports of RTCP that a phone doesn't open are no fault."""
    named = {*media.ends.caller.addresses, *media.ends.callee.addresses}
    streams = {one.figures.destination for one in media.streams}
    for one in observer.complaints.values():
        if one.destination in named | streams and is_lasting(one) and one.first_ns < media.until_ns:
            kind = "ttl_exceeded" if one.kind == TIME_EXCEEDED else "port_closed"
            if one.kind != TOO_BIG:
                yield complained(kind, one, media.story.call.call_id)


def is_lasting(one: Complaint) -> bool:
    """Whether it is more than a socket that opens late or closes early."""
    return one.count >= COMPLAINTS and one.last_ns - one.first_ns >= COMPLAINING_NS


def complained(kind: str, one: Complaint, call_id: str = "") -> Finding:
    """The finding of a complaint."""
    return finding(kind, f"{written(one.source)} → {written(one.destination)}", frame=one.frame, call_id=call_id,
                   source=one.source, destination=one.destination, address=written(one.destination), reporter=one.reporter,
                   count=one.count)
