"""Webhooks against real targets: one that listens, one that fails, one that hangs, one that answers without end."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from pydantic import SecretStr

from mcu.api import webhooks
from mcu.api.webhooks import Webhook, Webhooks
from mcu.bus import Bus
from mcu.webhook_config import WebhookConfig

pytestmark = pytest.mark.loopback
PATIENCE_S = 20.0


class Target:
    """A server that keeps what it is told, and answers as it is told: statuses in turn, or `hang`, or `flood`."""

    def __init__(self, *answers: str) -> None:
        self.told: list[tuple[dict[str, str], bytes]] = []
        self._answers = list(answers)
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Target:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hook"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
                headers = {name.lower(): value for name, _, value in lines}
                body = await reader.readexactly(int(headers["content-length"]))
                self.told.append((headers, body))
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                if answer == "hang":
                    await asyncio.sleep(3600)
                if answer == "flood":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 100_000)
                else:
                    writer.write(f"HTTP/1.1 {answer} X\r\nContent-Length: 0\r\nLocation: /elsewhere\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


def quick(config: WebhookConfig) -> Webhook:
    """A webhook that waits for nothing long."""
    return Webhook(config, lambda: 1000.0, timeout_s=0.3, retry_after_s=(0.01, 0.01))


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def run(*targets: Webhook) -> list[asyncio.Task[None]]:
    """Start them."""
    return [asyncio.create_task(target.run()) for target in targets]


def event(number: int, kind: str = "lock-changed") -> dict[str, Any]:
    """An event."""
    return {"number": number, "at": 1.0, "event": kind, "room": "daily"}


async def test_an_event_is_told_with_a_signature_that_can_be_checked() -> None:
    async with Target("204") as target:
        hook = quick(WebhookConfig(url=target.url, events=("lock-*",), secret=SecretStr("quiet")))
        (task,) = await run(hook)
        hook.put(event(1, "audio-start"))
        hook.put(event(2))
        await until(lambda: hook.delivered)
        task.cancel()
    ((headers, body),) = target.told
    assert json.loads(body) == event(2)
    assert headers["x-confero-event"] == "lock-changed" and headers["x-confero-timestamp"] == "1000"
    assert headers["x-confero-signature"] == "sha256=" + hmac.new(b"quiet", b"1000." + body, sha256).hexdigest()


@pytest.mark.parametrize("answer", ["500", "302", "404"])
async def test_a_target_that_fails_is_asked_again_with_the_same_delivery_and_given_up(answer: str) -> None:
    async with Target(answer) as target:
        hook = quick(WebhookConfig(url=target.url))
        (task,) = await run(hook)
        hook.put(event(1))
        await until(lambda: hook.failed)
        task.cancel()
    assert len(target.told) == 3 and hook.delivered == 0
    assert len({headers["x-confero-delivery"] for headers, _ in target.told}) == 1
    assert "x-confero-signature" not in target.told[0][0]


async def test_a_target_that_recovers_gets_what_it_missed() -> None:
    async with Target("503", "500", "200") as target:
        hook = quick(WebhookConfig(url=target.url))
        (task,) = await run(hook)
        hook.put(event(1))
        await until(lambda: hook.delivered)
        task.cancel()
    assert [json.loads(body)["number"] for _, body in target.told] == [1, 1, 1]


async def test_one_that_hangs_or_floods_or_is_not_there_costs_the_others_nothing() -> None:
    async with Target("hang") as hanging, Target("flood") as flooding, Target("200") as good:
        urls = (hanging.url, flooding.url, "http://127.0.0.1:1/", good.url)
        hooks = [quick(WebhookConfig(url=url)) for url in urls]
        tasks = await run(*hooks)
        for number in range(20):
            for hook in hooks:
                hook.put(event(number))
        await until(lambda: hooks[3].delivered == 20 and hooks[0].failed and hooks[2].failed and hooks[1].delivered)
        for task in tasks:
            task.cancel()
    assert [json.loads(body)["number"] for _, body in good.told] == list(range(20))


async def test_a_full_queue_loses_the_oldest_and_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "QUEUE_SIZE", 5)
    async with Target("200") as target:
        hook = quick(WebhookConfig(url=target.url))
        for number in range(8):
            hook.put(event(number))
        assert hook.dropped == 3
        (task,) = await run(hook)
        await until(lambda: hook.delivered == 5)
        task.cancel()
    assert [json.loads(body)["number"] for _, body in target.told] == [3, 4, 5, 6, 7]


async def test_targets_change_while_the_server_runs_and_one_that_stays_keeps_its_figures() -> None:
    async with Target("200") as first, Target("200") as second:
        one, other = WebhookConfig(url=first.url), WebhookConfig(url=second.url)
        bus = Bus(lambda: 1.0)
        async with Webhooks(bus, lambda: 1.0) as hooks:
            hooks.configure([one])
            await until(lambda: bus.subscribers)
            bus.publish("lock-changed", room="daily")
            await until(lambda: hooks.total("delivered") == 1)
            hooks.configure([other, one])
            bus.publish("lock-changed", room="daily")
            await until(lambda: hooks.total("delivered") == 3)
            hooks.configure([other])
            bus.publish("lock-changed", room="daily")
            await until(lambda: len(second.told) == 2)
        assert len(first.told) == 2
        assert bus.subscribers == 0
