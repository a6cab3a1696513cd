"""Our address as the outside sees it, asked from a STUN server: answers, silence, nonsense; and nobody is asked by default."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from confero.testing import start_server
from mcu.config import load
from mcu.errors import McuError
from mcu.public_address import ask_stun
from rtp import stun
from rtp.errors import ParseError
from sip.aio.resolver import FixedResolver
from sip.routing import Host

pytestmark = pytest.mark.loopback


class StunServer(asyncio.DatagramProtocol):
    """Says that everybody comes from `address`; the first `deaf` requests are lost; `noise` comes before each answer."""

    def __init__(self) -> None:
        self.address = ("203.0.113.99", 61000)
        self.deaf = 0
        self.noise = b""
        self.requests = 0

    def connection_made(self, transport: Any) -> None:
        """Keep the socket."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        self.requests += 1
        if self.requests <= self.deaf:
            return
        try:
            request = stun.Message.parse(data)
        except ParseError:
            return
        if self.noise:
            self.transport.sendto(self.noise, addr)
        self.transport.sendto(stun.binding_success(request, self.address).encode(fingerprint=True), addr)


@pytest.fixture
async def stun_server() -> AsyncIterator[StunServer]:
    """A STUN server on loopback."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(StunServer, ("127.0.0.1", 0))
    yield server
    transport.close()


def name_of(server: StunServer, host: str = "127.0.0.1") -> str:
    """As the configuration has it."""
    return f"{host}:{server.transport.get_extra_info('sockname')[1]}"


async def test_the_address_is_what_the_server_says(stun_server: StunServer) -> None:
    assert await ask_stun(name_of(stun_server), FixedResolver({})) == "203.0.113.99"


async def test_a_server_is_found_by_its_name(stun_server: StunServer) -> None:
    table = FixedResolver({("A", "stun.example.org"): [Host("127.0.0.1")]})
    assert await ask_stun(name_of(stun_server, "stun.example.org"), table) == "203.0.113.99"
    with pytest.raises(McuError, match="not found by its name"):
        await ask_stun("nobody.example.org", table)


async def test_a_lost_request_is_repeated_and_what_is_no_answer_passed_over(stun_server: StunServer) -> None:
    stun_server.deaf = 1
    stun_server.noise = stun.binding_success(stun.binding_request(bytes(12)), ("192.0.2.66", 1)).encode()
    assert await ask_stun(name_of(stun_server), FixedResolver({})) == "203.0.113.99"
    assert stun_server.requests == 2


async def test_silence_is_told_in_words(stun_server: StunServer) -> None:
    stun_server.deaf = 1000
    with pytest.raises(McuError, match="did not answer"):
        await ask_stun(name_of(stun_server), FixedResolver({}), limit_s=0.2)


async def test_an_address_of_ipv6_is_no_help(stun_server: StunServer) -> None:
    stun_server.address = ("2001:db8::1", 9)
    with pytest.raises(McuError, match="no IPv4 address"):
        await ask_stun(name_of(stun_server), FixedResolver({}))


def test_nobody_is_asked_unless_a_server_is_named(tmp_path: Path) -> None:
    file = tmp_path / "confero.toml"
    file.write_text('public_address = "auto"\nstun_server = "stun.example.org:3479"\n')
    assert load(file, {}).stun_server == "stun.example.org:3479"
    assert load(None, {}).stun_server is None and load(None, {}).public_address is None


async def test_a_server_that_is_told_to_ask_shows_what_it_was_told(stun_server: StunServer, tmp_path: Path) -> None:
    file = tmp_path / "confero.toml"
    file.write_text(f'public_address = "auto"\nstun_server = "{name_of(stun_server)}"\n')
    server = await asyncio.to_thread(start_server, tmp_path / "server", "--open", "--config", str(file))
    try:
        assert "reachable at       203.0.113.99, 127.0.0.1" in server.log.read_text()
        assert stun_server.requests == 1
    finally:
        await asyncio.to_thread(server.stop)
