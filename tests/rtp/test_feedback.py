"""Feedback of RTCP: bytes by hand, there and back, and what lies."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import ParseError
from rtp.feedback import (
    MAX_ESTIMATE_BPS,
    MAX_NACKS,
    BitrateLimit,
    Feedback,
    FullIntraRequest,
    Nack,
    PictureLossIndication,
    ReceiverEstimate,
    parse_feedback,
)
from rtp.rtcp import OtherPacket, parse_compound

word = st.integers(0, 0xFFFFFFFF)


def back(feedback: Feedback) -> Feedback | None:
    """A feedback as its receiver reads it, alone in a datagram (RFC 5506)."""
    packets = parse_compound(bytes(feedback))
    assert len(packets) == 1 and isinstance(packets[0], OtherPacket)
    return parse_feedback(packets[0])


@pytest.mark.parametrize(("feedback", "data"), [
    (PictureLossIndication(1, 2), "81ce0002 00000001 00000002"),
    (FullIntraRequest(1, ((2, 3),)), "84ce0004 00000001 00000000 00000002 03000000"),
    (Nack(1, 2, (10, 12, 26, 27)), "81cd0004 00000001 00000002 000a8002 001b0000"),
    (ReceiverEstimate(1, 300_000, (7, 8)), "8fce0006 00000001 00000000 52454d42 020649f0 00000007 00000008"),
    (BitrateLimit(1, ((2, 1_000_000, 40),)), "83cd0004 00000001 00000000 00000002 0fd09028"),
], ids=lambda value: type(value).__name__ if not isinstance(value, str) else "")
def test_feedback_is_laid_out_as_its_document_draws_it(feedback: Feedback, data: str) -> None:
    assert bytes(feedback) == bytes.fromhex(data)
    assert back(feedback) == feedback


@given(word, word, st.integers(0, 0xFFFF), st.lists(st.integers(1, 40), max_size=60))
def test_lost_packets_come_back_over_the_wrap(sender: int, source: int, first: int, steps: list[int]) -> None:
    lost = [first]
    for step in steps:
        lost.append((lost[-1] + step) & 0xFFFF)
    assert back(Nack(sender, source, tuple(lost))) == Nack(sender, source, tuple(lost))


@given(st.integers(0, MAX_ESTIMATE_BPS), st.lists(word, max_size=20))
def test_estimate_comes_back_to_within_its_mantissa(bitrate_bps: int, sources: list[int]) -> None:
    found = back(ReceiverEstimate(1, bitrate_bps, tuple(sources)))
    assert isinstance(found, ReceiverEstimate) and found.sources == tuple(sources)
    assert bitrate_bps * (1 - 2 ** -17) <= found.bitrate_bps <= bitrate_bps


def test_estimate_of_a_liar_is_clamped() -> None:
    packet = OtherPacket(206, 15, struct.pack("!II4sI", 1, 0, b"REMB", 63 << 18 | 0x3FFFF))
    found = parse_feedback(packet)
    assert isinstance(found, ReceiverEstimate) and found.bitrate_bps == MAX_ESTIMATE_BPS


def test_nack_of_a_flood_is_cut() -> None:
    found = parse_feedback(OtherPacket(205, 1, bytes(8) + struct.pack("!HH", 5, 0xFFFF) * 300))
    assert isinstance(found, Nack) and len(found.lost) == MAX_NACKS


@pytest.mark.parametrize(("kind", "count", "body"), [
    (205, 1, ""), (206, 1, "00000001"), (205, 1, "0000000100000002"), (206, 4, "0000000100000002"),
    (205, 3, "0000000100000002 00000001"), (206, 15, "0000000100000000 52454d42"),
    (206, 15, "0000000100000000 52454d42 02000000 00000001"), (206, 4, "00000001 00000000" + "00000002 01000000" * 65),
])
def test_feedback_that_breaks_off_is_refused(kind: int, count: int, body: str) -> None:
    with pytest.raises(ParseError):
        parse_feedback(OtherPacket(kind, count, bytes.fromhex(body)))


@pytest.mark.parametrize(("kind", "count"), [(204, 1), (205, 9), (206, 2), (206, 15), (207, 1)])
def test_feedback_that_is_unknown_is_none(kind: int, count: int) -> None:
    assert parse_feedback(OtherPacket(kind, count, bytes(16))) is None


@given(st.sampled_from([205, 206]), st.sampled_from([1, 3, 4, 15]), st.binary(max_size=60))
def test_no_bytes_crash_the_parser(kind: int, count: int, body: bytes) -> None:
    try:
        parse_feedback(OtherPacket(kind, count, body))
    except ParseError:
        return
