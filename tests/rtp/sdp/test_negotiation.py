"""Offer and answer: what is agreed, in which direction, with which numbers, and what is refused in which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import NegotiationFailed, ParseError
from rtp.packet import AUDIO_LEVEL, MIXER_LEVEL
from rtp.sdp.model import SessionDescription
from rtp.sdp.negotiation import Capabilities, LocalMedia, NegotiatedAudio, answer, apply_answer, codecs_of, offer
from rtp.sdp.parser import parse

LOCAL = LocalMedia("10.0.0.2", 20000, 20001)
ALL = Capabilities()
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


def session(*lines: str, address: str = "10.0.0.1", top: tuple[str, ...] = ()) -> SessionDescription:
    """An SDP with these lines after its head."""
    head = ["v=0", f"o=- 1 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0"]
    return parse("\r\n".join([*head, *top, *lines, ""]).encode())


def answered(*lines: str, capabilities: Capabilities = ALL, local: LocalMedia = LOCAL, address: str = "10.0.0.1",
             top: tuple[str, ...] = ()) -> tuple[SessionDescription, NegotiatedAudio]:
    """Our answer to an offer with these lines, read again from its bytes, and what it means."""
    ours, agreed = answer(session(*lines, address=address, top=top), capabilities, local, session_id=9, version=1)
    assert parse(bytes(ours)) == ours
    return ours, agreed


def agreed_on(*lines: str, **more: object) -> NegotiatedAudio:
    """What is agreed on for an offer with these lines."""
    return answered(*lines, **more)[1]  # type: ignore[arg-type]


# ---- codecs

def test_first_codec_of_the_offer_that_we_know_is_taken_and_answered_alone() -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 18 8 0 9")
    assert agreed.codec.name == "PCMA" and (agreed.send_payload_type, agreed.receive_payload_type) == (8, 8)
    assert ours.media[0].formats == ("8",) and ours.media[0].port == 20000
    assert ours.media[0].values("rtpmap") == ["8 PCMA/8000"]


@pytest.mark.parametrize(("number", "name"), [(0, "PCMU"), (8, "PCMA"), (9, "G722")])
def test_static_payload_types_need_no_rtpmap(number: int, name: str) -> None:
    agreed = agreed_on(f"m=audio 4000 RTP/AVP {number}")
    assert (agreed.codec.name, agreed.codec.clock_rate) == (name, 8000)


def test_dynamic_number_may_rename_a_static_codec() -> None:
    agreed = agreed_on("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 pcmu/8000")
    assert (agreed.codec.name, agreed.send_payload_type) == ("pcmu", 97)


def test_opus_is_answered_with_two_channels_and_our_parameters() -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 120 0", "a=rtpmap:120 OPUS/48000/2",
                            "a=fmtp:120 maxplaybackrate=16000; CBR=1")
    assert agreed.codec.parameter("maxplaybackrate") == "16000" and agreed.codec.parameter("cbr") == "1"
    assert agreed.codec.parameter("stereo") is None
    assert ours.media[0].values("rtpmap") == ["120 opus/48000/2"]
    assert ours.media[0].values("fmtp") == ["120 useinbandfec=1;usedtx=1"]


def test_red_comfort_noise_and_retransmission_are_passed_over() -> None:
    agreed = agreed_on(
        "m=audio 4000 RTP/AVP 63 13 105 97 111 0", "a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111", "a=rtpmap:13 CN/8000",
        "a=rtpmap:105 CN/16000", "a=rtpmap:97 rtx/48000", "a=fmtp:97 apt=111", "a=rtpmap:111 opus/48000/2")
    assert agreed.codec.name == "opus" and agreed.send_payload_type == 111


def test_same_name_at_another_rate_is_another_codec() -> None:
    assert agreed_on("m=audio 4000 RTP/AVP 97 8", "a=rtpmap:97 PCMU/16000").codec.name == "PCMA"


def test_rtpmap_of_a_number_that_is_not_offered_is_nothing() -> None:
    assert agreed_on("m=audio 4000 RTP/AVP 8", "a=rtpmap:111 opus/48000/2").codec.name == "PCMA"


@pytest.mark.parametrize("line", [
    "a=rtpmap:x", "a=rtpmap:97", "a=rtpmap:97 opus", "a=rtpmap:97 opus/fast", "a=rtpmap:97 o p/48000", "a=rtpmap:97 opus/0",
    "a=rtpmap:97 /48000", "a=fmtp:97", "a=fmtp:", "a=ptime:", "a=rtcp:",
])
def test_attributes_that_make_no_sense_are_passed_over(line: str) -> None:
    assert agreed_on("m=audio 4000 RTP/AVP 97 8", line).codec.name == "PCMA"


def test_our_codecs_may_be_limited_by_name() -> None:
    assert agreed_on("m=audio 4000 RTP/AVP 8 0", capabilities=ALL.only("pcmu")).codec.name == "PCMU"
    with pytest.raises(NegotiationFailed, match="'speex'"):
        ALL.only("speex")


# ---- telephone events

def test_event_of_the_codecs_own_rate_is_taken() -> None:
    lines = ("a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/48000", "a=rtpmap:97 telephone-event/8000")
    ours, agreed = answered("m=audio 4000 RTP/AVP 96 0 101 97", *lines)
    assert (agreed.dtmf_send, agreed.dtmf_receive) == (101, 101)
    assert ours.media[0].formats == ("96", "101")
    assert "101 telephone-event/48000" in ours.media[0].values("rtpmap") and "101 0-15" in ours.media[0].values("fmtp")
    ours, agreed = answered("m=audio 4000 RTP/AVP 0 101 97", *lines)
    assert agreed.dtmf_send == 97 and "97 telephone-event/8000" in ours.media[0].values("rtpmap")


def test_event_of_another_rate_is_better_than_none() -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 96 101", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000")
    assert agreed.dtmf_receive == 101 and "101 telephone-event/8000" in ours.media[0].values("rtpmap")


def test_no_event_offered_is_none_answered() -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 0")
    assert agreed.dtmf_send is None and ours.media[0].formats == ("0",)


def test_who_does_not_want_keys_answers_none() -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000",
                            capabilities=Capabilities(dtmf=False))
    assert agreed.dtmf_receive is None and ours.media[0].formats == ("0",)


# ---- packet time

@pytest.mark.parametrize(("lines", "expected"), [
    ((), 20), (("a=ptime:10",), 10), (("a=ptime:20",), 20), (("a=ptime:30",), 30), (("a=ptime:40",), 40), (("a=ptime:60",), 60),
    (("a=ptime:5",), 10), (("a=ptime:25",), 20), (("a=ptime:200",), 60), (("a=ptime:x",), 20), (("a=ptime:0",), 20),
    (("a=maxptime:10",), 10), (("a=maxptime:40",), 20), (("a=ptime:60", "a=maxptime:30"), 30), (("a=ptime: 30 ",), 30),
])
def test_packet_time_is_what_they_want_within_10_to_60_ms(lines: tuple[str, ...], expected: int) -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 0", *lines)
    assert agreed.ptime_ms == expected and ours.media[0].value("ptime") == str(expected)


@pytest.mark.parametrize(("wanted", "expected"), [(10, 10), (20, 20), (30, 20), (40, 40), (50, 40), (60, 60), (120, 60)])
def test_packet_time_of_opus_is_one_that_opus_has(wanted: int, expected: int) -> None:
    assert agreed_on("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2", f"a=ptime:{wanted}").ptime_ms == expected


# ---- addresses and RTCP

def test_rtcp_goes_to_the_next_port_unless_they_say_another() -> None:
    assert agreed_on("m=audio 4000 RTP/AVP 0").remote_rtcp == ("10.0.0.1", 4001)
    assert agreed_on("m=audio 4000 RTP/AVP 0", "a=rtcp:4044").remote_rtcp == ("10.0.0.1", 4044)
    assert agreed_on("m=audio 4000 RTP/AVP 0", "a=rtcp:4044 IN IP4 10.0.0.7").remote_rtcp == ("10.0.0.7", 4044)
    assert agreed_on("m=audio 4000 RTP/AVP 0", "a=rtcp:4044 IN IP4 some.where").remote_rtcp == ("10.0.0.1", 4044)
    assert agreed_on("m=audio 4000 RTP/AVP 0", "a=rtcp:4044 IN IP4 0.0.0.0").remote_rtcp == ("10.0.0.1", 4044)
    assert agreed_on("m=audio 4000 RTP/AVP 0", "a=rtcp:99999").remote_rtcp == ("10.0.0.1", 4001)


def test_multiplexed_rtcp_goes_to_the_media_port_and_is_confirmed() -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:4044")
    assert agreed.rtcp_mux and agreed.remote_rtcp == ("10.0.0.1", 4000)
    assert ours.media[0].has("rtcp-mux") and not ours.media[0].has("rtcp")


def test_rtcp_is_not_multiplexed_unasked() -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 0")
    assert not agreed.rtcp_mux and not ours.media[0].has("rtcp-mux") and ours.media[0].value("rtcp") == "20001"


def test_address_of_the_stream_wins_and_may_be_of_the_other_family() -> None:
    agreed = agreed_on("m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::7")
    assert agreed.remote == ("2001:db8::7", 4000)


@pytest.mark.parametrize("lines", [("c=IN IP4 0.0.0.0",), ("c=IN IP6 ::",)])
def test_hold_of_old_sends_nothing_and_hears_on(lines: tuple[str, ...]) -> None:
    agreed = agreed_on("m=audio 4000 RTP/AVP 0", *lines)
    assert agreed.remote is None and agreed.remote_rtcp is None
    assert not agreed.may_send and agreed.may_receive


def test_our_address_stands_in_origin_connection_and_port() -> None:
    ours, _ = answered("m=audio 4000 RTP/AVP 0", local=LocalMedia("2001:db8::2", 30000, 30001))
    assert bytes(ours).startswith(b"v=0\r\no=- 9 1 IN IP6 2001:db8::2\r\ns=-\r\nc=IN IP6 2001:db8::2\r\n")


# ---- directions

TABLE = {
    ("sendrecv", "sendrecv"): "sendrecv", ("sendrecv", "sendonly"): "sendonly", ("sendrecv", "recvonly"): "recvonly",
    ("sendrecv", "inactive"): "inactive",
    ("sendonly", "sendrecv"): "recvonly", ("sendonly", "sendonly"): "inactive", ("sendonly", "recvonly"): "recvonly",
    ("sendonly", "inactive"): "inactive",
    ("recvonly", "sendrecv"): "sendonly", ("recvonly", "sendonly"): "sendonly", ("recvonly", "recvonly"): "inactive",
    ("recvonly", "inactive"): "inactive",
    ("inactive", "sendrecv"): "inactive", ("inactive", "sendonly"): "inactive", ("inactive", "recvonly"): "inactive",
    ("inactive", "inactive"): "inactive",
}
"""RFC 3264 §6.1: (theirs, what we want): ours."""


@pytest.mark.parametrize(("theirs", "wanted"), TABLE)
def test_direction_is_theirs_reversed_less_what_we_do_not_want(theirs: str, wanted: str) -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 0", f"a={theirs}", local=LocalMedia("10.0.0.2", 20000, 20001, wanted))
    expected = TABLE[theirs, wanted]
    assert agreed.direction == expected and ours.direction(ours.media[0]) == expected
    assert agreed.may_send is (expected in ("sendrecv", "sendonly"))
    assert agreed.may_receive is (expected in ("sendrecv", "recvonly"))


@pytest.mark.parametrize("theirs", DIRECTIONS)
def test_direction_of_the_whole_session_counts(theirs: str) -> None:
    assert agreed_on("m=audio 4000 RTP/AVP 0", top=(f"a={theirs}",)).direction == TABLE[theirs, "sendrecv"]


# ---- every line is answered

def test_each_line_is_answered_in_its_place_and_the_unknown_refused_with_port_0() -> None:
    ours, agreed = answered(
        "m=video 5000 RTP/AVP 96", "a=rtpmap:96 VP8/90000", "m=audio 4000 RTP/AVP 0", "m=application 9 UDP/BFCP *",
        "m=audio 4100 RTP/AVP 8", "m=image 0 udptl t38")
    assert [(media.kind, media.port) for media in ours.media] == [
        ("video", 0), ("audio", 20000), ("application", 0), ("audio", 0), ("image", 0)]
    assert agreed.index == 1
    assert [(media.protocol, media.formats) for media in ours.media] == [
        ("RTP/AVP", ("96",)), ("RTP/AVP", ("0",)), ("UDP/BFCP", ("*",)), ("RTP/AVP", ("8",)), ("udptl", ("t38",))]


def test_plain_stream_is_taken_where_a_protected_one_comes_first() -> None:
    ours, agreed = answered("m=audio 4000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x", "m=audio 4002 RTP/AVP 0")
    assert [media.port for media in ours.media] == [0, 20000] and agreed.remote == ("10.0.0.1", 4002)


def test_feedback_lines_and_profile_do_not_matter() -> None:
    ours, _ = answered("m=audio 4000 RTP/AVPF 0", "a=rtcp-fb:* nack", "a=rtcp-fb:0 ccm tmmbr")
    assert ours.media[0].protocol == "RTP/AVPF" and not ours.media[0].has("rtcp-fb")
    ours, _ = answered("m=audio 4000 RTP/AVP 0", "a=rtcp-fb:* nack")
    assert ours.media[0].protocol == "RTP/AVP" and not ours.media[0].has("rtcp-fb")


@pytest.mark.parametrize(("lines", "words"), [
    (("m=audio 4000 RTP/SAVP 0",), "only RTP/SAVP was offered"),
    (("m=audio 4000 UDP/TLS/RTP/SAVPF 0",), "only UDP/TLS/RTP/SAVPF was offered"),
    (("m=audio 4000 RTP/AVP 18",), "nothing known offered"),
    (("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 speex/16000"), "no codec in common: speex offered"),
    (("m=video 4000 RTP/AVP 97",), "no audio was offered"), (("m=audio 0 RTP/AVP 0",), "no audio was offered"),
    ((), "no audio"),
])
def test_failure_says_what_is_missing(lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(NegotiationFailed, match=words):
        answered(*lines)


def test_level_extensions_are_taken_with_their_numbers_and_others_left() -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 0", f"a=extmap:5 {AUDIO_LEVEL} vad=on", f"a=extmap:7/sendrecv {MIXER_LEVEL}",
                            "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid", f"a=extmap:200 {AUDIO_LEVEL}")
    assert agreed.extensions == {AUDIO_LEVEL: 5, MIXER_LEVEL: 7}
    assert ours.media[0].values("extmap") == [f"5 {AUDIO_LEVEL}", f"7 {MIXER_LEVEL}"]


def test_side_without_header_extensions_takes_none() -> None:
    ours, agreed = answered("m=audio 4000 RTP/AVP 0", f"a=extmap:1 {AUDIO_LEVEL}", capabilities=Capabilities(extensions=()))
    assert agreed.extensions == {} and ours.media[0].values("extmap") == []


# ---- our offer

def test_offer_names_all_codecs_in_our_order_with_events_of_both_rates() -> None:
    ours = parse(bytes(offer(ALL, LOCAL, session_id=3, version=1)))
    names = [(codec.name, codec.clock_rate) for codec in codecs_of(ours.media[0])]
    assert names == [("opus", 48000), ("G722", 8000), ("PCMU", 8000), ("PCMA", 8000), ("telephone-event", 8000),
                     ("telephone-event", 48000)]
    assert ours.media[0].has("rtcp-mux") and ours.media[0].value("rtcp") == "20001"
    assert "100 0-15" in ours.media[0].values("fmtp") and ours.direction(ours.media[0]) == "sendrecv"
    narrow = offer(Capabilities(ALL.codecs[2:]), LOCAL, session_id=3, version=1)
    assert narrow.media[0].formats == ("0", "8", "101")


def test_answer_with_other_numbers_gives_one_for_each_way() -> None:
    agreed = apply_answer(offer(ALL, LOCAL, session_id=3, version=1), session(
        "m=audio 4000 RTP/AVP 96 97", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 telephone-event/48000", "a=ptime:40"))
    assert (agreed.send_payload_type, agreed.receive_payload_type) == (96, 111)
    assert (agreed.dtmf_send, agreed.dtmf_receive) == (97, 100)
    assert agreed.ptime_ms == 40 and agreed.remote == ("10.0.0.1", 4000) and agreed.remote_rtcp == ("10.0.0.1", 4001)


def test_answer_may_put_the_event_first_and_take_multiplexing() -> None:
    agreed = apply_answer(offer(ALL, LOCAL, session_id=3, version=1), session(
        "m=audio 4000 RTP/AVP 101 0", "a=rtpmap:101 telephone-event/8000", "a=rtcp-mux", "a=recvonly",
        f"a=extmap:1 {AUDIO_LEVEL}"))
    assert agreed.codec.name == "PCMU" and agreed.dtmf_send == 101 and agreed.direction == "sendonly"
    assert agreed.rtcp_mux and agreed.remote_rtcp == ("10.0.0.1", 4000) and agreed.extensions == {AUDIO_LEVEL: 1}


@pytest.mark.parametrize(("lines", "words"), [
    (("m=audio 0 RTP/AVP 0",), "took none"), (("m=audio 4000 RTP/AVP 18",), "took none"),
    (("m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), "took none"),
    ((), "1 media were offered, 0 answered"), (("m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 96"), "1 media were offered, 2"),
])
def test_answer_that_refuses_or_does_not_fit_fails(lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(NegotiationFailed, match=words):
        apply_answer(offer(ALL, LOCAL, session_id=3, version=1), session(*lines))


@pytest.mark.parametrize("wanted", DIRECTIONS)
def test_held_offer_says_so_and_the_answer_is_read_with_it(wanted: str) -> None:
    ours = offer(ALL, LocalMedia("10.0.0.2", 20000, 20001, wanted), session_id=3, version=2)
    assert ours.direction(ours.media[0]) == wanted
    theirs, agreed = answer(ours, ALL, LocalMedia("10.0.0.1", 4000, 4001), session_id=1, version=1)
    assert agreed.direction == TABLE[wanted, "sendrecv"]
    assert apply_answer(ours, theirs).direction == wanted


def test_both_ends_of_our_own_agree_on_opus() -> None:
    ours = offer(ALL, LOCAL, session_id=3, version=1)
    theirs, there = answer(parse(bytes(ours)), ALL, LocalMedia("10.0.0.1", 4000, 4001), session_id=1, version=1)
    here = apply_answer(ours, parse(bytes(theirs)))
    assert here.codec.name == there.codec.name == "opus" and here.rtcp_mux and there.rtcp_mux
    assert here.remote == ("10.0.0.1", 4000) and there.remote == ("10.0.0.2", 20000)
    assert here.extensions == there.extensions and here.dtmf_send == there.dtmf_receive == 100


def test_next_offer_keeps_the_lines_and_the_numbers_of_the_session() -> None:
    answer_sent, _ = answered(
        "m=video 5000 RTP/AVP 101", "m=audio 4000 RTP/AVPF 111 96", "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:111 telephone-event/48000", "m=application 9 UDP/BFCP *")
    again = offer(ALL, LOCAL, session_id=9, version=2, previous=answer_sent)
    assert [(media.kind, media.port) for media in again.media] == [("video", 0), ("audio", 20000), ("application", 0)]
    numbers = {(codec.name, codec.clock_rate): codec.payload_type for codec in codecs_of(again.media[1])}
    assert numbers["opus", 48000] == 96 and numbers["telephone-event", 48000] == 111
    assert len(set(numbers.values())) == 6 and again.media[1].protocol == "RTP/AVPF"
    assert len(offer(ALL, LOCAL, session_id=9, version=3, previous=session("m=video 0 RTP/AVP 96")).media) == 2


# ---- whatever comes

pieces = st.sampled_from([
    "m=audio 4000 RTP/AVP 0 96 101", "m=audio 0 RTP/AVP 8", "m=audio 4000 RTP/SAVP 0", "m=video 5000 RTP/AVP 97",
    "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000", "a=rtpmap:0 x/1", "a=rtpmap:96 /",
    "a=rtpmap:96 opus/48000/x",
    "a=rtpmap:\u0663 z/8000", "a=fmtp:96 ;;=;a=b=c", "a=fmtp:96", "a=ptime:99999999", "a=ptime:-1", "a=maxptime:3",
    "a=rtcp:1 IN IP4", "a=rtcp:70000", "a=rtcp-mux", "a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0", "c=IN IP6 ::1",
    "a=extmap:1 x", "a=extmap:/ y", f"a=extmap:15 {AUDIO_LEVEL}",
])
maps = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20).map(lambda text: "a=rtpmap:96 " + text)


@given(st.lists(pieces | maps, max_size=12))
def test_negotiation_raises_nothing_but_its_own_errors(lines: list[str]) -> None:
    try:
        theirs = session(*lines)
    except ParseError:
        return
    try:
        ours, agreed = answer(theirs, ALL, LOCAL, session_id=1, version=1)
    except NegotiationFailed as error:
        assert str(error).isprintable()
    else:
        assert parse(bytes(ours)) == ours and len(ours.media) == len(theirs.media)
        assert ours.media[agreed.index].port == LOCAL.rtp_port and 10 <= agreed.ptime_ms <= 60
    try:
        apply_answer(offer(ALL, LOCAL, session_id=1, version=1), theirs)
    except NegotiationFailed as error:
        assert str(error).isprintable()
