"""The own microphone muted and unmuted: at once here, and told to the conference's focus, so that everybody sees it.

The focus may mute us, too, and may refuse to unmute us; what it says goes. That it unmutes us changes nothing here: a
microphone that the user has muted stays so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from softphone.call import Call
from softphone.errors import CallFailed
from softphone.media.sound import Sound
from softphone.model import Banner, BannerShown, Event, MuteChanged

Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Muting:
    """Whether we are muted. publish: gets events; start: runs a task."""

    def __init__(self, sound: Sound, publish: Callable[[Event], None], start: Start) -> None:
        self.is_muted = False
        self._sound = sound
        self._publish = publish
        self._start = start
        self._telling: asyncio.Task[None] | None = None

    def set(self, muted: bool, call: Call | None) -> None:
        """Mute or unmute, as the user wants it."""
        self._apply(muted)
        self._publish(MuteChanged(muted))
        self.tell(call)

    def _apply(self, muted: bool) -> None:
        self.is_muted = self._sound.is_muted = muted

    def begin(self, call: Call) -> None:
        """A call is up: it starts as was chosen before."""
        self._apply(self.is_muted)
        self._publish(MuteChanged(self.is_muted))
        if self.is_muted:
            self.tell(call)

    def tell(self, call: Call | None) -> None:
        """Let the focus know, if there is one; a change meanwhile is told afterwards."""
        if call is not None and call.is_up and call.is_conference and (self._telling is None or self._telling.done()):
            self._telling = self._start(self._tell(call))

    async def _tell(self, call: Call) -> None:
        told: bool | None = None
        while told is not self.is_muted and call.is_up:
            told = self.is_muted
            try:
                status = await call.message("/mute" if told else "/unmute")
            except CallFailed:
                return
            if status == 403 and not told and not self.is_muted:
                self._by_host(Banner("The host does not let you unmute yourself.", "warning"))
                return

    def on_roster(self, call: Call) -> None:
        """The focus has told who is muted: perhaps the host has muted us."""
        own = next((member for member in call.roster if member.is_self), None)
        is_settled = self._telling is None or self._telling.done()
        if own is not None and own.is_muted and not call.is_held and not self.is_muted and is_settled:
            self._by_host(Banner("The host has muted you."))

    def _by_host(self, banner: Banner) -> None:
        self._apply(True)
        self._publish(MuteChanged(True, by_host=True))
        self._publish(BannerShown(banner))
