"""The HTTP side over a house (`tests.helpers.house`): the true application, verbs, switchboard and rules, without sockets.

    front = Front(house)
    answer = front.client(front.token("admin")).get("/api/v1/rooms")
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from starlette.types import ASGIApp

from mcu.administration import Administration
from mcu.api.app import make_app
from mcu.api.front import make_desk
from mcu.bus import Bus
from tests.helpers.house import House

HERE = "http://127.0.0.1:8080"


class Straight(httpx.BaseTransport):
    """Brings requests straight to an application, each on a loop of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._way = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 5))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer."""
        return asyncio.run(self._ask(request))

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        body = request.read()

        async def pieces() -> AsyncIterator[bytes]:
            yield body

        content = body if "Content-Length" in request.headers else pieces()
        made = httpx.Request(request.method, request.url, headers=request.headers, content=content)
        answer = await self._way.handle_async_request(made)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


class Front:
    """An application with a house behind it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.bus = Bus(house.wallclock)
        self.is_ready = True
        house.publish = self.bus.publish                                               # type: ignore[method-assign]
        self.administration = Administration(house.directory, house.storage, house.live, clock=house.wallclock)
        self.desk = make_desk(self.administration, house.directory, self.bus, lambda: self.is_ready, house.now, house.wallclock)
        self.app = make_app(self.desk)
        self._made = 0

    def token(self, scope: str) -> str:
        """A new token."""
        self._made += 1
        return self.administration.tokens.add(f"{scope}-{self._made}", scope)[1]

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        """A program with a token, or a stranger."""
        bearer = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return httpx.Client(transport=Straight(self.app), base_url=HERE, headers={**bearer, **headers})

    def page(self, user: str, password: str, here: str = HERE) -> httpx.Client:
        """Our own page in a browser, logged in. here: its origin."""
        client = self.client(Origin=here, **{"X-Confero-Page": "1", "Host": here.partition("//")[2]})
        answer = client.post("/api/v1/session", json={"user": user, "password": password})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client


def words(answer: Any) -> tuple[int, str]:
    """Status and words of an answer."""
    return answer.status_code, answer.json().get("error", "")
