"""Two phones of ours on loopback: calls, sound both ways, hold, keys, messages, refusals, the end."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from sip.media_backend import MediaRefused
from softphone.errors import CallFailed
from softphone.line import CallArrived, CallOver, CallProgressed, MessageArrived, PhoneEvent
from softphone.media.pictures import PictureSettings
from softphone.media.player import Tone
from softphone.media.session import MediaSession
from softphone.phone import Phone
from tests.helpers import tones
from tests.softphone.ears import Ear, talk

pytestmark = pytest.mark.loopback

LEVEL_DBFS = -20.0


def phone(**options: object) -> Phone:
    return Phone(listen="127.0.0.1", **options)         # type: ignore[arg-type]


def answering(options: dict[str, object] | None = None, log: list[PhoneEvent] | None = None) -> Phone:
    events = log if log is not None else []
    return phone(notify=events.append, **(options or {}))


@pytest.mark.parametrize(("codec", "transport"), [("opus", "udp"), ("g722", "tcp"), ("pcmu", "udp"), ("pcma", "tcp")])
async def test_two_phones_hear_each_other_at_the_level_that_was_sent(codec: str, transport: str) -> None:
    async with phone(codecs=(codec,), transport=transport) as a, phone(transport=transport, display_name="Bo") as b:
        calling = asyncio.create_task(a.call(b.addresses[0]))
        theirs = await b.next_call()
        await theirs.answer()
        ours = await calling
        ears = Ear(), Ear()
        await asyncio.gather(talk(ours, Tone(440, LEVEL_DBFS), 2.4, ears[0]),
                             talk(theirs, Tone(1000, LEVEL_DBFS), 2.4, ears[1]))
        for ear, own, other in ((ears[0], 440, 1000), (ears[1], 1000, 440)):
            middle = tones.steady(48000, ear.samples, 0.15)
            assert len(middle) > 48000
            assert tones.level_dbfs(48000, middle, other) == pytest.approx(LEVEL_DBFS, abs=1.0)
            assert tones.level_dbfs(48000, middle, own) < LEVEL_DBFS - 40
            assert tones.longest_gap_ms(48000, middle) == 0
        figures = ours.figures
        assert figures.codec.lower() == codec and figures.lost == 0 and figures.junk == 0 and figures.foreign == 0
        assert figures.mos is not None and figures.mos > 4
        assert ours.setup_ms is not None
        ours.hang_up()
        end = await asyncio.wait_for(theirs.ended(), 5)
        assert end.text == "The other side hung up" and not end.is_error
        assert (await ours.ended()).text == ""
    assert not a.calls and not b.calls


async def test_a_call_over_ipv6_and_the_transport_of_the_uri() -> None:
    async with Phone(listen="::1") as a, Phone(listen="::1") as b:
        calling = asyncio.create_task(a.call(b.addresses[0] + ";transport=tcp"))
        theirs = await b.next_call()
        await theirs.answer()
        ours = await calling
        assert theirs.signalling.flow.transport == "TCP" and theirs.signalling.flow.remote[0] == "::1"
        ear = Ear()
        await talk(theirs, Tone(700, LEVEL_DBFS), 0.5, Ear())
        await talk(ours, Tone(440, LEVEL_DBFS), 0.5, ear)
        assert ours.figures.packets_received > 20 and theirs.figures.packets_received > 20
        with pytest.raises(CallFailed, match="speaks UDP, TCP and TLS, not SCTP"):
            await a.call(b.addresses[0] + ";transport=sctp")


async def test_a_call_that_is_declined_fails_in_words() -> None:
    async with phone() as a, phone() as b:
        calling = asyncio.create_task(a.call(b.addresses[0]))
        (await b.next_call()).decline()
        with pytest.raises(CallFailed, match="the call was declined") as caught:
            await calling
        assert caught.value.status == 603


async def test_a_caller_who_gives_up_stops_the_ringing() -> None:
    log: list[PhoneEvent] = []
    async with phone() as a, answering(log=log) as b:
        calling = asyncio.create_task(a.call(b.addresses[0]))
        theirs = await b.next_call()
        calling.cancel()
        end = await asyncio.wait_for(theirs.ended(), 10)
        assert end.cause == "cancelled" and end.text == "The caller gave up" and not end.is_error
        assert [type(event) for event in log] == [CallArrived, CallOver]
        with pytest.raises(CallFailed, match="gave up"):
            await theirs.answer()


async def test_the_caller_is_told_that_it_rings() -> None:
    log: list[PhoneEvent] = []
    async with answering(log=log) as a, phone() as b:
        call = await a.dial(b.addresses[0])
        await b.next_call()
        async with asyncio.timeout(10):
            while not log:
                await asyncio.sleep(0.01)
        call.hang_up()
        await asyncio.wait_for(call.ended(), 5)
        assert [event.text for event in log if isinstance(event, CallProgressed)] == ["Ringing …"]


async def test_a_second_caller_rings_and_a_third_finds_the_line_busy() -> None:
    async with phone() as a, phone() as b:
        first = asyncio.create_task(a.call(b.addresses[0]))
        await (await b.next_call()).answer()
        await first
        second = asyncio.create_task(a.call(b.addresses[0]))
        ringing = await b.next_call()
        with pytest.raises(CallFailed, match="busy"):
            await a.call(b.addresses[0])
        await ringing.answer()
        assert (await second).is_up and len(b.calls) == 2


async def test_without_a_common_codec_the_call_fails_at_once_and_does_not_ring() -> None:
    async with phone(codecs=("opus",)) as a, phone(codecs=("pcmu",)) as b:
        with pytest.raises(CallFailed, match="no common way to talk") as caught:
            await asyncio.wait_for(a.call(b.addresses[0]), 5)
        assert caught.value.status == 488 and not b.calls


async def test_hold_silences_both_sides_and_resume_brings_the_sound_back() -> None:
    async with phone() as a, phone() as b:
        calling = asyncio.create_task(a.call(b.addresses[0]))
        theirs = await b.next_call()
        await theirs.answer()
        ours = await calling
        await ours.hold()
        assert ours.is_held and theirs.media.negotiated is not None
        assert theirs.media.negotiated.direction == "recvonly"
        sent = theirs.figures.packets_sent
        ear = Ear()
        await talk(ours, Tone(440, LEVEL_DBFS), 0.5, ear)
        assert theirs.figures.packets_sent - sent <= 1
        assert not np.any(ear.samples)
        await ours.hold(False)
        assert not ours.is_held and theirs.media.negotiated.direction == "sendrecv"
        ears = Ear(), Ear()
        await asyncio.gather(talk(ours, Tone(440, LEVEL_DBFS), 1.2, ears[0]),
                             talk(theirs, Tone(1000, LEVEL_DBFS), 1.2, ears[1]))
        for ear, hz in ((ears[0], 1000), (ears[1], 440)):
            assert tones.dominant_hz(48000, ear.samples) == pytest.approx(hz, abs=3)


async def test_both_sides_that_hold_at_once_come_to_terms() -> None:
    async with phone() as a, phone() as b:
        calling = asyncio.create_task(a.call(b.addresses[0]))
        theirs = await b.next_call()
        await theirs.answer()
        ours = await calling
        await asyncio.wait_for(asyncio.gather(ours.hold(), theirs.hold()), 20)
        assert ours.is_held and theirs.is_held


async def test_a_message_arrives_and_its_status_comes_back() -> None:
    log: list[PhoneEvent] = []
    async with phone() as a, answering(log=log) as b:
        calling = asyncio.create_task(a.call(b.addresses[0]))
        await (await b.next_call()).answer()
        call = await calling
        assert await call.message("/close 你好") == 200
        assert [event.text for event in log if isinstance(event, MessageArrived)] == ["/close 你好"]


async def test_an_address_where_nobody_is_fails_in_words() -> None:
    async with phone() as a, phone() as b:
        gone = b.addresses[0]
        await b.close()
        call = await a.dial(gone)
        call.hang_up()
        with pytest.raises(CallFailed, match="daily"):
            await a.call("daily")
        with pytest.raises(CallFailed, match="no SIP address"):
            await a.call("sip:a b@127.0.0.1")


async def test_a_connection_that_is_refused_fails_in_words() -> None:
    async with phone(transport="tcp") as a, phone() as b:
        gone = b.addresses[0]
        await b.close()
        with pytest.raises(CallFailed, match="can't be reached"):
            await asyncio.wait_for(a.call(gone), 15)


async def test_what_is_played_is_sent_to_its_last_sample() -> None:
    async with phone() as a, phone() as b:
        calling = asyncio.create_task(a.call(b.addresses[0]))
        theirs = await b.next_call()
        await theirs.answer()
        ours = await calling
        ear = Ear()
        listening = asyncio.create_task(ear.listen(theirs))
        tone = Tone(700, LEVEL_DBFS)
        pieces = [piece for _ in range(25) if (piece := tone.read()) is not None]
        assert ours.play(np.concatenate(pieces)[:-100])
        await asyncio.wait_for(ours.played(), 5)
        end = len(ear.frames) + 25
        async with asyncio.timeout(10):
            while len(ear.frames) < end:
                await asyncio.sleep(0.01)
        ours.hang_up()
        await asyncio.wait_for(listening, 5)
        heard = tones.active(48000, ear.samples, -45)
        assert len(heard) / 48000 == pytest.approx(0.5, abs=0.06)
        assert not ours.play(np.zeros(48000 * 70, np.int16))


async def test_the_end_of_a_phone_hangs_up_its_calls() -> None:
    async with phone() as b:
        async with phone() as a:
            calling = asyncio.create_task(a.call(b.addresses[0]))
            theirs = await b.next_call()
            await theirs.answer()
            await calling
        end = await asyncio.wait_for(theirs.ended(), 5)
        assert end.cause == "hung_up" and end.by_remote


async def test_who_refuses_a_call_for_its_pictures_is_called_again_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = MediaSession.answer
    offers: list[bytes] = []

    def picky(session: MediaSession, offer: bytes) -> bytes:
        offers.append(offer)
        if b"m=video" in offer:
            raise MediaRefused("pictures are not known here")
        return answer(session, offer)

    monkeypatch.setattr(MediaSession, "answer", picky)
    async with Phone(listen="127.0.0.1", pictures=PictureSettings()) as a, Phone(listen="127.0.0.1") as b:
        calling = asyncio.create_task(a.call(b.addresses[0]))
        theirs = await asyncio.wait_for(b.next_call(), 20)
        await theirs.answer()
        call = await calling
        assert call.is_up and call.media.pictures is None and [b"m=video" in offer for offer in offers] == [True, False]
