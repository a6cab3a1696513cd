"""Offer and answer for audio (RFC 3264 §5 – §8): what both sides can do, and what was agreed.

An answer names one codec, so that what will be sent is beyond doubt, and telephone-event beside it. Every m= line of an offer
is answered; what we don't do is refused with port 0. rtcp-mux is RFC 5761, header extensions are RFC 8285; what makes a
stream protected (RFC 4568, RFC 8643) is in `rtp.sdp.protection`, what lines share (RFC 9143) in `rtp.sdp.bundle`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from rtp.errors import NegotiationFailed, ParseError
from rtp.keying.dtls import Role
from rtp.keying.sdes import CryptoLine
from rtp.packet import AUDIO_LEVEL, MIXER_LEVEL
from rtp.sdp.bundle import answered_group, kept_mid, unbundled
from rtp.sdp.model import DIRECTIONS, Attribute, Connection, MediaDescription, SessionDescription
from rtp.sdp.protection import (
    OfferStyle,
    Protection,
    SrtpPolicy,
    answered_lines,
    is_acceptable,
    offered_again,
    protection_for,
    protection_of_answer,
    why_not_protected,
)

STATIC = {0: ("PCMU", 8000, 1), 8: ("PCMA", 8000, 1), 9: ("G722", 8000, 1)}
"""Payload types that need no rtpmap (RFC 3551 §6); G.722's clock is 8000 by its historical error."""
EVENT = "telephone-event"
_EVENTS = {8000: 101, 48000: 100}
"""Our payload types for telephone-event by clock rate, which is the codec's (RFC 4733 §2.1)."""
_TOKEN = re.compile(r"[A-Za-z0-9.\-+_]{1,32}")
_OPUS_PTIMES = (10, 20, 40, 60)
_REVERSED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True, slots=True)
class AudioCodec:
    """A codec as SDP names it. `fmtp` by parameter, names in lower case."""

    name: str
    clock_rate: int
    channels: int = 1
    payload_type: int = 96
    fmtp: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str | None:
        """A format parameter, None when it is not given."""
        return dict(self.fmtp).get(name)

    def is_like(self, other: AudioCodec) -> bool:
        """Whether both mean the same encoding (names compare without case, RFC 8866 §6.6)."""
        return self.name.lower() == other.name.lower() and self.clock_rate == other.clock_rate

    @property
    def rtpmap(self) -> str:
        """The value of its rtpmap."""
        channels = f"/{self.channels}" if self.channels > 1 else ""
        return f"{self.payload_type} {self.name}/{self.clock_rate}{channels}"


