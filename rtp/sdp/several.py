"""Offer and answer with audio and several lines of pictures (RFC 3264 §5 – §8, RFC 9143 §7): main, slides, receive slots.

The audio line is agreed on by `rtp.sdp.negotiation`; here the lines of pictures are put beside it. Each of ours is a
`LocalVideo` and takes one offered line of its content; lines of one transport share a port only inside a BUNDLE group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rtp.errors import NegotiationFailed, ParseError
from rtp.sdp import negotiation
from rtp.sdp.bundle import carrier_of, group_line, groups_of, is_bundle_only, mid_of
from rtp.sdp.model import Attribute, MediaDescription, SessionDescription
from rtp.sdp.negotiation import Capabilities, LocalMedia, NegotiatedAudio, combine_directions, is_number, rtcp_address_of
from rtp.sdp.protection import (
    OfferStyle,
    Protection,
    SrtpPolicy,
    answered_lines,
    how_keyed,
    is_acceptable,
    offered_again,
    protection_for,
    protection_of_answer,
)
from rtp.sdp.video import (
    SLIDES,
    VideoCapabilities,
    VideoCodec,
    VideoFormat,
    agree_on_formats,
    answered_format_lines,
    bitrate_of,
    content_of,
    keep_numbers,
    label_of,
    offered_format_lines,
    read_answered_formats,
)


@dataclass(frozen=True, slots=True)
class LocalVideo:
    """A line of ours. content: `slides` or empty; label, mid: what we call it; those with one port are one transport.

    is_bundle_only: a new line is offered without port and keys of its own (RFC 9143 §6), so that who does not know BUNDLE sees
    it as one that is not used.
    """

    media: LocalMedia
    content: str = ""
    label: str = ""
    mid: str = ""
    is_bundle_only: bool = False


@dataclass(frozen=True, slots=True)
class NegotiatedVideo:
    """What was agreed on a line. formats: the first is what to send; bitrate_bps: what the peer wants at most, 0 for anything;
    label: the peer's; slot: which `LocalVideo` it is; the rest as in NegotiatedAudio."""

    index: int
    slot: int
    content: str
    label: str
    mid: str
    formats: tuple[VideoFormat, ...]
    remote: tuple[str, int] | None
    remote_rtcp: tuple[str, int] | None
    rtcp_mux: bool
    is_reduced: bool
    is_bundled: bool
    direction: str
    bitrate_bps: int = 0
    extensions: dict[str, int] = field(default_factory=dict)
    protection: Protection | None = None

    @property
    def may_send(self) -> bool:
        """Whether we may send pictures."""
        return self.direction in ("sendrecv", "sendonly") and self.remote is not None

    @property
    def may_receive(self) -> bool:
        """Whether the peer may send pictures."""
        return self.direction in ("sendrecv", "recvonly")


def offer(audio: Capabilities, local: LocalMedia, video: VideoCapabilities, videos: Sequence[LocalVideo], *, session_id: int,
          version: int, previous: SessionDescription | None = None, keyed: Protection | None = None,
          style: OfferStyle | None = None) -> SessionDescription:
    """An offer of audio and of these lines, in this order, bundled where they share a port and have mids.

    previous: what we last offered or answered; its lines of pictures are kept for ours of the same content, in order; keyed:
    the protection of audio that is in force; style: of a first offer to a peer whose own offers are known.
    """
    base = negotiation.offer(audio, local, session_id=session_id, version=version, previous=previous, keyed=keyed, style=style)
    sounds = {mid_of(media) for media in base.media if media.kind == "audio"}
    groups = tuple(each for each in base.attributes if set((each[1] or "").split()[1:]) <= sounds)
    lines = list(base.media)
    kept = [] if previous is None else [i for i, media in enumerate(previous.media) if media.kind == "video"]
    by_port: dict[int, list[str]] = {}
    for ours in videos:
        at = next((i for i in kept if previous is not None and content_of(previous.media[i]) == ours.content
                   and previous.media[i].port), None)
        at = next((i for i in kept if previous is not None and not previous.media[i].port), None) if at is None else at
        if at is None:
            line = _offer_line(ours, video, audio.srtp, None, style)
            lines.append(line)
        else:
            kept.remove(at)
            before = previous.media[at] if previous is not None and previous.media[at].port else None
            line = lines[at] = _offer_line(ours, video, audio.srtp, before, style)
        if mid_of(line):
            by_port.setdefault(ours.media.rtp_port, []).append(mid_of(line))
    own = tuple(group_line(mids) for mids in by_port.values() if len(mids) > 1)
    return replace(base, media=tuple(lines), attributes=groups + own)


