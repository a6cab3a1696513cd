"""Who shares a screen in a room and answers who asks for it, and who asks and types: each a program of its own.

    python -m tests.helpers.desktop_people own URI LISTEN DISPLAY control|view|deny
    python -m tests.helpers.desktop_people control URI LISTEN TEXT

Both print what happens, a line each, and end with their standard input: `shares`, `asked NAME`, `controller NAME`, `typed`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from rtp.rfb.keysyms import keysym_of
from softphone.floors import SCREEN
from softphone.model import DesktopState
from softphone.phone import Phone
from softphone.remote.part import Part
from softphone.remote.watching import Watching


async def own(uri: str, listen: str, display: str, answer: str) -> None:
    """Share a display, and answer."""
    async with Phone(listen=listen, display_name="Anna") as phone:
        call = await phone.call(uri)
        call.desktops.part = Part(display)
        controller = ""

        def publish(state: DesktopState) -> None:
            nonlocal controller
            for request in state.requests:
                say(f"asked {request.name}")
                call.desktops.answer(request.request_id, answer)
            if state.controller != controller:
                controller = state.controller
                say(f"controller {controller}")

        call.desktops.begin(publish, say)
        await until(lambda: call.desktops.state.is_possible)
        await call.floors.ask(SCREEN)
        say("shares")
        await asyncio.to_thread(sys.stdin.read)


async def control(uri: str, listen: str, text: str) -> None:
    """Ask for what is shared, and type."""
    async with Phone(listen=listen, display_name="Bernd") as phone:
        call = await phone.call(uri)
        await until(lambda: call.desktops.state.is_possible and call.desktops.state.sharer)
        call.desktops.ask_for_control()
        await until(lambda: call.desktops.state.may_act and call.desktops.state.view_size != (0, 0))
        view = call.desktops.state.view
        assert isinstance(view, Watching)
        view.move_pointer(60, 60, 0)
        for character in text + "\n":
            for is_down in (True, False):
                view.press_key(keysym_of(character), is_down)
        say("typed")
        await asyncio.to_thread(sys.stdin.read)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    while not condition():
        await asyncio.sleep(0.02)


def say(text: str) -> None:
    """Tell who started us."""
    print(text, flush=True)


if __name__ == "__main__":
    asyncio.run({"own": own, "control": control}[sys.argv[1]](*sys.argv[2:]))
