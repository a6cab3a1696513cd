"""A line of pictures in SDP: formats of H.264 and VP8 with their limits (RFC 6184 §8, RFC 7741 §6), label (RFC 4574), content
(RFC 4796), bandwidth (RFC 8866 §5.8, RFC 3890), and what two sides agree on (RFC 3264). imageattr is passed over.

Packetization mode and profile belong to a payload type and are the same both ways; the level is each receiver's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rtp.errors import ParseError
from rtp.payload.h264_profile import ProfileLevel, agree, parse_parameter_sets
from rtp.sdp import rtcp_feedback
from rtp.sdp.model import Attribute, MediaDescription, SessionDescription
from rtp.sdp.negotiation import AudioCodec as Encoding
from rtp.sdp.negotiation import codecs_of, is_number
from rtp.sdp.rtcp_feedback import feedback_lines, feedback_of

CLOCK_RATE = 90000
SLIDES = "slides"
_CONTENTS = ("slides", "speaker", "sl", "main", "alt", "user_floor")
_LABEL = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,64}")
MIN_BITRATE_BPS, MAX_BITRATE_BPS = 30_000, 50_000_000
"""What a peer's b= line is clamped to: with less nothing can be seen, more is never sent."""


@dataclass(frozen=True, slots=True)
class VideoCodec:
    """A format that we can do. profile and mode (packetization): of H.264; profile None: VP8."""

    name: str
    payload_type: int
    profile: ProfileLevel | None = None
    mode: int = 0


BASELINE = ProfileLevel.parse("42e028")
"""Constrained Baseline at level 4: a shared screen of 1920 × 1080 fits into it."""
H264 = VideoCodec("H264", 97, BASELINE, 1)
H264_SINGLE = VideoCodec("H264", 98, BASELINE, 0)
VP8 = VideoCodec("VP8", 96)
DEFAULT_VIDEO = (H264, H264_SINGLE, VP8)


