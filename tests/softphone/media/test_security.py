"""Two media sessions that protect their sound: by which way, what waits for keys, and whom they refuse."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from rtp.keying.certificate import Certificate
from rtp.keying.handshake import MISMATCH
from rtp.sdp.negotiation import Capabilities
from rtp.sdp.protection import SrtpPolicy
from rtp.srtp import SUITES
from sip.media_backend import MediaRefused
from softphone.media.session import MediaSession, MediaSettings

pytestmark = pytest.mark.loopback
HOST = "127.0.0.1"
NOISE = (np.random.default_rng(1).normal(0, 3000, 960)).astype(np.int16)
OURS, THEIRS, FOREIGN = (Certificate.create(datetime.now(UTC)) for _ in range(3))
PREFER, REQUIRE = Capabilities(srtp=SrtpPolicy.PREFER), Capabilities(srtp=SrtpPolicy.REQUIRE)


def session(certificate: Certificate | None = OURS, capabilities: Capabilities = PREFER, *, is_secure: bool = False,
            keying: tuple[str, ...] = ()) -> MediaSession:
    """One side."""
    return MediaSession(MediaSettings(HOST, capabilities, is_signalling_secure=is_secure, certificate=certificate,
                                      keying=keying))


async def step(*sessions: MediaSession, ticks: int = 12) -> None:
    """Some ticks of the clock, with what is sent read in between."""
    for _ in range(ticks):
        for each in sessions:
            each.tick(time.monotonic_ns(), NOISE)
        await asyncio.sleep(0.02)


def how(one: MediaSession) -> tuple[str, str]:
    """(keyed by what, suite)."""
    return (one.protection.how, one.protection.suite) if one.protection else ("", "")


@pytest.mark.parametrize(("is_secure", "expected"), [(True, "sdes"), (False, "dtls")])
async def test_offer_brings_what_fits_the_signalling(is_secure: bool, expected: str) -> None:
    a, b = session(is_secure=is_secure), session(THEIRS, is_secure=is_secure)
    offer = a.offer()
    sound = offer.split(b"m=application")[0]
    assert (b"a=fingerprint" in sound) == (not is_secure) and b"a=crypto" in sound
    a.apply(b.answer(offer))
    await step(a, b)
    assert how(a) == how(b) == (expected, str(SUITES[0]))
    assert a.figures().packets_received >= 6 and b.figures().packets_received >= 6
    a.release()
    b.release()


@pytest.mark.parametrize("mux", [True, False], ids=["one port", "two ports"])
async def test_handshake_begins_with_the_first_tick_and_nothing_goes_before_its_keys(mux: bool) -> None:
    a, b = session(keying=("dtls",)), session(THEIRS)
    answer = b.answer(a.offer())
    await asyncio.sleep(0.05)
    assert b"a=setup:active" in answer
    a.apply(answer if mux else answer.replace(b"a=rtcp-mux\r\n", f"a=rtcp:{b._rtcp_socket.getsockname()[1]}\r\n".encode()))
    if not mux:
        b.answer(a.offer().replace(b"a=rtcp-mux\r\n", b""))
    a.tick(time.monotonic_ns(), NOISE)
    assert a.figures().packets_sent == 0 and how(a)[1] == ""
    await step(a, b)
    assert how(a)[1] == how(b)[1] == str(SUITES[0]) and a.figures().packets_received >= 5 and not a.figures().auth_failures
    a.release()                                         # says goodbye by RTCP, and by DTLS
    async with asyncio.timeout(10):
        while b._rtcp is None or not b._rtcp.remote_said_goodbye:
            await asyncio.sleep(0.01)
    assert b.figures().auth_failures == 0
    b.release()


async def test_reoffer_keeps_the_association_and_its_keys() -> None:
    a, b = session(), session(THEIRS)
    a.apply(b.answer(a.offer()))
    await step(a, b)
    before = a.protection
    a.is_held = True
    a.apply(b.answer(a.offer()))
    a.is_held = False
    b.apply(a.answer(b.offer()))
    await step(a, b)
    assert a.protection is not None and before is not None and a.protection.keys == before.keys
    assert not a.figures().auth_failures and not b.figures().auth_failures and a.figures().packets_received >= 15
    a.release()
    b.release()


async def test_certificate_of_somebody_in_between_ends_in_words_and_no_sound() -> None:
    a, b = session(), session(THEIRS)
    offer = a.offer().replace(str(OURS.fingerprint()).encode(), str(FOREIGN.fingerprint()).encode())
    a.apply(b.answer(offer))
    await step(a, b)
    assert b.failure == MISMATCH and how(a)[1] == how(b)[1] == ""
    assert a.figures().packets_sent == b.figures().packets_sent == 0
    a.release()
    b.release()


async def test_requirement_refuses_what_came_in_clear_and_offers_nothing_in_clear() -> None:
    strict = session(THEIRS, REQUIRE)
    with pytest.raises(MediaRefused, match="came in clear"):
        strict.answer(session(keying=("dtls",)).offer())
    with pytest.raises(MediaRefused, match="TLS"):
        strict.offer()
    with pytest.raises(MediaRefused, match="must be protected"):
        strict.answer(session(capabilities=Capabilities()).offer())


@pytest.mark.parametrize("keying", ["sdes", "dtls"])
async def test_requirement_over_protected_signalling_offers_a_profile_that_a_plain_answer_does_not_fit(keying: str) -> None:
    a, b = session(capabilities=REQUIRE, is_secure=True, keying=(keying,)), session(THEIRS, is_secure=True)
    offer = a.offer()
    assert {"sdes": b" RTP/SAVP ", "dtls": b" UDP/TLS/RTP/SAVP "}[keying] in offer
    answer = b.answer(offer)
    stripped = b"\r\n".join(line for line in answer.split(b"\r\n") if not line.startswith((b"a=crypto", b"a=fingerprint")))
    with pytest.raises(MediaRefused, match="brings no"):
        a.apply(stripped)
    a.apply(answer)
    await step(a, b)
    assert how(a) == how(b) == (keying, str(SUITES[0]))
    a.release()
    b.release()


async def test_call_that_is_protected_is_not_stripped_later() -> None:
    a, b = session(), session(THEIRS)
    a.apply(b.answer(a.offer()))
    await step(a, b)
    with pytest.raises(MediaRefused, match="can't go on without"):
        b.answer(session(capabilities=Capabilities()).offer())
    await step(a, b)
    assert not a.figures().auth_failures
    a.release()
    b.release()
