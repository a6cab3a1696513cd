"""What every request has to keep to, and every answer carries: sizes, times, and the headers that browsers obey.

A pure ASGI layer around the application. A body is read here, whole, before anything is done with it: 64 KiB at most (413),
within ten seconds (408). Nothing of an answer may be framed, sniffed, or load from elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST_BODY = 64 * 1024
BODY_S = 10.0
HEADERS = (
    (b"content-security-policy", b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
                                 b"frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class BadBody(Exception):
    """A body that is refused: status and words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Limits:
    """The layer. body_s: how long a client may take for its body."""

    def __init__(self, app: ASGIApp, body_s: float = BODY_S) -> None:
        self._app = app
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_kept = scope["path"].startswith("/page/")
        answering = _with_headers(send, is_kept)
        try:
            body = await self._read(scope, receive)
        except BadBody as error:
            await _refuse(answering, error)
            return
        await self._app(scope, _given(body, receive), answering)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        names = {name for name, _ in scope["headers"]}
        if b"content-length" in names and b"transfer-encoding" in names:              # two readings (RFC 9112 §6.1)
            raise BadBody(400, "a body has one length")
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if int(length) > LONGEST_BODY:
            raise BadBody(413, f"a body has {LONGEST_BODY} bytes at most")
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_s):
                while True:
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > LONGEST_BODY:
                        raise BadBody(413, f"a body has {LONGEST_BODY} bytes at most")
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise BadBody(408, "the body did not come in time") from None


def _given(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives what has been read, then what else comes."""
    waiting = [body]

    async def give() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return give


def _with_headers(send: Send, is_kept: bool) -> Send:
    async def answer(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            cache = b"no-cache" if is_kept else b"no-store"
            message["headers"] = [*message.get("headers", ()), *HEADERS, (b"cache-control", cache)]
        await send(message)

    return answer


async def _refuse(send: Send, error: BadBody) -> None:
    body = json.dumps({"error": error.reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
