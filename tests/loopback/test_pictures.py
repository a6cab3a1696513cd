"""Pictures through a real server: who sees whom, by what, and what a phone with one line gets."""

from __future__ import annotations

import pytest

from confero.testing import Server
from tests.helpers.watchers import Watchers

pytestmark = [pytest.mark.loopback, pytest.mark.usefixtures("nobody_composes")]


async def test_phones_with_slots_see_each_other_and_a_stock_phone_who_speaks(server: Server) -> None:
    async with Watchers(server) as crowd:
        ours = [await crowd.watch("daily", 440 + 100 * n, slots=9, has_slides=True) for n in range(2)]
        stock = await crowd.watch("daily", 900)
        await crowd.show(1.0)
        for watcher in ours:
            watcher.came.clear()
        await crowd.show(1.0)
        assert ours[0].seen() == {2, 3} and ours[1].seen() == {1, 3}
        assert stock.seen() <= {1, 2} and stock.seen()
