"""Orders to a meeting and news from it, as JSON in INFOs inside the call (RFC 6086), for servers that take the package.

An order has a number, by which its reply is known; the reply comes in an INFO of the server's own. What is written and other
news come unasked. Nothing here trusts the server's spelling: what can't be read is passed over.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from softphone.addresses import shown
from softphone.errors import CallFailed
from softphone.meeting_orders import ChatLine

PACKAGE = "confero-meeting"
RECV_INFO: tuple[str, object] = ("Recv-Info", PACKAGE)
CONTENT_TYPE = "application/json"
HEADERS: tuple[tuple[str, object], ...] = (("Info-Package", PACKAGE), ("Content-Disposition", "Info-Package"))
REPLY_S = 5.0
MAX_LINES = 200
MAX_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of an order: 200, or the status of a refusal and its words."""

    status: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class News:
    """What the server tells unasked. kind: chat, history, unmute-asked, you-are-host and what later servers have."""

    kind: str
    lines: tuple[ChatLine, ...] = ()


class MeetingTalk:
    """Of one call. send: sends an INFO's body and gives its status, 408 for none; own_id: our own number in the meeting."""

    def __init__(self, send: Callable[[bytes], Awaitable[int]], on_news: Callable[[News], None],
                 own_id: Callable[[], int]) -> None:
        self.is_possible = False
        self._send = send
        self._on_news = on_news
        self._own_id = own_id
        self._count = 0
        self._waiting: dict[int, asyncio.Future[Reply]] = {}

    async def order(self, verb: str, **arguments: str) -> Reply:
        """Give an order and wait for its reply. Raises CallFailed when the call or the server can't carry one."""
        if not self.is_possible:
            raise CallFailed("this server takes no orders from the window")
        self._count += 1
        number = self._count
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            status = await self._send(json.dumps({"id": number, "verb": verb, "arguments": arguments},
                                                 ensure_ascii=False).encode())
            if status != 200:
                return Reply(status, "the server did not take it")
            async with asyncio.timeout(REPLY_S):
                return await future
        except TimeoutError:
            return Reply(408, "the server did not answer")
        finally:
            self._waiting.pop(number, None)

    def receive(self, body: bytes) -> bool:
        """An INFO of the package came; False when it can't be read."""
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            return False
        if not isinstance(told, dict):
            return False
        event = told.get("event")
        if isinstance(event, str):
            lines = told.get("lines")
            self._on_news(News(event[:40], self._lines(lines if isinstance(lines, list) else [])))
            return True
        number, status = told.get("id"), told.get("status")
        if not isinstance(number, int) or not isinstance(status, int):
            return False
        future = self._waiting.get(number)
        if future is not None and not future.done():
            future.set_result(Reply(status, shown(str(told.get("reason") or ""))))
        return True

    def _lines(self, items: list[Any]) -> tuple[ChatLine, ...]:
        found = []
        for item in items[-MAX_LINES:]:
            if isinstance(item, dict) and isinstance(item.get("text"), str) and isinstance(item.get("at"), int | float):
                sender = str(item.get("from") or "")
                found.append(ChatLine(
                    float(item["at"]), shown(str(item.get("name") or "")), readable(item["text"]), str(item.get("to") or ""),
                    shown(str(item.get("to_name") or "")), sender != "" and sender == str(self._own_id())))
        return tuple(found)

    def close(self) -> None:
        """The call is over."""
        for future in self._waiting.values():
            if not future.done():
                future.set_result(Reply(408, "the call is over"))


def readable(text: str) -> str:
    """What somebody wrote, with its lines, each without what a window would take for more than text."""
    return "\n".join(shown(line, MAX_TEXT) for line in text[:MAX_TEXT].splitlines()[:100])