def _offer_line(ours: LocalVideo, video: VideoCapabilities, policy: SrtpPolicy,
                previous: MediaDescription | None, style: OfferStyle | None) -> MediaDescription:
    wanted = _shorter(video.codecs) if ours.is_bundle_only else video.codecs
    codecs = wanted if previous is None else keep_numbers(wanted, previous)
    attributes = offered_format_lines(codecs, video.feedback, is_short=ours.is_bundle_only)
    attributes += [("extmap", f"{number} {uri}") for number, uri in video.extensions]
    if not ours.is_bundle_only:
        attributes.append(("rtcp", str(ours.media.rtcp_port)))
    attributes += [("rtcp-mux", None), ("rtcp-rsize", None), (ours.media.direction, None)]
    attributes += _names(ours, ours.mid if previous is None else mid_of(previous) or ours.mid)
    style = style or OfferStyle.of(policy, ours.media.crypto, ours.media.fingerprint)
    if ours.is_bundle_only:
        if previous is None:
            attributes.append(("bundle-only", None))
    elif previous is None:
        attributes += style.lines(ours.media.crypto, ours.media.fingerprint, policy)
    else:
        attributes += offered_again(how_keyed(previous), ours.media.crypto, ours.media.fingerprint)
    port = 0 if ours.is_bundle_only and previous is None else ours.media.rtp_port
    return MediaDescription("video", port, style.protocol if previous is None else previous.protocol,
                            tuple(str(codec.payload_type) for codec in codecs), bandwidth=_bandwidth(video),
                            attributes=tuple(attributes))


def _shorter(codecs: Sequence[VideoCodec]) -> Sequence[VideoCodec]:
    """H.264 in mode 1 alone, which takes what mode 0 may be as well: an offer of many lines has to be short."""
    return [codec for codec in codecs if codec.profile is None or codec.mode] or codecs


def _names(ours: LocalVideo, mid: str) -> list[Attribute]:
    pairs = (("label", ours.label), ("content", ours.content), ("mid", mid))
    return [(name, value) for name, value in pairs if value]