OPUS = AudioCodec("opus", 48000, 2, 111, (("useinbandfec", "1"), ("usedtx", "1")))
G722 = AudioCodec("G722", 8000, 1, 9)
PCMU = AudioCodec("PCMU", 8000, 1, 0)
PCMA = AudioCodec("PCMA", 8000, 1, 8)
DEFAULT_AUDIO = (OPUS, G722, PCMU, PCMA)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a side can do, codecs in its order of preference. srtp: whether its media is protected."""

    codecs: tuple[AudioCodec, ...] = DEFAULT_AUDIO
    dtmf: bool = True
    ptime_ms: int = 20
    extensions: tuple[tuple[int, str], ...] = ((1, AUDIO_LEVEL), (2, MIXER_LEVEL))
    srtp: SrtpPolicy = SrtpPolicy.OFF

    def only(self, *names: str) -> Capabilities:
        """These capabilities with the named codecs alone, in that order. Raises NegotiationFailed for an unknown name."""
        known = {codec.name.lower(): codec for codec in self.codecs}
        missing = [name for name in names if name.lower() not in known]
        if missing:
            raise NegotiationFailed(f"no codec is called {missing[0]!r}; there are {', '.join(known)}")
        return replace(self, codecs=tuple(known[name.lower()] for name in names))


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """Where our media is received, and which way we let it go. crypto: our keys for SDES, a line for each suite, best first;
    fingerprint: of our certificate, empty where DTLS-SRTP is not spoken; role: ours in it, where the offer leaves it to us."""

    host: str
    rtp_port: int
    rtcp_port: int
    direction: str = "sendrecv"
    crypto: tuple[CryptoLine, ...] = ()
    fingerprint: str = ""
    role: Role = Role.SERVER


@dataclass(frozen=True, slots=True)
class NegotiatedAudio:
    """What was agreed on a stream. `direction` is ours; `remote` is None while the peer wants nothing sent (0.0.0.0), and
    `protection` for plain RTP."""

    index: int
    codec: AudioCodec
    send_payload_type: int
    receive_payload_type: int
    dtmf_send: int | None
    dtmf_receive: int | None
    ptime_ms: int
    remote: tuple[str, int] | None
    remote_rtcp: tuple[str, int] | None
    rtcp_mux: bool
    direction: str
    extensions: dict[str, int] = field(default_factory=dict)
    protection: Protection | None = None

    @property
    def may_send(self) -> bool:
        """Whether we may send media."""
        return self.direction in ("sendrecv", "sendonly") and self.remote is not None

    @property
    def may_receive(self) -> bool:
        """Whether the peer may send media."""
        return self.direction in ("sendrecv", "recvonly")


def offer(capabilities: Capabilities, local: LocalMedia, *, session_id: int, version: int,
          previous: SessionDescription | None = None, keyed: Protection | None = None,
          style: OfferStyle | None = None) -> SessionDescription:
    """An offer of one audio stream with all our codecs.

    previous: what we last offered or answered in the session, keyed: its protection that is in force. Its m= lines keep their
    number and place, and its payload types their meaning (RFC 3264 §8, §8.3.2); lines that are not ours stay refused. style:
    of a first offer to a peer whose own offers are known. Raises NegotiationFailed when protection is required and `local` has
    no keys.
    """
    if previous is None:
        style = style or OfferStyle.of(capabilities.srtp, local.crypto, local.fingerprint)
        line = _offer_line(capabilities, local, None, style.protocol,
                           style.lines(local.crypto, local.fingerprint, capabilities.srtp))
        group: tuple[Attribute, ...] = ()
        if style.has_mid:
            line, group = replace(line, attributes=(("mid", "0"), *line.attributes)), (("group", "BUNDLE 0"),)
        return _session(local, session_id, version, (line,), group)
    again = offered_again("" if keyed is None else keyed.how, local.crypto, local.fingerprint)
    kept = next((i for i, media in enumerate(previous.media) if media.kind == "audio" and media.port), None)
    lines = [_offer_line(capabilities, local, media, media.protocol, again) if index == kept else media.refused()
             for index, media in enumerate(previous.media)]
    if kept is None:
        style = OfferStyle.of(capabilities.srtp, local.crypto, local.fingerprint)
        lines.append(_offer_line(capabilities, local, None, style.protocol,
                                 style.lines(local.crypto, local.fingerprint, capabilities.srtp)))
    groups = tuple(each for each in previous.attributes if each[0] == "group")
    return _session(local, session_id, version, tuple(lines), groups)


def _offer_line(capabilities: Capabilities, local: LocalMedia, previous: MediaDescription | None, protocol: str,
                keys: list[Attribute]) -> MediaDescription:
    wanted = list(capabilities.codecs)
    if capabilities.dtmf:
        wanted += [_event(rate) for rate in sorted({codec.clock_rate for codec in capabilities.codecs} & _EVENTS.keys())]
    codecs = _numbered(wanted, [] if previous is None else codecs_of(previous))
    attributes: list[Attribute] = [] if previous is None else list(kept_mid(previous))
    for codec in codecs:
        attributes += _codec_attributes(codec)
    attributes.append(("ptime", str(capabilities.ptime_ms)))
    attributes += [("extmap", f"{number} {uri}") for number, uri in capabilities.extensions]
    attributes += [("rtcp", str(local.rtcp_port)), ("rtcp-mux", None), (local.direction, None)]
    attributes += keys
    formats = tuple(str(codec.payload_type) for codec in codecs)
    return MediaDescription("audio", local.rtp_port, protocol, formats, attributes=tuple(attributes))


def _event(rate: int, payload_type: int | None = None) -> AudioCodec:
    return AudioCodec(EVENT, rate, 1, _EVENTS[rate] if payload_type is None else payload_type, (("0-15", ""),))


def _numbered(wanted: list[AudioCodec], known: list[AudioCodec]) -> list[AudioCodec]:
    """The codecs with the payload types that they have already in the session, and others where theirs are taken."""
    taken = {codec.payload_type for codec in known}
    numbered = []
    for codec in wanted:
        number = next((other.payload_type for other in known if other.is_like(codec)), codec.payload_type)
        if number in taken and not any(other.is_like(codec) for other in known):
            number = next((free for free in range(96, 128) if free not in taken), number)
        taken.add(number)
        numbered.append(replace(codec, payload_type=number))
    return numbered


def answer(their_offer: SessionDescription, capabilities: Capabilities, local: LocalMedia, *, session_id: int,
           version: int) -> tuple[SessionDescription, NegotiatedAudio]:
    """The answer to an offer and what it means. Raises NegotiationFailed when no audio stream can be agreed on."""
    their_offer = unbundled(their_offer)
    found = [_agree(their_offer, media, index, capabilities, local) for index, media in enumerate(their_offer.media)]
    usable = [each for each in found if each is not None]
    if not usable:
        raise NegotiationFailed(_why_not(their_offer, capabilities, local))
    agreed = next((each for each in usable if each.protection is not None), usable[0])
    lines = [_answer_line(media, agreed, local) if index == agreed.index else media.refused()
             for index, media in enumerate(their_offer.media)]
    return _session(local, session_id, version, tuple(lines), answered_group(their_offer, {agreed.index})), agreed


def apply_answer(our_offer: SessionDescription, their_answer: SessionDescription) -> NegotiatedAudio:
    """What the answer to our offer means. Raises NegotiationFailed when it refuses the stream, or does not fit the offer."""
    if len(their_answer.media) != len(our_offer.media):
        raise NegotiationFailed(f"{len(our_offer.media)} media were offered, {len(their_answer.media)} answered")
    for index, (ours, theirs) in enumerate(zip(our_offer.media, their_answer.media, strict=True)):
        if theirs.port == 0 or theirs.kind != "audio":
            continue
        offered, answered = codecs_of(ours), codecs_of(theirs)
        for codec in answered:
            match = next((o for o in offered if o.is_like(codec) and codec.name.lower() != EVENT), None)
            if match is not None:
                events = _event_type(answered, codec), _event_type(offered, codec)
                return _negotiated(their_answer, theirs, index, codec, match.payload_type, ours, events,
                                   our_offer.direction(ours), protection_of_answer(ours, their_answer, theirs))
    raise NegotiationFailed("the other side took none of our audio codecs")


def codecs_of(media: MediaDescription) -> list[AudioCodec]:
    """The codecs of an m= line in its order, telephone-event among them; formats without a known rtpmap are left out."""
    maps: dict[int, tuple[str, int, int]] = dict(STATIC)
    for value in media.values("rtpmap"):
        number, _, encoding = value.partition(" ")
        parts = encoding.strip().split("/")
        if not is_number(number) or len(parts) < 2 or not _TOKEN.fullmatch(parts[0]) or not is_number(parts[1]):
            continue
        if 0 < int(parts[1]) <= 192000:
            channels = int(parts[2]) if len(parts) > 2 and is_number(parts[2]) else 1
            maps[int(number)] = (parts[0], int(parts[1]), channels)
    parameters: dict[int, tuple[tuple[str, str], ...]] = {}
    for value in media.values("fmtp"):
        number, _, rest = value.partition(" ")
        if is_number(number):
            pairs = (piece.strip().partition("=") for piece in rest.split(";") if piece.strip())
            parameters[int(number)] = tuple((name.lower(), text) for name, _, text in pairs)
    found = []
    for text in media.formats:
        payload_type = int(text) if is_number(text) else -1
        if payload_type in maps:
            found.append(AudioCodec(*maps[payload_type], payload_type, parameters.get(payload_type, ())))
    return found


def is_number(text: str) -> bool:
    """Whether a text is a number of ASCII digits, of six at most."""
    return text.isascii() and text.isdigit() and len(text) <= 6


def _agree(session: SessionDescription, media: MediaDescription, index: int, capabilities: Capabilities,
           local: LocalMedia) -> NegotiatedAudio | None:
    if media.kind != "audio" or media.port == 0 or not is_acceptable(media, capabilities.srtp, local.fingerprint):
        return None
    try:
        protection = protection_for(session, media, local.crypto, capabilities.srtp, local.fingerprint, local.role)
    except (NegotiationFailed, ParseError):
        return None
    codecs = codecs_of(media)
    for codec in codecs:
        if any(c.is_like(codec) for c in capabilities.codecs):
            event = _event_type(codecs, codec) if capabilities.dtmf else None
            return _negotiated(session, media, index, codec, codec.payload_type, media, (event, event), local.direction,
                               protection, capabilities.extensions)
    return None


def _negotiated(session: SessionDescription, theirs: MediaDescription, index: int, codec: AudioCodec, receive_type: int,
                ours: MediaDescription, events: tuple[int | None, int | None], local_direction: str,
                protection: Protection | None, known: tuple[tuple[int, str], ...] | None = None) -> NegotiatedAudio:
    host = session.host_of(theirs)
    is_held = host is None or host in ("0.0.0.0", "::")
    remote = None if is_held or host is None else (host, theirs.port)
    mux = theirs.has("rtcp-mux") and ours.has("rtcp-mux")
    uris = {uri for _, uri in known} if known is not None else None
    return NegotiatedAudio(
        index, codec, codec.payload_type, receive_type, *events, _ptime(theirs, codec), remote,
        remote if mux else rtcp_address_of(theirs, remote), mux, combine_directions(session.direction(theirs), local_direction),
        _extensions(theirs, uris), protection,
    )


def _event_type(codecs: list[AudioCodec], codec: AudioCodec) -> int | None:
    events = [c for c in codecs if c.name.lower() == EVENT]
    same = [c for c in events if c.clock_rate == codec.clock_rate]
    chosen = same or events
    return chosen[0].payload_type if chosen else None


def _ptime(media: MediaDescription, codec: AudioCodec) -> int:
    """What they want in a packet (RFC 8866 §6.4), within 10 to 60 ms; Opus has no frames of 30 and 50 ms."""
    wanted, most = (_positive(media.value(name)) for name in ("ptime", "maxptime"))
    ptime_ms = max(10, min(60, wanted or 20, most or 60) // 10 * 10)
    return max(p for p in _OPUS_PTIMES if p <= ptime_ms) if codec.name.lower() == "opus" else ptime_ms


def _positive(text: str | None) -> int:
    text = (text or "").strip()
    return int(text) if is_number(text) else 0


def rtcp_address_of(media: MediaDescription, remote: tuple[str, int] | None) -> tuple[str, int] | None:
    """Where a peer wants RTCP that has a port of its own (RFC 3605); None while it is on hold."""
    if remote is None:
        return None
    parts = (media.value("rtcp") or "").split()
    if parts and 0 < _positive(parts[0]) <= 65535:
        return (parts[3] if len(parts) == 4 and _is_address(parts[3]) else remote[0], int(parts[0]))
    return (remote[0], min(65535, remote[1] + 1))


def _is_address(text: str) -> bool:
    try:
        return not ip_address(text).is_unspecified
    except ValueError:
        return False


def combine_directions(their_direction: str, ours: str) -> str:
    """Our direction: the reverse of theirs, less what we don't want ourselves."""
    wanted = _REVERSED[their_direction]
    send = wanted in ("sendrecv", "sendonly") and ours in ("sendrecv", "sendonly")
    receive = wanted in ("sendrecv", "recvonly") and ours in ("sendrecv", "recvonly")
    return DIRECTIONS[(not send) * 2 + (not receive)] if send == receive else "sendonly" if send else "recvonly"


