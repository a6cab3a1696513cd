"""Ports that run out and come back, addresses that callers are told, names that are looked up: a real server on loopback."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from confero.testing import Server, start_server
from sip.aio.resolver import FixedResolver
from sip.message import Response
from sip.parser import parse_message
from sip.routing import Host, Srv
from softphone.errors import SignInFailed
from softphone.phone import Phone
from tests.helpers import sip_messages
from tests.helpers.ports import free_port, free_range
from tests.helpers.stranger import Stranger

pytestmark = pytest.mark.loopback

PASSWORD = "correct-horse-battery"
PUBLIC = "203.0.113.7"
RANGE = 10


def sdp(port: int = 40000, host: str = "127.0.0.1") -> bytes:
    """An offer of PCMU."""
    family = "IP6" if ":" in host else "IP4"
    lines = ("v=0", f"o=- 1 1 IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0", f"m=audio {port} RTP/AVP 0")
    return ("\r\n".join(lines) + "\r\n").encode()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with five pairs of media ports and a public address, on both loopbacks."""
    first, last = free_range(RANGE)
    running = start_server(tmp_path_factory.mktemp("small"), "--open", "--rtp-ports", f"{first}-{last}", "--public-address",
                           PUBLIC, "--listen", "::1")
    running.json("room", "create", "named")
    yield running
    running.stop()


def invite(stranger: Stranger, room: str, body: bytes) -> Response:
    """Call a room; the acknowledged answer."""
    data = stranger.request("INVITE", room, body=body)
    answer = stranger.ask(data)
    assert answer is not None
    if answer.status == 200:
        stranger.acknowledge(data, answer)
    return answer


def until_let_in(stranger: Stranger, room: str) -> Response:
    """Call until there is a port: the worker lets go of one that is free again at its next tick."""
    deadline = time.monotonic() + 5
    while (answer := invite(stranger, room, sdp())).status == 503:
        assert time.monotonic() < deadline
    assert answer.status == 200
    return answer


def test_the_call_for_which_no_port_is_left_is_refused_in_words_and_one_that_ends_makes_room(small: Server) -> None:
    with Stranger(small) as stranger:
        answers = [invite(stranger, "ports", sdp()) for _ in range(RANGE // 2)]
        assert [answer.status for answer in answers] == [200] * (RANGE // 2)
        refused = invite(stranger, "ports", sdp())
        assert refused.status == 503 and "port" in refused.reason
        stranger.ask(stranger.inside("BYE", answers[0], number=2))
        again = until_let_in(stranger, "ports")
        for answer in (*answers[1:], again):
            gone = stranger.ask(stranger.inside("BYE", answer, number=2))
            assert gone is not None and gone.status == 200


def test_a_neighbour_is_told_our_own_address_though_there_is_a_public_one(small: Server) -> None:
    with Stranger(small) as stranger:
        answer = until_let_in(stranger, "echo")
        assert b"c=IN IP4 127.0.0.1" in answer.body and PUBLIC.encode() not in answer.body
        assert answer.contacts[0].uri.host == "127.0.0.1"
        stranger.ask(stranger.inside("BYE", answer, number=2))


def test_media_of_ipv4_works_in_a_call_that_came_over_ipv6(small: Server) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sip, socket.socket(type=socket.SOCK_DGRAM) as media:
        sip.bind(("::1", 0))
        sip.settimeout(5)
        media.bind(("127.0.0.1", 0))
        media.settimeout(5)
        where = ("::1", small.port)
        via = f"SIP/2.0/UDP [::1]:{sip.getsockname()[1]};branch=z9hG4bKsix;rport"
        contact = f"<sip:six@[::1]:{sip.getsockname()[1]}>"
        sip.sendto(sip_messages.request("INVITE", f"sip:echo@[::1]:{small.port}", body=sdp(media.getsockname()[1]),
                                        Via=via, Contact=contact), where)
        answer = parse_message(sip.recv(65536))
        while not isinstance(answer, Response) or answer.status < 200:
            answer = parse_message(sip.recv(65536))
        assert answer.status == 200 and b"c=IN IP4 127.0.0.1" in answer.body
        port = int(answer.body.partition(b"m=audio ")[2].split(b" ")[0])
        header = bytes.fromhex("80000000 00000000 01020304".replace(" ", ""))
        ends_at = time.monotonic() + 5
        media.settimeout(0.02)
        for number in range(250):
            packet = header[:2] + number.to_bytes(2) + (160 * number).to_bytes(4) + header[8:] + bytes([0x9E]) * 160
            media.sendto(packet, ("127.0.0.1", port))
            try:
                echoed, source = media.recvfrom(2048)
            except TimeoutError:
                assert time.monotonic() < ends_at
                continue
            assert source == ("127.0.0.1", port) and echoed[1] & 0x7F == 0
            break
        else:
            raise AssertionError("no echo")
        bye = {"From": answer.headers.get("From"), "To": answer.headers.get("To"), "Call-ID": answer.call_id, "CSeq": "2 BYE",
               "Via": via.replace("six", "bye")}
        sip.sendto(sip_messages.request("BYE", str(answer.contacts[0].uri), **bye), where)


async def test_a_room_calls_somebody_by_the_name_of_their_machine(small: Server) -> None:
    async with Phone(listen="127.0.0.1") as bob:
        port = bob.addresses[0].rpartition(":")[2]
        dialling = asyncio.create_task(asyncio.to_thread(small.cli, "room", "dial", "named", f"sip:bob@localhost:{port}"))
        async with asyncio.timeout(30):
            call = await bob.next_call()
            await call.answer()
            done = await dialling
        assert done.returncode == 0 and done.stdout.splitlines()[-1].endswith(": answered"), done
        people = await asyncio.to_thread(small.json, "room", "people", "named")
        assert [person["name"] for person in people] == ["bob"]
        call.hang_up()


async def test_a_name_that_leads_nowhere_is_told_by_the_call_records(small: Server) -> None:
    done = await asyncio.to_thread(small.cli, "room", "dial", "named", "sip:bob@nobody.invalid")
    assert done.returncode == 1 and "nobody.invalid" in done.stderr and "failed (404" in done.stderr
    async with asyncio.timeout(15):
        while True:
            records = await asyncio.to_thread(small.json, "call", "list", "--all")
            if any("nobody.invalid" in (record["reason"] or "") for record in records):
                break
            await asyncio.sleep(0.2)


async def test_a_phone_finds_its_server_by_srv_and_goes_on_to_the_next_when_one_is_down(tmp_path: Path) -> None:
    server = await asyncio.to_thread(start_server, tmp_path / "server", "--domain", "example.org")
    try:
        await asyncio.to_thread(server.json, "user", "add", "alice", "--password", PASSWORD)
        table = FixedResolver({
            ("SRV", "_sip._tcp.example.org"): [
                Srv(1, 1, free_port(), "a.example.org"), Srv(2, 1, server.port, "b.example.org")],
            ("A", "a.example.org"): [Host("127.0.0.1")], ("A", "b.example.org"): [Host("127.0.0.1")],
        })
        phone = Phone("alice", PASSWORD, "example.org", transport="tcp", resolver=table)
        await phone.start()
        try:
            with pytest.raises(SignInFailed):
                await phone.signed_in()
            async with asyncio.timeout(15):
                while not phone.is_registered:
                    await asyncio.sleep(0.05)
            rows = await asyncio.to_thread(server.json, "reg", "list")
            assert [row["aor"] for row in rows] == ["alice"]
        finally:
            await phone.close()
    finally:
        await asyncio.to_thread(server.stop)