def _bandwidth(video: VideoCapabilities) -> tuple[tuple[str, int], ...]:
    bitrate_bps = video.bitrate_bps
    return (("AS", -(-bitrate_bps // 1000)), ("TIAS", bitrate_bps)) if bitrate_bps else ()


def answer(their_offer: SessionDescription, audio: Capabilities, local: LocalMedia, video: VideoCapabilities,
           videos: Sequence[LocalVideo], *, session_id: int,
           version: int) -> tuple[SessionDescription, NegotiatedAudio, tuple[NegotiatedVideo, ...]]:
    """The answer and what it means; lines of pictures for which there is none of ours are refused. Raises NegotiationFailed."""
    ours, agreed_audio = negotiation.answer(their_offer, audio, local, session_id=session_id, version=version)
    lines = list(ours.media)
    agreed = _agree(their_offer, audio.srtp, video, videos)
    for each in agreed:
        lines[each.index] = _answer_line(their_offer.media[each.index], each, videos[each.slot], video)
    groups = []
    for group in groups_of(their_offer):
        mids = [each.mid for each in sorted(agreed, key=lambda each: group.index(each.index) if each.index in group else -1)
                if each.is_bundled and each.index in group]
        if mids:
            groups.append(group_line(mids))
    pictures = {each.index for each in agreed if each.is_bundled}
    is_shared = any(agreed_audio.index in group and pictures & set(group) for group in groups_of(their_offer))
    own = () if is_shared else ours.attributes              # audio leaves a group in which pictures stay: it has its own port
    return replace(ours, media=tuple(lines), attributes=own + tuple(groups)), agreed_audio, tuple(agreed)


def _agree(session: SessionDescription, policy: SrtpPolicy, video: VideoCapabilities,
           videos: Sequence[LocalVideo]) -> list[NegotiatedVideo]:
    group_of = {index: group for group in groups_of(session) for index in group}
    free = list(range(len(videos)))
    ports: dict[int, tuple[int, ...]] = {}
    agreed: list[NegotiatedVideo] = []
    for index, media in enumerate(session.media):
        if media.kind != "video" or (media.port == 0 and not is_bundle_only(media)):
            continue
        transport = group_of.get(index, (index,))
        wants_slides = content_of(media) == SLIDES
        for slot in free:
            port = videos[slot].media.rtp_port
            if (videos[slot].content == SLIDES) != wants_slides or ports.get(port, transport) != transport:
                continue
            carrier = next((each.index for each in agreed if each.index in transport), carrier_of(session, index))
            if agreed_line := _agree_on_line(session, index, carrier, slot, policy, video, videos[slot]):
                agreed.append(replace(agreed_line, is_bundled=index in group_of))
                free.remove(slot)
                ports[port] = transport
            break
    return agreed


def _agree_on_line(session: SessionDescription, index: int, carrier: int, slot: int, policy: SrtpPolicy,
                   video: VideoCapabilities, ours: LocalVideo) -> NegotiatedVideo | None:
    media, tag = session.media[index], session.media[carrier]
    formats = agree_on_formats(media, video)
    if not formats or tag.port == 0 or not is_acceptable(tag, policy, ours.media.fingerprint):
        return None
    try:
        protection = protection_for(session, tag, ours.media.crypto, policy, ours.media.fingerprint, ours.media.role)
    except (NegotiationFailed, ParseError):
        return None
    direction = combine_directions(session.direction(media), ours.media.direction)
    known = {uri for _, uri in video.extensions}
    return _negotiated(session, index, carrier, slot, formats, tag.has("rtcp-mux"), direction, known, protection)


def _negotiated(session: SessionDescription, index: int, carrier: int, slot: int, formats: Sequence[VideoFormat], mux: bool,
                direction: str, known: set[str], protection: Protection | None) -> NegotiatedVideo:
    media, tag = session.media[index], session.media[carrier]
    host = session.host_of(tag)
    remote = None if host is None or host in ("0.0.0.0", "::") else (host, tag.port)
    return NegotiatedVideo(
        index, slot, content_of(media), label_of(media), mid_of(media), tuple(formats), remote,
        remote if mux else rtcp_address_of(tag, remote), mux, media.has("rtcp-rsize"), False, direction,
        bitrate_of(session, media), _extensions(media, known), protection)


def _extensions(media: MediaDescription, known: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in media.values("extmap"):
        number, _, rest = value.partition(" ")
        number, uri = number.partition("/")[0], rest.strip().partition(" ")[0]
        if is_number(number) and 1 <= int(number) <= 14 and uri in known:
            found[uri] = int(number)
    return found


def _answer_line(media: MediaDescription, agreed: NegotiatedVideo, ours: LocalVideo,
                 video: VideoCapabilities) -> MediaDescription:
    attributes = answered_format_lines(media, agreed.formats, video)
    attributes += [("extmap", f"{number} {uri}") for uri, number in agreed.extensions.items()]
    attributes.append(("rtcp-mux", None) if agreed.rtcp_mux else ("rtcp", str(ours.media.rtcp_port)))
    if agreed.is_reduced:
        attributes.append(("rtcp-rsize", None))
    attributes.append((agreed.direction, None))
    attributes += _names(ours, agreed.mid)
    attributes += answered_lines(agreed.protection, ours.media.fingerprint)
    return MediaDescription("video", ours.media.rtp_port, media.protocol,
                            tuple(str(item.receive_type) for item in agreed.formats), bandwidth=_bandwidth(video),
                            attributes=tuple(attributes))


def apply_answer(our_offer: SessionDescription, their_answer: SessionDescription,
                 videos: Sequence[LocalVideo]) -> tuple[NegotiatedVideo, ...]:
    """What an answer to our offer means for its lines of pictures; those that it refuses are left out.

    videos: those of the offer. Raises NegotiationFailed for an answer that does not fit.
    """
    if len(their_answer.media) != len(our_offer.media):
        raise NegotiationFailed(f"{len(our_offer.media)} media were offered, {len(their_answer.media)} answered")
    bundled = {index for group in groups_of(their_answer) for index in group}
    agreed = []
    slots = list(range(len(videos)))
    for index, (ours, theirs) in enumerate(zip(our_offer.media, their_answer.media, strict=True)):
        if ours.kind != "video" or (ours.port == 0 and not is_bundle_only(ours)):
            continue
        slot = next((s for s in slots if _is_line_of(videos[s], ours)), None)
        if slot is None:
            raise NegotiationFailed("a line of pictures was offered that is none of ours")
        slots.remove(slot)
        formats = read_answered_formats(ours, theirs)
        if theirs.kind != "video" or theirs.port == 0 or not formats:
            continue
        carrier = carrier_of(their_answer, index)
        tag = their_answer.media[carrier]
        mux = tag.has("rtcp-mux") and ours.has("rtcp-mux")
        known = {value.partition(" ")[2] for value in ours.values("extmap")}
        direction = combine_directions(their_answer.direction(theirs), our_offer.direction(ours))
        protection = protection_of_answer(our_offer.media[carrier], their_answer, tag)
        found = _negotiated(their_answer, index, carrier, slot, formats, mux, direction, known, protection)
        agreed.append(replace(found, is_bundled=index in bundled))
    return tuple(agreed)


def _is_line_of(ours: LocalVideo, line: MediaDescription) -> bool:
    is_here = ours.is_bundle_only if line.port == 0 else ours.media.rtp_port == line.port
    return is_here and ours.content == content_of(line)
