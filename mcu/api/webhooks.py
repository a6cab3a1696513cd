"""Webhooks: events POSTed as JSON to the targets of the configuration, signed, with time limits, retries and bounded queues.

A delivery carries `X-Confero-Event`, `X-Confero-Delivery` (the same for each try), `X-Confero-Timestamp` (seconds since 1970)
and, where the target has a secret, `X-Confero-Signature: sha256=` HMAC-SHA-256 over timestamp, a full stop and the body. 2xx is
taken as received; else it is tried again after 1, 5 and 25 seconds, and then given up. Each target has one task and one queue,
so that one that hangs costs nobody else anything; what does not fit into a queue is counted and lost, the oldest first.
Redirects are not followed and the body of an answer is not read.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mcu.bus import Bus, Facts
from mcu.webhook_config import WebhookConfig

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
"""For one try, from the look-up of the name to the status."""
RETRY_AFTER_S = (1.0, 5.0, 25.0)
QUEUE_SIZE = 1000
OUTCOMES = ("delivered", "failed", "dropped")


class Webhook:
    """One target. delivered, failed, dropped: how many events went so."""

    def __init__(self, config: WebhookConfig, wallclock: Callable[[], float], *, timeout_s: float = TIMEOUT_S,
                 retry_after_s: Sequence[float] = RETRY_AFTER_S) -> None:
        self.config = config
        self.delivered = self.failed = self.dropped = 0
        self._wallclock = wallclock
        self._timeout_s = timeout_s
        self._retry_after_s = retry_after_s
        self._failures: tuple[type[Exception], ...] = ()
        self._queue: asyncio.Queue[Facts] = asyncio.Queue(QUEUE_SIZE)

    def put(self, event: Facts) -> None:
        """Queue an event that the target wants."""
        if not self.config.wants(event["event"]):
            return
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait(event)

    async def run(self) -> None:
        """Deliver until cancelled."""
        import httpx  # 9 MB, where there are webhooks

        self._failures = (httpx.HTTPError, httpx.InvalidURL, OSError)
        async with httpx.AsyncClient(timeout=self._timeout_s, follow_redirects=False, trust_env=False) as client:
            while True:
                await self._deliver(client, await self._queue.get())

    async def _deliver(self, client: httpx.AsyncClient, event: Facts) -> None:
        body, delivery = json.dumps(event).encode(), secrets.token_hex(8)
        reason = ""
        for pause_s in (0.0, *self._retry_after_s):
            await asyncio.sleep(pause_s)
            reason = await self._try(client, event["event"], body, delivery)
            if not reason:
                self.delivered += 1
                return
        self.failed += 1
        log.warning("a webhook was given up", extra={"url": self.config.url, "event": event["event"], "reason": reason})

    async def _try(self, client: httpx.AsyncClient, event: str, body: bytes, delivery: str) -> str:
        """One try; why it failed, empty when it did not."""
        timestamp = str(int(self._wallclock()))
        headers = {"Content-Type": "application/json", "User-Agent": "Confero", "X-Confero-Event": event,
                   "X-Confero-Delivery": delivery, "X-Confero-Timestamp": timestamp}
        secret = self.config.secret.get_secret_value()
        if secret:
            headers["X-Confero-Signature"] = sign(secret, timestamp, body)
        try:
            async with asyncio.timeout(self._timeout_s), client.stream("POST", self.config.url, content=body,
                                                                       headers=headers) as answer:
                return "" if answer.is_success else f"status {answer.status_code}"
        except TimeoutError:
            return "no answer in time"
        except self._failures as error:
            return f"{type(error).__name__}: {error}"[:200]


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """What `X-Confero-Signature` carries."""
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


class Webhooks:
    """All targets of a server; an async context manager."""

    def __init__(self, bus: Bus, wallclock: Callable[[], float]) -> None:
        self.targets: list[Webhook] = []
        self._bus = bus
        self._wallclock = wallclock
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Webhooks:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def configure(self, configs: Sequence[WebhookConfig]) -> None:
        """Tell these targets from now on; one whose table is as before goes on with its queue."""
        known = {target.config: (target, task) for target, task in zip(self.targets, self._tasks[1:], strict=True)}
        kept = [known.pop(config, None) for config in configs]
        for _, task in known.values():
            task.cancel()
        pairs = [one or self._begin(config) for one, config in zip(kept, configs, strict=True)]
        self.targets = [target for target, _ in pairs]
        if not self._tasks and not configs:
            return
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._hand_out())]
        self._tasks[1:] = [task for _, task in pairs]

    def total(self, what: str) -> int:
        """The sum of `delivered`, `failed` or `dropped` of the targets."""
        return sum(getattr(target, what) for target in self.targets)

    async def close(self) -> None:
        """Tell nobody any more; what is queued is lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self.targets.clear()

    def _begin(self, config: WebhookConfig) -> tuple[Webhook, asyncio.Task[None]]:
        target = Webhook(config, self._wallclock)
        return target, asyncio.create_task(target.run())

    async def _hand_out(self) -> None:
        while True:
            feed = self._bus.subscribe(QUEUE_SIZE)
            try:
                while (event := await feed.next()) is not None:
                    for target in self.targets:
                        target.put(event)
            finally:
                self._bus.unsubscribe(feed)
            log.warning("webhooks were too slow, and events were lost")
