"""Lines of pictures: formats that fit, modes and levels, feedback under any profile, bandwidth, labels and contents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.payload.h264_profile import ProfileLevel
from rtp.sdp.model import MediaDescription
from rtp.sdp.rtcp_feedback import FIR, NACK, PLI, REMB, feedback_of
from rtp.sdp.video import (
    H264,
    H264_SINGLE,
    MAX_BITRATE_BPS,
    MIN_BITRATE_BPS,
    VP8,
    VideoCapabilities,
    VideoFormat,
    agree_on_formats,
    answered_format_lines,
    bitrate_of,
    content_of,
    keep_numbers,
    label_of,
    may_forward,
)
from tests.rtp.sdp.test_negotiation import session

ALL = VideoCapabilities(takes_all=True)
ONE = VideoCapabilities()


def line(*lines: str, formats: str = "97 98 96", profile: str = "RTP/AVP") -> MediaDescription:
    """A line of pictures of a peer."""
    return session(f"m=video 5000 {profile} {formats}", *lines).media[0]


def h264(number: int, profile: str = "42e01f", mode: int | None = 1, more: str = "") -> tuple[str, str]:
    """rtpmap and fmtp."""
    text = "" if mode is None else f";packetization-mode={mode}"
    return f"a=rtpmap:{number} H264/90000", f"a=fmtp:{number} profile-level-id={profile}{text}{more}"


def described(formats: list[VideoFormat]) -> list[tuple[str, int, int]]:
    """Name, number, mode of each."""
    return [(item.name, item.send_type, item.mode) for item in formats]


@pytest.mark.parametrize(("order", "expected"), [
    ("96 97 98", [("VP8", 96, 0), ("H264", 97, 1), ("H264", 98, 0)]),
    ("98 97 96", [("H264", 97, 1), ("H264", 98, 0), ("VP8", 96, 0)]),
    ("98", [("H264", 98, 0)]), ("99", []),
])
def test_formats_are_taken_in_the_order_of_the_offer_and_mode_1_before_mode_0(
        order: str, expected: list[tuple[str, int, int]]) -> None:
    media = line(*h264(97), *h264(98, mode=0), "a=rtpmap:96 VP8/90000", formats=order)
    assert described(agree_on_formats(media, ALL)) == expected
    assert described(agree_on_formats(media, ONE)) == expected[:1]


@pytest.mark.parametrize(("lines", "expected"), [
    (h264(97, mode=2), 0), (h264(97, profile="4d401f"), 0), (h264(97, profile="640c1f"), 0),
    (h264(97, profile="nonsense"), 0),
    (h264(97, mode=None), 1), (h264(97, profile="42801f"), 1), (("a=rtpmap:97 H264/90000",), 1),
    (("a=rtpmap:97 H264/8000",), 0),
    (("a=rtpmap:97 VP8/90000", "a=fmtp:97 max-fr=30;max-fs=3600"), 1), (("a=rtpmap:97 AV1/90000",), 0),
])
def test_format_is_taken_only_when_mode_and_profile_fit(lines: tuple[str, ...], expected: int) -> None:
    assert len(agree_on_formats(line(*lines, formats="97"), ALL)) == expected


def test_mode_that_is_not_given_is_0() -> None:
    assert described(agree_on_formats(line(*h264(97, mode=None), formats="97"), ALL)) == [("H264", 97, 0)]


@pytest.mark.parametrize(("offered", "more", "answered"), [
    ("42e00d", "", "42e00d"), ("42e032", "", "42e028"), ("42e00d", ";level-asymmetry-allowed=1", "42e028"),
])
def test_answered_level_is_the_lower_one_unless_both_allow_asymmetry(offered: str, more: str, answered: str) -> None:
    media = line(*h264(97, profile=offered, more=more), formats="97")
    formats = agree_on_formats(media, ALL)
    lines = dict(answered_format_lines(media, formats, ALL))
    asymmetric = ";level-asymmetry-allowed=1" if more else ""
    assert lines["fmtp"] == f"97 profile-level-id={answered};packetization-mode=1{asymmetric}"
    assert formats[0].limit == ProfileLevel.parse(offered)
    assert formats[0].takes(1280, 720) == (offered == "42e032")


def test_limits_of_vp8_are_read() -> None:
    (found,) = agree_on_formats(line("a=rtpmap:97 VP8/90000", "a=fmtp:97 max-fr=15; max-fs=1200", formats="97"), ALL)
    assert (found.max_frame_rate, found.takes(640, 480), found.takes(1280, 720)) == (15, True, False)


def test_larger_frames_than_the_level_says_may_be_announced() -> None:
    (found,) = agree_on_formats(line(*h264(97, profile="42e00d", more=";max-fs=3600"), formats="97"), ALL)
    assert found.takes(1280, 720)


def test_parameter_sets_of_the_offer_are_kept_and_nonsense_in_their_place_is_passed_over() -> None:
    (found,) = agree_on_formats(line(*h264(97, more=";sprop-parameter-sets=Z0LAHg==,aM48gA=="), formats="97"), ALL)
    assert [unit[0] & 0x1F for unit in found.parameter_sets] == [7, 8]
    (found,) = agree_on_formats(line(*h264(97, more=";sprop-parameter-sets=?"), formats="97"), ALL)
    assert found.parameter_sets == ()


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/AVPF", "RTP/SAVP"])
def test_feedback_is_honoured_under_any_profile_by_number_and_by_star(profile: str) -> None:
    media = line("a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=rtcp-fb:* nack pli", "a=rtcp-fb:* CCM FIR",
                 "a=rtcp-fb:97 goog-remb", "a=rtcp-fb:96 nack rpsi", "a=rtcp-fb:", profile=profile)
    assert feedback_of(media, 96) == {NACK, PLI, FIR}
    assert feedback_of(media, 97) == {PLI, FIR, REMB}


def test_feedback_is_answered_as_far_as_both_want_it() -> None:
    media = line("a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 ccm tmmbr", formats="96")
    formats = agree_on_formats(media, ALL)
    assert [value for name, value in answered_format_lines(media, formats, ALL) if name == "rtcp-fb"] == ["96 nack"]


@pytest.mark.parametrize(("lines", "expected"), [
    ((), 0), (("b=AS:512",), 512_000), (("b=TIAS:400000", "b=AS:512"), 400_000), (("b=AS:0",), 0), (("b=CT:7",), 0),
    (("b=TIAS:1",), MIN_BITRATE_BPS), (("b=AS:9999999999",), MAX_BITRATE_BPS),
])
def test_bandwidth_is_tias_before_as_and_clamped(lines: tuple[str, ...], expected: int) -> None:
    found = session("m=video 5000 RTP/AVP 96", *lines)
    assert bitrate_of(found, found.media[0]) == expected


def test_bandwidth_of_the_session_counts_where_the_line_says_nothing() -> None:
    found = session("m=video 5000 RTP/AVP 96", top=("b=AS:256",))
    assert bitrate_of(found, found.media[0]) == 256_000


@pytest.mark.parametrize(("value", "content"), [
    ("slides", "slides"), ("main", "main"), ("speaker, SLIDES", "slides"), ("nonsense", ""), ("", "")])
def test_content_is_read_from_its_list(value: str, content: str) -> None:
    assert content_of(line(f"a=content:{value}")) == content


def test_label_that_is_no_token_is_none() -> None:
    assert (label_of(line("a=label:11")), label_of(line("a=label:a b")), label_of(line())) == ("11", "", "")


@pytest.mark.parametrize(("source", "to", "allowed"), [
    (H264, H264, True), (H264, H264_SINGLE, False), (H264_SINGLE, H264, True), (VP8, VP8, True), (VP8, H264, False)],
    ids=lambda value: f"{value.name}{value.mode}" if not isinstance(value, bool) else str(value))
def test_stream_of_mode_1_never_goes_to_a_receiver_of_mode_0(source: object, to: object, allowed: bool) -> None:
    def as_format(codec: object) -> VideoFormat:
        assert isinstance(codec, type(H264))
        return VideoFormat(codec.name, 96, 96, codec.mode, codec.profile)

    assert may_forward(as_format(source), as_format(to)) == allowed


def test_numbers_of_the_session_are_kept_by_mode() -> None:
    previous = line(*h264(100), *h264(101, mode=0), "a=rtpmap:97 VP8/90000", formats="100 101 97")
    assert [codec.payload_type for codec in keep_numbers((H264, H264_SINGLE, VP8), previous)] == [100, 101, 97]
    previous = line("a=rtpmap:97 VP8/90000", formats="97")
    assert [codec.payload_type for codec in keep_numbers((H264, H264_SINGLE, VP8), previous)] == [96, 98, 97]


@given(st.text(max_size=40), st.text(max_size=30))
def test_no_attribute_crashes_the_reader(fmtp: str, other: str) -> None:
    media = MediaDescription("video", 1, "RTP/AVP", ("96", "97"), attributes=(
        ("rtpmap", "96 H264/90000"), ("fmtp", f"96 {fmtp}"), ("rtpmap", other), ("rtcp-fb", other), ("label", other),
        ("content", fmtp)))
    agree_on_formats(media, ALL)
    content_of(media)
    label_of(media)
