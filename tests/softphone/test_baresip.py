"""A stock phone calls ours directly: sound both ways in each codec, over UDP and TCP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from softphone.media.player import Tone
from softphone.phone import Phone
from tests.helpers import tones
from tests.helpers.phones import Phones
from tests.softphone.ears import Ear, talk

pytestmark = pytest.mark.interop
MAX_GAP_MS = 60


@pytest.mark.parametrize(("codec", "transport"), [("opus", "udp"), ("g722", "tcp"), ("pcmu", "tcp"), ("pcma", "udp")])
async def test_baresip_and_our_phone_hear_each_other(tmp_path: Path, codec: str, transport: str) -> None:
    async with Phone(listen="127.0.0.1") as phone:
        with Phones(tmp_path) as phones:
            stock = phones.baresip(phone.addresses[0], tone=1000, codec=codec, transport=transport, seconds=5)
            call = await asyncio.wait_for(phone.next_call(), 30)
            await call.answer()
            ear = Ear()
            await talk(call, Tone(440, -20), 4.0, ear)
            end = await asyncio.wait_for(call.ended(), 30)
            result = await asyncio.to_thread(stock.finish)
    assert end.cause == "hung_up" and result.is_connected, result.errors[-500:]
    figures = call.figures
    assert figures.codec.lower() == codec and figures.lost == figures.junk == figures.foreign == 0
    rate, recorded = tones.read_wav(result.recording)
    for its_rate, samples, other, own in ((48000, ear.samples, 1000, 440), (rate, recorded, 440, 1000)):
        middle = tones.steady(its_rate, samples)
        assert tones.level_dbfs(its_rate, middle, other) == pytest.approx(-20, abs=1)
        assert tones.level_dbfs(its_rate, middle, own) < -60
        assert tones.longest_gap_ms(its_rate, middle) <= MAX_GAP_MS
