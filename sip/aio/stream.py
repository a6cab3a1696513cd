"""TCP connections for the SIP driver (RFC 3261 §18): accepted or opened, with limits on number, buffers and patience."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

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


class Receiver(Protocol):
    """What the streams tell the driver."""

    def stream_received(self, data: bytes, flow: Flow) -> bool:
        """Bytes came; False to close the connection."""

    def stream_lost(self, flow: Flow) -> None:
        """The connection is gone."""

    def is_waiting_for_rest(self, flow: Flow) -> bool:
        """Whether a message has begun and not ended."""


@dataclass(slots=True)
class Connection:
    """An open connection."""

    flow: Flow
    writer: asyncio.StreamWriter
    task: asyncio.Task[None]


class Streams:
    """All TCP connections of a driver."""

    def __init__(self, receiver: Receiver, transport: str = "TCP") -> None:
        self._receiver = receiver
        self._transport = transport
        self._connections: dict[int, Connection] = {}
        self._opening: dict[Address, tuple[asyncio.Task[None], list[tuple[bytes, Flow]]]] = {}
        self._by_remote: dict[Address, int] = {}
        self._per_host: Counter[str] = Counter()
        self._servers: list[asyncio.Server] = []
        self._ids = 0
        self.refused = 0

    async def listen(self, host: str, port: int) -> Address:
        """Accept connections; the bound address. Raises OSError when the port is taken."""
        server = await asyncio.start_server(self._accepted, host, port, limit=65536)
        self._servers.append(server)
        name = server.sockets[0].getsockname()
        return (name[0], name[1])

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, local = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        if peer is None or len(self._connections) >= MAX_CONNECTIONS or self._per_host[peer[0]] >= MAX_PER_HOST:
            self.refused += 1
            writer.close()
            return
        await self._serve(self._new_flow(local[:2], peer[:2]), reader, writer)

    def __len__(self) -> int:
        return len(self._connections)

    def _new_flow(self, local: Address, remote: Address) -> Flow:
        self._ids += 1
        return Flow(self._transport, (local[0], local[1]), (remote[0], remote[1]), self._ids)

    async def _serve(self, flow: Flow, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[flow.connection] = Connection(flow, writer, task)
        self._by_remote[flow.remote] = flow.connection
        self._per_host[flow.remote[0]] += 1
        try:
            await self._read(flow, reader)
        except (OSError, TimeoutError):
            pass
        finally:
            self._forget(flow)
            writer.close()
            self._receiver.stream_lost(flow)

    async def _read(self, flow: Flow, reader: asyncio.StreamReader) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + IDLE_S
        in_message = False
        while True:
            async with asyncio.timeout_at(deadline):
                data = await reader.read(16384)
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
        if self._by_remote.get(flow.remote) == flow.connection:
            del self._by_remote[flow.remote]
        self._per_host[flow.remote[0]] -= 1
        if self._per_host[flow.remote[0]] <= 0:
            del self._per_host[flow.remote[0]]

    def send(self, data: bytes, flow: Flow) -> None:
        """Write to the flow's connection, or to one to the same peer, or open one."""
        connection = self._connections.get(flow.connection) or self._connections.get(self._by_remote.get(flow.remote, 0))
        if connection is None:
            self._open_and_send(data, flow)
            return
        if connection.writer.transport.is_closing():        # gone, as its reader is about to learn
            return
        if connection.writer.transport.get_write_buffer_size() > MAX_BUFFERED:
            connection.task.cancel()
            return
        connection.writer.write(data)

    def drop(self, flow: Flow) -> None:
        """Give up the connection that a flow goes by."""
        connection = self._connections.get(flow.connection) or self._connections.get(self._by_remote.get(flow.remote, 0))
        if connection is not None:
            connection.writer.transport.abort()

    def _open_and_send(self, data: bytes, flow: Flow) -> None:
        if flow.remote in self._opening:
            waiting = self._opening[flow.remote][1]
            if len(waiting) < 64:
                waiting.append((data, flow))
            return
        task = asyncio.get_running_loop().create_task(self._open(flow))
        self._opening[flow.remote] = (task, [(data, flow)])

    async def _open(self, flow: Flow) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(*flow.remote, limit=65536)
        except (OSError, TimeoutError):
            self._opening.pop(flow.remote)
            self._receiver.stream_lost(flow)
            return
        opened = self._new_flow(writer.get_extra_info("sockname")[:2], flow.remote)
        for data, _ in self._opening.pop(flow.remote)[1]:
            writer.write(data)
        await self._serve(opened, reader, writer)

    async def close(self) -> None:
        """Stop listening and close all connections."""
        for server in self._servers:
            server.close()
        tasks = [c.task for c in self._connections.values()] + [task for task, _ in self._opening.values()]
        for connection in list(self._connections.values()):
            connection.writer.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


