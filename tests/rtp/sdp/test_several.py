"""Offer and answer with pictures: rooms, slides, bundled receive slots, holds, and answers that don't fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtp.errors import NegotiationFailed
from rtp.keying.sdes import CryptoLine
from rtp.sdp.bundle import MID
from rtp.sdp.model import SessionDescription
from rtp.sdp.negotiation import Capabilities, LocalMedia
from rtp.sdp.parser import parse
from rtp.sdp.protection import SrtpPolicy
from rtp.sdp.several import LocalVideo, NegotiatedVideo, answer, apply_answer, offer
from rtp.sdp.video import VideoCapabilities
from rtp.srtp import AES_CM_128_HMAC_SHA1_80, MasterKey
from tests.rtp.sdp.test_clients import BARESIP, LINPHONE
from tests.rtp.sdp.test_negotiation import session

AUDIO, LOCAL = Capabilities(), LocalMedia("10.0.0.2", 20000, 20001)
VIDEO = VideoCapabilities()
MAIN = LocalVideo(LocalMedia("10.0.0.2", 20002, 20003), label="1")
SHARED = LocalVideo(LocalMedia("10.0.0.2", 20004, 20005), "slides", "2")
PHONE, PHONE_PORT = LocalMedia("10.0.0.1", 4000, 4001), 4002
VP8_LINE = ("a=rtpmap:96 VP8/90000",)


def keys(number: int) -> tuple[CryptoLine, ...]:
    master = MasterKey.of(AES_CM_128_HMAC_SHA1_80, bytes([number]) * AES_CM_128_HMAC_SHA1_80.master_length)
    return (CryptoLine(1, AES_CM_128_HMAC_SHA1_80, master),)


def phone_slots(count: int = 9) -> list[LocalVideo]:
    """What our phone offers: its camera and receive slots, one transport."""
    slots = [LocalVideo(LocalMedia("10.0.0.1", PHONE_PORT, PHONE_PORT, "recvonly"), mid=f"r{n}") for n in range(count)]
    return [LocalVideo(LocalMedia("10.0.0.1", PHONE_PORT, PHONE_PORT), mid="v"), *slots]


def server_slots(count: int) -> list[LocalVideo]:
    """The server's side of them, on one port, and one for slides."""
    return [LocalVideo(LocalMedia("10.0.0.2", 20002, 20002)) for _ in range(count)] + [SHARED]


def answered(their_offer: SessionDescription, videos: list[LocalVideo], video: VideoCapabilities = VIDEO,
             audio: Capabilities = AUDIO, local: LocalMedia = LOCAL) -> tuple[SessionDescription, tuple[NegotiatedVideo, ...]]:
    """Our answer, read again from its bytes, and what it means for pictures."""
    ours, _, agreed = answer(their_offer, audio, local, video, videos, session_id=9, version=1)
    assert parse(bytes(ours)) == ours
    return ours, agreed


def test_stock_phone_with_one_line_gets_one_format_and_its_feedback() -> None:
    ours, (agreed,) = answered(session(
        "m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 97 96", "b=AS:800", "a=rtpmap:97 H264/90000",
        "a=fmtp:97 profile-level-id=42801f;packetization-mode=1", *VP8_LINE, "a=rtcp-fb:* nack pli",
        "a=imageattr:97 send * recv *",
    ), [MAIN, SHARED])
    line = ours.media[1]
    assert (line.port, line.formats, line.value("rtcp-fb"), line.value("label")) == (20002, ("97",), "97 nack pli", "1")
    assert (line.value("fmtp"), line.has("imageattr")) == ("97 profile-level-id=42801f;packetization-mode=1", False)
    assert (agreed.remote, agreed.bitrate_bps, agreed.direction) == (("10.0.0.1", 4002), 800_000, "sendrecv")
    assert not agreed.is_bundled
    assert dict(line.bandwidth) == {"AS": 2000, "TIAS": 2_000_000}


