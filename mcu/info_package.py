"""The INFO package of a meeting (RFC 6086): its name, and whether a phone takes it."""

from __future__ import annotations

from sip.message import Message

PACKAGE = "confero-meeting"
RECV_INFO: tuple[str, object] = ("Recv-Info", PACKAGE)
"""The header by which both sides say that they take the package (RFC 6086 §4.2)."""


def takes_package(message: Message | None) -> bool:
    """Whether the peer says in its INVITE, or in the 200 to ours, that it takes INFOs of our package."""
    return message is not None and PACKAGE in message.headers.get_all("Recv-Info")
