"""How far offer and answer are in a call (RFC 3261 §13.2.1, RFC 3264 §4, RFC 6337 §2), and what it hangs on.

State and its rules alone, shared by the parts of a call: `sip.caller` and `sip.callee` make the first exchange,
`sip.own_offers` and `sip.peer_offers` those after it. What SDP says is opaque here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sip.acceptance import Acceptance, Acknowledgement
from sip.call_state import CallState
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.message import Request, Response
from sip.reliable import EarlyDialogs, ReliableResponses
from sip.session_timer import SessionTimer
from sip.settings import EndpointSettings
from sip.transaction import Transaction

if TYPE_CHECKING:
    from sip.invite import Call


@dataclass(slots=True, eq=False)
class OfferAnswer:
    """The exchange of descriptions in one call.

    had_offer: whether the INVITE brought one; peer_allows: the methods that the peer takes; local, remote: the newest
    descriptions; is_answer_due: in the ACK of a 2xx of ours; own: our re-INVITE or UPDATE with an offer; refresh: the one that
    refreshes the session; pending: the peer's, which the user has not answered.
    """

    call: Call
    early: EarlyDialogs
    reliable: ReliableResponses
    acceptance: Acceptance
    ack: Acknowledgement
    session: SessionTimer
    had_offer: bool = False
    peer_allows: frozenset[str] = frozenset()
    local: bytes = b""
    remote: bytes = b""
    is_answer_due: bool = False
    own: Transaction | None = None
    refresh: Transaction | None = None
    pending: Transaction | None = None

    def note_allow(self, message: Request | Response) -> None:
        """Take from a message which methods the peer takes, if it says so."""
        self.peer_allows = message.allow or self.peer_allows

    def note_local(self, description: bytes) -> None:
        """Our newest description; an empty one says nothing."""
        self.local = description or self.local

    def note_remote(self, tag: str, description: bytes) -> None:
        """The newest description of the peer with that tag; an empty one says nothing."""
        early = self.early.find(tag)
        if early is not None:
            early.description = description or early.description
        else:
            self.remote = description or self.remote

    def is_settled_with(self, tag: str) -> bool:
        """Whether the first offer and answer have been exchanged with the peer of that tag."""
        early = self.early.find(tag)
        return early.is_settled if early is not None else self.call.is_up or self.reliable.is_settled

    def check_may_offer(self) -> Dialog:
        """The dialog in which we may send an offer now. Raises LocalProtocolError when the rules forbid one (RFC 6337 §2.2)."""
        call = self.call
        is_refreshing = self.refresh is not None and bool(self.refresh.request.body)
        under_way = bool(self.own or self.acceptance.is_waiting or self.pending or is_refreshing)
        if call.is_up:
            dialog, under_way = call.dialog, under_way or (call.is_outgoing and not self.ack.is_sent)
        elif call.is_outgoing:
            early = self.early.latest_settled
            dialog = early.dialog if early is not None else None
        else:
            dialog = call.dialog if self.reliable.is_settled else None
        if call.state is CallState.ENDED or dialog is None or under_way:
            raise LocalProtocolError("the call is not ready for another offer")
        return dialog


def what_we_can(settings: EndpointSettings) -> list[tuple[str, object]]:
    """The headers that say what we take (§20.5, §20.37)."""
    return [("Allow", settings.allow), ("Supported", settings.supported_value)]