def test_room_system_with_slides_in_its_first_offer_gets_both_lines_and_bfcp_is_refused() -> None:
    ours, agreed = answered(session(
        "m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 96", *VP8_LINE, "a=content:main", "a=label:11",
        "m=video 4004 RTP/AVP 96", *VP8_LINE, "a=content:slides", "a=label:12", "m=application 4006 TCP/BFCP *",
    ), [SHARED, MAIN])
    assert [media.port for media in ours.media] == [20000, 20002, 20004, 0]
    assert [(each.slot, each.content, each.label) for each in agreed] == [(1, "main", "11"), (0, "slides", "12")]
    assert ours.media[2].value("content") == "slides"


def test_lines_without_one_of_ours_are_refused() -> None:
    ours, agreed = answered(session("m=audio 4000 RTP/AVP 0", *["m=video 4002 RTP/AVP 96", *VP8_LINE] * 3), [MAIN])
    assert [media.port for media in ours.media] == [20000, 20002, 0, 0] and len(agreed) == 1


def test_lines_of_one_port_need_a_group() -> None:
    ours, _ = answered(session("m=audio 4000 RTP/AVP 0", *["m=video 4002 RTP/AVP 96", *VP8_LINE] * 2), server_slots(2))
    assert [media.port for media in ours.media] == [20000, 20002, 0]


def test_video_that_fits_nothing_leaves_the_audio() -> None:
    ours, agreed = answered(session("m=video 4002 RTP/AVP 34", "m=audio 4000 RTP/AVP 0"), [MAIN])
    assert [media.port for media in ours.media] == [0, 20000] and agreed == ()


@pytest.mark.parametrize("srtp", [SrtpPolicy.OFF, SrtpPolicy.REQUIRE], ids=str)
def test_our_phone_and_server_agree_on_nine_bundled_slots(srtp: SrtpPolicy) -> None:
    ours, theirs = (keys(1), keys(2)) if srtp is SrtpPolicy.REQUIRE else ((), ())
    audio = Capabilities(srtp=srtp)
    both = VideoCapabilities(takes_all=True, extensions=((3, MID),))
    videos = [replace(slot, media=replace(slot.media, crypto=ours)) for slot in phone_slots()]
    server = [replace(slot, media=replace(slot.media, crypto=theirs)) for slot in server_slots(10)]
    made = offer(audio, replace(PHONE, crypto=ours), both, videos, session_id=1, version=1)
    assert parse(bytes(made)) == made and len(made.media) == 11
    reply, at_server = answered(made, server, both, audio, replace(LOCAL, crypto=theirs))
    at_phone = apply_answer(made, reply, videos)
    assert [media.port for media in reply.media] == [20000, *[20002] * 10]
    assert ("group", "BUNDLE v r0 r1 r2 r3 r4 r5 r6 r7 r8") in reply.attributes
    assert [each.direction for each in at_server] == ["sendrecv", *["sendonly"] * 9]
    assert [each.direction for each in at_phone] == ["sendrecv", *["recvonly"] * 9]
    assert [each.mid for each in at_phone] == ["v", *(f"r{n}" for n in range(9))]
    for here, there in zip(at_server, at_phone, strict=True):
        assert here.is_bundled and there.is_bundled and here.extensions == there.extensions == {MID: 3}
        assert {item.name for item in here.formats} == {"H264", "VP8"}
        assert [item.send_type for item in here.formats] == [item.receive_type for item in there.formats]
        assert (here.remote, there.remote) == (("10.0.0.1", PHONE_PORT), ("10.0.0.2", 20002))
        if srtp is SrtpPolicy.REQUIRE:
            assert here.protection is not None and there.protection is not None
            assert here.protection.keys is not None and there.protection.keys is not None
            assert (here.protection.keys.local, here.protection.keys.remote) == (
                there.protection.keys.remote, there.protection.keys.local)


def test_bundle_only_lines_take_the_address_of_their_group() -> None:
    _, agreed = answered(session(
        "m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 96", *VP8_LINE, "a=mid:v", "a=rtcp-mux",
        "m=video 0 RTP/AVP 96", *VP8_LINE, "a=mid:r", "a=bundle-only", "a=recvonly", top=("a=group:BUNDLE v r",),
    ), server_slots(2))
    assert [each.remote for each in agreed] == [("10.0.0.1", 4002)] * 2 and all(each.rtcp_mux for each in agreed)


