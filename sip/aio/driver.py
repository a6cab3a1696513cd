"""Drives an endpoint over sockets (RFC 3261 §18): UDP and TCP on the same port, TLS and secure WebSocket on others, IPv4 and
IPv6, one timer.

    async with Driver(endpoint, handler) as driver:
        await driver.listen("127.0.0.1", 5060)

Every event goes to `handler(event)`; what the endpoint has to send goes out right afterwards. An exception in the handling of
one datagram is logged and counted, and costs that datagram alone.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable

from sip.aio.stream import Streams
from sip.aio.tls import TlsClient, TlsServer
from sip.aio.udp import UdpSocket, is_unspecified, local_host_towards
from sip.endpoint import Endpoint
from sip.events import Event
from sip.flow import Address, Flow

MAX_ATTEMPTS = 16
GRAIN_S = 0.02
"""Timers that are due within this time are handled together: the ends of transactions come by the hundred each second."""
log = logging.getLogger(__name__)


class Driver:
    """An endpoint with its sockets. Made and used inside one event loop. tls: looks at those whom we call by TLS; None: by name
    and the system's authorities."""

    def __init__(self, endpoint: Endpoint, handler: Callable[[Event], None], tls: TlsClient | None = None) -> None:
        self.endpoint = endpoint
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._udp: list[UdpSocket] = []
        connection_ids = itertools.count(1)
        self._streams = Streams(self, ids=connection_ids)
        self._secure = Streams(self, "TLS", ids=connection_ids, client=tls or TlsClient())
        self._browsers = Streams(self, "WSS", ids=connection_ids)
        self._timer: asyncio.Handle | None = None
        self._fires_at = self._fired_at = 0.0
        self._is_pumping = False
        self._is_closed = False
        self.addresses: list[tuple[str, Address]] = []

    async def __aenter__(self) -> Driver:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def now(self) -> float:
        """The clock that the endpoint is given: monotonic seconds."""
        return self._loop.time()

    async def listen(self, host: str, port: int, *, tcp: bool = True) -> Address:
        """Bind UDP, and TCP on the same port; the address bound. Raises OSError when the port is taken."""
        for attempt in range(MAX_ATTEMPTS):
            udp = UdpSocket(host, port, self._datagram_received)
            try:
                if tcp:
                    await self._streams.listen(host, udp.address[1])
                break
            except OSError:
                udp.close()
                if port or attempt == MAX_ATTEMPTS - 1:         # with port 0, UDP may get a number that TCP has in use
                    raise
        self._udp.append(udp)
        self.addresses.append(("UDP", udp.address))
        if tcp:
            self.addresses.append(("TCP", udp.address))
        return udp.address

    async def listen_tls(self, host: str, port: int, server: TlsServer) -> Address:
        """Accept TLS; the address bound. Raises OSError when the port is taken."""
        self._secure.server = server
        address = await self._secure.listen(host, port)
        self.addresses.append(("TLS", address))
        return address

    async def listen_wss(self, host: str, port: int, server: TlsServer) -> Address:
        """Accept secure WebSocket (RFC 7118); the address bound. Raises OSError when the port is taken."""
        self._browsers.server = server
        address = await self._browsers.listen(host, port)
        self.addresses.append(("WSS", address))
        return address

    def flow_to(self, remote: Address, transport: str = "UDP", name: str = "") -> Flow:
        """The flow to a peer, an IP address and port. name: whom its certificate has to name, for TLS.

        Raises OSError when no socket of ours reaches it.
        """
        for udp in self._udp:
            if (":" in udp.address[0]) == (":" in remote[0]):
                if transport == "UDP":
                    return udp.flow_to(remote)
                host = udp.address[0]
                host = local_host_towards(*remote) if is_unspecified(host) else host
                return Flow(transport, (host, self._port_of(transport, udp)), remote, name=name if transport == "TLS" else "")
        raise OSError(f"no socket for {transport} to {remote[0]}")

    def _port_of(self, transport: str, udp: UdpSocket) -> int:
        """Our port in Via and Contact: the one that we listen on for a transport, else the common one."""
        bound = (address for known, address in self.addresses if known == transport)
        return next((port for host, port in bound if (":" in host) == (":" in udp.address[0])), udp.address[1])

    def protection(self, flow: Flow) -> str:
        """What protects a flow, such as "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty when nothing does, or nothing is open."""
        return self._streams_of(flow).protection(flow) if flow.is_protected else ""

    def pump(self) -> None:
        """Hand out events and bytes until the endpoint has none left; call it after each command."""
        if self._is_pumping or self._is_closed:
            return
        self._is_pumping = True
        try:
            while True:
                self._send()
                event = self.endpoint.next_event()
                if event is None:
                    break
                try:
                    self._handler(event)
                except Exception:
                    self.endpoint.counters["handler errors"] += 1
                    log.exception("an event could not be handled", extra={"event": type(event).__name__})
        finally:
            self._is_pumping = False
        self._arm()

    def _send(self) -> None:
        for data, flow in self.endpoint.datagrams_to_send():
            if flow.transport == "UDP":
                udp = self._socket_for(flow)
                if udp is not None:
                    udp.send(data, flow.remote)
            else:
                self._streams_of(flow).send(data, flow)
        for flow in self.endpoint.flows_to_close():
            self._streams_of(flow).drop(flow)

    def _streams_of(self, flow: Flow) -> Streams:
        return self._browsers if flow.is_framed else self._secure if flow.is_protected else self._streams

    def _socket_for(self, flow: Flow) -> UdpSocket | None:
        """The socket bound to the flow's own address, else one bound to all addresses."""
        for udp in self._udp:
            if udp.address == flow.local:
                return udp
        is_ipv6, port = ":" in flow.remote[0], flow.local[1]
        usable = (udp for udp in self._udp if udp.address[1] == port and (":" in udp.address[0]) == is_ipv6)
        return next(usable, None)

    def _arm(self) -> None:
        due = self.endpoint.next_timer()
        if due is not None:
            due = max(due, self._fired_at + GRAIN_S)
        if self._timer is not None:
            if due is not None and self._fires_at <= due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer, self._fires_at = self._loop.call_at(due, self._timer_fired), due

    def _timer_fired(self) -> None:
        self._timer = None
        self._fired_at = self.now()
        self._guarded(self.endpoint.handle_timer, self._fired_at)
        self.pump()

    def _datagram_received(self, data: bytes, flow: Flow) -> None:
        self._guarded(self.endpoint.receive_datagram, data, flow, self.now())
        self.pump()

    def _guarded(self, work: Callable[..., object], *arguments: object) -> None:
        try:
            work(*arguments)
        except Exception:
            self.endpoint.counters["driver errors"] += 1
            log.exception("a message could not be handled")

    def figures(self) -> dict[str, int]:
        """Connections that are open, those that were refused, and datagrams that the system did not take."""
        every = (self._streams, self._secure, self._browsers)
        return {"connections": sum(map(len, every)), "tls_connections": len(self._secure),
                "wss_connections": len(self._browsers), "refused_connections": sum(streams.refused for streams in every),
                "tls_failures": self._secure.tls_failures + self._browsers.tls_failures,
                "send_errors": sum(udp.send_errors for udp in self._udp)}

    # ---- what the streams tell

    def stream_received(self, data: bytes, flow: Flow) -> bool:
        """Bytes of a connection; False closes it."""
        good = [True]

        def work() -> None:
            good[0] = self.endpoint.receive_stream(data, flow, self.now())

        self._guarded(work)
        self.pump()
        return good[0]

    def stream_lost(self, flow: Flow) -> None:
        """A connection is gone."""
        self._guarded(lambda: self.endpoint.flow_lost(flow, self.now()))
        self.pump()

    def is_waiting_for_rest(self, flow: Flow) -> bool:
        """Whether a message on this connection is incomplete."""
        return self.endpoint.is_waiting_for_rest(flow)

    async def close(self) -> None:
        """Close every socket; nothing is sent any more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self._streams.close()
        await self._secure.close()
        await self._browsers.close()
        for udp in self._udp:
            udp.close()