def _extensions(media: MediaDescription, known: set[str] | None) -> dict[str, int]:
    wanted = {AUDIO_LEVEL, MIXER_LEVEL} if known is None else known
    found: dict[str, int] = {}
    for value in media.values("extmap"):
        number, _, rest = value.partition(" ")
        number, uri = number.partition("/")[0], rest.strip().partition(" ")[0]
        if is_number(number) and 1 <= int(number) <= 14 and uri in wanted:
            found[uri] = int(number)
    return found


def _answer_line(media: MediaDescription, agreed: NegotiatedAudio, local: LocalMedia) -> MediaDescription:
    formats = [str(agreed.codec.payload_type)]
    attributes: list[Attribute] = [*kept_mid(media), *_codec_attributes(_as_ours(agreed.codec))]
    if agreed.dtmf_send is not None:
        formats.append(str(agreed.dtmf_send))
        rate = next(c.clock_rate for c in codecs_of(media) if c.payload_type == agreed.dtmf_send)
        attributes += _codec_attributes(_event(rate, agreed.dtmf_send))
    attributes.append(("ptime", str(agreed.ptime_ms)))
    attributes += [("extmap", f"{number} {uri}") for uri, number in agreed.extensions.items()]
    if agreed.rtcp_mux:
        attributes.append(("rtcp-mux", None))
    else:
        attributes.append(("rtcp", str(local.rtcp_port)))
    attributes.append((agreed.direction, None))
    attributes += answered_lines(agreed.protection, local.fingerprint)
    return MediaDescription("audio", local.rtp_port, media.protocol, tuple(formats), attributes=tuple(attributes))


