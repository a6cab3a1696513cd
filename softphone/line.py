"""What a call and its phone tell each other and those who use them: states, events, and what a call asks of its phone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from sip.message import Response
from sip.refer import Referral
from sip.subscription import Subscription
from sip.uri import Uri

if TYPE_CHECKING:
    from softphone.call import Call
    from softphone.handover import Handover
    from softphone.talk import News


class State(Enum):
    """Life of a call."""

    CALLING = "calling"
    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended: words for a person (empty when we hung up), and SIP's cause, status and reason."""

    text: str
    is_error: bool
    cause: str
    status: int
    reason: str
    by_remote: bool


@dataclass(frozen=True, slots=True)
class CallArrived:
    """Somebody calls."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallProgressed:
    """A call of ours rings at the other side, or was told to wait; `text` is for people."""

    call: Call
    text: str


@dataclass(frozen=True, slots=True)
class CallEstablished:
    """A call is up."""

    call: Call


@dataclass(frozen=True, slots=True)
class RosterUpdated:
    """The conference's members changed: `call.roster`."""

    call: Call


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """A text message inside the call."""

    call: Call
    text: str


@dataclass(frozen=True, slots=True)
class NewsArrived:
    """The meeting tells something: what was written, that we are asked to unmute."""

    call: Call
    news: News


@dataclass(frozen=True, slots=True)
class TransferProgressed:
    """A transfer of ours is under way; `text` is for people."""

    call: Call
    text: str


@dataclass(frozen=True, slots=True)
class TransferAsked:
    """The other side of a call asks us to call somebody else: `handover.follow()` or `handover.decline()`."""

    handover: Handover

    @property
    def call(self) -> Call:
        """The call in which it was asked."""
        return self.handover.call


@dataclass(frozen=True, slots=True)
class CallReplaced:
    """A call goes on as another one, which is up already: it was transferred, or somebody took it over. `old` ends now."""

    old: Call
    call: Call


@dataclass(frozen=True, slots=True)
class CallOver:
    """A call is over: `call.end`."""

    call: Call


@dataclass(frozen=True, slots=True)
class RegistrationUpdated:
    """What the registrar said: `text` is empty when we are signed in, else says why not; it is tried again if `is_retrying`."""

    is_registered: bool
    text: str = ""
    status: int = 200
    is_retrying: bool = False


CallEvent = (CallArrived | CallProgressed | CallEstablished | RosterUpdated | MessageArrived | NewsArrived | TransferProgressed
             | TransferAsked | CallReplaced | CallOver)
PhoneEvent = CallEvent | RegistrationUpdated


class Line(Protocol):
    """What a call asks of its phone."""

    def now(self) -> float:
        """The clock of signalling, monotonic seconds."""

    def pump(self) -> None:
        """Send what the endpoint has to send."""

    def response_to(self, request_id: int) -> asyncio.Future[Response | None]:
        """The response to a request, None when there is none."""

    def respond(self, transaction_id: int, status: int, headers: tuple[tuple[str, object], ...] = ()) -> None:
        """Answer a request inside the call."""

    def subscribe(self, call: Call, target: Uri, package: str, accept: str) -> Subscription:
        """Subscribe beside a call."""

    def uri_of(self, call: Call, target: str) -> Uri:
        """Whom a name or an address means that was given in a call. Raises CallFailed."""

    def call_failed(self, uri: Uri, status: int, reason: str) -> str:
        """Words for a call that was refused."""

    def asked_to_transfer(self, call: Call, referral: Referral) -> None:
        """The other side of a call asks us to call somebody else."""

    def notify(self, event: CallEvent) -> None:
        """Tell who uses the phone."""

    def forget(self, call: Call) -> None:
        """The call is over."""
