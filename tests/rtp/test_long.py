"""Long runs: hours of a stream through changing weather, and tens of thousands of damaged packets and descriptions."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from rtp.errors import NegotiationFailed, ParseError
from rtp.packet import RtpPacket
from rtp.rtcp import Goodbye, ReportBlock, SenderReport, SourceDescription, build_compound, parse_compound
from rtp.sdp.negotiation import Capabilities, LocalMedia, answer
from rtp.sdp.parser import parse
from tests.helpers.netem import Bursts, Conditions
from tests.rtp.sdp.test_clients import BARESIP, BROWSER_GATEWAY, DESK_PHONE, LINPHONE
from tests.rtp.test_jitter import listen

pytestmark = pytest.mark.long
LOCAL = LocalMedia("192.0.2.1", 20000, 20001)


def damaged(original: bytes, source: random.Random) -> bytes:
    """The bytes with some changed, cut out, doubled or added."""
    data = bytearray(original)
    for _ in range(source.randint(1, 6)):
        start = source.randrange(len(data) + 1)
        match source.randrange(4):
            case 0 if start < len(data):
                data[start] = source.randrange(256)
            case 1:
                del data[start:start + source.randint(1, 30)]
            case 2:
                data[start:start] = data[start:start + source.randint(1, 60)]
            case _:
                data[start:start] = source.randbytes(source.randint(1, 8))
    return bytes(data)


def negotiate(data: bytes) -> None:
    """Parse an offer and answer it."""
    ours, _ = answer(parse(data), Capabilities(), LOCAL, session_id=1, version=1)
    assert parse(bytes(ours)) == ours


RTCP = build_compound([
    SenderReport(1, 2, 3, 4, 5, (ReportBlock(6, 7, 8, 9, 10, 11, 12),)), SourceDescription({1: "a@b"}), Goodbye((1,)),
])
RTP = bytes(RtpPacket(111, 1, 2, 3, bytes(60), True, (1, 2), {1: b"\x10", 5: b"abc"}))


@pytest.mark.parametrize(("originals", "read", "count"), [
    ([text.replace("\n", "\r\n").encode() for text in (BARESIP, LINPHONE, DESK_PHONE, BROWSER_GATEWAY)], negotiate, 30_000),
    ([RTCP], parse_compound, 100_000), ([RTP], RtpPacket.parse, 100_000),
], ids=["sdp", "rtcp", "rtp"])
def test_damaged_input_raises_nothing_but_our_own_errors(
        originals: list[bytes], read: Callable[[bytes], object], count: int) -> None:
    source = random.Random(20)
    refused = 0
    for number in range(count):
        try:
            read(damaged(originals[number % len(originals)], source))
        except (ParseError, NegotiationFailed):
            refused += 1
    assert count // 50 < refused < count


@pytest.mark.parametrize("drift", [0, 80e-6, -80e-6])
def test_three_hours_through_changing_weather_leave_no_delay_behind(drift: float) -> None:
    def weather(number: int) -> float:
        minute = number // 3000
        if minute % 20 == 7:
            return number * 7919 % 120                                # a minute of heavy jitter
        if number % 50_000 < 60:
            return max(0.0, 1200 - 20 * (number % 50_000))            # a stall of 1.2 s
        return 0

    conditions = Conditions(jitter_ms=4, loss=0.005, duplicate=0.002, bursts=Bursts(0.0005, 0.3))
    heard = listen(conditions, seconds=3 * 3600, drift=drift, extra_ms=weather)
    assert len(heard.played) > 0.95 * 540_000
    assert heard.buffer.late < 0.005 * 540_000
    assert sorted(heard.delays)[len(heard.delays) // 2] < 45
    assert heard.delays[-1] < 60 and heard.most_waiting <= 24
