"""Two media sessions on loopback: what is agreed, what is taken, what goes on over another offer."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

from rtp.sdp.negotiation import Capabilities
from rtp.sdp.protection import SrtpPolicy
from sip.media_backend import MediaRefused
from softphone.media.ports import open_pair
from softphone.media.session import MediaSession, MediaSettings

pytestmark = pytest.mark.loopback
HOST = "127.0.0.1"
NOISE = (np.random.default_rng(1).normal(0, 3000, 960)).astype(np.int16)


@pytest.fixture
async def pair() -> Iterator[tuple[MediaSession, MediaSession]]:
    """Two sessions that have agreed on Opus."""
    a, b = MediaSession(MediaSettings(HOST)), MediaSession(MediaSettings(HOST))
    a.apply(b.answer(a.offer()))
    yield a, b
    a.release()
    b.release()


async def step(*sessions: MediaSession, ticks: int = 5) -> None:
    """Some ticks of the clock, with what is sent read in between."""
    for _ in range(ticks):
        for session in sessions:
            session.tick(time.monotonic_ns(), NOISE)
        await asyncio.sleep(0.02)


async def test_packets_go_both_ways(pair: tuple[MediaSession, MediaSession]) -> None:
    await step(*pair, ticks=10)
    for session in pair:
        figures = session.figures()
        assert figures.packets_sent == 10 and figures.packets_received >= 9
        assert figures.foreign == figures.junk == figures.lost == 0 and figures.codec == "opus"


async def test_packets_of_strangers_and_junk_are_counted_and_not_heard(pair: tuple[MediaSession, MediaSession]) -> None:
    a, b = pair
    await step(a, b)
    before = a.figures()
    port = int(next(line for line in a.offer().decode().splitlines() if line.startswith("m=audio")).split()[1])
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        for data in (b"\x80\x6f" + bytes(30), b"\x80\xc9\x00\x01" + bytes(4), b"", b"hello" * 200):
            stranger.sendto(data, (HOST, port))
        async with asyncio.timeout(10):
            while a.figures().foreign < before.foreign + 4:
                await asyncio.sleep(0.01)
    assert a.figures().junk == before.junk and a.figures().packets_received == before.packets_received


async def test_another_offer_of_the_same_codec_goes_on_with_the_same_stream(pair: tuple[MediaSession, MediaSession]) -> None:
    a, b = pair
    await step(a, b)
    ssrc, sequence = a._position.ssrc, a._position.sequence
    a.is_held = True
    b_answer = b.answer(a.offer())
    a.apply(b_answer)
    assert b"a=recvonly" in b_answer and b.negotiated is not None and not b.negotiated.may_send
    sent = b.figures().packets_sent
    await step(a, b)
    assert b.figures().packets_sent == sent
    a.is_held = False
    a.apply(b.answer(a.offer()))
    await step(a, b)
    assert (a._position.ssrc, a._position.sequence) == (ssrc, sequence + 10)
    assert b.figures().packets_sent == sent + 5 and b.figures().lost == 0


async def test_another_codec_brings_another_ssrc_and_the_counters_go_on(pair: tuple[MediaSession, MediaSession]) -> None:
    a, b = pair
    await step(a, b)
    ssrc = a._position.ssrc
    a.lines.capabilities = Capabilities().only("pcmu")
    a.apply(b.answer(a.offer()))
    await step(a, b)
    assert a._position.ssrc != ssrc
    assert a.figures().codec == "PCMU" and a.figures().packets_sent == 10 and b.figures().packets_received >= 9


@pytest.mark.parametrize("offer", [
    b"", b"rubbish", b"\xff" * 100, b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 3\r\n",
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n",
    b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 host.example\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
])
async def test_an_offer_that_cannot_be_met_is_refused_and_leaves_nothing_open(offer: bytes) -> None:
    session = MediaSession(MediaSettings(HOST))
    with pytest.raises(MediaRefused):
        session.answer(offer)
    session.release()
    session.release()
    with pytest.raises(MediaRefused, match="the call is over"):
        session.offer()


async def test_an_answer_without_an_offer_is_refused() -> None:
    with pytest.raises(MediaRefused, match="no offer"):
        MediaSession(MediaSettings(HOST)).apply(b"v=0\r\n")


async def test_an_address_that_is_not_ours_is_refused_in_words() -> None:
    with pytest.raises(MediaRefused, match=r"no free media port on 192\.0\.2\.1"):
        MediaSession(MediaSettings("192.0.2.1")).offer()


def test_media_ports_are_an_even_one_and_the_next() -> None:
    rtp, rtcp = open_pair(HOST)
    with rtp, rtcp:
        assert rtp.getsockname()[1] % 2 == 0 and rtcp.getsockname()[1] == rtp.getsockname()[1] + 1


def sessions(ours: SrtpPolicy, theirs: SrtpPolicy, *, is_secure: bool = True) -> tuple[MediaSession, MediaSession]:
    """Two sessions under policies."""
    one, two = (MediaSession(MediaSettings(HOST, Capabilities(srtp=policy), False, is_secure)) for policy in (ours, theirs))
    return one, two


@pytest.mark.parametrize(("ours", "theirs", "is_protected"), [
    ("off", "off", False), ("off", "prefer", False), ("prefer", "off", False), ("prefer", "prefer", True),
    ("prefer", "require", True), ("require", "prefer", True), ("require", "require", True)])
async def test_policies_meet_and_packets_go_both_ways(ours: str, theirs: str, is_protected: bool) -> None:
    a, b = sessions(SrtpPolicy(ours), SrtpPolicy(theirs))
    a.apply(b.answer(a.offer()))
    await step(a, b, ticks=10)
    for session in (a, b):
        figures = session.figures()
        assert (session.protection is not None) is is_protected
        assert figures.packets_received >= 9 and figures.junk == figures.auth_failures == figures.foreign == 0
        session.release()


@pytest.mark.parametrize(("ours", "theirs"), [("off", "require"), ("require", "off")])
async def test_policies_that_do_not_meet_refuse(ours: str, theirs: str) -> None:
    a, b = sessions(SrtpPolicy(ours), SrtpPolicy(theirs))
    with pytest.raises(MediaRefused) as refused:
        b.answer(a.offer())
    assert refused.value.status == 488
    a.release()
    b.release()


async def test_required_protection_is_neither_offered_nor_taken_over_signalling_in_clear() -> None:
    a, b = sessions(SrtpPolicy.REQUIRE, SrtpPolicy.PREFER, is_secure=False)
    with pytest.raises(MediaRefused, match="TLS"):
        a.offer()
    with pytest.raises(MediaRefused, match="over protected signalling"):
        a.answer(b.offer())
    a.release()
    b.release()


async def test_hold_keeps_the_keys_and_a_stranger_is_dropped_and_counted() -> None:
    a, b = sessions(SrtpPolicy.PREFER, SrtpPolicy.PREFER)
    a.apply(b.answer(a.offer()))
    await step(a, b)
    before = a.protection
    for held in (True, False):
        a.is_held = held
        a.apply(b.answer(a.offer()))
        await step(a, b)
    assert a.protection == before and b.figures().lost == b.figures().auth_failures == 0
    port = int(next(line for line in a.offer().decode().splitlines() if line.startswith("m=audio")).split()[1])
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        for _ in range(3):
            stranger.sendto(b"\x80\x6f" + bytes(50), (HOST, port))
        async with asyncio.timeout(10):
            while a.figures().auth_failures < 3:
                await asyncio.sleep(0.01)
    assert a.negotiated is not None and a.negotiated.remote == (HOST, b._local().rtp_port)
    a.release()
    b.release()


async def test_call_that_was_protected_is_not_stripped_to_plain() -> None:
    a, b = sessions(SrtpPolicy.PREFER, SrtpPolicy.PREFER)
    a.apply(b.answer(a.offer()))
    stripped = b"".join(line for line in b.offer().splitlines(True) if not line.startswith(b"a=crypto"))
    with pytest.raises(MediaRefused, match="can't go on without"):
        a.answer(stripped)
    assert a.protection is not None
    a.release()
    b.release()
