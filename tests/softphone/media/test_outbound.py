"""What the phone sends: packets without a gap in numbers and times, keys, packets of other lengths, silence left out."""

from __future__ import annotations

import numpy as np
import pytest

from rtp.dtmf import KEYS, parse_event
from rtp.packet import AUDIO_LEVEL, RtpPacket
from rtp.sdp.negotiation import G722, OPUS, PCMU, AudioCodec, NegotiatedAudio
from softphone.media.outbound import Outbound, Position
from softphone.media.player import Tone


def agreed(codec: AudioCodec, ptime_ms: int = 20, extensions: dict[str, int] | None = None) -> NegotiatedAudio:
    return NegotiatedAudio(0, codec, codec.payload_type, codec.payload_type, 101, 101, ptime_ms, ("192.0.2.1", 4000),
                           ("192.0.2.1", 4001), False, "sendrecv", extensions or {})


class Wire:
    """Collects what is sent."""

    def __init__(self) -> None:
        self.packets: list[RtpPacket] = []

    def __call__(self, data: bytes, octets: int) -> None:
        packet = RtpPacket.parse(data)
        assert len(packet.payload) == octets
        self.packets.append(packet)


def send(outbound: Outbound, frames: int, hz: float = 440) -> None:
    tone = Tone(hz)
    for _ in range(frames):
        frame = tone.read()
        assert frame is not None
        outbound.send(frame)


@pytest.mark.parametrize("codec", [OPUS, G722, PCMU])
@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_numbers_and_times_go_on_without_a_gap_at_any_packet_length(codec: AudioCodec, ptime_ms: int) -> None:
    wire = Wire()
    send(Outbound(agreed(codec, ptime_ms), Position(7, 65530, 0xFFFFFF00), wire), 60)
    if codec is OPUS and ptime_ms == 30:
        ptime_ms = 20
    assert len(wire.packets) == 1200 // ptime_ms
    step = codec.clock_rate * ptime_ms // 1000
    for index, packet in enumerate(wire.packets):
        assert packet.sequence == (65530 + index) & 0xFFFF
        assert packet.timestamp == (0xFFFFFF00 + index * step) & 0xFFFFFFFF
        assert packet.marker == (index == 0) and packet.ssrc == 7
    if codec is not OPUS:
        assert {len(packet.payload) for packet in wire.packets} == {8 * ptime_ms}


def test_a_key_shares_one_timestamp_and_ends_three_times_while_the_time_goes_on() -> None:
    wire, outbound = Wire(), None
    outbound = Outbound(agreed(PCMU), Position(7, 0, 0), wire)
    send(outbound, 2)
    outbound.press("*x6")
    assert outbound.is_pressing
    send(outbound, 40)
    assert not outbound.is_pressing
    events = [packet for packet in wire.packets if packet.payload_type == 101]
    times = sorted({packet.timestamp for packet in events})
    assert len(times) == 2
    for time, key in zip(times, "*6", strict=True):
        press = [packet for packet in events if packet.timestamp == time]
        parsed = [parse_event(packet.payload) for packet in press]
        assert {KEYS[code] for code, _, _ in parsed} == {key}
        assert [end for _, end, _ in parsed].count(True) == 3 and parsed[-1][1]
        assert press[0].marker and not any(packet.marker for packet in press[1:])
        durations = [duration for _, _, duration in parsed]
        assert durations == sorted(durations)
    assert [packet.sequence for packet in wire.packets] == list(range(len(wire.packets)))
    assert wire.packets[-1].timestamp == 41 * 160


def test_skipped_time_shows_in_the_timestamp_and_not_in_the_sequence() -> None:
    wire = Wire()
    outbound = Outbound(agreed(PCMU), Position(7, 0, 0), wire)
    send(outbound, 1)
    outbound.skip(10)
    send(outbound, 1)
    assert [(packet.sequence, packet.timestamp, packet.marker) for packet in wire.packets] == [(0, 0, True), (1, 1760, True)]


def test_silence_is_left_out_with_dtx_and_sent_without_it() -> None:
    zeros = np.zeros(960, np.int16)
    sent = []
    for dtx in (True, False):
        wire = Wire()
        outbound = Outbound(agreed(OPUS), Position(7, 0, 0), wire, dtx=dtx)
        for _ in range(100):
            outbound.send(zeros)
        sent.append(len(wire.packets))
        assert [packet.sequence for packet in wire.packets] == list(range(len(wire.packets)))
    assert sent[0] < 40 and sent[1] == 100


def test_the_own_level_is_told_where_it_was_agreed() -> None:
    wire = Wire()
    send(Outbound(agreed(PCMU, extensions={AUDIO_LEVEL: 3}), Position(7, 0, 0), wire), 3)
    assert {packet.extensions[3] for packet in wire.packets} == {bytes([0x80 | 20])}
