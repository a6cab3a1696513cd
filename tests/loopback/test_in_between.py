"""Somebody in between: another certificate at the first and at a later contact, fingerprints swapped in the SDP, keys stripped.

What the window shows each time is in docs/how-to/somebody-in-between.md; here is what the phone does, and what `require` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from confero.testing import Server, start_server
from rtp.keying.certificate import Certificate
from rtp.keying.handshake import MISMATCH
from softphone.errors import CallFailed, SignInFailed
from softphone.phone import Phone
from softphone.protection import PLAIN
from softphone.trust import Trust
from tests.helpers.in_between import HOST, SdpInBetween, TlsInBetween, strip_keys, swap_fingerprints

pytestmark = pytest.mark.loopback
PASSWORD = "correct-horse-battery"
PATIENCE_S = 15.0
NOISE = np.random.default_rng(1).normal(0, 3000, 48000).astype(np.int16)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an account and two rooms, one of which requires protection."""
    server = start_server(tmp_path_factory.mktemp("house") / "server", "--open")
    try:
        server.json("user", "add", "anna", "--password", PASSWORD)
        server.json("room", "create", "safe", "--srtp", "require")
        yield server
    finally:
        server.stop()


async def sign_in(port: int, trust: Trust) -> None:
    """Register by TLS at a port."""
    async with Phone("anna", PASSWORD, f"{HOST}:{port}", transport="tls", listen=HOST, trust=trust) as phone:
        assert phone.is_registered


async def test_at_the_first_contact_the_fingerprint_tells_and_who_knows_it_sends_nothing(house: Server, tmp_path: Path) -> None:
    met: list[tuple[str, str]] = []
    with TlsInBetween(house.tls_port, tmp_path) as man:
        await sign_in(man.port, Trust(met=lambda *one: met.append(one)))
        assert met == [(HOST, man.fingerprint)] and man.fingerprint[:47] not in house.log.read_text()
        assert b"REGISTER" in man.heard and PASSWORD.encode() not in man.heard
    own = house.log.read_text().split("SHA-256 ")[1].split("authority")[0]
    known = "".join(own.split())[:95]
    with TlsInBetween(house.tls_port, tmp_path) as man:
        with pytest.raises(SignInFailed, match="does not show the certificate that was asked for"):
            await sign_in(man.port, asked_for(known))
        assert man.heard == b""
    await sign_in(house.tls_port, asked_for(known))


def asked_for(fingerprint: str) -> Trust:
    """A phone whose user has the fingerprint from the server's owner."""
    trust = Trust()
    trust.expect(HOST, fingerprint)
    return trust


async def test_at_a_later_contact_the_changed_certificate_is_refused_and_nothing_is_sent(house: Server, tmp_path: Path) -> None:
    trust = Trust()
    await sign_in(house.tls_port, trust)
    with TlsInBetween(house.tls_port, tmp_path) as man:
        with pytest.raises(SignInFailed, match="somebody may stand between you and it; nothing was sent") as refused:
            await sign_in(man.port, trust)
        assert man.fingerprint in str(refused.value) and man.heard == b""


@pytest.mark.parametrize("keying", ["", "dtls"], ids=["both offered", "dtls offered"])
async def test_swapped_fingerprints_end_the_call_in_words_and_no_sound_goes_out(house: Server, keying: str) -> None:
    foreign = Certificate.create(datetime.now(UTC))
    with SdpInBetween((house.host, house.port), swap_fingerprints(foreign)) as man:
        async with Phone(keying=keying) as phone:
            call = await phone.call(f"sip:daily@{HOST}:{man.port}")
            call.play(NOISE)
            end = await asyncio.wait_for(call.ended(), PATIENCE_S)
            assert end.text == f"The sound could not be protected: {MISMATCH}" and end.is_error
            assert call.figures.packets_sent == call.figures.packets_received == 0 and not call.suite


async def test_keys_that_are_stripped_leave_a_preference_in_clear_and_the_phone_says_so(house: Server) -> None:
    with SdpInBetween((house.host, house.port), strip_keys) as man:
        async with Phone() as phone:
            call = await phone.call(f"sip:daily@{HOST}:{man.port}")
            assert call.exposure == PLAIN and not call.protection and not call.suite
            (person,) = await asyncio.to_thread(house.json, "room", "people", "daily")
            assert person["protection"] == "not protected: plain RTP"


async def test_requirement_of_the_room_or_of_the_phone_refuses_what_is_stripped(house: Server) -> None:
    with SdpInBetween((house.host, house.port), strip_keys) as man:
        async with Phone() as phone:
            with pytest.raises(CallFailed, match="must be protected") as refused:
                await phone.call(f"sip:safe@{HOST}:{man.port}")
            assert refused.value.status == 488
        before = man.heard
        async with Phone(srtp="require") as phone:
            with pytest.raises(CallFailed, match="TLS"):
                await phone.call(f"sip:daily@{HOST}:{man.port}")
        assert man.heard == before                                # not even an INVITE: its keys would have come in clear
