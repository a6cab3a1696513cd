"""G.722: level and noise there and back, concealment, and payloads that are none."""

from __future__ import annotations

import numpy as np
import pytest

from rtp.codecs.g722 import Decoder, Encoder
from rtp.errors import CodecError
from tests.rtp.codecs.signals import FRAME, frames_of, level_db, snr_db, tone


@pytest.mark.parametrize(("hz", "least_snr"), [(300, 35), (1004, 35), (3400, 25), (6000, 12)])
def test_tone_comes_back_within_one_db(hz: float, least_snr: float) -> None:
    encoder, decoder = Encoder(), Decoder()
    payloads = [encoder.encode(frame) for frame in frames_of(tone(hz))]
    assert {len(payload) for payload in payloads} == {160}
    back = np.concatenate([decoder.decode(payload) for payload in payloads])[9600:]
    assert abs(level_db(back, hz) - 20 * np.log10(8000)) < 1
    assert snr_db(back, hz) > least_snr


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_packets_of_any_length_are_64_kbit_per_second(ptime_ms: int) -> None:
    encoder, decoder = Encoder(), Decoder()
    size = 48 * ptime_ms
    payloads = [encoder.encode(frame) for frame in frames_of(tone(1000, 30), size)]
    assert {len(payload) for payload in payloads} == {8 * ptime_ms}
    assert {len(decoder.decode(payload)) for payload in payloads} == {size}


def test_concealment_fades_and_the_stream_recovers() -> None:
    encoder, decoder = Encoder(), Decoder()
    payloads = [encoder.encode(frame) for frame in frames_of(tone(1000))]
    for payload in payloads[:10]:
        good = decoder.decode(payload)
    made = [decoder.conceal(FRAME) for _ in range(3)]
    powers = [float(np.mean(piece.astype(float) ** 2)) for piece in (good, *made)]
    assert powers[1] > powers[2] > powers[3] > 0 and powers[3] < powers[0] / 3
    back = np.concatenate([decoder.decode(payload) for payload in payloads[13:]])[9600:]
    assert abs(level_db(back, 1000) - 20 * np.log10(8000)) < 1


def test_empty_payload_is_an_error_of_the_codec() -> None:
    with pytest.raises(CodecError):
        Decoder().decode(b"")


def test_any_bytes_decode_to_something() -> None:
    assert Decoder().decode(bytes(range(160))).shape == (FRAME,)
