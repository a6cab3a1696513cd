"""The driver on the loop that the server runs on: overdue timers, connections that have just gone."""

from __future__ import annotations

import asyncio
import secrets
import socket

import pytest
import uvloop

from sip.aio.driver import GRAIN_S, Driver
from sip.endpoint import Endpoint, EndpointSettings
from sip.flow import Flow
from tests.helpers.sip_messages import request

pytestmark = pytest.mark.loopback


class Overdue:
    """The owner of a timer that counts how often it fires."""

    def __init__(self) -> None:
        self.fired = 0

    def handle_timer(self, name: str, now: float) -> None:
        """Count."""
        self.fired += 1


async def fire_an_overdue_timer() -> int:
    """Pump several times while a timer is due already; how often it fired."""
    endpoint, owner = Endpoint(EndpointSettings(), secrets.token_bytes), Overdue()
    async with Driver(endpoint, lambda event: None) as driver:
        endpoint.timers.start((owner, "late"), driver.now() - 1)
        for _ in range(3):
            driver.pump()
        async with asyncio.timeout(5):
            while not owner.fired:
                await asyncio.sleep(0)
    return owner.fired


async def fire_a_hundred_timers() -> tuple[int, int]:
    """Let a hundred timers be due within 100 ms; how many fired, and how often the endpoint was asked to see to them."""
    endpoint, owners, asked = Endpoint(EndpointSettings(), secrets.token_bytes), [Overdue() for _ in range(100)], 0
    handle_timer = endpoint.handle_timer

    def count(now: float) -> None:
        nonlocal asked
        asked += 1
        handle_timer(now)

    endpoint.handle_timer = count  # type: ignore[method-assign]
    async with Driver(endpoint, lambda event: None) as driver:
        for number, owner in enumerate(owners):
            endpoint.timers.start((owner, "end"), driver.now() + number / 1000)
        driver.pump()
        async with asyncio.timeout(5):
            while len(endpoint.timers):
                await asyncio.sleep(0.01)
    return sum(owner.fired for owner in owners), asked


async def write_to_a_connection_that_has_just_gone() -> bytes:
    """Send to a reset connection and to a UDP peer in one go; what the UDP peer gets."""
    endpoint, flows = Endpoint(EndpointSettings(), secrets.token_bytes), []

    def admit(request: object, flow: Flow, now: float) -> None:
        flows.append(flow)

    endpoint.admit = admit
    loop, got = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    async with Driver(endpoint, lambda event: None) as driver:
        host, port = await driver.listen("127.0.0.1", 0)
        _, writer = await asyncio.open_connection(host, port)
        writer.write(request("OPTIONS"))
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            peer.settimeout(5)
            async with asyncio.timeout(5):
                while not flows:
                    await asyncio.sleep(0.01)

            def send() -> None:
                endpoint.transmit(b"lost", flows[0])
                endpoint.transmit(b"for another one", driver.flow_to(peer.getsockname()))
                try:
                    driver.pump()
                finally:
                    got.set_result(None)

            (connection,) = driver._streams._connections.values()
            connection.writer.transport.abort()
            loop.call_soon(send)
            await got
            writer.close()
            return peer.recv(100)


def test_connection_that_has_just_gone_does_not_cost_others_their_messages() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(write_to_a_connection_that_has_just_gone()) == b"for another one"


def test_timer_that_is_due_already_does_not_break_the_next_datagram() -> None:
    # uvloop gives a handle without a time for what is due at once
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(fire_an_overdue_timer()) == 1
    assert asyncio.run(fire_an_overdue_timer()) == 1


def test_timers_that_are_due_close_together_are_seen_to_together() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        fired, asked = runner.run(fire_a_hundred_timers())
    assert fired == 100
    assert asked <= 0.1 / GRAIN_S + 2
