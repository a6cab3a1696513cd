"""The SIP transactions of a call as a capture shows them (RFC 3261 §17): requests with their copies, and what answered them.

A capture between several hops shows the same request on each; every hop has its own transactions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pcap.keylog import Address
from pcap.sip_ladder import SeenMessage
from sip.errors import ParseError
from sip.message import Request, Response


@dataclass(slots=True)
class Transaction:
    """requests: the request and its copies in order; responses: all of them with theirs."""

    method: str
    number: int
    source: Address
    destination: Address
    requests: list[SeenMessage] = field(default_factory=list)
    responses: list[SeenMessage] = field(default_factory=list)

    @property
    def request(self) -> SeenMessage | None:
        """The first copy, None where the capture begins later."""
        return self.requests[0] if self.requests else None

    @property
    def final(self) -> SeenMessage | None:
        """The first final response."""
        return next((one for one in self.responses if status_of(one) >= 200), None)

    @property
    def status(self) -> int:
        """Of the final response, 0 for none."""
        return status_of(self.final) if self.final is not None else 0

    def first(self, low: int, high: int) -> SeenMessage | None:
        """The first response with a status of that range."""
        return next((one for one in self.responses if low <= status_of(one) <= high), None)


def transactions(messages: Iterable[SeenMessage]) -> list[Transaction]:
    """The transactions among messages of one Call-ID, in order. Each ACK is one by itself."""
    found: dict[tuple[str, int, str], Transaction] = {}
    for one in messages:
        key = _key(one)
        if key is None:
            continue
        transaction = found.get(key)
        if transaction is None:
            is_request = isinstance(one.message, Request)
            ends = (one.source, one.destination) if is_request else (one.destination, one.source)
            transaction = found[key] = Transaction(key[0], key[1], *ends)
        (transaction.requests if isinstance(one.message, Request) else transaction.responses).append(one)
    return list(found.values())


def status_of(one: SeenMessage) -> int:
    """The status of a response, 0 for a request."""
    return one.message.status if isinstance(one.message, Response) else 0


def is_authorised(one: SeenMessage) -> bool:
    """Whether a request brings credentials (RFC 3261 §22)."""
    headers = one.message.headers
    return headers.get("Authorization") is not None or headers.get("Proxy-Authorization") is not None


def _key(one: SeenMessage) -> tuple[str, int, str] | None:
    """Method, number and branch: each hop puts a Via of its own on top, with a branch of its own (RFC 3261 §17.2.3)."""
    try:
        cseq, branch = one.message.cseq, one.message.via.branch
    except ParseError:
        return None
    return one.message.method if isinstance(one.message, Request) else cseq.method, cseq.number, branch
