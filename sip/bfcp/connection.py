"""One BFCP connection between a client and a floor control server (RFC 8855 §6, §8): framing, transactions, retransmission.

Over a stream a request of ours has its answer in the peer's next message of the same transaction; what a server tells unasked
has transaction 0. Over UDP every request is answered: ours are sent one at a time, in their order, repeated after T1, 2 T1 and
4 T1, and given up after 8 T1; the peer's are recognised when they come again and get the same answer (for T2). A side's
meaning of the messages is in `sip.bfcp.server` and `sip.bfcp.client`, which drive this one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sip.bfcp.attributes import Attribute, ErrorCode, Text, Type, UnknownMandatory
from sip.bfcp.framing import MTU, Framed, Reassembler, StreamReader, fragments
from sip.bfcp.message import RELIABLE, UNRELIABLE, Header, Message, Primitive, parse_payload
from sip.errors import LocalProtocolError, ParseError

T1 = 0.5
"""How long a request waits for its answer before it is sent again, s; doubled each time (§8.3.1)."""
T2 = 10.0
"""How long an answer is kept for a request that comes again, s (§8.3.2)."""
TRANSMISSIONS = 4
"""How often a request is sent in all."""
GIVE_UP_S = 15 * T1
"""From the first transmission to the end of hope; over a stream, too."""
MAX_WAITING = 64
"""Requests of ours that may wait for their turn. A peer that lets so many pile up is not listening."""
MAX_ANSWERS = 64
"""Answers that are kept for requests that come again."""
MAX_OUT = 256
"""Messages that may wait to be fetched."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message of the peer. answers: the transaction of ours that it answers, None for a request or a notice."""

    message: Message
    answers: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """What came is no message. header: what is known of it; error: `status` is the code to answer with."""

    header: Header
    error: ParseError


@dataclass(frozen=True, slots=True)
class Broken:
    """The connection is of no use any more."""

    reason: str


@dataclass(slots=True)
class _Request:
    """A request of ours on its way."""

    message: Message
    datagrams: list[bytes]
    sent: int = 0
    due: float = 0.0


