"""A network of namespaces: one for the server, one for each client, and no way from client to client.

Each client's namespace has one veth pair to the server's, a /30 of its own, and forwarding is off, so that a packet
between two clients cannot happen: what they hear of each other went through the server. The server is reached by every
client at `Network.server_address`. Needs root, iproute2, and leaves nothing behind.
"""

from __future__ import annotations

import os
import subprocess


def _run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=check)


class Network:
    """The namespaces of one test: `with Network(3) as network`."""

    server_address = "10.77.0.1"

    def __init__(self, clients: int) -> None:
        if not 1 <= clients <= 60:
            raise ValueError(f"1 to 60 clients, not {clients}")
        self.clients = clients
        self.tag = f"cf{os.getpid() % 100000}"

    def __enter__(self) -> Network:
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    @property
    def server(self) -> str:
        """Name of the server's namespace."""
        return f"{self.tag}-s"

    def client(self, index: int) -> str:
        """Name of a client's namespace."""
        return f"{self.tag}-{index}"

    def client_address(self, index: int) -> str:
        """The one address of a client."""
        return f"10.77.{index + 1}.2"

    def client_interface(self, index: int) -> str:
        """The one interface of a client besides its loopback."""
        return f"{self.tag}c{index}"

    def in_server(self) -> tuple[str, ...]:
        """What to put before a command that runs at the server."""
        return ("ip", "netns", "exec", self.server)

    def in_client(self, index: int) -> tuple[str, ...]:
        """What to put before a command that runs at a client."""
        return ("ip", "netns", "exec", self.client(index))

    def reaches(self, index: int, address: str) -> bool:
        """Whether a ping from a client arrives (for the test of the network itself)."""
        ping = ("python3", "-c", f"import socket; s = socket.create_connection(({address!r}, 9), 1)")
        done = _run(*self.in_client(index), *ping, check=False)
        return "ConnectionRefusedError" in done.stderr      # refused: it was reached; unreachable or silent: it was not

    def _build(self) -> None:
        _run("ip", "netns", "add", self.server)
        inside = ("ip", "-n", self.server)
        _run(*inside, "link", "set", "lo", "up")
        _run(*inside, "addr", "add", f"{self.server_address}/32", "dev", "lo")
        _run(*self.in_server(), "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
        for index in range(self.clients):
            name = self.client(index)
            near, far = f"{self.tag}s{index}", self.client_interface(index)
            _run("ip", "netns", "add", name)
            _run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
            _run("ip", "link", "set", near, "netns", self.server)
            _run("ip", "link", "set", far, "netns", name)
            _run(*inside, "addr", "add", f"10.77.{index + 1}.1/30", "dev", near)
            _run(*inside, "link", "set", near, "up")
            _run("ip", "-n", name, "link", "set", "lo", "up")
            _run("ip", "-n", name, "addr", "add", f"{self.client_address(index)}/30", "dev", far)
            _run("ip", "-n", name, "link", "set", far, "up")
            _run("ip", "-n", name, "route", "add", self.server_address, "via", f"10.77.{index + 1}.1")

    def _remove(self) -> None:
        for index in range(self.clients):
            _run("ip", "netns", "del", self.client(index), check=False)
        _run("ip", "netns", "del", self.server, check=False)
