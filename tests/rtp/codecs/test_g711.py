"""G.711 against the recommendation's rule, written out here a second time bit by bit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from rtp.codecs.g711 import _ALAW_CODES, _MULAW_CODES, ALAW, ALAW_POWER, MULAW, MULAW_POWER, Decoder, Encoder
from tests.rtp.codecs.signals import FRAME, frames_of, level_db, snr_db, tone


def mulaw_value(code: int) -> int:
    """ITU-T G.711 table 2a: inverted bits, 14-bit values, here times 4."""
    code = ~code & 0xFF
    segment, step = code >> 4 & 7, code & 15
    value = ((2 * step + 33) << segment) - 33
    return -4 * value if code & 0x80 else 4 * value


def alaw_value(code: int) -> int:
    """ITU-T G.711 table 1a: even bits inverted, 13-bit values, here times 8."""
    code ^= 0x55
    segment, step = code >> 4 & 7, code & 15
    value = 2 * step + 1 if segment == 0 else (2 * step + 33) << (segment - 1)
    return 8 * value if code & 0x80 else -8 * value


@pytest.mark.parametrize(("table", "rule"), [(MULAW, mulaw_value), (ALAW, alaw_value)])
def test_every_code_decodes_to_the_value_of_the_recommendation(table: np.ndarray, rule: object) -> None:
    assert table.tolist() == [rule(code) for code in range(256)]  # type: ignore[operator]


@pytest.mark.parametrize(("code", "value"), [(0xFF, 0), (0x80, 32124), (0x00, -32124), (0xFE, 8)])
def test_known_points_of_the_mu_law(code: int, value: int) -> None:
    assert MULAW[code] == value


@pytest.mark.parametrize(("code", "value"), [(0xD5, 8), (0x55, -8), (0xAA, 32256), (0x2A, -32256)])
def test_known_points_of_the_a_law(code: int, value: int) -> None:
    assert ALAW[code] == value


@pytest.mark.parametrize(("table", "codes"), [(MULAW, _MULAW_CODES), (ALAW, _ALAW_CODES)])
def test_each_value_is_coded_by_the_nearest_code(table: np.ndarray, codes: np.ndarray) -> None:
    values = np.arange(65536).astype(np.uint16).view(np.int16).astype(int)
    error = np.abs(table[codes].astype(int) - values)
    for start in range(0, 65536, 4096):
        nearest = np.abs(table.astype(int)[None, :] - values[start:start + 4096, None]).min(axis=1)
        assert np.array_equal(error[start:start + 4096], nearest)


@pytest.mark.parametrize("is_alaw", [False, True])
@pytest.mark.parametrize("hz", [300, 1004, 3400])
def test_tone_comes_back_at_its_level_with_the_noise_of_8_bits(is_alaw: bool, hz: float) -> None:
    encoder, decoder = Encoder(is_alaw), Decoder(is_alaw)
    payloads = [encoder.encode(frame) for frame in frames_of(tone(hz))]
    assert {len(payload) for payload in payloads} == {160}
    back = np.concatenate([decoder.decode(payload) for payload in payloads])[4800:]
    assert abs(level_db(back, hz) - 20 * np.log10(8000)) < 0.2
    assert snr_db(back, hz) > 34


def test_power_table_gives_the_level_of_a_payload() -> None:
    for is_alaw, power in ((False, MULAW_POWER), (True, ALAW_POWER)):
        encoder = Encoder(is_alaw)
        payload = [encoder.encode(frame) for frame in frames_of(tone(1000, 3))][2]
        level = 10 * np.log10(power[np.frombuffer(payload, np.uint8)].mean())
        assert abs(level - 20 * np.log10(8000 / 32768 / np.sqrt(2))) < 0.3


def test_concealment_goes_on_fades_and_ends_with_the_next_packet() -> None:
    encoder, decoder = Encoder(False), Decoder(False)
    payloads = [encoder.encode(frame) for frame in frames_of(tone(1000, 10))]
    for payload in payloads:
        good = decoder.decode(payload)
    made = [decoder.conceal(FRAME) for _ in range(6)]
    powers = [float(np.mean(piece.astype(float) ** 2)) for piece in (good, *made)]
    assert all(len(piece) == FRAME for piece in made)
    assert 0.8 < powers[1] / powers[0] < 1.05 and powers[6] < powers[0] / 1000
    assert all(later < earlier for earlier, later in pairwise(powers[1:]))
    again = np.concatenate([decoder.decode(payloads[i]) for i in range(9)])[FRAME * 3:]
    assert abs(level_db(again, 1000) - 20 * np.log10(8000)) < 0.3


def test_copied_encoder_gives_the_very_bytes() -> None:
    encoder = Encoder(True)
    encoder.encode(tone(640, 1))
    twin = encoder.copy()
    for frame in frames_of(tone(770, 3)):
        assert twin.encode(frame) == encoder.encode(frame)
