"""Where bytes come from and go to: a flow is a UDP socket and a remote address, or a connection (RFC 5626 §3)."""

from __future__ import annotations

from dataclasses import dataclass

Address = tuple[str, int]
"""An IP address in text form without brackets, and a port."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A way to a peer: `transport` is "UDP", "TCP", "TLS" or "WSS"; `connection` is the shell's id of a connection, 0 for UDP
    and for a connection that has yet to be opened.

    name: whom the peer's certificate has to name (RFC 5922 §7.3), where we opened the connection by TLS or will; empty for a
    connection that the peer opened: nothing but that connection itself leads back.
    """

    transport: str
    local: Address
    remote: Address
    connection: int = 0
    name: str = ""

    @property
    def is_protected(self) -> bool:
        """Whether nobody on the way can read or change what goes by it."""
        return self.transport in ("TLS", "WSS")

    @property
    def is_framed(self) -> bool:
        """Whether the connection itself tells where a message ends (RFC 7118 §5)."""
        return self.transport == "WSS"

    @property
    def is_reliable(self) -> bool:
        """Whether the transport itself repeats what is lost (RFC 3261 §17)."""
        return self.transport != "UDP"

    def went_by(self, connection: Flow) -> bool:
        """Whether what was sent over this flow went by that connection (0 stands for any connection to the same peer)."""
        same_peer = (self.transport, self.remote, self.name) == (connection.transport, connection.remote, connection.name)
        return self.is_reliable and same_peer and self.connection in (0, connection.connection)

    def __str__(self) -> str:
        return f"{self.transport} {self.remote[0]}:{self.remote[1]}"
