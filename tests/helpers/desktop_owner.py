"""Somebody who shares a screen in a room and answers who asks for it, as a program of its own.

    python -m tests.helpers.desktop_owner URI DISPLAY NAME control|view|deny

Prints what happens, a line each: `shares`, `asked NAME`, `controller NAME`, `free`, `taken back`. Ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys

from softphone.floors import SCREEN
from softphone.model import DesktopState
from softphone.phone import Phone
from softphone.remote.part import Part


async def own(uri: str, display: str, name: str, answer: str) -> None:
    """Join, share, answer, until standard input ends."""
    async with Phone(listen="127.0.0.1", display_name=name) as phone:
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
                say(f"controller {controller}" if controller else "free")

        call.desktops.begin(publish, say)
        while not call.desktops.state.is_possible:
            await asyncio.sleep(0.02)
        await call.floors.ask(SCREEN)
        say("shares")
        await asyncio.to_thread(sys.stdin.read)


def say(text: str) -> None:
    """Tell who started us."""
    print(text, flush=True)


if __name__ == "__main__":
    asyncio.run(own(*sys.argv[1:5]))
