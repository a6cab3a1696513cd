"""Connections for the SIP driver, TCP, TLS and secure WebSocket (RFC 3261 §18, RFC 7118): accepted or opened, with limits on
number, buffers and patience.

A connection is used by both sides as long as it lives (RFC 5923): what goes to a phone goes down the connection that the phone
opened. One that we have to open by TLS needs a name to be checked against (RFC 5922 §7.3); without one nothing is opened.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sip.aio.tls import TlsClient, TlsFailed, TlsServer, TlsStream
from sip.aio.websocket import WebSocketStream
from sip.flow import Address, Flow

MAX_CONNECTIONS = 2000
MAX_PER_HOST = 50
"""Connections from one address: a phone has one, an office behind a NAT some dozens."""
CONNECT_TIMEOUT_S = 5.0
MESSAGE_DEADLINE_S = 10.0
"""How long a message may take from its first byte to its last."""
IDLE_S = 1800.0
"""A connection without a byte for so long is closed (phones send keep-alives every two minutes)."""
MAX_BUFFERED = 1 << 20
"""Bytes that wait for a peer that does not read; more ends the connection."""
Peer = tuple[Address, str]
"""Where a connection leads, and the name that was checked there."""
log = logging.getLogger(__name__)


class Receiver(Protocol):
    """What the streams tell the driver."""

    def stream_received(self, data: bytes, flow: Flow) -> bool:
        """Bytes came; False to close the connection."""

    def stream_lost(self, flow: Flow) -> None:
        """The connection is gone."""

    def is_waiting_for_rest(self, flow: Flow) -> bool:
        """Whether a message has begun and not ended."""


class Stream(Protocol):
    """What carries bytes: the connection itself, or TLS on it."""

    async def read(self) -> bytes:
        """The next bytes, none at the end."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Take leave; the connection is closed by its owner."""


