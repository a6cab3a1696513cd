"""RTCP packets: bytes by hand, compounds, and what must be refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import ParseError
from rtp.rtcp import (
    BYE,
    RR,
    SDES,
    Goodbye,
    OtherPacket,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_compound,
    parse_compound,
)

BLOCK = ReportBlock(0x01020304, 64, -2, 0x00010009, 17, 0x22223333, 65536)
word = st.integers(0, 0xFFFFFFFF)
blocks = st.lists(st.builds(ReportBlock, word, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), word, word, word, word),
                  max_size=31).map(tuple)
text = st.text(st.characters(blacklist_categories=("Cs",)), max_size=60)
any_packet = st.one_of(
    st.builds(SenderReport, word, st.integers(0, (1 << 64) - 1), word, word, word, blocks),
    st.builds(ReceiverReport, word, blocks),
    st.builds(SourceDescription, st.dictionaries(word, text, max_size=31)),
    st.builds(Goodbye, st.lists(word, max_size=31).map(tuple), text),
    st.builds(OtherPacket, st.sampled_from([204, 205, 206, 207]), st.integers(0, 31),
              st.binary(max_size=40).map(lambda b: b[:len(b) // 4 * 4])),
)


def test_sender_report_is_laid_out_as_rfc_3550_draws_it() -> None:
    data = bytes(SenderReport(0xAABBCCDD, 0x1111111122222222, 0x33333333, 5, 800, (BLOCK,)))
    assert data[:8] == bytes.fromhex("81 c8 000c aabbccdd")
    assert data[8:28] == bytes.fromhex("11111111 22222222 33333333 00000005 00000320")
    assert data[28:] == bytes.fromhex("01020304 40 fffffe 00010009 00000011 22223333 00010000")


@pytest.mark.parametrize(("lost", "field"), [
    (0, 0), (-1, 0xFFFFFF), (0x7FFFFF, 0x7FFFFF), (1 << 30, 0x7FFFFF), (-(1 << 30), 0x800000),
])
def test_cumulative_loss_is_clamped_to_24_signed_bits(lost: int, field: int) -> None:
    data = bytes(ReportBlock(1, 0, lost, 0, 0, 0, 0))
    assert int.from_bytes(data[5:8]) == field


def test_source_description_is_padded_and_its_chunks_end_with_zero() -> None:
    assert bytes(SourceDescription({7: "ab"})) == bytes.fromhex("81 ca 0003 00000007 01 02") + b"ab" + bytes(4)
    assert bytes(SourceDescription({7: "a"})) == bytes.fromhex("81 ca 0002 00000007 01 01") + b"a\0"


def test_source_description_passes_over_items_that_are_no_cname() -> None:
    body = struct.pack("!IBB", 7, 6, 4) + b"tool" + bytes([1, 2]) + b"ab" + bytes(2)
    data = struct.pack("!BBH", 0x81, SDES, len(body) // 4) + body
    assert parse_compound(data) == [SourceDescription({7: "ab"})]


def test_long_cname_is_cut_between_two_characters() -> None:
    packet = parse_compound(bytes(SourceDescription({7: "ü" * 200})))[0]
    assert packet == SourceDescription({7: "ü" * 127})


def test_goodbye_carries_its_reason() -> None:
    assert bytes(Goodbye((7,), "bye")) == bytes.fromhex("81 cb 0002 00000007 03") + b"bye"
    assert parse_compound(bytes(Goodbye((7, 8)))) == [Goodbye((7, 8))]


def test_padding_is_allowed_in_the_last_packet_only() -> None:
    padded = struct.pack("!BBHI", 0xA0, RR, 2, 7) + bytes([0, 0, 0, 4])
    assert parse_compound(padded) == [ReceiverReport(7)]
    with pytest.raises(ParseError):
        parse_compound(padded + bytes(ReceiverReport(7)))


@pytest.mark.parametrize("data", [
    b"",
    b"\x80\xc9", bytes.fromhex("40c90001 00000007"), bytes.fromhex("80c90002 00000007"), bytes.fromhex("81c90001 00000007"),
    bytes.fromhex("80c80001 00000007"), bytes.fromhex("80000001 00000007"), bytes.fromhex("a0c90001 00000000"),
    bytes.fromhex("81ca0001 00000007"), bytes.fromhex("81cb0000"), bytes(ReceiverReport(1)) * 65,
])
def test_what_breaks_off_or_lies_about_its_length_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_compound(data)


def test_profile_extension_behind_the_blocks_is_passed_over() -> None:
    data = struct.pack("!BBHI", 0x80, RR, 3, 7) + b"extended"
    assert parse_compound(data) == [ReceiverReport(7)]


@given(st.lists(any_packet, min_size=1, max_size=5))
def test_parse_and_serialise_are_inverse(packets: list[RtcpPacket]) -> None:
    assert parse_compound(build_compound(packets)) == packets


def framed(kind: int, tail: bytes) -> bytes:
    """A packet with a right length and any body."""
    return bytes([0x81, kind, 0, len(tail) // 4]) + tail[:len(tail) // 4 * 4]


@given(st.binary(max_size=120) | st.builds(framed, st.sampled_from([200, 201, SDES, BYE, 206]), st.binary(max_size=80)))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    try:
        parse_compound(data)
    except ParseError:
        return
