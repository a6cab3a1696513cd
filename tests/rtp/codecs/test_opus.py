"""Opus: level, noise, error correction, concealment, copies of the state, and what the receiver's parameters ask for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.codecs.opus import Decoder, Encoder, encoder_for
from rtp.codecs.resample import Samples
from rtp.errors import CodecError
from tests.rtp.codecs.signals import FRAME, frames_of, level_db, snr_db, tone


def speech(frames: int) -> Samples:
    """Something like a voice: a pitch that glides, with overtones, in syllables."""
    time = np.arange(frames * FRAME) / 48000
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * time)) / 48000
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time)
    samples: Samples = (5000 * voice * syllables).astype(np.int16)
    return samples


def bandwidth_code(payload: bytes) -> int:
    """The configuration number in the table of contents (RFC 6716 §3.1)."""
    return payload[0] >> 3


@pytest.mark.parametrize("hz", [300, 1004, 3400, 6000])
def test_tone_comes_back_within_one_db(hz: float) -> None:
    encoder, decoder = Encoder(64000), Decoder()
    back = np.concatenate([decoder.decode(encoder.encode(frame)) for frame in frames_of(tone(hz))])[9600:]
    assert abs(level_db(back, hz) - 20 * np.log10(8000)) < 1
    assert snr_db(back, hz) > 25


@pytest.mark.parametrize("ptime_ms", [10, 20, 40, 60])
def test_packet_times_of_opus_come_back_whole(ptime_ms: int) -> None:
    encoder, decoder = Encoder(), Decoder()
    size = 48 * ptime_ms
    assert {len(decoder.decode(encoder.encode(frame))) for frame in frames_of(tone(500, 12), size)} == {size}


def test_length_that_is_no_opus_frame_is_an_error_of_the_codec() -> None:
    with pytest.raises(CodecError):
        Encoder().encode(np.zeros(1440, np.int16))


def test_lost_packet_is_recovered_from_the_next_one() -> None:
    original = speech(60)
    encoder = Encoder()
    payloads = [encoder.encode(frame) for frame in frames_of(original)]
    errors = {"fec": 0.0, "conceal": 0.0}
    for way in errors:
        reference, decoder = Decoder(), Decoder()
        for number, payload in enumerate(payloads[:-1]):
            wanted = reference.decode(payload).astype(float)
            if number % 10 == 5:
                got = decoder.decode_fec(payloads[number + 1], FRAME) if way == "fec" else decoder.conceal(FRAME)
                errors[way] += float(np.mean((got.astype(float) - wanted) ** 2))
            else:
                decoder.decode(payload)
    assert errors["fec"] < errors["conceal"] / 4


def test_concealment_goes_on_with_the_voice_and_fades() -> None:
    encoder, decoder = Encoder(), Decoder()
    last = [decoder.decode(encoder.encode(frame)) for frame in frames_of(speech(30))][-1]
    made = [decoder.conceal(FRAME) for _ in range(15)]
    powers = [float(np.mean(piece.astype(float) ** 2)) for piece in (last, *made)]
    assert all(piece.shape == (FRAME,) for piece in made)
    assert powers[1] > powers[0] / 10 and powers[15] < powers[0] / 30


def test_copied_encoder_gives_the_very_bytes_and_then_lives_its_own_life() -> None:
    encoder = Encoder(24000, fec=True)
    frames = list(frames_of(speech(30)))
    for frame in frames[:15]:
        encoder.encode(frame)
    twin = encoder.copy()
    assert [twin.encode(frame) for frame in frames[15:]] == [encoder.encode(frame) for frame in frames[15:]]
    assert twin.encode(tone(2000, 1)) != encoder.encode(np.zeros(FRAME, np.int16))


def test_silence_with_dtx_is_hardly_anything_and_without_it_is_not() -> None:
    quiet, loud = Encoder(dtx=True), Encoder(dtx=False)
    silence = np.zeros(FRAME, np.int16)
    sizes = [len(quiet.encode(silence)) for _ in range(60)]
    assert sum(size <= 2 for size in sizes) > 30
    assert min(len(loud.encode(silence)) for _ in range(60)) > 2


def test_empty_payload_and_no_opus_are_errors_of_the_codec() -> None:
    for payload in (b"", b"\xff\xff\xff"):
        with pytest.raises(CodecError):
            Decoder().decode(payload)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_decoder(payload: bytes) -> None:
    try:
        samples = Decoder().decode(payload)
    except CodecError:
        return
    assert len(samples) <= 5760


def test_average_bit_rate_of_the_receiver_is_kept() -> None:
    def rate(*fmtp: tuple[str, str]) -> float:
        encoder = encoder_for(fmtp, bitrate_bps=48000)
        return sum(len(encoder.encode(frame)) for frame in frames_of(speech(100))) * 8 / 2

    assert 40000 < rate() < 56000
    assert rate(("maxaveragebitrate", "16000")) < 19500
    assert rate(("maxaveragebitrate", "nonsense")) > 40000


def test_playback_rate_of_the_receiver_limits_the_band() -> None:
    def highest(*fmtp: tuple[str, str]) -> int:
        encoder = encoder_for(fmtp, bitrate_bps=64000)
        return bandwidth_code([encoder.encode(frame) for frame in frames_of(tone(1000, 20))][-1])

    assert highest(("maxplaybackrate", "8000")) in (0, 1, 2, 3, 16, 17, 18, 19)               # narrow band
    assert highest(("maxplaybackrate", "16000")) in (8, 9, 10, 11, 20, 21, 22, 23)            # wide band
    assert highest() in (14, 15, 28, 29, 30, 31)                                              # full band


def test_constant_bit_rate_makes_packets_of_one_size() -> None:
    encoder = encoder_for([("cbr", "1")])
    assert len({len(encoder.encode(frame)) for frame in frames_of(speech(50))}) == 1
    encoder = encoder_for([("cbr", "0")])
    assert len({len(encoder.encode(frame)) for frame in frames_of(speech(50))}) > 5


def test_dtx_and_error_correction_are_used_when_the_receiver_likes_them() -> None:
    silence = np.zeros(FRAME, np.int16)
    for fmtp, is_dtx in (([("usedtx", "1")], True), ([("usedtx", "0")], False), ([], False)):
        encoder = encoder_for(fmtp, dtx=True)
        assert any(len(encoder.encode(silence)) <= 2 for _ in range(60)) is is_dtx

    def recovered(*fmtp: tuple[str, str]) -> float:
        encoder, decoder = encoder_for(fmtp), Decoder()
        payloads = [encoder.encode(frame) for frame in frames_of(speech(41))]
        for payload in payloads[:39]:
            decoder.decode(payload)
        wanted = Decoder()
        true = [wanted.decode(payload) for payload in payloads[:40]][-1].astype(float)
        return float(np.mean((decoder.decode_fec(payloads[40], FRAME).astype(float) - true) ** 2))

    assert recovered(("useinbandfec", "1")) < recovered() / 2
