"""The phone's connection to the floor control server of its meeting (RFC 8855 §6), over TCP, TLS or UDP, in the asyncio thread.

    link = FloorLink(on_event)
    port = link.bind(host)                     # only if the offer is to have UDP/BFCP
    await link.open(agreed, certificate)       # as the SDP has agreed (`rtp.sdp.floor_client`)
    link.ask(lambda session, now: session.request_floor(1, now))
    await link.close()

What comes of it are the events of `sip.bfcp.client`, the last of them ConnectionLost. A link is opened once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from rtp.errors import HandshakeFailed
from rtp.keying.certificate import Certificate
from rtp.keying.dtls import Role
from rtp.keying.tls import TlsClosed, TlsConnected, TlsData, TlsEndpoint
from rtp.sdp.floor_control import TLS, UDP, NegotiatedFloors
from sip.aio.udp import UdpSocket
from sip.bfcp.client import ClientSession
from sip.bfcp.events import ClientEvent, ConnectionLost
from sip.errors import LocalProtocolError
from sip.flow import Flow

OPEN_TIMEOUT_S = 10.0
"""To connect, and to shake hands."""
CHUNK = 16384
Result = TypeVar("Result")


class FloorLink:
    """One connection. on_event: called with each event, oldest first."""

    def __init__(self, on_event: Callable[[ClientEvent], None]) -> None:
        self.session: ClientSession | None = None
        self._on_event = on_event
        self._socket: UdpSocket | None = None
        self._remote: tuple[str, int] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._tls: TlsEndpoint | None = None
        self._reading: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    def bind(self, host: str) -> int:
        """Open a socket for UDP; its port, for the SDP. Raises OSError."""
        self._socket = UdpSocket(host, 0, self._received)
        return self._socket.address[1]

    async def open(self, agreed: NegotiatedFloors, certificate: Certificate | None = None) -> None:
        """Be connected. Raises OSError when the server can't be reached, HandshakeFailed when it is not the one of the SDP."""
        peer = agreed.peer
        if peer.remote is None or peer.conference_id is None or peer.user_id is None:
            raise HandshakeFailed("the SDP names no floor control server")
        self.session = ClientSession(peer.conference_id, peer.user_id, is_reliable=peer.is_reliable)
        self._remote = peer.remote
        if agreed.protocol == UDP:
            if self._socket is None:
                self.bind("::" if ":" in peer.remote[0] else "0.0.0.0")
            return
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                reader, self._writer = await asyncio.open_connection(*peer.remote, limit=CHUNK)
                if agreed.protocol == TLS:
                    await self._shake_hands(reader, agreed, certificate)
        except TimeoutError as error:
            await self.close()
            raise HandshakeFailed("the floor control server does not answer") from error
        self._reading = asyncio.get_running_loop().create_task(self._read(reader))

    async def _shake_hands(self, reader: asyncio.StreamReader, agreed: NegotiatedFloors,
                           certificate: Certificate | None) -> None:
        if certificate is None:
            raise HandshakeFailed("TLS needs a certificate")
        loop = asyncio.get_running_loop()
        self._tls = TlsEndpoint(Role.CLIENT, certificate, agreed.peer.fingerprints, now=loop.time())
        while True:
            self._write(self._tls.data_to_send())
            match self._tls.next_event():
                case TlsConnected():
                    return
                case TlsClosed(reason):
                    await self.close()
                    raise HandshakeFailed(reason)
                case _:
                    self._tls.receive_data(await reader.read(CHUNK), loop.time())

    def ask(self, say: Callable[[ClientSession, float], Result]) -> Result:
        """Say something to the server: `say` is called with the session and the time; its result, commonly a transaction.

        Raises LocalProtocolError when there is no connection, or not any more.
        """
        if self.session is None:
            raise LocalProtocolError("there is no connection to a floor control server")
        result = say(self.session, asyncio.get_running_loop().time())
        self._flush()
        return result

    async def close(self) -> None:
        """Take leave of the transport. ConnectionLost is the last event."""
        if self._reading is not None and self._reading is not asyncio.current_task():
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._lose("closed")

    def _lose(self, reason: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._tls is not None:
            self._tls.close()
            self._write(self._tls.data_to_send())
        if self._writer is not None:
            self._writer.close()
        if self._socket is not None:
            self._socket.close()
        if self.session is not None:
            self.session.close(reason)
            self._tell()

    # ---- bytes

    async def _read(self, reader: asyncio.StreamReader) -> None:
        reason = "the server has closed the connection"
        try:
            is_open = self._take_plain()
            while is_open and (data := await reader.read(CHUNK)):
                is_open = self._take(data)
                self._flush()
        except OSError as error:
            reason = str(error)
        self._lose(reason)

    def _take(self, data: bytes) -> bool:
        """Bytes of the server; False at the end of TLS."""
        assert self.session is not None
        now = asyncio.get_running_loop().time()
        if self._tls is not None:
            self._tls.receive_data(data, now)
            return self._take_plain()
        self.session.receive_data(data, now)
        return True

    def _take_plain(self) -> bool:
        """What has come out of TLS; False at its end."""
        assert self.session is not None
        while self._tls is not None and (event := self._tls.next_event()) is not None:
            if isinstance(event, TlsClosed):
                return False
            if isinstance(event, TlsData):
                self.session.receive_data(event.data, asyncio.get_running_loop().time())
        return True

    def _received(self, data: bytes, flow: Flow) -> None:
        if self.session is not None and flow.remote == self._remote:
            self.session.receive_data(data, asyncio.get_running_loop().time())
            self._flush()

    def _flush(self) -> None:
        """Send what waits, tell what happened, and set the timer."""
        assert self.session is not None
        for piece in self.session.data_to_send():
            if self._socket is not None and self._remote is not None:
                self._socket.send(piece, self._remote)
            elif self._tls is not None and self._tls.state == "connected":
                self._tls.send(piece)
            elif self._tls is None:
                self._write(piece)
        if self._tls is not None:
            self._write(self._tls.data_to_send())
        self._tell()
        self._arm()

    def _write(self, data: bytes) -> None:
        if data and self._writer is not None:
            self._writer.write(data)

    def _tell(self) -> None:
        assert self.session is not None
        is_lost = False
        while (event := self.session.next_event()) is not None:
            is_lost |= isinstance(event, ConnectionLost)
            self._on_event(event)
        if is_lost:
            self._lose("")

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = None if self.session is None or self._is_over else self.session.next_timer()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        assert self.session is not None
        self.session.handle_timer(asyncio.get_running_loop().time())
        self._flush()
