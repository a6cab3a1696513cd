"""The ends of a desktop at the relay, with real sockets and TLS, driven by hand; and pairs of tickets for them."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

from mcu.relay.messages import OpenDesktop, Seat
from mcu.relay.tickets import digest_of, make_word
from rtp.keying.certificate import Certificate, Fingerprint
from rtp.keying.dtls import Role
from rtp.keying.tls import TlsEndpoint
from rtp.rfb.preface import preface
from rtp.rfb.server import RfbServer, ServerEvent
from rtp.rfb.viewer import RfbViewer, ViewerEvent
from softphone.remote.pipe import Pipe

OWNER_ID, VIEWER_ID = 3, 7


class Phone:
    """Who connects to the relay: a certificate of its own."""

    def __init__(self) -> None:
        self.certificate = Certificate.create(datetime.now(UTC))

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of its certificate."""
        return self.certificate.fingerprint().digest

    def connect(self, port: int, relay: bytes, word: str) -> Pipe:
        """A connection with a ticket; relay: the relay's certificate in DER."""
        expected = (Fingerprint.of(relay),)
        tls = TlsEndpoint(Role.CLIENT, self.certificate, expected, now=time.monotonic())
        pipe = Pipe(socket.create_connection(("127.0.0.1", port)), tls)
        pipe.send(preface(word))
        return pipe


class End:
    """A desktop or a viewer at its connection. events: all that happened there."""

    def __init__(self, core: RfbServer | RfbViewer, pipe: Pipe) -> None:
        self.core, self.pipe = core, pipe
        self.events: list[ServerEvent | ViewerEvent] = []

    def turn(self) -> None:
        """Carry what there is."""
        data = self.pipe.receive()
        if data or not self.pipe.is_open:
            self.core.receive_data(data, time.monotonic())
        while self.pipe.is_open and (out := self.core.data_to_send()):
            self.pipe.send(out)
        self.events += iter(self.core.next_event, None)


async def turn_until(condition: Callable[[], object], *ends: End, limit_s: float = 20.0) -> None:
    """Drive the ends until something is so; fails when it does not come about."""
    async with asyncio.timeout(limit_s):
        while not condition():
            for each in ends:
                each.turn()
            await asyncio.sleep(0.002)


def tickets(session_id: int, owner: Phone, viewer: Phone | None, lifetime_s: int = 30,
            plain_word: str = "") -> tuple[OpenDesktop, str, str]:
    """What control says, and the words of owner and viewer. viewer: None for a stock one, by a VNC door."""
    words = make_word(os.urandom), make_word(os.urandom)
    seats = (Seat(OWNER_ID, digest_of(words[0]), owner.fingerprint),
             Seat(VIEWER_ID, digest_of(words[1]), viewer.fingerprint) if viewer else Seat(VIEWER_ID, digest_of(words[1])))
    return OpenDesktop(session_id, *seats, lifetime_s, plain_word=plain_word), *words