def test_audio_of_a_browser_s_bundle_stays_on_its_own_port() -> None:
    ours, agreed = answered(session(
        "m=audio 4000 RTP/AVP 0", "a=mid:0", "m=video 4002 RTP/AVP 96", *VP8_LINE, "a=mid:1", top=("a=group:BUNDLE 0 1",),
    ), [MAIN])
    assert [media.port for media in ours.media] == [20000, 20002]
    assert ours.attributes == (("group", "BUNDLE 1"),) and agreed[0].remote == ("10.0.0.1", 4002)


def test_hold_stops_the_pictures_too() -> None:
    _, (agreed,) = answered(session("m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 96", *VP8_LINE, "a=sendonly"), [MAIN])
    assert agreed.may_receive and not agreed.may_send
    _, (agreed,) = answered(session("m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 96", "c=IN IP4 0.0.0.0", *VP8_LINE), [MAIN])
    assert not agreed.may_send


def test_next_offer_of_a_session_keeps_places_numbers_and_mids() -> None:
    first, _ = answered(session(
        "m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 120", "a=rtpmap:120 VP8/90000", "a=mid:x",
        "m=application 4006 TCP/BFCP *",
    ), [MAIN])
    again = offer(AUDIO, LOCAL, VIDEO, [MAIN, SHARED], session_id=9, version=2, previous=first)
    assert [(media.kind, media.port) for media in again.media] == [
        ("audio", 20000), ("video", 20002), ("application", 0), ("video", 20004)]
    assert again.media[1].value("mid") == "x" and "120" in again.media[1].formats
    assert dict(pair for pair in again.media[1].attributes if pair[0] == "rtpmap" and "VP8" in str(pair[1])) == {
        "rtpmap": "120 VP8/90000"}


def test_line_that_was_taken_away_is_used_again() -> None:
    first = offer(AUDIO, LOCAL, VIDEO, [MAIN], session_id=9, version=1)
    without = offer(AUDIO, LOCAL, VIDEO, [], session_id=9, version=2, previous=first)
    assert [media.port for media in without.media] == [20000, 0]
    again = offer(AUDIO, LOCAL, VIDEO, [SHARED], session_id=9, version=3, previous=without)
    assert [media.port for media in again.media] == [20000, 20004]


def test_answer_may_refuse_a_line_and_take_the_others() -> None:
    videos = [MAIN, SHARED]
    made = offer(AUDIO, LOCAL, VIDEO, videos, session_id=9, version=1)
    reply = session("m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 96", "m=video 4004 RTP/AVP 96", *VP8_LINE, "a=content:slides")
    (agreed,) = apply_answer(made, reply, videos)
    assert (agreed.slot, agreed.index, agreed.remote_rtcp) == (1, 2, ("10.0.0.1", 4005))
    with pytest.raises(NegotiationFailed, match="3 media were offered, 1 answered"):
        apply_answer(made, session("m=audio 4000 RTP/AVP 0"), videos)


@pytest.mark.parametrize(("text", "name", "number", "mode", "feedback", "bitrate_bps"), [
    (BARESIP, "H264", 98, 1, {"nack pli"}, 512_000), (LINPHONE, "VP8", 102, 0, {"nack pli", "ccm fir"}, 0),
], ids=["baresip", "linphone"])
def test_pictures_that_a_stock_phone_offers_are_taken_with_its_feedback_under_plain_avp(
        text: str, name: str, number: int, mode: int, feedback: set[str], bitrate_bps: int) -> None:
    ours, (agreed,) = answered(parse(text.replace("\n", "\r\n").encode()), [MAIN])
    (item,) = agreed.formats
    assert (item.name, item.send_type, item.mode, set(item.feedback)) == (name, number, mode, feedback)
    assert (agreed.bitrate_bps, agreed.direction) == (bitrate_bps, "sendrecv")
    line = ours.media[agreed.index]
    assert (line.protocol, line.formats) == ("RTP/AVP", (str(number),))
    assert {value.partition(" ")[2] for value in line.values("rtcp-fb")} == feedback
