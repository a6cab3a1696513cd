"""A shared screen through a real server: the floor, who sees it, who comes later, whose turn is next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from confero.testing import Server
from rtp.codecs import chart
from softphone.call import Call
from softphone.media.pictures import PictureSettings
from softphone.phone import Phone
from softphone.shares import Choice, Share

pytestmark = pytest.mark.loopback
WAIT_S = 20.0
SEEN_WITHIN_S = 1.0


class Member:
    """Somebody in the room; `share` is what they know to be shared, `told` what they were told."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.share: Share | None = None
        self.told: list[str] = []
        call.showing.begin(self._publish, self.told.append)

    def _publish(self, share: Share | None) -> None:
        self.share = share

    def sees(self, name: str) -> bool:
        """Whether the test picture of that member is on the screen here."""
        share = self.share
        picture = share.view.take() if share is not None and share.view is not None else None
        return picture is not None and share is not None and share.name == name and chart.read(picture.y) is not None


async def join(stack: AsyncExitStack, server: Server, name: str) -> Member:
    """A phone of its own for a new member."""
    phone = await stack.enter_async_context(Phone(listen="127.0.0.1", display_name=name,
                                                  pictures=PictureSettings(is_sending=False)))
    return Member(await phone.call(server.uri("daily")))


async def until(condition: Callable[[], object]) -> None:
    """Wait for it."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_screen_is_shared_by_one_at_a_time_and_seen_by_all_and_by_newcomers(
        server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async with AsyncExitStack() as stack:
        anna, ben = [await join(stack, server, name) for name in ("Anna", "Ben")]
        anna.call.showing.start(Choice("test"))                         # changed their mind twice
        await until(lambda: anna.share is not None)
        anna.call.showing.stop()
        anna.call.showing.start(Choice("test", frame_rate=30), "Slides")
        await until(lambda: ben.sees("Anna"))
        assert anna.share == Share(is_own=True, title="Slides") and anna.told == []
        carol = await join(stack, server, "Carol")
        begun = time.monotonic()
        await until(lambda: carol.sees("Anna"))
        assert time.monotonic() - begun < 3 * SEEN_WITHIN_S
        ben.call.showing.start(Choice("test"), "Figures")
        await until(lambda: ben.share is not None and ben.share.is_asked)
        taken = anna.call.showing.figures[0]
        await until(lambda: anna.call.showing.figures[0] > taken + 10)
        assert ben.share == Share(is_own=True, is_asked=True, title="Figures") and not ben.call.showing.is_running
        anna.call.showing.stop()
        await until(lambda: anna.sees("Ben") and carol.sees("Ben"))
        assert not anna.call.showing.is_running and ben.share == Share(is_own=True, title="Figures")
        await asyncio.to_thread(server.cli, "room", "suspend", "daily")
        await until(lambda: ben.share is None and anna.share is None and carol.share is None)
        assert "suspended" in ben.told[-1] and not ben.call.showing.is_running and ben.call.is_up
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")              # what can't be shared is told, and the calls go on
        anna.call.showing.start(Choice("screen"))
        await until(lambda: anna.told and "on Xorg" in anna.told[-1])
        anna.call.showing.start(Choice("file", path="/nowhere.png"))
        await until(lambda: "/nowhere.png can't be read" in anna.told[-1])
        assert anna.share is None and anna.call.is_up
