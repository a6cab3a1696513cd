"""Light phones of accounts: they register, answer what comes in, and call each other (RFC 3261 §10, §13), beside the crowd's.

    async with Desk(server) as desk:
        await desk.sign_in("bob", 700)
        person = await desk.arrival("bob")

All who are in a call talk all the time, from a thread of their own: what a test does meanwhile is no gap in what they say.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from typing import Any

from confero.testing import Server
from mcu.api import control
from rtp.sdp import negotiation
from rtp.sdp.negotiation import LocalMedia
from rtp.sdp.parser import parse
from sip import events
from sip.auth import DigestClient
from sip.headers import NameAddr
from sip.invite import Call
from sip.uri import Uri
from tests.helpers.crowd import CODECS, Crowd, Person, tone_frames

PASSWORD = "correct-horse-battery"
TALKER_NICE = -10


async def ask(server: Server, verb: str, **arguments: object) -> Any:
    """A verb of the control socket, and what comes of it. Raises CommandError."""
    return await asyncio.to_thread(control.call, server.data / control.FILE_NAME, verb, arguments)


class Desk(Crowd):
    """A crowd whose phones can have accounts."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._tones: dict[str, float] = {}
        self._arrivals: dict[str, asyncio.Future[Person]] = {}
        self._credentials: dict[str, DigestClient] = {}
        self._is_over = threading.Event()
        self._talker = threading.Thread(target=self._talk, daemon=True)

    async def __aenter__(self) -> Desk:
        await super().__aenter__()
        self._talker.start()
        return self

    async def __aexit__(self, *details: object) -> None:
        self._is_over.set()
        await asyncio.to_thread(self._talker.join)
        await super().__aexit__(*details)

    async def sign_in(self, name: str, hz: float) -> None:
        """Make an account and register its phone, which answers calls with a tone."""
        await ask(self.server, "user.add", name=name, password=PASSWORD)
        self._tones[name], self._credentials[name] = hz, DigestClient(name, PASSWORD)
        self._arrivals[name] = asyncio.get_running_loop().create_future()
        registration = self.endpoint.register(Uri("sip", None, self.server.host), aor=self._aor(name), flow=self._flow(),
                                              contact=self._contact(name), now=self.driver.now(),
                                              credentials=self._credentials[name])
        self.driver.pump()
        async with asyncio.timeout(10):
            while not registration.is_active:
                await asyncio.sleep(0.02)

    async def arrival(self, name: str, limit_s: float = 30.0) -> Person:
        """The phone of an account, once it has answered its call."""
        async with asyncio.timeout(limit_s):
            return await self._arrivals[name]

    async def call(self, target: str, caller: str, limit_s: float = 15.0) -> Person:
        """The phone of an account calls somebody; it waits for the answer."""
        sock = self._media_socket()
        port = sock.getsockname()[1]
        offer = negotiation.offer(CODECS, LocalMedia(self.host, port, port), session_id=1, version=1)
        call = self.endpoint.invite(Uri.parse(self.server.uri(target)), from_=self._aor(caller), flow=self._flow(),
                                    contact=self._contact(caller), now=self.driver.now(), offer=bytes(offer),
                                    credentials=self._credentials[caller])
        person = self._seat(caller, call, sock)
        call.data = (person, offer)
        self.driver.pump()
        async with asyncio.timeout(limit_s):
            await person.answered
        return person

    def clear(self, prefix: str) -> None:
        """Hang up for all phones whose names begin so."""
        for person in [person for person in self.people if person.name.startswith(prefix)]:
            self.hang_up(person)

    # ---- inside

    def _talk(self) -> None:
        with contextlib.suppress(PermissionError):              # on Linux the priority of this thread alone
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), TALKER_NICE)
        due = time.monotonic()
        while not self._is_over.wait(max(0.0, due - time.monotonic())):
            due += 0.02
            for person in list(self.people):
                with contextlib.suppress(OSError):              # hung up just now
                    self._send(person)

    def _seat(self, name: str, call: Call, sock: socket.socket) -> Person:
        hz = self._tones[name]
        person = Person(name, hz, call, sock, tone_frames(hz), asyncio.get_running_loop().create_future())
        asyncio.get_running_loop().add_reader(sock.fileno(), self._on_media, person)
        self.people.append(person)
        return person

    def _on_event(self, event: events.Event) -> None:
        match event:
            case events.CallReceived(call, request, offer):
                self._receive_call(call, request.uri.user or "", offer or b"")
            case events.OfferReceived(call, offer, _):
                person = call.data[0]
                answer, person.agreed = self._answer(person.sock, offer or b"")
                call.accept_offer(answer, self.driver.now())
            case _:
                super()._on_event(event)

    def _receive_call(self, call: Call, name: str, offer: bytes) -> None:
        arrival = self._arrivals.get(name)
        if arrival is None or arrival.done():
            call.reject(486, now=self.driver.now())
            return
        sock = self._media_socket()
        person = self._seat(name, call, sock)
        call.data = (person, None)
        answer, person.agreed = self._answer(sock, offer)
        person.answered.set_result(None)
        contact = self._contact(name)
        call.accept(answer, self.driver.now(), contact=contact, headers=[("Contact", NameAddr(contact))])
        arrival.set_result(person)

    def _answer(self, sock: socket.socket, offer: bytes) -> tuple[bytes, negotiation.NegotiatedAudio]:
        port = sock.getsockname()[1]
        answer, agreed = negotiation.answer(parse(offer), CODECS, LocalMedia(self.host, port, port), session_id=2, version=1)
        return bytes(answer), agreed