class PlainStream:
    """TCP as it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """See Stream."""
        return await self._reader.read(16384)

    def write(self, data: bytes) -> None:
        """See Stream."""
        self._writer.write(data)

    def close(self) -> None:
        """See Stream."""


@dataclass(slots=True)
class Connection:
    """An open connection. protection: version and cipher of TLS, empty without."""

    flow: Flow
    stream: Stream
    writer: asyncio.StreamWriter
    task: asyncio.Task[None]
    protection: str = ""


class Streams:
    """All connections of a driver by one transport, TCP, TLS or WSS.

    ids: of connections, from 1 on, shared with other streams of the same receiver; server, client: the two sides of TLS.
    """

    def __init__(self, receiver: Receiver, transport: str = "TCP", *, ids: Iterator[int] | None = None,
                 server: TlsServer | None = None, client: TlsClient | None = None) -> None:
        self.server = server
        self.client = client
        self._receiver = receiver
        self._transport = transport
        self._connections: dict[int, Connection] = {}
        self._opening: dict[Peer, tuple[asyncio.Task[None], list[tuple[bytes, Flow]]]] = {}
        self._by_peer: dict[Peer, int] = {}
        self._per_host: Counter[str] = Counter()
        self._accepting: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._ids = ids or itertools.count(1)
        self.refused = 0
        self.tls_failures = 0

    async def listen(self, host: str, port: int) -> Address:
        """Accept connections; the bound address. Raises OSError when the port is taken."""
        server = await asyncio.start_server(self._accepted, host, port, limit=65536)
        self._servers.append(server)
        name = server.sockets[0].getsockname()
        return (name[0], name[1])

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, local = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        if peer is None or self._per_host.total() >= MAX_CONNECTIONS or self._per_host[peer[0]] >= MAX_PER_HOST:
            self.refused += 1
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
        await self._serve(self._new_flow(local[:2], peer[:2]), reader, writer)

    def __len__(self) -> int:
        return len(self._connections)

    def protection(self, flow: Flow) -> str:
        """Version and cipher of the connection that a flow goes by, empty where there is none."""
        connection = self._find(flow)
        return "" if connection is None else connection.protection

    def _new_flow(self, local: Address, remote: Address, name: str = "") -> Flow:
        return Flow(self._transport, (local[0], local[1]), (remote[0], remote[1]), next(self._ids), name)

    async def _serve(self, flow: Flow, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                     asked_for: Peer | None = None) -> None:
        """Greet the peer, send what waits, read until the end. asked_for: what waits, when it was we who opened it."""
        task, stream = asyncio.current_task(), None
        assert task is not None
        self._per_host[flow.remote[0]] += 1
        try:
            stream, protection = await self._greet(flow, reader, writer)
            self._connections[flow.connection] = Connection(flow, stream, writer, task, protection)
            self._by_peer[flow.remote, flow.name] = flow.connection
            for data, _ in self._take_waiting(asked_for):
                stream.write(data)
            await self._read(flow, stream)
        except TlsFailed as error:
            self.tls_failures += 1
            log.debug("TLS failed", extra={"peer": flow.remote[0], "reason": str(error)})
        except (OSError, TimeoutError):
            self.tls_failures += stream is None
        finally:
            self._forget(flow)
            if stream is not None:
                stream.close()
            writer.close()
            for lost in (flow, *dict.fromkeys(flow for _, flow in self._take_waiting(asked_for))):
                self._receiver.stream_lost(lost)

    async def _greet(self, flow: Flow, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[Stream, str]:
        """The stream to talk by, and its protection. Raises TlsFailed, OSError, TimeoutError."""
        if not flow.is_protected:
            return PlainStream(reader, writer), ""
        if not flow.name:
            assert self.server is not None
            stream = TlsStream(self.server.accept(), reader, writer)
            await stream.shake_hands()
            if flow.is_framed:
                framed = WebSocketStream(stream)
                await framed.open()
                return framed, stream.protection
            return stream, stream.protection
        assert self.client is not None
        tls, chain = self.client.connect(flow.name)
        stream = TlsStream(tls, reader, writer)
        await stream.shake_hands()
        if trouble := self.client.judge(flow.name, chain.presented(tls)):
            raise TlsFailed(trouble)
        return stream, stream.protection

    async def _read(self, flow: Flow, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + IDLE_S
        in_message = False
        while True:
            async with asyncio.timeout_at(deadline):
                data = await stream.read()
            if not data or not self._receiver.stream_received(data, flow):
                return
            if self._receiver.is_waiting_for_rest(flow):
                if not in_message:
                    deadline = loop.time() + MESSAGE_DEADLINE_S
                in_message = True
            else:
                deadline, in_message = loop.time() + IDLE_S, False

    def _forget(self, flow: Flow) -> None:
        self._connections.pop(flow.connection, None)
        if self._by_peer.get((flow.remote, flow.name)) == flow.connection:
            del self._by_peer[flow.remote, flow.name]
        self._per_host[flow.remote[0]] -= 1
        if self._per_host[flow.remote[0]] <= 0:
            del self._per_host[flow.remote[0]]

    def send(self, data: bytes, flow: Flow) -> None:
        """Write to the flow's connection, or to one to the same peer, or open one."""
        connection = self._find(flow)
        if connection is None:
            self._open_and_send(data, flow)
            return
        if connection.writer.transport.is_closing():        # gone, as its reader is about to learn
            return
        if connection.writer.transport.get_write_buffer_size() > MAX_BUFFERED:
            connection.task.cancel()
            return
        connection.stream.write(data)

    def drop(self, flow: Flow) -> None:
        """Give up the connection that a flow goes by."""
        connection = self._find(flow)
        if connection is not None:
            connection.writer.transport.abort()

    def _find(self, flow: Flow) -> Connection | None:
        known = self._connections.get(flow.connection)
        return known or self._connections.get(self._by_peer.get((flow.remote, flow.name), 0))

    def _open_and_send(self, data: bytes, flow: Flow) -> None:
        peer = (flow.remote, flow.name)
        if peer in self._opening:
            waiting = self._opening[peer][1]
            if len(waiting) < 64:
                waiting.append((data, flow))
            return
        task = asyncio.get_running_loop().create_task(self._open(flow))
        self._opening[peer] = (task, [(data, flow)])

    async def _open(self, flow: Flow) -> None:
        peer = (flow.remote, flow.name)
        try:
            if flow.is_protected and (not flow.name or self.client is None):
                raise ConnectionRefusedError("nobody is named there")
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(*flow.remote, limit=65536)
        except (OSError, TimeoutError):
            self._opening.pop(peer)
            self._receiver.stream_lost(flow)
            return
        opened = self._new_flow(writer.get_extra_info("sockname")[:2], flow.remote, flow.name)
        await self._serve(opened, reader, writer, peer)

    def _take_waiting(self, peer: Peer | None) -> list[tuple[bytes, Flow]]:
        """What was to be sent as soon as a connection is there, once."""
        return self._opening.pop(peer)[1] if peer is not None and peer in self._opening else []

    async def close(self) -> None:
        """Stop listening and close all connections."""
        for server in self._servers:
            server.close()
        tasks = [*self._accepting, *(c.task for c in self._connections.values()), *(task for task, _ in self._opening.values())]
        for connection in list(self._connections.values()):
            connection.stream.close()
            connection.writer.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
