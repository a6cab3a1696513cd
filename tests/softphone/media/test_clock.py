"""The 20 ms clock: exact on average, catches up, skips what is too much, survives a tick that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from softphone.media.clock import MAX_CATCH_UP, run_clock


class Counted:
    """Counts ticks and skipped ones; `work` is done in each tick."""

    def __init__(self, work: Callable[[int], None] = lambda tick: None) -> None:
        self.ticks = self.skipped = 0
        self._work = work

    def tick(self) -> None:
        self.ticks += 1
        self._work(self.ticks)

    def skip(self, count: int) -> None:
        self.skipped += count


class SlowLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps when told to."""

    jump_s = 0.0

    def time(self) -> float:
        return super().time() + self.jump_s


def run(counted: Counted, loop: SlowLoop, until_s: float) -> None:
    async def main() -> None:
        begun = loop.time()
        clock = asyncio.create_task(run_clock(counted.tick, counted.skip))
        while loop.time() - begun < until_s:
            await asyncio.sleep(0.005)
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_ticks_and_skipped_ones_together_are_the_time_that_went_by() -> None:
    loop = SlowLoop()

    def jump(tick: int) -> None:
        if tick == 5:
            loop.jump_s += 3.0

    counted = Counted(jump)
    run(counted, loop, 3.3)
    assert counted.skipped >= 140 - MAX_CATCH_UP
    assert abs(counted.ticks + counted.skipped - 3.3 / 0.02) <= 2 + 10          # the last steps of a busy machine


def test_a_short_stall_is_made_up_for_and_nothing_is_skipped() -> None:
    loop = SlowLoop()

    def jump(tick: int) -> None:
        if tick == 5:
            loop.jump_s += 0.06

    counted = Counted(jump)
    run(counted, loop, 0.4)
    assert counted.ticks + counted.skipped >= 18


def test_a_tick_that_fails_costs_itself_alone() -> None:
    def fail(tick: int) -> None:
        if tick == 2:
            raise ValueError("broken")

    counted = Counted(fail)
    run(counted, SlowLoop(), 0.2)
    assert counted.ticks > 5