def _as_ours(codec: AudioCodec) -> AudioCodec:
    if codec.name.lower() == "opus":
        return AudioCodec("opus", 48000, 2, codec.payload_type, OPUS.fmtp)
    return AudioCodec(codec.name, codec.clock_rate, codec.channels, codec.payload_type)


def _codec_attributes(codec: AudioCodec) -> list[Attribute]:
    attributes: list[Attribute] = [("rtpmap", codec.rtpmap)]
    if codec.fmtp:
        text = ";".join(f"{name}={value}" if value else name for name, value in codec.fmtp)
        attributes.append(("fmtp", f"{codec.payload_type} {text}"))
    return attributes


def _session(local: LocalMedia, session_id: int, version: int, media: tuple[MediaDescription, ...],
             attributes: tuple[Attribute, ...] = ()) -> SessionDescription:
    return SessionDescription(session_id, version, local.host, Connection.of(local.host), media, attributes)


def _why_not(session: SessionDescription, capabilities: Capabilities, local: LocalMedia) -> str:
    audio = [media for media in session.media if media.kind == "audio" and media.port]
    if not audio:
        return "no audio was offered"
    unprotected = [why_not_protected(session, media, local.crypto, capabilities.srtp, local.fingerprint) for media in audio]
    if all(unprotected):
        return unprotected[0]
    offered = ", ".join(sorted({codec.name for media in audio for codec in codecs_of(media)})) or "nothing known"
    return f"no codec in common: {offered} offered, {', '.join(c.name for c in capabilities.codecs)} known here"
