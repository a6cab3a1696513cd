"""The desktop relay as the rooms of a server use it: started when it is first needed, with doors where they are asked for.

A server that nobody shares a desktop through has no such process. Until it runs, what it is to be told waits; a phone gets its
ticket with the relay's fingerprint or not at all. Reports go to the room whose session they name.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mcu.errors import McuError
from mcu.relay.messages import (
    DesktopEnded,
    DesktopFigures,
    DesktopJoined,
    Door,
    GatePassed,
    OpenDesktop,
    RelayReady,
    RelayReport,
    TicketRefused,
)
from mcu.relay.process import DesktopRelay
from rtp.keying.certificate import Fingerprint

TRIES = 50
"""Ports of the range that are tried before one that the system chooses."""
CERTIFICATE = "desktop-relay.pem"
"""The relay's certificate for stock viewers, in the server's data folder; another one after each start."""
log = logging.getLogger(__name__)
Listener = Callable[[RelayReport], None]


class RelayService:
    """ports: where doors are opened, first and last; name: the host name in the certificate; folder: for the certificate;
    host: where stock viewers come in over TLS."""

    def __init__(self, ports: tuple[int, int], name: str, folder: Path, host: str = "127.0.0.1") -> None:
        self.refused = 0
        self.host = host
        self._ports, self._folder = ports, folder
        self._relay = DesktopRelay(self._receive, name)
        self._running: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._waiting: list[Callable[[], None]] = []
        self._listeners: dict[int, Listener] = {}
        self._doors: dict[tuple[Door, str], socket.socket] = {}
        self._ready = asyncio.Event()
        self._life = -1

    async def __aenter__(self) -> RelayService:
        """Nothing is started yet."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        """End the relay and close the doors."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        for door in self._doors.values():
            door.close()

    def begin(self) -> None:
        """See that it runs, soon."""
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def started(self) -> None:
        """Wait until it runs."""
        self.begin()
        await self._ready.wait()

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Of the relay's certificate; None while it does not run."""
        return Fingerprint.of(self._relay.certificate) if self._is_ready else None

    @property
    def _is_ready(self) -> bool:
        """Whether it runs and has said so; after a death not before it has begun again."""
        return self._relay.is_running and self._life == self._relay.restarts

    @property
    def certificate_file(self) -> Path:
        """Where stock viewers find the certificate."""
        return self._folder / CERTIFICATE

    def port(self, door: Door, host: str) -> int:
        """The port of a door on an address of this machine, opened when there is none yet. Raises OSError."""
        listener = self._doors.get((door, host))
        if listener is None:
            listener = self._doors[door, host] = self._listen(host)
            self._relay.open_door(door, listener)
        number: int = listener.getsockname()[1]
        return number

    # ---- mcu.desktops.Relay, for a room with its listener

    def new_session(self, listener: Listener) -> int:
        """A number for a session, whose reports go to `listener`."""
        number = next(self._numbers)
        self._listeners[number] = listener
        return number

    def open_desktop(self, opened: OpenDesktop) -> None:
        """See DesktopRelay."""
        self._tell(lambda: self._relay.open_desktop(opened))

    def set_holder(self, session_id: int, participant_id: int) -> None:
        """See DesktopRelay."""
        self._tell(lambda: self._relay.set_holder(session_id, participant_id))

    def close_desktop(self, session_id: int) -> None:
        """See DesktopRelay."""
        self._tell(lambda: self._relay.close_desktop(session_id))

    def _tell(self, say: Callable[[], None]) -> None:
        self.begin()
        if self._is_ready:
            say()
        else:
            self._waiting.append(say)

    # ---- the process

    async def _run(self) -> None:
        while True:
            try:
                async with self._relay:
                    await asyncio.get_running_loop().create_future()
            except McuError as error:
                log.error("no desktop relay", extra={"reason": str(error)})
            await asyncio.sleep(1.0)

    def _receive(self, report: RelayReport) -> None:
        match report:
            case RelayReady(certificate):
                self._write_certificate(certificate)
                self._life = self._relay.restarts
                self._ready.set()
                waiting, self._waiting = self._waiting, []
                for say in waiting:
                    say()
            case TicketRefused(count):
                self.refused += count
                log.warning("somebody came to the desktop relay without a ticket of theirs", extra={"count": count})
            case DesktopEnded(session_id):
                listener = self._listeners.pop(session_id, None)
                if listener is not None:
                    listener(report)
            case DesktopJoined() | GatePassed() | DesktopFigures():
                listener = self._listeners.get(report.session_id)
                if listener is not None:
                    listener(report)

    def _write_certificate(self, der: bytes) -> None:
        try:
            self.certificate_file.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
        except OSError as error:
            log.warning("the relay's certificate can't be written", extra={"reason": str(error)})

    def _listen(self, host: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        first, last = self._ports
        tried = random.sample(range(first, last + 1), min(TRIES, last - first + 1))
        for port in (*tried, 0):
            try:
                return socket.create_server((host, port), family=family, reuse_port=False)
            except OSError as error:
                if not port:
                    raise
                log.debug("a port is taken", extra={"port": port, "reason": str(error)})
        raise AssertionError("the last port is any")
