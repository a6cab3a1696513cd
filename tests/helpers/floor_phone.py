"""A member's phone as floor control sees it: a BFCP client over TCP, TLS or UDP, for tests against real doors.

    phone = await FloorPhone.connect(TCP, address, conference_id, user_id)
    granted = await phone.ask(1)
"""

from __future__ import annotations

import asyncio
from typing import TypeVar, cast

from rtp.keying.certificate import Certificate, Fingerprint
from rtp.keying.dtls import Role
from rtp.keying.tls import TlsData, TlsEndpoint
from rtp.sdp.floor_control import TLS, UDP
from sip.bfcp.attributes import FloorRequestInformation, Status
from sip.bfcp.client import ClientSession
from sip.bfcp.events import ClientEvent, ConnectionLost, RequestStatusChanged

PATIENCE_S = 10.0
"""How long a test waits for what takes some milliseconds."""
E = TypeVar("E", bound=ClientEvent)


class FloorPhone(asyncio.DatagramProtocol):
    """One connection. `session` speaks; `flush` sends what it has said."""

    def __init__(self, session: ClientSession, tls: TlsEndpoint | None = None) -> None:
        self.session = session
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self._tls = tls
        self._writer: asyncio.StreamWriter | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._events: asyncio.Queue[ClientEvent] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, protocol: str, address: tuple[str, int], conference_id: int, user_id: int,
                      certificate: Certificate | None = None, theirs: Fingerprint | None = None) -> FloorPhone:
        """A phone that has opened its connection."""
        loop = asyncio.get_running_loop()
        session = ClientSession(conference_id, user_id, is_reliable=protocol != UDP)
        if protocol == UDP:
            phone = cls(session)
            await loop.create_datagram_endpoint(lambda: phone, remote_addr=address)
            return phone
        reader, writer = await asyncio.open_connection(*address)
        phone = cls(session)
        if protocol == TLS:
            assert certificate is not None and theirs is not None
            phone._tls = TlsEndpoint(Role.CLIENT, certificate, (theirs,), now=loop.time())
        phone.attach(reader, writer)
        return phone

    def attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak by a connection."""
        self._writer = writer
        self._task = asyncio.get_running_loop().create_task(self._read(reader))
        self.flush()

    @property
    def local(self) -> tuple[str, int]:
        """Our own address."""
        name = (self._writer or self._transport).get_extra_info("sockname")        # type: ignore[union-attr]
        return (name[0], name[1])

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(16384):
            if self._tls is None:
                self._take(data)
                continue
            self._tls.receive_data(data, asyncio.get_running_loop().time())
            for event in iter(self._tls.next_event, None):
                if isinstance(event, TlsData):
                    self._take(event.data)
            self.flush()
        self.session.close("closed by the server")
        self._drain()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """See asyncio."""
        self._take(data)

    def _take(self, data: bytes) -> None:
        self.received.put_nowait(data)
        self.session.receive_data(data, asyncio.get_running_loop().time())
        self._drain()
        self.flush()

    def _drain(self) -> None:
        for event in iter(self.session.next_event, None):
            self._events.put_nowait(event)

    def flush(self) -> None:
        """Send what the session has to say."""
        if self._tls is not None and self._tls.state == "connecting":
            pieces = [self._tls.data_to_send()]
        else:
            pieces = self.session.data_to_send()
            if self._tls is not None:
                for piece in pieces:
                    self._tls.send(piece)
                pieces = [self._tls.data_to_send()]
        for piece in pieces:
            if self._transport is not None:
                self._transport.sendto(piece)
            elif self._writer is not None and piece:
                self._writer.write(piece)

    def say(self, data: bytes) -> None:
        """Send bytes that no client of ours would."""
        if self._transport is not None:
            self._transport.sendto(data)
        elif self._writer is not None:
            self._writer.write(data)

    async def wait_for(self, kind: type[E]) -> E:
        """The next event of a kind; others are passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = await self._events.get()
                if isinstance(event, kind):
                    return event

    async def status(self, *wanted: Status) -> FloorRequestInformation:
        """The next news of a request that has one of these states."""
        while True:
            news = (await self.wait_for(RequestStatusChanged)).information
            if news.status in wanted:
                return news

    async def ask(self, floor_id: int, info: str = "") -> FloorRequestInformation:
        """Request a floor; how the request stands at first."""
        self.session.request_floor(floor_id, asyncio.get_running_loop().time(), info=info)
        self.flush()
        return (await self.wait_for(RequestStatusChanged)).information

    async def is_closed(self) -> None:
        """Wait until the server has closed the connection."""
        await self.wait_for(ConnectionLost)

    async def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        if self._transport is not None:
            self._transport.close()