@dataclass(frozen=True, slots=True)
class VideoCapabilities:
    """What a side can do with pictures. takes_all: an answer keeps all formats, as for a receiver of forwarded streams, else
    one; bitrate_bps: what we want to get at most on a line, 0 to say nothing."""

    codecs: tuple[VideoCodec, ...] = DEFAULT_VIDEO
    takes_all: bool = False
    bitrate_bps: int = 2_000_000
    feedback: frozenset[str] = rtcp_feedback.KNOWN - {rtcp_feedback.TMMBR}
    extensions: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """One agreed format. limit: profile and level that the peer's decoder takes; mode: H.264's packetization mode, both ways;
    max_macroblocks: of a picture that the peer takes, 0 for any; parameter_sets: what the peer's encoder announced."""

    name: str
    send_type: int
    receive_type: int
    mode: int = 0
    limit: ProfileLevel | None = None
    max_macroblocks: int = 0
    max_frame_rate: int = 0
    feedback: frozenset[str] = frozenset()
    parameter_sets: tuple[bytes, ...] = ()

    def takes(self, width: int, height: int) -> bool:
        """Whether the peer takes pictures of that size."""
        return not self.max_macroblocks or -(-width // 16) * -(-height // 16) <= self.max_macroblocks


def may_forward(source: VideoFormat, to: VideoFormat) -> bool:
    """Whether a stream of one format may go to a receiver of another as it is.

    What came in mode 1 may hold aggregates and fragments, which a receiver of mode 0 does not know (RFC 6184 §6.2); single NAL
    units are for all. A receiver of a lower profile can't be trusted with a higher one.
    """
    if source.name.lower() != to.name.lower():
        return False
    if source.limit is None or to.limit is None:
        return True
    return source.mode <= to.mode and agree(source.limit, to.limit, True) is not None


def formats_of(media: MediaDescription) -> list[tuple[Encoding, ProfileLevel | None, int]]:
    """The formats of a line that can be H.264 or VP8: encoding, profile, mode. One that lies or is interleaved is left out."""
    found: list[tuple[Encoding, ProfileLevel | None, int]] = []
    for encoding in codecs_of(media):
        if encoding.clock_rate != CLOCK_RATE:
            continue
        if encoding.name.lower() == "vp8":
            found.append((encoding, None, 0))
        elif encoding.name.lower() == "h264":
            try:
                profile = ProfileLevel.parse(encoding.parameter("profile-level-id"))
            except ParseError:
                continue
            mode = (encoding.parameter("packetization-mode") or "0").strip()
            if mode in ("0", "1"):
                found.append((encoding, profile, int(mode)))
    return found


def agree_on_formats(theirs: MediaDescription, capabilities: VideoCapabilities) -> list[VideoFormat]:
    """What an offered line and we can both do, in the offer's order, mode 1 before mode 0; our numbers are theirs."""
    found = []
    for encoding, profile, mode in formats_of(theirs):
        for codec in capabilities.codecs:
            if codec.name.lower() == encoding.name.lower() and codec.mode == mode and _fits(encoding, profile, codec):
                found.append(_format(theirs, encoding, profile, mode, encoding.payload_type, capabilities.feedback))
                break
    first = {item.name.lower(): index for index, item in reversed(list(enumerate(found)))}
    found.sort(key=lambda item: (first[item.name.lower()], -item.mode))
    return found if capabilities.takes_all else found[:1]


def _fits(encoding: Encoding, profile: ProfileLevel | None, codec: VideoCodec) -> bool:
    return profile is None or codec.profile is None or agree(profile, codec.profile, _is_asymmetric(encoding)) is not None


def _is_asymmetric(encoding: Encoding) -> bool:
    return (encoding.parameter("level-asymmetry-allowed") or "").strip() == "1"


def read_answered_formats(ours: MediaDescription, theirs: MediaDescription) -> list[VideoFormat]:
    """What an answered line took of our offer, in its order."""
    offered = formats_of(ours)
    feedback = {encoding.payload_type: feedback_of(ours, encoding.payload_type) for encoding, _, _ in offered}
    found = []
    for encoding, profile, mode in formats_of(theirs):
        for our_encoding, our_profile, our_mode in offered:
            is_alike = our_encoding.is_like(encoding) and our_mode == mode
            if is_alike and (profile is None or our_profile is None or agree(profile, our_profile, True) is not None):
                number = our_encoding.payload_type
                found.append(_format(theirs, encoding, profile, mode, number, feedback[number]))
                break
    return found


def _format(media: MediaDescription, encoding: Encoding, profile: ProfileLevel | None, mode: int, receive_type: int,
            feedback: frozenset[str]) -> VideoFormat:
    most = _number(encoding.parameter("max-fs"))
    if profile is not None:
        most = max(most, profile.max_macroblocks)
    return VideoFormat(
        "VP8" if profile is None else "H264", encoding.payload_type, receive_type, mode, profile, most,
        _number(encoding.parameter("max-fr")), feedback_of(media, encoding.payload_type) & feedback,
        _parameter_sets(encoding.parameter("sprop-parameter-sets")),
    )


def _number(text: str | None) -> int:
    text = (text or "").strip()
    return int(text) if is_number(text) else 0


def _parameter_sets(text: str | None) -> tuple[bytes, ...]:
    try:
        return tuple(parse_parameter_sets(text)) if text else ()
    except ParseError:
        return ()


def answered_format_lines(media: MediaDescription, formats: Iterable[VideoFormat],
                          capabilities: VideoCapabilities) -> list[Attribute]:
    """rtpmap, fmtp and rtcp-fb of an answer (RFC 6184 §8.2.2: the profile of the offer, the level as asymmetry allows)."""
    by_number = {encoding.payload_type: encoding for encoding in codecs_of(media)}
    lines: list[Attribute] = []
    for item in formats:
        number = item.receive_type
        lines.append(("rtpmap", f"{number} {item.name}/{CLOCK_RATE}"))
        ours = next((c.profile for c in capabilities.codecs if (c.name, c.mode) == (item.name, item.mode)), None)
        if item.limit is not None and ours is not None:
            is_asymmetric = _is_asymmetric(by_number[number])
            lines.append(("fmtp", _h264_parameters(number, agree(item.limit, ours, is_asymmetric) or ours, item.mode,
                                                   is_asymmetric)))
        lines += feedback_lines(number, item.feedback)
    return lines


def offered_format_lines(codecs: Sequence[VideoCodec], feedback: frozenset[str], *, is_short: bool = False) -> list[Attribute]:
    """rtpmap, fmtp and rtcp-fb of an offer. is_short: feedback is named once for all formats (`*`, RFC 4585 §4.2)."""
    lines: list[Attribute] = []
    for codec in codecs:
        lines.append(("rtpmap", f"{codec.payload_type} {codec.name}/{CLOCK_RATE}"))
        if codec.profile is not None:
            lines.append(("fmtp", _h264_parameters(codec.payload_type, codec.profile, codec.mode, True)))
        lines += [] if is_short else feedback_lines(codec.payload_type, feedback)
    return lines + feedback_lines("*", feedback) if is_short else lines


def _h264_parameters(number: int, profile: ProfileLevel, mode: int, is_asymmetric: bool) -> str:
    tail = ";level-asymmetry-allowed=1" if is_asymmetric else ""
    return f"{number} profile-level-id={profile};packetization-mode={mode}{tail}"


def keep_numbers(codecs: Iterable[VideoCodec], previous: MediaDescription) -> list[VideoCodec]:
    """The codecs with the payload types that they have in the session (RFC 3264 §8.3.2), others where theirs are taken."""
    known = formats_of(previous)
    taken = {encoding.payload_type for encoding, _, _ in known}
    numbered = []
    for codec in codecs:
        number = next((encoding.payload_type for encoding, profile, mode in known
                       if encoding.name.lower() == codec.name.lower() and mode == codec.mode
                       and (profile is None or codec.profile is None or agree(profile, codec.profile, True))), -1)
        if number < 0:
            free = (codec.payload_type, *range(96, 128))
            number = next(other for other in free if other not in taken)
            taken.add(number)
        numbered.append(replace(codec, payload_type=number))
    return numbered


def content_of(media: MediaDescription) -> str:
    """What the line shows: `slides` for a shared screen, the first known value else, empty for none."""
    values = [value.strip().lower() for value in (media.value("content") or "").split(",")]
    return SLIDES if SLIDES in values else next((value for value in values if value in _CONTENTS), "")


def label_of(media: MediaDescription) -> str:
    """The line's label, empty for none or for one that is no token."""
    label = (media.value("label") or "").strip()
    return label if _LABEL.fullmatch(label) else ""


def bitrate_of(session: SessionDescription, media: MediaDescription) -> int:
    """What the peer wants to get on a line in bit/s, 0 where it does not say: TIAS before AS, the line before the session."""
    for bandwidth in (media.bandwidth, session.bandwidth):
        known = {kind.upper(): value for kind, value in bandwidth}
        bitrate_bps = known.get("TIAS", 0) or 1000 * known.get("AS", 0)
        if bitrate_bps:
            return max(MIN_BITRATE_BPS, min(MAX_BITRATE_BPS, bitrate_bps))
    return 0
