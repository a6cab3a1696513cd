"""RTP packets: bytes by hand, extensions in both forms, and what must be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import ParseError
from rtp.packet import RtpPacket, is_rtcp, parse_extensions, parse_header, write_extensions

FIXED = bytes.fromhex("80 88 1234 01020304 aabbccdd")
extensions = st.dictionaries(st.integers(1, 255), st.binary(max_size=40), max_size=4)
packets = st.builds(
    RtpPacket, st.integers(0, 127), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=200), st.booleans(), st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple), extensions,
)


def test_fixed_header_is_read_field_by_field() -> None:
    packet = RtpPacket.parse(FIXED + b"voice")
    assert (packet.payload_type, packet.marker) == (8, True)
    assert (packet.sequence, packet.timestamp, packet.ssrc) == (0x1234, 0x01020304, 0xAABBCCDD)
    assert packet.payload == b"voice" and not packet.csrcs and not packet.extensions


def test_contributing_sources_come_between_header_and_payload() -> None:
    data = b"\x82" + FIXED[1:] + bytes.fromhex("00000007 00000009") + b"voice"
    packet = RtpPacket.parse(data)
    assert packet.csrcs == (7, 9) and packet.payload == b"voice"
    assert parse_header(data)[5] == 20


def test_padding_is_cut_off_by_its_last_byte() -> None:
    assert RtpPacket.parse(b"\xa0" + FIXED[1:] + b"voice\0\0\x03").payload == b"voice"


@pytest.mark.parametrize("tail", [b"\0", b"voice\0", b"\x09"])
def test_padding_that_does_not_fit_is_refused(tail: bytes) -> None:
    with pytest.raises(ParseError):
        RtpPacket.parse(b"\xa0" + FIXED[1:] + tail)


def test_one_byte_extension_of_rfc_8285_is_read() -> None:
    data = b"\x90" + FIXED[1:] + bytes.fromhex("bede0002 10 8a 21 0102 00 00 00") + b"v"
    packet = RtpPacket.parse(data)
    assert packet.extensions == {1: b"\x8a", 2: b"\x01\x02"} and packet.payload == b"v"


def test_two_byte_extension_holds_empty_and_long_elements() -> None:
    written = write_extensions({1: b"", 200: bytes(30)})
    assert written[:2] == b"\x10\x00" and len(written) % 4 == 0
    assert parse_extensions(written, 0) == {1: b"", 200: bytes(30)}


def test_element_15_ends_a_one_byte_extension() -> None:
    assert parse_extensions(bytes.fromhex("bede0002 10 01 f0 ff 20 02 0000"), 0) == {1: b"\x01"}


def test_extension_of_an_unknown_profile_is_passed_over() -> None:
    data = b"\x90" + FIXED[1:] + bytes.fromhex("12340001 deadbeef") + b"v"
    assert RtpPacket.parse(data).extensions == {} and RtpPacket.parse(data).payload == b"v"


@pytest.mark.parametrize("data", [
    b"", FIXED[:11], b"\x40" + FIXED[1:], b"\x8f" + FIXED[1:], b"\x90" + FIXED[1:], b"\x90" + FIXED[1:] + b"\xbe\xde\0\x02abcd",
    b"\x90" + FIXED[1:] + b"\xbe\xde\0\x01\x1f\0\0\0",
])
def test_short_headers_and_other_versions_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        RtpPacket.parse(data)


@pytest.mark.parametrize(("second", "expected"), [
    (0x80, False), (0xC0, True), (200, True), (0xDF, True), (0xE0, False), (0, False),
])
def test_rtcp_is_told_from_rtp_by_its_packet_type(second: int, expected: bool) -> None:
    assert is_rtcp(bytes([0x80, second, 0, 0])) is expected


def test_one_byte_alone_is_no_rtcp() -> None:
    assert not is_rtcp(b"\x80")


@given(packets)
def test_parse_and_serialise_are_inverse(packet: RtpPacket) -> None:
    assert RtpPacket.parse(bytes(packet)) == packet


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda tail: b"\xb3" + tail))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except ParseError:
        return
    assert len(packet.payload) <= len(data) - 12
