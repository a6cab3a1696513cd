"""What the endpoint tells its user, in the past tense (the user is the role behind it: a focus, a registrar, a phone).

Objects that live on (`Call`, `Registration`, `Subscription`) come in the events and take the user's commands (RFC 3261).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sip.flow import Flow
from sip.message import Request, Response

if TYPE_CHECKING:
    from sip.invite import Call
    from sip.registration import Registration
    from sip.subscription import Subscription


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A request outside of any dialog (REGISTER, OPTIONS, MESSAGE …); answer it with `Endpoint.respond`."""

    transaction_id: int
    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """The final response to a request sent with `Endpoint.request` or inside a call's dialog."""

    request_id: int
    response: Response


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """No response to such a request: 408 nobody answered, 503 the transport failed."""

    request_id: int
    status: int


@dataclass(frozen=True, slots=True)
class CallReceived:
    """An INVITE; `offer` is its SDP, None when the offer is ours to make in the answer."""

    call: Call
    request: Request
    offer: bytes | None


@dataclass(frozen=True, slots=True)
class CallProgressed:
    """A provisional response above 100 to our INVITE."""

    call: Call
    response: Response


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """A 2xx to our INVITE; `answer` is its SDP: the answer, or the offer when our INVITE had none."""

    call: Call
    response: Response
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class CallConfirmed:
    """The ACK of a call that we answered has come."""

    call: Call


@dataclass(frozen=True, slots=True)
class OfferReceived:
    """A re-INVITE or UPDATE; answer with `call.accept_offer` or `call.reject_offer`. `offer` None: make one."""

    call: Call
    offer: bytes | None
    request: Request


@dataclass(frozen=True, slots=True)
class AnswerReceived:
    """The answer to an offer of ours (in the response to a re-INVITE, or in an ACK)."""

    call: Call
    answer: bytes


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """The peer refused our re-INVITE; the session goes on as it was (RFC 3261 §14.1)."""

    call: Call
    status: int


@dataclass(frozen=True, slots=True)
class DialogRequestReceived:
    """Another request inside a call's dialog (INFO, MESSAGE, REFER …); answer it with `Endpoint.respond`."""

    call: Call
    transaction_id: int
    request: Request


@dataclass(frozen=True, slots=True)
class CallTerminated:
    """A call is over. `cause` is hung_up, rejected, cancelled, timeout, lost or error; `status` and `reason` say more."""

    call: Call
    cause: str
    status: int
    reason: str
    by_remote: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """A REGISTER succeeded."""

    registration: Registration
    expires_s: int
    response: Response


@dataclass(frozen=True, slots=True)
class RegistrationFailed:
    """A REGISTER was refused (its status) or not answered (408, 503); it is tried again by itself unless refused for good."""

    registration: Registration
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class SubscriptionReceived:
    """A SUBSCRIBE that would begin a subscription; answer with `accept` or `reject`."""

    subscription: Subscription
    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionRefreshed:
    """A subscriber asked for more time, which it has got; the state wants to be told again (RFC 6665 §4.2.1.2)."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class SubscriptionTerminated:
    """A subscription, of either side, is over."""

    subscription: Subscription
    reason: str


@dataclass(frozen=True, slots=True)
class NotifyReceived:
    """The state of what we subscribed to; it has been answered with 200."""

    subscription: Subscription
    request: Request


Event = (
    RequestReceived | ResponseReceived | RequestFailed | CallReceived | CallProgressed | CallAnswered | CallConfirmed
    | OfferReceived | AnswerReceived | OfferRefused | DialogRequestReceived | CallTerminated | Registered
    | RegistrationFailed | SubscriptionReceived | SubscriptionRefreshed | SubscriptionTerminated | NotifyReceived
)
