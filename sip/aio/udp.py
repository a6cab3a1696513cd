"""UDP sockets for the SIP driver (RFC 3261 §18): bytes in with their flow, bytes out.

A socket bound to all addresses does not say to which of them a datagram came; the local address of a flow is then the one
that the system would answer from (a look-up in the routing table, remembered for each peer).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable

from sip.flow import Address, Flow

BATCH = 64
"""Datagrams taken at one wake-up, so that timers and streams get their turn under a flood."""
MAX_KNOWN_PEERS = 8192


def is_unspecified(host: str) -> bool:
    """Whether an address means "all addresses"."""
    return ipaddress.ip_address(host).is_unspecified


def local_host_towards(host: str, port: int = 9) -> str:
    """The local address that packets to `host` leave from. Raises OSError when there is no route."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        name: str = probe.getsockname()[0]
        return name


class UdpSocket:
    """One bound UDP socket. receive: called with each datagram and its flow."""

    def __init__(self, host: str, port: int, receive: Callable[[bytes, Flow], None]) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        if family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._receive = receive
        self.address: Address = self._socket.getsockname()[:2]
        self._is_wildcard = is_unspecified(self.address[0])
        self._flows: dict[Address, Flow] = {}
        self.send_errors = 0
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._on_readable)

    def _on_readable(self) -> None:
        for _ in range(BATCH):
            try:
                data, remote = self._socket.recvfrom(65535)
            except BlockingIOError:
                return
            except OSError:                    # an ICMP error of an earlier datagram
                continue
            self._receive(data, self.flow_to((remote[0], remote[1])))

    def flow_to(self, remote: Address) -> Flow:
        """The flow from this socket to a peer."""
        flow = self._flows.get(remote)
        if flow is None:
            host = self.address[0]
            if self._is_wildcard:
                try:
                    host = local_host_towards(*remote)
                except OSError:
                    host = self.address[0]
            if len(self._flows) >= MAX_KNOWN_PEERS:
                self._flows.clear()
            flow = self._flows[remote] = Flow("UDP", (host, self.address[1]), remote)
        return flow

    def send(self, data: bytes, remote: Address) -> None:
        """Send a datagram; what the system refuses is counted (the transaction's timers see to it)."""
        try:
            self._socket.sendto(data, remote)
        except OSError:
            self.send_errors += 1

    def close(self) -> None:
        """Stop reading and close."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
