"""Orders and news by INFO: replies find their order, nonsense is passed over; and texts between two phones of a real room."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from confero.testing import start_server
from softphone.errors import CallFailed
from softphone.line import NewsArrived, PhoneEvent
from softphone.meeting_orders import ChatLine
from softphone.phone import Phone
from softphone.talk import MeetingTalk, News, Reply


class Wire:
    """What is sent, and the statuses that come back."""

    def __init__(self, status: int = 200) -> None:
        self.sent: list[Any] = []
        self.news: list[News] = []
        self.talk = MeetingTalk(self.send, self.news.append, lambda: 11)
        self.talk.is_possible = True
        self._status = status

    async def send(self, body: bytes) -> int:
        """An INFO goes out."""
        self.sent.append(json.loads(body))
        return self._status


async def test_each_reply_finds_its_order_in_whatever_sequence() -> None:
    wire = Wire()
    first = asyncio.create_task(wire.talk.order("mute", who="bob"))
    second = asyncio.create_task(wire.talk.order("lock"))
    await asyncio.sleep(0)
    assert wire.sent == [{"id": 1, "verb": "mute", "arguments": {"who": "bob"}}, {"id": 2, "verb": "lock", "arguments": {}}]
    assert wire.talk.receive(b'{"id": 2, "status": 403, "reason": "only the host may do that"}')
    assert wire.talk.receive(b'{"id": 1, "status": 200, "reason": ""}')
    assert await first == Reply(200) and await second == Reply(403, "only the host may do that")


async def test_an_order_that_is_not_taken_or_outlived_by_the_call_ends_in_a_status() -> None:
    assert (await Wire(481).talk.order("lock")).status == 481
    wire = Wire()
    waiting = asyncio.create_task(wire.talk.order("lock"))
    await asyncio.sleep(0)
    wire.talk.close()
    assert (await waiting).status == 408
    wire.talk.is_possible = False
    with pytest.raises(CallFailed):
        await wire.talk.order("lock")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b'{"id": "x", "status": 200}', b"[" * 9000, b"\xff"], ids=repr)
async def test_what_can_not_be_read_is_said_to_be_so(body: bytes) -> None:
    wire = Wire()
    assert not wire.talk.receive(body) and wire.news == []


async def test_lines_are_read_as_text_and_own_ones_known_and_wrong_ones_left_out() -> None:
    wire = Wire()
    lines: list[Any] = [{"at": 1, "from": "12", "name": "Bob\x1b[1m", "text": "a\u202eb\nc", "to": ""},
                        {"at": 2, "from": "11", "name": "Me", "text": "x", "to": "12", "to_name": "Bob"},
                        {"at": "x", "text": "y"}, 7]
    assert wire.talk.receive(json.dumps({"event": "history", "lines": lines}).encode())
    (news,) = wire.news
    assert news.kind == "history" and [(one.text, one.is_own, one.to_name) for one in news.lines] == [
        ("ab\nc", False, ""), ("x", True, "Bob")]
    assert "\x1b" not in news.lines[0].name


@pytest.mark.loopback
async def test_two_phones_write_to_each_other_in_a_room_and_a_newcomer_reads_it(tmp_path: Path) -> None:
    server = await asyncio.to_thread(start_server, tmp_path, "--open")
    heard: dict[str, list[ChatLine]] = {}

    def listener(name: str) -> Any:
        def on_event(event: PhoneEvent) -> None:
            if isinstance(event, NewsArrived):
                heard.setdefault(name, []).extend(event.news.lines)
        return on_event

    async def joined(name: str) -> Any:
        phone = await stack.enter_async_context(Phone(display_name=name, notify=listener(name)))
        return await phone.call(server.uri("daily"))

    async def told(name: str, text: str) -> ChatLine:
        async with asyncio.timeout(30):
            while True:
                found = [line for line in heard.get(name, ()) if line.text == text]
                if found:
                    return found[0]
                await asyncio.sleep(0.02)

    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, server.stop)
        alice, bob = await joined("Alice"), await joined("Bob")
        assert await alice.talk.order("chat", text="hello, 你好") == Reply(200)
        assert (await told("Bob", "hello, 你好")).name == "Alice"
        assert (await bob.talk.order("chat", text="only you", to="Alice")).status == 200
        assert (await told("Alice", "only you")).to
        assert (await bob.talk.order("lock")).status == 403
        assert await alice.talk.order("mute", who="Bob") == Reply(200)
        await joined("Carol")
        assert (await told("Carol", "hello, 你好")).to == ""
        assert [line.text for line in heard["Carol"]] == ["hello, 你好"]
