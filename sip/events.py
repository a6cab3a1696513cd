"""What the endpoint tells its user, in the past tense (the user is the role behind it: a focus, a registrar, a phone).

Objects that live on (`Call`, `Registration`, `Subscription`) come in the events and take the user's commands (RFC 3261).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sip.flow import Flow
from sip.message import Request, Response
from sip.reason import Reason

if TYPE_CHECKING:
    from sip.headers import NameAddr
    from sip.invite import Call
    from sip.refer import Reference, Referral
    from sip.registration import Registration
    from sip.replaces import Replaces
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
    """An INVITE; `offer` is its SDP, None when the offer is ours to make in the answer.

    replaces: the call whose place it is to take (RFC 3891); whoever accepts hangs that one up.
    """

    call: Call
    request: Request
    offer: bytes | None
    replaces: Call | None = None


@dataclass(frozen=True, slots=True)
class CallProgressed:
    """A provisional response above 100 to our INVITE. Phones of a fork tell themselves apart by `response.to.tag`.

    answer: the SDP that it brings, for early media; None where it brings none, or none that is new.
    """

    call: Call
    response: Response
    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """A 2xx to our INVITE; `answer` is its SDP: the answer, or the offer when our INVITE had none.

    Where a provisional response brought the answer before, that one is repeated here, or what an UPDATE made of it.
    """

    call: Call
    response: Response
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class CallConfirmed:
    """The ACK of a call that we answered has come."""

    call: Call


@dataclass(frozen=True, slots=True)
class OfferReceived:
    """A re-INVITE, UPDATE or PRACK; answer with `call.accept_offer` or `call.reject_offer`. `offer` None: make one."""

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
class PeerTold:
    """An UPDATE without an offer, answered with 200: what it says of the peer (Contact, P-Asserted-Identity) may be new."""

    call: Call
    request: Request


@dataclass(frozen=True, slots=True)
class DialogRequestReceived:
    """Another request inside a call's dialog (INFO, MESSAGE, REFER …); answer it with `Endpoint.respond`."""

    call: Call
    transaction_id: int
    request: Request


@dataclass(frozen=True, slots=True)
class ReferReceived:
    """A REFER, in a call's dialog or out of any; answer it with `referral.accept` or `reject`, then report by `notify`.

    refer_to: the target, without the headers of its URI; replaces: the call that an INVITE to it is to take the place of.
    """

    referral: Referral
    call: Call | None
    refer_to: NameAddr
    referred_by: NameAddr | None
    replaces: Replaces | None
    request: Request


@dataclass(frozen=True, slots=True)
class ReferProgressed:
    """How a REFER of ours fares: 202 when it was accepted, then the status that each NOTIFY tells; a refusal is final.

    is_final: nothing more comes; a status under 200 then says that the end was not told.
    """

    reference: Reference
    call: Call | None
    status: int
    reason: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class CallTerminated:
    """A call is over. `cause` is hung_up, rejected, cancelled, timeout, lost or error; `status` and `reason` say more.

    why: the Reason header of the peer's BYE or CANCEL (RFC 3326), None at our own end; a CANCEL with the cause 200 of SIP
    says that somebody else answered.
    """

    call: Call
    cause: str
    status: int
    reason: str
    by_remote: bool
    why: Reason | None = None


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
    | OfferReceived | AnswerReceived | OfferRefused | PeerTold | DialogRequestReceived | ReferReceived | ReferProgressed
    | CallTerminated | Registered
    | RegistrationFailed | SubscriptionReceived | SubscriptionRefreshed | SubscriptionTerminated | NotifyReceived
)
