"""The event feed `/api/v1/events`: a WebSocket (RFC 6455) with one JSON object a message, as `mcu.bus` tells them.

A client may send {"watch": "daily"} to get the people of that room with their figures once a second, as events `people`, until
it watches another one ("": none). It is let in, or refused, like a request of REST; a browser's Origin has to be ours. Who is
too slow is told so (1013) and has to begin anew.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from fastapi import APIRouter, WebSocket
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect

from mcu.api.access import Denied, Principal
from mcu.api.desk import Desk, Facts, owns
from mcu.bus import Feed
from mcu.errors import CommandError

PATH = "/api/v1/events"
MOST_FEEDS = 100
SEND_S = 10.0
"""How long a client may take for one message."""
WATCH_S = 1.0
PAUSE_S = 0.1
"""Between two answers to a client that asks again and again."""
POLICY, TRY_AGAIN = 1008, 1013
"""Close codes (RFC 6455 §7.4.1 and its registry)."""
router = APIRouter()


class _Slow(Exception):
    """A client that does not keep up."""


class _Out(Exception):
    """A client whose token, session or account is gone."""


class _Client:
    """One WebSocket that is let in."""

    def __init__(self, socket: WebSocket, desk: Desk, who: Principal, feed: Feed) -> None:
        self._socket = socket
        self._desk = desk
        self._who = who
        self._feed = feed
        self._sending = asyncio.Lock()
        self._watched = ""
        self._is_asked = asyncio.Event()

    async def serve(self) -> None:
        """Tell and listen until the client goes. Raises WebSocketDisconnect, _Slow, as a group."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            group.create_task(self._show_people())
            group.create_task(self._listen())

    async def _tell(self) -> None:
        while (event := await self._feed.next()) is not None:
            if self._may_see(event):
                await self._send(event)
        raise _Slow

    async def _show_people(self) -> None:
        while True:
            room = self._watched
            if room:
                try:
                    people = self._desk.administration.execute("room.people", {"name": room})
                except CommandError:
                    people = []
                await self._send({"event": "people", "room": room, "people": people})
                await asyncio.sleep(PAUSE_S)
            self._is_asked.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_S if room else None):
                    await self._is_asked.wait()

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive_text()
            with suppress(ValueError, RecursionError, TypeError, KeyError):
                room = str(json.loads(message)["watch"])[:64].lower()
                self._watched = room if room and self._may_see({"room": room}) else ""
                self._is_asked.set()

    def _may_see(self, event: Facts) -> bool:
        return self._who.scope != "owner" or (bool(event.get("room")) and owns(self._desk, self._who, str(event["room"])))

    async def _send(self, event: Facts) -> None:
        if not self._desk.access.still_holds(self._socket, self._who):
            raise _Out
        try:
            async with self._sending, asyncio.timeout(SEND_S):
                await self._socket.send_text(json.dumps(event))
        except TimeoutError:
            raise _Slow from None


@router.websocket(PATH)
async def tell_events(socket: WebSocket) -> None:
    """Serve one client."""
    desk: Desk = socket.app.state.desk
    try:
        who = desk.access.identify(socket)
        if desk.bus.subscribers >= MOST_FEEDS:
            raise Denied(429, "too many listeners already")
    except Denied as error:
        await socket.send_denial_response(JSONResponse({"error": error.reason}, error.status))
        return
    await socket.accept()
    feed = desk.bus.subscribe()
    code, reason = 1000, ""
    try:
        await _Client(socket, desk, who, feed).serve()
    except* _Slow:
        code, reason = TRY_AGAIN, "too slow: events were lost; connect again and ask for the state anew"
    except* _Out:
        code, reason = POLICY, "the token, the session or the account is gone"
    except* (WebSocketDisconnect, RuntimeError):
        code = 0
    finally:
        desk.bus.unsubscribe(feed)
        if code:
            with suppress(RuntimeError, TimeoutError):
                async with asyncio.timeout(SEND_S):
                    await socket.close(code, reason)
