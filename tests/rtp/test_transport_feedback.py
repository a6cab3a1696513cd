"""Transport-wide feedback: an example by hand, there and back, and what lies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.errors import ParseError
from rtp.feedback import parse_feedback
from rtp.rtcp import OtherPacket, parse_compound
from rtp.transport_feedback import MAX_STATUSES, ArrivalLog, TransportFeedback, numbers_of


def back(feedback: TransportFeedback) -> TransportFeedback:
    """As its receiver reads it."""
    (packet,) = parse_compound(bytes(feedback))
    assert isinstance(packet, OtherPacket)
    found = parse_feedback(packet)
    assert isinstance(found, TransportFeedback)
    return found


def test_feedback_is_laid_out_as_its_draft_draws_it() -> None:
    feedback = TransportFeedback(1, 2, 0x0153, (64_000, 64_500, None, 64_250, 200_000), 9)
    head = "8fcd0006 00000001 00000002 0153 0005 000001 09"
    assert bytes(feedback) == bytes.fromhex(head + "d4a0" + "00 02 ffff 021f")
    assert back(feedback) == feedback


@given(st.integers(0, 0xFFFF), st.integers(0, 1 << 36), st.integers(0, 255),
       st.lists(st.none() | st.integers(-8000, 30000) | st.integers(0, 200), min_size=1, max_size=200))
def test_arrivals_come_back(base: int, start: int, number: int, steps: list[int | None]) -> None:
    arrivals: list[int | None] = []
    time = start // 250
    for step in steps:
        time += step or 0
        arrivals.append(None if step is None else time * 250)
    feedback = TransportFeedback(1, 2, base, tuple(arrivals), number)
    if all(arrival is None or arrival >= 0 for arrival in arrivals):
        assert back(feedback) == feedback


def test_long_runs_are_written_short() -> None:
    arrivals = (0, *[None] * 3000, *range(0, 250 * 20, 250))
    data = bytes(TransportFeedback(1, 2, 0, arrivals, 0))
    assert len(data) < 60
    assert back(TransportFeedback(1, 2, 0, arrivals, 0)).arrivals_us == arrivals


@pytest.mark.parametrize("body", [
    "", "00000001 00000002 0000 0000 000000 00 2001", "00000001 00000002 0000 0001 000000 00",
    "00000001 00000002 0000 0001 000000 00 2001", "00000001 00000002 0000 0001 000000 00 2000",
    "00000001 00000002 0000 0002 000000 00 f800 0000", f"00000001 00000002 0000 {MAX_STATUSES + 1:04x} 000000 00 1fff",
])
def test_feedback_that_breaks_off_or_lies_is_refused(body: str) -> None:
    with pytest.raises(ParseError):
        TransportFeedback.parse(bytes.fromhex(body))


@given(st.binary(max_size=80))
def test_no_bytes_crash_the_parser(tail: bytes) -> None:
    try:
        found = TransportFeedback.parse(bytes(8) + tail)
    except ParseError:
        return
    assert 0 < len(found.arrivals_us) <= MAX_STATUSES


def test_log_tells_each_arrival_once_with_loss_reordering_and_the_wrap() -> None:
    log = ArrivalLog()
    assert log.take(1, 2) is None
    for number, arrival in ((65534, 1_000_000), (0, 3_000_000), (65535, 4_000_000), (0, 5_000_000)):
        log.on_packet(number, arrival)
    feedback = log.take(1, 2)
    assert feedback is not None
    assert (feedback.base, feedback.arrivals_us, feedback.number) == (65534, (1000, 4000, 3000), 0)
    assert list(numbers_of(feedback, 65536 + 5)) == [(65534, 1000), (65535, 4000), (65536, 3000)]
    log.on_packet(65535, 6_000_000)
    assert log.take(1, 2) is None
    log.on_packet(3, 7_000_000)
    feedback = log.take(1, 2)
    assert feedback is not None and (feedback.base, feedback.arrivals_us, feedback.number) == (1, (None, None, 7000), 1)


def test_jump_of_the_numbers_begins_anew() -> None:
    log = ArrivalLog()
    log.on_packet(5, 0)
    log.on_packet(20000, 1000)
    feedback = log.take(1, 2)
    assert feedback is not None and (feedback.base, feedback.arrivals_us) == (20000, (1,))
