"""SDP values: lines in the order of RFC 8866, lookups, and the refusal of a stream."""

from __future__ import annotations

from rtp.sdp.model import Connection, MediaDescription, SessionDescription

AUDIO = MediaDescription(
    "audio", 4000, "RTP/AVP", ("0", "101"), Connection("10.0.0.9"), (("AS", 80),),
    (("rtpmap", "0 PCMU/8000"), ("rtpmap", "101 telephone-event/8000"), ("rtcp-mux", None), ("sendonly", None)),
)


def test_session_is_written_in_the_order_of_rfc_8866() -> None:
    session = SessionDescription(7, 2, "10.0.0.1", Connection("10.0.0.1"), (AUDIO,), (("tool", "x"),), bandwidth=(("CT", 90),))
    assert bytes(session).decode().split("\r\n") == [
        "v=0", "o=- 7 2 IN IP4 10.0.0.1", "s=-", "c=IN IP4 10.0.0.1", "b=CT:90", "t=0 0", "a=tool:x",
        "m=audio 4000 RTP/AVP 0 101", "c=IN IP4 10.0.0.9", "b=AS:80", "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000", "a=rtcp-mux", "a=sendonly", "",
    ]


def test_ipv6_is_named_in_origin_and_connection() -> None:
    session = SessionDescription(7, 2, "2001:db8::1", Connection.of("2001:db8::1"))
    assert b"o=- 7 2 IN IP6 2001:db8::1\r\n" in bytes(session) and b"c=IN IP6 2001:db8::1\r\n" in bytes(session)


def test_attributes_are_found_by_name() -> None:
    assert AUDIO.values("rtpmap") == ["0 PCMU/8000", "101 telephone-event/8000"]
    assert AUDIO.value("rtpmap") == "0 PCMU/8000" and AUDIO.value("fmtp") is None
    assert AUDIO.has("rtcp-mux") and AUDIO.value("rtcp-mux") == "" and not AUDIO.has("ptime")


def test_refused_stream_keeps_kind_protocol_and_formats_alone() -> None:
    assert AUDIO.refused().lines() == ["m=audio 0 RTP/AVP 0 101"]


def test_direction_of_the_stream_wins_over_that_of_the_session() -> None:
    plain = MediaDescription("audio", 1, "RTP/AVP", ("0",))
    session = SessionDescription(1, 1, "h", attributes=(("recvonly", None),))
    assert session.direction(AUDIO) == "sendonly" and session.direction(plain) == "recvonly"
    assert SessionDescription(1, 1, "h").direction(plain) == "sendrecv"


def test_address_of_the_stream_wins_over_that_of_the_session() -> None:
    session = SessionDescription(1, 1, "h", Connection("10.0.0.1"))
    assert session.host_of(AUDIO) == "10.0.0.9"
    assert session.host_of(MediaDescription("audio", 1, "RTP/AVP", ("0",))) == "10.0.0.1"
    assert SessionDescription(1, 1, "h").host_of(MediaDescription("audio", 1, "RTP/AVP", ("0",))) is None
