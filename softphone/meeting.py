"""What the window asks of a meeting besides sound and pictures, texts and verbs, and what the meeting tells of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from softphone import model
from softphone.call import Call
from softphone.errors import CallFailed
from softphone.meeting_orders import ChatArrived, ChatLine, GiveOrder, OrdersAllowed, SendChat
from softphone.model import Banner
from softphone.talk import News, readable

MESSAGES = {
    "unmute-asked": "The host asks you to unmute.",
    "you-are-host": "You are the host now.",
}
"""What a banner says of news."""


class MeetingDesk:
    """The agent's hand for texts and verbs."""

    def __init__(self, publish: Callable[[model.Event], None], start: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._publish = publish
        self._start = start

    def begin(self, call: Call) -> None:
        """A call is up: say whether its server takes orders."""
        self._publish(OrdersAllowed(call.talk.is_possible and call.is_conference))

    def receive(self, news: News) -> None:
        """The meeting tells something."""
        if news.kind in ("chat", "history"):
            if news.lines:
                self._publish(ChatArrived(news.lines, news.kind == "history"))
        elif news.kind in MESSAGES:
            self._publish(model.BannerShown(Banner(MESSAGES[news.kind])))

    def write(self, call: Call, command: SendChat) -> None:
        """Send a text; it is shown once the server has taken it."""
        self._start(self._write(call, command))

    async def _write(self, call: Call, command: SendChat) -> None:
        text = readable(command.text).strip()
        if not text:
            return
        try:
            if text.startswith("/"):
                status = await call.message(text)
                reason = "" if status == 200 else f"The meeting did not take {text.split()[0]} ({status})."
            else:
                reply = await call.talk.order("chat", text=text, to=command.to)
                status, reason = reply.status, reply.reason
        except CallFailed as error:
            status, reason = 500, str(error)
        if status != 200:
            self._refused(reason)
            return
        if not text.startswith("/"):
            name = next((one.name for one in call.roster if str(one.member_id) == command.to), "")
            self._publish(ChatArrived((ChatLine(time.time(), "", text, command.to, name, is_own=True),)))

    def order(self, call: Call, command: GiveOrder) -> None:
        """Give an order; a refusal is shown."""
        self._start(self._order(call, command))

    async def _order(self, call: Call, command: GiveOrder) -> None:
        arguments = dict(command.more) | ({"who": command.who} if command.who else {})
        try:
            reply = await call.talk.order(command.verb, **arguments)
        except CallFailed as error:
            self._refused(str(error))
            return
        if reply.status != 200:
            self._refused(reply.reason or f"The meeting refused it ({reply.status}).")

    def _refused(self, reason: str) -> None:
        self._publish(model.BannerShown(Banner(reason[:1].upper() + reason[1:], "warning")))
