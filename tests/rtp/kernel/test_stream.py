"""Streams of the mix: packet times, and copies that go on where the original stands."""

from __future__ import annotations

import numpy as np
import pytest

from rtp.codecs.registry import create_decoder
from rtp.kernel.stream import Form, MixStream, is_exact
from tests.rtp.kernel.table import sine


@pytest.mark.parametrize("form", [("pcmu", 20, ""), ("pcma", 30, ""), ("opus", 20, ""), ("opus", 60, "useinbandfec=1")])
def test_a_copy_gives_the_same_bytes_as_its_original(form: Form) -> None:
    stream, tone = MixStream(form), sine(710)
    for tick in range(20):
        stream.feed(tone(tick))
    other = stream.copy()
    for tick in range(20, 40):
        assert other.feed(tone(tick)) == stream.feed(tone(tick))
    assert is_exact(form[0])


@pytest.mark.parametrize("ptime_ms", [20, 30, 60])
def test_a_copy_of_g722_is_in_phase_and_comes_near_its_original(ptime_ms: int) -> None:
    stream, tone, decoder = MixStream(("g722", ptime_ms, "")), sine(710), create_decoder("g722")
    heard = [decoder.decode(payload) for tick in range(70) for payload in stream.feed(tone(tick))]
    other = stream.copy()
    heard += [decoder.decode(payload) for tick in range(70, 160) for payload in other.feed(tone(tick))]
    assert sum(map(len, heard)) == 160 * 20 // ptime_ms * ptime_ms * 48
    tail = np.concatenate(heard)[-48000:].astype(float) / 32768
    assert abs(20 * np.log10(np.sqrt(np.mean(tail ** 2))) + 20) < 0.5
    assert not is_exact("g722")


@pytest.mark.parametrize(("ptime_ms", "counts"), [(10, [2, 2, 2]), (20, [1, 1, 1]), (30, [0, 1, 1]), (40, [0, 1, 0]),
                                                  (60, [0, 0, 1])])
def test_packets_are_made_when_they_are_full(ptime_ms: int, counts: list[int]) -> None:
    stream = MixStream(("pcmu", ptime_ms, ""))
    made = [stream.feed(sine(450)(tick)) for tick in range(3)]
    assert [len(payloads) for payloads in made] == counts
    assert {len(payload) for payloads in made for payload in payloads} == {8 * ptime_ms}
    assert stream.units == 8 * ptime_ms


def test_the_receivers_wish_for_a_lower_rate_is_followed() -> None:
    sizes = []
    for fmtp in ("", "maxaveragebitrate=8000"):
        stream = MixStream(("opus", 20, fmtp))
        sizes.append(sum(len(stream.feed(sine(450)(tick))[0]) for tick in range(20)))
    assert sizes[1] < 0.6 * sizes[0]
