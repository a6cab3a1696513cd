"""Two SIP endpoints back to back: what one sends, the other receives, in virtual time, over a network of a seeded temper.

    pair = Pair(loss=0.2, seed=3)
    call = pair.call()
    pair.run(5.0)
    assert isinstance(pair.b.take(CallReceived), CallReceived)

Each side is a `Side`: an endpoint with the events that it gave and the messages that it sent.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any, TypeVar

from sip.auth import DigestClient
from sip.endpoint import Endpoint, EndpointSettings
from sip.errors import ParseError
from sip.events import CallReceived, Event
from sip.flow import Address, Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.message import Request, Response
from sip.parser import parse_message
from sip.uri import Uri

A: Address = ("192.0.2.1", 5060)
B: Address = ("192.0.2.2", 5062)
OFFER, ANSWER = b"v=0\r\no=offer\r\n", b"v=0\r\no=answer\r\n"

E = TypeVar("E")


class Side:
    """One endpoint of a pair. `handler` is called with every event (before it is put into `events`)."""

    def __init__(self, address: Address, seed: int, settings: EndpointSettings | None = None) -> None:
        self.address = address
        self.random = random.Random(seed)
        self.endpoint = Endpoint(settings or EndpointSettings(), self.random.randbytes)
        self.events: list[Event] = []
        self.sent: list[tuple[float, bytes, Flow]] = []
        self.handler: Callable[[Event, float], None] | None = None

    def messages(self) -> list[Request | Response]:
        """What was sent, parsed."""
        parsed = []
        for _, data, _ in self.sent:
            try:
                parsed.append(parse_message(data))
            except ParseError:
                continue
        return parsed

    def summary(self) -> list[str]:
        """What was sent: methods, and status codes with the method of their CSeq."""
        return [m.method if isinstance(m, Request) else f"{m.status} {m.cseq.method}" for m in self.messages()]

    def requests(self, method: str) -> list[Request]:
        """The requests of a method that were sent, retransmissions too."""
        return [m for m in self.messages() if isinstance(m, Request) and m.method == method]

    def responses(self, method: str) -> list[Response]:
        """The responses to a method that were sent."""
        return [m for m in self.messages() if isinstance(m, Response) and m.cseq.method == method]

    def take(self, kind: type[E]) -> E:
        """The oldest event of a kind, taken out. Fails when there is none."""
        for event in self.events:
            if isinstance(event, kind):
                self.events.remove(event)
                return event
        raise AssertionError(f"no {kind.__name__} among {[type(event).__name__ for event in self.events]}")

    def has(self, kind: type[Any]) -> bool:
        """Whether an event of a kind waits."""
        return any(isinstance(event, kind) for event in self.events)


class Pair:
    """Side `a` and side `b` with a network between them; `now` is the virtual time, s.

    transport: UDP, or TCP (a connection that loses nothing); delay_s: one way; loss and duplication: shares of datagrams;
    jitter_s: added at random, so that datagrams overtake each other. `drop(data, from_a)` may lose a chosen datagram.
    """

    def __init__(self, *, transport: str = "UDP", delay_s: float = 0.01, jitter_s: float = 0.0, loss: float = 0.0,
                 duplication: float = 0.0, seed: int = 1, settings: EndpointSettings | None = None) -> None:
        self.now = 0.0
        self.a, self.b = Side(A, 1000 + seed, settings), Side(B, 2000 + seed, settings)
        connection = 7 if transport != "UDP" else 0
        self.flow_a = Flow(transport, A, B, connection)
        self.flow_b = Flow(transport, B, A, connection)
        self.delay_s, self.jitter_s, self.loss, self.duplication = delay_s, jitter_s, loss, duplication
        self.drop: Callable[[bytes, bool], bool] | None = None
        self._random = random.Random(seed)
        self._wire: list[tuple[float, int, bytes, bool]] = []
        self._count = 0

    def call(self, offer: bytes | None = OFFER, credentials: DigestClient | None = None) -> Call:
        """Side a calls side b."""
        call = self.a.endpoint.invite(
            Uri.parse("sip:room@b.example"), from_=NameAddr.parse("<sip:alice@a.example>"), flow=self.flow_a,
            contact=Uri.parse(f"sip:alice@{A[0]}:{A[1]}"), now=self.now, offer=offer, credentials=credentials)
        self.flush()
        return call

    def established(self, offer: bytes | None = OFFER) -> tuple[Call, Call]:
        """A call that is up: (the caller's, the callee's)."""
        ours = self.call(offer)
        self.run(0.5)
        theirs = self.b.take(CallReceived).call
        theirs.accept(ANSWER if offer else OFFER, self.now)
        self.run(0.5)
        if offer is None:
            ours.acknowledge(ANSWER, self.now)
            self.run(0.5)
        self.a.events.clear()
        self.b.events.clear()
        return ours, theirs

    def inject(self, data: bytes, to_a: bool = False, flow: Flow | None = None) -> None:
        """Hand bytes of our own to a side at once, as one datagram (or stream read)."""
        self._receive(self.a if to_a else self.b, flow or (self.flow_a if to_a else self.flow_b), data)
        self.flush()

    def run(self, seconds: float) -> None:
        """Let the virtual time pass."""
        end = self.now + seconds
        self.flush()
        while (at := self._next(end)) is not None:
            self.now = max(self.now, at)
            while self._wire and self._wire[0][0] <= self.now:
                _, _, data, from_a = heapq.heappop(self._wire)
                receiver, flow = (self.b, self.flow_b) if from_a else (self.a, self.flow_a)
                self._receive(receiver, flow, data)
                self.flush()
            for side in (self.a, self.b):
                side.endpoint.handle_timer(self.now)
            self.flush()
        self.now = end

    def flush(self) -> None:
        """Put what both sides want to send on the wire, and collect their events."""
        for side in (self.a, self.b):
            while True:
                out = side.endpoint.datagrams_to_send()
                for data, flow in out:
                    side.sent.append((self.now, data, flow))
                    self._send(data, side is self.a)
                event = side.endpoint.next_event()
                if event is None and not out:
                    break
                if event is None:
                    continue
                if side.handler is not None:
                    side.handler(event, self.now)
                side.events.append(event)

    def _next(self, end: float) -> float | None:
        due = [self._wire[0][0]] if self._wire else []
        due += [at for side in (self.a, self.b) if (at := side.endpoint.next_timer()) is not None]
        return min(due) if due and min(due) <= end else None

    def _receive(self, side: Side, flow: Flow, data: bytes) -> None:
        if flow.is_reliable:
            side.endpoint.receive_stream(data, flow, self.now)
        else:
            side.endpoint.receive_datagram(data, flow, self.now)

    def _send(self, data: bytes, from_a: bool) -> None:
        if self.drop is not None and self.drop(data, from_a):
            return
        copies = 1
        if not self.flow_a.is_reliable:
            if self._random.random() < self.loss:
                return
            copies += self._random.random() < self.duplication
        for _ in range(copies):
            self._count += 1
            at = self.now + self.delay_s + self._random.random() * self.jitter_s
            heapq.heappush(self._wire, (at, self._count, data, from_a))


def is_message(data: bytes, start: bytes, cseq: bytes = b"") -> bool:
    """Whether these bytes begin so and have that method in CSeq."""
    return data.startswith(start) and cseq in data


def assert_all_gone(pair: Pair) -> None:
    """Nothing of a call is left at either end."""
    for side in (pair.a, pair.b):
        assert side.endpoint.next_timer() is None
        assert len(side.endpoint._transactions) == 0
        assert side.endpoint._dialogs._by_id == {} and side.endpoint._dialogs._usages == {}
