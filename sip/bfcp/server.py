"""The floor control server's end of one client's connection (RFC 8855 §13), without I/O and without the rules of floors.

It checks conference, user and version, acknowledges Hello and Goodbye, and gives everything else out as events that are
answered by `tell_request`, `tell_floor`, `tell_user`, `acknowledge` or `refuse`. Driven by the five calls:

    session = ServerSession(conference_id, user_id, is_reliable=True)
    session.receive_data(data, now); event = session.next_event(); pieces = session.data_to_send()
"""

from __future__ import annotations

from collections import deque

from sip.bfcp.attributes import (
    Attribute,
    ErrorValue,
    FloorRequestInformation,
    Number,
    Supported,
    Type,
    UserInformation,
)
from sip.bfcp.connection import Broken, Connection, Received, Rejected
from sip.bfcp.events import (
    ChairActed,
    ConnectionLost,
    FloorReleaseAsked,
    FloorRequested,
    FloorRequestQueried,
    FloorsQueried,
    GoodbyeReceived,
    HelloReceived,
    ServerEvent,
    UserQueried,
)
from sip.bfcp.framing import MTU
from sip.bfcp.message import Message, Primitive

ACKNOWLEDGED = frozenset({Primitive.FLOOR_REQUEST_STATUS_ACK, Primitive.FLOOR_STATUS_ACK, Primitive.ERROR_ACK,
                          Primitive.GOODBYE_ACK})
"""What a client says only to acknowledge. Over a stream, where nobody waits for it, it is passed over."""
MAX_EVENTS = 256


