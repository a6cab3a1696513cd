"""A floor participant's or chair's end of a BFCP connection (RFC 8855 §10 – §12), without I/O.

    session = ClientSession(conference_id, user_id, is_reliable=True)
    session.say_hello(now); session.request_floor(1, now)
    session.receive_data(data, now); event = session.next_event(); pieces = session.data_to_send()

Each request gives its transaction, which comes back in the event of its answer.
"""

from __future__ import annotations

from collections import deque

from sip.bfcp.attributes import (
    Attribute,
    ErrorCode,
    FloorRequestInformation,
    Number,
    RequestStatus,
    Status,
    StatusOf,
    Supported,
    Text,
    Type,
    UserInformation,
)
from sip.bfcp.connection import Broken, Connection, Received
from sip.bfcp.events import (
    ChairActionAccepted,
    ClientEvent,
    ConnectionLost,
    ErrorReceived,
    FloorStatusChanged,
    GoodbyeReceived,
    HelloAcknowledged,
    RequestStatusChanged,
    UserStatusReceived,
)
from sip.bfcp.framing import MTU
from sip.bfcp.message import ACKNOWLEDGEMENTS, Message, Primitive


class ClientSession:
    """One participant's connection to the server; conference_id and user_id are those of the server's SDP (RFC 8856 §5)."""

    def __init__(self, conference_id: int, user_id: int, *, is_reliable: bool, mtu: int = MTU) -> None:
        self._connection = Connection(conference_id, user_id, is_reliable=is_reliable, is_server=False, mtu=mtu)
        self._events: deque[ClientEvent] = deque()

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes or goes."""
        return self._connection.is_broken

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

    def next_event(self) -> ClientEvent | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    def data_to_send(self) -> list[bytes]:
        """Pieces of the stream, or datagrams."""
        return self._connection.data_to_send()

    # ---- requests. Each raises LocalProtocolError once the connection is over

    def say_hello(self, now: float) -> int:
        """Hello: is the server there, and what does it know."""
        return self._connection.request(Primitive.HELLO, (), now)

    def request_floor(self, floor_id: int, now: float, *, info: str = "", priority: int | None = None,
                      beneficiary: int | None = None) -> int:
        """FloorRequest. info: why, for the chair to read."""
        attributes: list[Attribute] = [Number(Type.FLOOR_ID, floor_id)]
        if beneficiary is not None:
            attributes.append(Number(Type.BENEFICIARY_ID, beneficiary))
        if info:
            attributes.append(Text(Type.PARTICIPANT_PROVIDED_INFO, info))
        if priority is not None:
            attributes.append(Number(Type.PRIORITY, priority))
        return self._connection.request(Primitive.FLOOR_REQUEST, tuple(attributes), now)

    def release(self, request_id: int, now: float) -> int:
        """FloorRelease: give a floor back, or withdraw a request for it."""
        return self._connection.request(Primitive.FLOOR_RELEASE, (Number(Type.FLOOR_REQUEST_ID, request_id),), now)

    def query_request(self, request_id: int, now: float) -> int:
        """FloorRequestQuery."""
        return self._connection.request(Primitive.FLOOR_REQUEST_QUERY, (Number(Type.FLOOR_REQUEST_ID, request_id),), now)

    def query_user(self, now: float, user_id: int | None = None) -> int:
        """UserQuery, about ourselves or another."""
        about = () if user_id is None else (Number(Type.BENEFICIARY_ID, user_id),)
        return self._connection.request(Primitive.USER_QUERY, about, now)

    def watch_floors(self, floor_ids: tuple[int, ...], now: float) -> int:
        """FloorQuery: be told of all that happens on these floors, and on no others."""
        return self._connection.request(Primitive.FLOOR_QUERY, tuple(Number(Type.FLOOR_ID, each) for each in floor_ids), now)

    def decide(self, request_id: int, floor_id: int, status: Status, now: float, *, info: str = "") -> int:
        """ChairAction: grant, accept, deny or revoke somebody's request."""
        verdict = StatusOf(Type.FLOOR_REQUEST_STATUS, floor_id, RequestStatus(status), info)
        return self._connection.request(Primitive.CHAIR_ACTION, (FloorRequestInformation(request_id, (verdict,)),), now)

    def say_goodbye(self, now: float) -> int:
        """Goodbye."""
        return self._connection.request(Primitive.GOODBYE, (), now)

    def close(self, reason: str) -> None:
        """The transport is gone."""
        self._connection.close(reason)
        self._drain(0.0)

    # ---- what came

    def _drain(self, now: float) -> None:
        while (received := self._connection.next_received()) is not None:
            match received:
                case Broken(reason):
                    self._events.append(ConnectionLost(reason))
                case Received(message, answers):
                    self._handle(message, answers, now)

    def _handle(self, message: Message, answers: int | None, now: float) -> None:
        acknowledgement = ACKNOWLEDGEMENTS.get(message.primitive)
        if answers is None and acknowledgement is not None and not self._connection.is_reliable:
            self._connection.answer(message, acknowledgement, (), now)
        event = _event_of(message, answers)
        if event is not None:
            self._events.append(event)


def _event_of(message: Message, answers: int | None) -> ClientEvent | None:
    match message.primitive:
        case Primitive.HELLO_ACK:
            known = {each.type: each.values for each in message.attributes if isinstance(each, Supported)}
            return HelloAcknowledged(known[Type.SUPPORTED_PRIMITIVES], known[Type.SUPPORTED_ATTRIBUTES])
        case Primitive.FLOOR_REQUEST_STATUS:
            return RequestStatusChanged(message.requests[0], answers)
        case Primitive.FLOOR_STATUS:
            return FloorStatusChanged(message.numbers(Type.FLOOR_ID), message.requests)
        case Primitive.USER_STATUS:
            user = next((each for each in message.attributes if isinstance(each, UserInformation)), None)
            return UserStatusReceived(user, message.requests)
        case Primitive.CHAIR_ACTION_ACK if answers is not None:
            return ChairActionAccepted(answers)
        case Primitive.ERROR:
            error = next(each for each in message.attributes if isinstance(each, ErrorCode))
            return ErrorReceived(error.code, message.text(Type.ERROR_INFO), answers)
        case Primitive.GOODBYE:
            return GoodbyeReceived()
        case _:
            return None