class Connection:
    """One end. is_reliable: TCP or TLS; is_server: who we are."""

    def __init__(self, conference_id: int, user_id: int, *, is_reliable: bool, is_server: bool, mtu: int = MTU) -> None:
        self.conference_id = conference_id
        self.user_id = user_id
        self.is_reliable = is_reliable
        self.is_broken = False
        self.malformed = 0
        self._is_server = is_server
        self._mtu = mtu
        self._stream = StreamReader()
        self._reassembler = Reassembler()
        self._transaction = 0
        self._current: _Request | None = None
        self._waiting: deque[_Request] = deque()
        self._open: dict[int, float] = {}
        self._answers: dict[int, tuple[float, list[bytes] | None]] = {}
        self._received: deque[Received | Rejected | Broken] = deque()
        self._out: deque[bytes] = deque()

    @property
    def version(self) -> int:
        """The version of the protocol: 1 over a stream, 2 over UDP."""
        return RELIABLE if self.is_reliable else UNRELIABLE

    @property
    def is_waiting_for_rest(self) -> bool:
        """Whether a stream has stopped in the middle of a message."""
        return self._stream.is_waiting_for_rest

    # ---- in

    def receive(self, data: bytes, now: float) -> None:
        """A piece of the stream, or one datagram."""
        if self.is_broken:
            return
        if self.is_reliable:
            for framed in self._stream.receive(data):
                self._take(framed, now)
            if self._stream.trouble is not None:
                self.malformed += 1
                self.refuse_rejected(Rejected(*self._stream.trouble), now)
                self._break("the stream has lost its messages")
            return
        try:
            whole = self._reassembler.receive(data, now)
        except ParseError as error:
            self._reject(_header_of(data), error)
            return
        if whole is not None:
            self._take(whole, now)

    def _take(self, framed: Framed, now: float) -> None:
        header, payload = framed
        is_answer = header.is_response if not self.is_reliable else not self._is_server and header.transaction_id != 0
        if is_answer and not self._settle(header.transaction_id, now):
            return
        if not is_answer and not self.is_reliable and self._is_repeated(header, now):
            return
        try:
            message = parse_payload(header, payload)
        except ParseError as error:
            self._reject(header, error)
            return
        self._received.append(Received(message, header.transaction_id if is_answer else None))

    def _reject(self, header: Header | None, error: ParseError) -> None:
        self.malformed += 1
        if header is not None:
            self._received.append(Rejected(header, error))

    def _settle(self, transaction_id: int, now: float) -> bool:
        """End the request of ours that is answered; False when there is none."""
        if self.is_reliable:
            return self._open.pop(transaction_id, None) is not None
        if self._current is None or self._current.message.transaction_id != transaction_id:
            return False
        self._current = None
        self._send_next(now)
        return True

    def _is_repeated(self, header: Header, now: float) -> bool:
        """Whether a request came before: its answer, if there is one, goes out again."""
        known = self._answers.get(header.transaction_id)
        if known is not None and now - known[0] < T2:
            self._send(known[1] or [])
            return True
        self._keep(header.transaction_id, None, now)
        return False

    def _keep(self, transaction_id: int, datagrams: list[bytes] | None, now: float) -> None:
        """Remember a request of the peer with its answer, the latest ones for T2."""
        self._answers.pop(transaction_id, None)
        while self._answers and (len(self._answers) >= MAX_ANSWERS or now - next(iter(self._answers.values()))[0] >= T2):
            del self._answers[next(iter(self._answers))]
        self._answers[transaction_id] = now, datagrams

    def next_received(self) -> Received | Rejected | Broken | None:
        """What came, oldest first."""
        return self._received.popleft() if self._received else None

    # ---- out

    def request(self, primitive: Primitive, attributes: tuple[Attribute, ...], now: float) -> int:
        """Send a request, or tell something that must be acknowledged; its transaction. Over a stream a server's notice has
        transaction 0 and no answer. Raises LocalProtocolError once the connection is broken."""
        if self.is_broken:
            raise LocalProtocolError("the BFCP connection is broken")
        number = 0 if self.is_reliable and self._is_server else self._next_transaction()
        message = Message(primitive, self.conference_id, number, self.user_id, attributes, self.version)
        if self.is_reliable:
            if number:
                self._open[number] = now + GIVE_UP_S
            self._send([bytes(message)])
            return number
        self._waiting.append(_Request(message, fragments(message, self._mtu)))
        if len(self._waiting) > MAX_WAITING:
            self._break("the peer acknowledges nothing")
        else:
            self._send_next(now)
        return number

    def answer(self, request: Header | Message, primitive: Primitive, attributes: tuple[Attribute, ...], now: float) -> None:
        """Answer a request of the peer, with its own identifiers."""
        if self.is_broken:
            return
        message = Message(primitive, request.conference_id, request.transaction_id, request.user_id, attributes, self.version,
                          is_response=not self.is_reliable)
        datagrams = [bytes(message)] if self.is_reliable else fragments(message, self._mtu)
        if not self.is_reliable:
            self._keep(request.transaction_id, datagrams, now)
        self._send(datagrams)

    def refuse(self, request: Header | Message, code: int, text: str, now: float, details: tuple[int, ...] = ()) -> None:
        """Answer a request with an Error (§13.8)."""
        self.answer(request, Primitive.ERROR, (ErrorCode(code, details), Text(Type.ERROR_INFO, text)), now)

    def refuse_rejected(self, rejected: Rejected, now: float) -> None:
        """Answer what is no message with the Error that fits it; an answer that is none gets no answer."""
        if not rejected.header.is_response:
            details = rejected.error.types if isinstance(rejected.error, UnknownMandatory) else ()
            self.refuse(rejected.header, rejected.error.status, str(rejected.error), now, details)

    def data_to_send(self) -> list[bytes]:
        """What goes out: pieces of the stream, or datagrams."""
        out = list(self._out)
        self._out.clear()
        return out

    def _send(self, pieces: list[bytes]) -> None:
        if len(self._out) + len(pieces) > MAX_OUT:
            self._break("nobody fetches what is to be sent")
            return
        self._out.extend(pieces)

    def _next_transaction(self) -> int:
        self._transaction = self._transaction % 0xFFFF + 1
        return self._transaction

    def _send_next(self, now: float) -> None:
        if self._current is not None or not self._waiting:
            return
        self._current = self._waiting.popleft()
        self._transmit(self._current, now)

    def _transmit(self, request: _Request, now: float) -> None:
        request.due = now + T1 * 2 ** request.sent
        request.sent += 1
        self._send(request.datagrams)

    # ---- time

    def next_timer(self) -> float | None:
        """When to call `handle_timer`, None for never."""
        if self.is_broken:
            return None
        if self._current is not None:
            return self._current.due
        return min(self._open.values(), default=None)

    def handle_timer(self, now: float) -> None:
        """Send again what has no answer yet, or give the connection up."""
        if self.is_broken:
            return
        if any(deadline <= now for deadline in self._open.values()):
            self._break("the peer does not answer")
        if self._current is None or now < self._current.due:
            return
        if self._current.sent >= TRANSMISSIONS:
            self._break("the peer does not answer")
            return
        self._transmit(self._current, now)

    def close(self, reason: str) -> None:
        """The transport is gone, or we go."""
        self._break(reason)

    def _break(self, reason: str) -> None:
        if self.is_broken:
            return
        self.is_broken = True
        self._current = None
        self._waiting.clear()
        self._open.clear()
        self._received.append(Broken(reason))


def _header_of(data: bytes) -> Header | None:
    try:
        return Header.parse(data)
    except ParseError:
        return None
