"""The driver's timer on the loop that the server runs on."""

from __future__ import annotations

import asyncio
import secrets

import uvloop

from sip.aio.driver import Driver
from sip.endpoint import Endpoint, EndpointSettings


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


def test_timer_that_is_due_already_does_not_break_the_next_datagram() -> None:
    # uvloop gives a handle without a time for what is due at once
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(fire_an_overdue_timer()) == 1
    assert asyncio.run(fire_an_overdue_timer()) == 1
