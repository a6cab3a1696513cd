"""What happens on a BFCP connection (RFC 8855 §10 – §13), as values: first what a server is asked, then what a client is told.

`request` is the message that asks; it goes back into the server's answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from sip.bfcp.attributes import FloorRequestInformation, StatusOf, UserInformation
from sip.bfcp.message import Message


@dataclass(frozen=True, slots=True)
class HelloReceived:
    """The client is there (§12.4, §13.7); the HelloAck has gone out."""


@dataclass(frozen=True, slots=True)
class FloorRequested:
    """FloorRequest (§10.1): somebody wants floors."""

    request: Message
    floor_ids: tuple[int, ...]
    beneficiary: int | None
    priority: int | None
    info: str


@dataclass(frozen=True, slots=True)
class FloorReleaseAsked:
    """FloorRelease (§10.2): a request is given back, or withdrawn."""

    request: Message
    request_id: int


@dataclass(frozen=True, slots=True)
class FloorRequestQueried:
    """FloorRequestQuery (§12.2): how a request stands."""

    request: Message
    request_id: int


@dataclass(frozen=True, slots=True)
class UserQueried:
    """UserQuery (§12.3): what a user has asked for; beneficiary None: the asking one."""

    request: Message
    beneficiary: int | None


@dataclass(frozen=True, slots=True)
class FloorsQueried:
    """FloorQuery (§12.1): from now on, tell about these floors, and no others; none ends it."""

    request: Message
    floor_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ChairActed:
    """ChairAction (§11): what the chair says of a request, floor by floor."""

    request: Message
    request_id: int
    floors: tuple[StatusOf, ...]


@dataclass(frozen=True, slots=True)
class GoodbyeReceived:
    """The peer leaves; it has been acknowledged."""


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """Nothing more comes or goes."""

    reason: str


ServerEvent = (
    HelloReceived | FloorRequested | FloorReleaseAsked | FloorRequestQueried | UserQueried | FloorsQueried | ChairActed
    | GoodbyeReceived | ConnectionLost
)


@dataclass(frozen=True, slots=True)
class HelloAcknowledged:
    """The server is there, and knows these primitives and attributes."""

    primitives: tuple[int, ...]
    attributes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RequestStatusChanged:
    """FloorRequestStatus: how a request stands. transaction: of ours, when it was an answer."""

    information: FloorRequestInformation
    transaction: int | None


@dataclass(frozen=True, slots=True)
class FloorStatusChanged:
    """FloorStatus: who holds and who waits."""

    floor_ids: tuple[int, ...]
    requests: tuple[FloorRequestInformation, ...]


@dataclass(frozen=True, slots=True)
class UserStatusReceived:
    """UserStatus: what a user has asked for."""

    user: UserInformation | None
    requests: tuple[FloorRequestInformation, ...]


@dataclass(frozen=True, slots=True)
class ChairActionAccepted:
    """The server has taken what the chair said."""

    transaction: int


@dataclass(frozen=True, slots=True)
class ErrorReceived:
    """An Error: the answer to a transaction of ours, or told unasked (None)."""

    code: int
    text: str
    transaction: int | None


ClientEvent = (
    HelloAcknowledged | RequestStatusChanged | FloorStatusChanged | UserStatusReceived | ChairActionAccepted | ErrorReceived
    | GoodbyeReceived | ConnectionLost
)
