"""A call handed on to somebody else (RFC 5589): our REFER (RFC 3515) and what is told of it, until it is settled.

The other side is asked to call somebody (blind), or to take our place in another call of ours (attended, by the Replaces of
RFC 3891). A server carries it out by itself and hangs up on us; a phone leaves the end to us (RFC 5589 §6.1). Made and driven
by `softphone.call`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from softphone.errors import CallFailed
from softphone.words import TRANSFERRED, transfer_failed

LONGEST_S = 90.0
"""So long a transfer is waited for: the server lets phones ring for a minute."""


class Transfer:
    """One transfer under way. name: of whom the call goes to; tell: gets words for how it fares."""

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self.name = name
        self._tell = tell
        self._is_ringing = False
        self._outcome: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        tell(f"Transferring to {name} …")

    async def done(self) -> None:
        """Wait until the two others are connected. Raises CallFailed in words when they are not."""
        try:
            async with asyncio.timeout(LONGEST_S):
                status, reason = await self._outcome
        except TimeoutError:
            status, reason = 408, ""
        if status != 200:
            raise CallFailed(transfer_failed(status, reason), status)

    def on_progress(self, status: int, reason: str, is_final: bool) -> None:
        """The other side has answered the REFER, or tells how its own call fares."""
        if is_final:
            self._settle(status, reason)
        elif status in (180, 183) and not self._is_ringing:
            self._is_ringing = True
            self._tell(f"Transfer to {self.name}: ringing …")

    def on_call_over(self, reason: str) -> None:
        """The call that was to be transferred is over: because it was, or because somebody hung up."""
        self._settle(200 if reason == TRANSFERRED else 487, reason)

    def _settle(self, status: int, reason: str) -> None:
        if not self._outcome.done():
            self._outcome.set_result((status, reason))
