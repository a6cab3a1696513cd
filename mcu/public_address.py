"""Our address as the outside sees it, asked from the STUN server of the configuration (RFC 8489 §7.2.1 over UDP).

Only a server that the operator named is ever asked. The shell around `rtp.stun`: a socket, repetitions, a limit.
"""

from __future__ import annotations

import asyncio
import secrets

from mcu.addresses import plain
from mcu.errors import McuError
from rtp import stun
from rtp.errors import ParseError
from sip.aio.resolver import Resolver, Unanswered
from sip.routing import Host, Question

STUN_PORT = 3478
FIRST_REPEAT_S = 0.5
LIMIT_S = 6.0
"""For all repetitions: 0.5, 1, 2 s and so on (RFC 8489 §6.2.1 has more patience, a start has not)."""


class _Query(asyncio.DatagramProtocol):
    """One binding request."""

    def __init__(self) -> None:
        self.request = stun.binding_request(secrets.token_bytes(12))
        self.answer: asyncio.Future[stun.Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        """Take the answer to our request; what else comes is passed over."""
        try:
            message = stun.Message.parse(data)
        except ParseError:
            return
        if message.transaction_id == self.request.transaction_id and not self.answer.done():
            self.answer.set_result(message)


async def ask_stun(server: str, resolver: Resolver, *, limit_s: float = LIMIT_S) -> str:
    """Our IPv4 address as `server` (HOST or HOST:PORT) sees it. limit_s: for all. Raises McuError in words."""
    host, _, port = server.partition(":")
    try:
        async with asyncio.timeout(limit_s):
            return await _ask(await _address_of(host, resolver), int(port or STUN_PORT))
    except TimeoutError:
        raise McuError(f"the STUN server {server} did not answer") from None
    except (OSError, ParseError) as error:
        raise McuError(f"the STUN server {server} was of no help: {error}") from None


async def _address_of(host: str, resolver: Resolver) -> str:
    if plain(host) is not None:
        return host
    try:
        found = [one.address for one in await resolver.ask(Question("A", host.lower())) if isinstance(one, Host)]
    except Unanswered:
        found = []
    if not found:
        raise McuError(f"the STUN server {host} was not found by its name")
    return found[0]


async def _ask(host: str, port: int) -> str:
    transport, query = await asyncio.get_running_loop().create_datagram_endpoint(_Query, remote_addr=(host, port))
    try:
        pause = FIRST_REPEAT_S
        while not query.answer.done():
            transport.sendto(query.request.encode())
            await asyncio.wait((query.answer,), timeout=pause)
            pause *= 2
        address = query.answer.result().mapped_address
    finally:
        transport.close()
    if address is None or ":" in address[0]:
        raise ParseError("its answer told no IPv4 address")
    return address[0]
