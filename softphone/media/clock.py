"""The phone's 20 ms clock: absolute, so that its mean rate is exact. What it missed it makes up for, or skips if it is much."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

PERIOD_S = 0.02
MAX_CATCH_UP = 5
"""Ticks made up for in one go (100 ms); after a longer stall the rest is skipped."""

log = logging.getLogger(__name__)


async def run_clock(tick: Callable[[], None], skip: Callable[[int], None]) -> None:
    """Call `tick` every 20 ms until cancelled, and `skip(n)` for n ticks that were lost in a stall.

    An exception in a tick costs this tick alone.
    """
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        missed = int((loop.time() - due) / PERIOD_S) - MAX_CATCH_UP
        if missed > 0:
            skip(missed)
            due += missed * PERIOD_S
        try:
            tick()
        except Exception:
            log.exception("a tick failed")
        due += PERIOD_S
        await asyncio.sleep(max(0.0, due - loop.time()))
