"""The sound of streams: order restored, each packet at its place, silence where there was none."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcap.audio import CLOCKS, Track, decoder
from pcap.ordering import WINDOW, Ordered, Reorder
from rtp.codecs import g711
from rtp.codecs.registry import create_encoder
from rtp.codecs.resample import Samples
from rtp.errors import CodecError
from rtp.packet import RtpPacket
from tests.rtp.codecs.signals import frames_of, level_db, tone

MS = 1_000_000
FIRST = 65500


def later(delay_ms: int, first: int, timestamp: int) -> list[tuple[int, RtpPacket]]:
    """Ten more packets of sound, from a number and a timestamp on."""
    return [(delay_ms * MS + time, RtpPacket(0, (first + n) & 0xFFFF, (timestamp + n * 160) & 0xFFFFFFFF, 7, one.payload))
            for n, (time, one) in enumerate(stream("pcmu", 10))]


def ordered(packets: list[tuple[int, RtpPacket]]) -> list[Ordered]:
    """What a Reorder gives for packets, in order."""
    reorder = Reorder()
    return [one for time_ns, packet in packets for one in reorder.push(time_ns, packet)] + list(reorder.flush())


def stream(codec: str, count: int, skip: range = range(0)) -> list[tuple[int, RtpPacket]]:
    """Packets of 20 ms with a tone, without those in `skip`; timestamps and numbers wrap."""
    encoder = create_encoder(codec)
    step = CLOCKS[codec] // 50
    sent = [(number, encoder.encode(frame)) for number, frame in enumerate(frames_of(tone(1000, count)))]
    return [(20 * MS * n, RtpPacket(0, (FIRST + n) & 0xFFFF, (0xFFFFFF00 + n * step) & 0xFFFFFFFF, 7, data))
            for n, data in sent if n not in skip]


def sound(codec: str, packets: list[tuple[int, RtpPacket]]) -> tuple[Samples, Track]:
    """The samples of a stream."""
    track = Track(codec)
    return np.concatenate([piece for one in ordered(packets) for piece in track.add(one)]), track


@pytest.mark.parametrize(("codec", "rate"), [("pcmu", 8000), ("pcma", 8000), ("g722", 16000), ("opus", 48000)])
def test_tone_comes_out_at_the_codecs_own_rate_and_true_length(codec: str, rate: int) -> None:
    samples, track = sound(codec, stream(codec, 100))
    assert track.rate == rate and len(samples) == 2 * rate and track.broken == track.lost == 0
    assert abs(level_db(samples[rate:], 1000, rate) - level_db(tone(1000, 50), 1000)) < 1.0


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
def test_lost_packets_are_silence_of_their_length(codec: str) -> None:
    samples, track = sound(codec, stream(codec, 100, skip=range(40, 60)))
    fifth = len(samples) // 5
    assert len(samples) == 2 * track.rate and track.lost == 20
    assert not samples[2 * fifth:3 * fifth].any() and samples[:2 * fifth].any() and samples[3 * fifth:].any()


def test_pause_in_sending_is_silence_though_no_number_is_missing() -> None:
    samples, track = sound("pcmu", [*stream("pcmu", 10), *later(2000, FIRST + 10, 0xFFFFFF00 + 16000)])
    assert len(samples) == 16000 + 1600 and track.lost == 0 and not samples[1600:16000].any()


def test_timestamps_that_jump_while_time_goes_on_make_no_hole() -> None:
    samples, _ = sound("pcmu", [*stream("pcmu", 10), *later(200, FIRST + 10, 123456)])
    assert len(samples) == 3200


def test_copies_and_late_packets_change_nothing() -> None:
    packets = stream("pcma", 50)
    shuffled = [packets[i] for i in sorted(range(50), key=lambda i: i + random.Random(i).uniform(0, 5))]
    assert np.array_equal(sound("pcma", packets)[0], sound("pcma", [*shuffled, packets[20], packets[49]])[0])


def test_sender_that_begins_anew_is_heard_on() -> None:
    packets = [*stream("pcmu", 10), *later(200, 30000, 0xFFFFFF00)]
    assert [one.is_restart for one in ordered(packets)] == [False] * 10 + [True] + [False] * 9
    assert len(sound("pcmu", packets)[0]) == 3200


def test_payload_that_is_no_opus_is_counted_and_passed_over() -> None:
    packets = stream("opus", 20)
    packets[5][1].payload = b"\xff" * 3
    samples, track = sound("opus", packets)
    assert track.broken == 1 and len(samples) == 19200


def test_g711_is_exact_and_an_unknown_codec_is_refused() -> None:
    assert np.array_equal(decoder("PCMU")(bytes(range(256))), g711.MULAW)
    with pytest.raises(CodecError):
        decoder("amr")


@given(st.lists(st.integers(0, 0xFFFF), max_size=300))
def test_order_never_goes_back_and_no_number_comes_twice_before_a_new_beginning(numbers: list[int]) -> None:
    out = ordered([(n, RtpPacket(0, number, 0, 7)) for n, number in enumerate(numbers)])
    run: list[int] = []
    for one in out:
        if one.is_restart:
            run = []
        assert not run or 0 < (one.packet.sequence - run[-1]) & 0xFFFF < 0x8000
        run.append(one.packet.sequence)
    assert len(out) <= len(numbers)


def test_few_packets_wait_for_one_that_is_missing() -> None:
    reorder, out = Reorder(), 0
    for n in [0, *range(2, 500)]:
        out += len(list(reorder.push(n, RtpPacket(0, n, 0, 7))))
        assert n - out <= WINDOW + 1