class ServerSession:
    """One client. user_ids: of everybody in the conference, to tell a stranger (error 2) from somebody else (error 5)."""

    def __init__(self, conference_id: int, user_id: int, *, is_reliable: bool, mtu: int = MTU) -> None:
        self.user_ids: frozenset[int] = frozenset({user_id})
        self._connection = Connection(conference_id, user_id, is_reliable=is_reliable, is_server=True, mtu=mtu)
        self._events: deque[ServerEvent] = deque()

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes or goes."""
        return self._connection.is_broken

    @property
    def is_waiting_for_rest(self) -> bool:
        """Whether a stream has stopped in the middle of a message."""
        return self._connection.is_waiting_for_rest

    @property
    def user_id(self) -> int:
        """Whose connection it is."""
        return self._connection.user_id

    # ---- the five calls

    def receive_data(self, data: bytes, now: float) -> None:
        """A piece of the stream, or one datagram."""
        self._connection.receive(data, now)
        self._drain(now)

    def next_timer(self) -> float | None:
        """When to call `handle_timer`, None for never."""
        return self._connection.next_timer()

    def handle_timer(self, now: float) -> None:
        """Send again, or give up."""
        self._connection.handle_timer(now)
        self._drain(now)

    def next_event(self) -> ServerEvent | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    def data_to_send(self) -> list[bytes]:
        """Pieces of the stream, or datagrams."""
        return self._connection.data_to_send()

    # ---- answers and notices

    def tell_request(self, information: FloorRequestInformation, now: float, answers: Message | None = None) -> None:
        """FloorRequestStatus: as the answer to a request, or unasked."""
        self._tell(Primitive.FLOOR_REQUEST_STATUS, (information,), now, answers)

    def tell_floor(self, floor_id: int, requests: tuple[FloorRequestInformation, ...], now: float,
                   answers: Message | None = None) -> None:
        """FloorStatus of one floor: who holds it and who waits."""
        self._tell(Primitive.FLOOR_STATUS, (Number(Type.FLOOR_ID, floor_id), *requests), now, answers)

    def tell_no_floor(self, answers: Message, now: float) -> None:
        """FloorStatus about nothing: the answer to a FloorQuery without floors."""
        self._tell(Primitive.FLOOR_STATUS, (), now, answers)

    def tell_user(self, user: UserInformation, requests: tuple[FloorRequestInformation, ...], now: float,
                  answers: Message) -> None:
        """UserStatus."""
        self._tell(Primitive.USER_STATUS, (user, *requests), now, answers)

    def acknowledge(self, action: Message, now: float) -> None:
        """ChairActionAck."""
        self._connection.answer(action, Primitive.CHAIR_ACTION_ACK, (), now)

    def refuse(self, request: Message, code: ErrorValue, text: str, now: float) -> None:
        """Error, as the answer to a request."""
        self._connection.refuse(request, code, text, now)

    def say_goodbye(self, now: float) -> None:
        """Goodbye: the conference, or this member's part in it, is over. Over a stream the connection is closed then."""
        if not self.is_over:
            self._tell(Primitive.GOODBYE, (), now, None)

    def close(self, reason: str) -> None:
        """The transport is gone."""
        self._connection.close(reason)
        self._drain(0.0)

    def _tell(self, primitive: Primitive, attributes: tuple[Attribute, ...], now: float, answers: Message | None) -> None:
        if answers is not None:
            self._connection.answer(answers, primitive, attributes, now)
        elif not self.is_over:
            self._connection.request(primitive, attributes, now)
        self._drain(now)

    # ---- what came

    def _drain(self, now: float) -> None:
        while (received := self._connection.next_received()) is not None:
            match received:
                case Broken(reason):
                    self._events.append(ConnectionLost(reason))
                case Rejected():
                    self._connection.refuse_rejected(received, now)
                case Received(message, None):
                    self._handle(message, now)

    def _handle(self, message: Message, now: float) -> None:
        if self._connection.is_reliable and message.primitive in ACKNOWLEDGED:
            return
        if message.conference_id != self._connection.conference_id:
            self.refuse(message, ErrorValue.NO_SUCH_CONFERENCE, "no such conference on this connection", now)
        elif message.user_id not in self.user_ids:
            self.refuse(message, ErrorValue.NO_SUCH_USER, "no such user in the conference", now)
        elif message.user_id != self.user_id:
            self.refuse(message, ErrorValue.UNAUTHORIZED, "this connection is another user's", now)
        elif message.transaction_id == 0:
            self.refuse(message, ErrorValue.UNABLE_TO_PARSE, "a request has a transaction other than 0", now)
        elif len(self._events) >= MAX_EVENTS:
            self.refuse(message, ErrorValue.GENERIC, "too many requests at once", now)
        else:
            self._dispatch(message, now)

    def _dispatch(self, message: Message, now: float) -> None:
        event = _event_of(message)
        if event is not None:
            self._events.append(event)
        match message.primitive:
            case Primitive.HELLO:
                self._connection.answer(message, Primitive.HELLO_ACK, SUPPORTED, now)
            case Primitive.GOODBYE:
                self._connection.answer(message, Primitive.GOODBYE_ACK, (), now)
            case _ if event is None:
                self.refuse(message, ErrorValue.UNKNOWN_PRIMITIVE, "no request to a floor control server", now)


SUPPORTED = (Supported(Type.SUPPORTED_PRIMITIVES, tuple(Primitive)), Supported(Type.SUPPORTED_ATTRIBUTES, tuple(Type)))
"""What HelloAck tells: everything of RFC 8855."""


def _event_of(message: Message) -> ServerEvent | None:
    request_id = message.number(Type.FLOOR_REQUEST_ID) or 0
    match message.primitive:
        case Primitive.HELLO:
            return HelloReceived()
        case Primitive.GOODBYE:
            return GoodbyeReceived()
        case Primitive.FLOOR_REQUEST:
            return FloorRequested(message, message.numbers(Type.FLOOR_ID), message.number(Type.BENEFICIARY_ID),
                                  message.number(Type.PRIORITY), message.text(Type.PARTICIPANT_PROVIDED_INFO))
        case Primitive.FLOOR_RELEASE:
            return FloorReleaseAsked(message, request_id)
        case Primitive.FLOOR_REQUEST_QUERY:
            return FloorRequestQueried(message, request_id)
        case Primitive.USER_QUERY:
            return UserQueried(message, message.number(Type.BENEFICIARY_ID))
        case Primitive.FLOOR_QUERY:
            return FloorsQueried(message, message.numbers(Type.FLOOR_ID))
        case Primitive.CHAIR_ACTION:
            information = message.requests[0]
            return ChairActed(message, information.request_id, information.floors)
        case _:
            return None
