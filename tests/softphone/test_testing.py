"""The fixtures that a user of the library imports: a server, phones, a conference of several."""

from __future__ import annotations

import wave
from collections.abc import Callable

import pytest

from confero.testing import Phone, PhoneFactory, Server, conference, phone, server
from tests.helpers import tones

__all__ = ["conference", "phone", "server"]
pytestmark = pytest.mark.loopback


def test_everybody_in_a_conference_hears_all_the_others(conference: Callable[..., list[Phone]], server: Server) -> None:
    members = conference(3, room="daily", seconds=8)
    for member in members:
        facts = member.finish()
        assert facts["is_connected"] and len(facts["roster"]) >= 2 and facts["lost"] == 0
        with wave.open(str(member.recording)) as found:
            assert found.getnframes() > 7 * 48000
        rate, samples = tones.read_wav(member.recording)
        middle = samples[3 * rate:5 * rate]           # all are there, also when they began 3 s apart
        for other in members:
            level = tones.level_dbfs(rate, middle, other.tone_hz)
            assert (level == pytest.approx(-20, abs=3)) if other is not member else level < -45
    assert server.json("room", "people", "daily") == []


def test_a_call_that_fails_is_told_by_finish(phone: PhoneFactory) -> None:
    one = phone("daily", options=("--codec", "speex"))
    with pytest.raises(AssertionError, match="no codec is called 'speex'"):
        one.finish()
