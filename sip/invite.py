"""Calls: INVITE sessions at both ends (RFC 3261 §13, §14, §15), from the INVITE to the BYE.

A `Call` is made by `Endpoint.invite` or comes in `CallReceived`. The user gives SDP in commands and gets it in events; what it
says is opaque here. Until it is answered, the call is led by its half in `sip.caller` or `sip.callee`; offers after that by
`sip.own_offers` and `sip.peer_offers`. `sip.offer_answer` is the state that these share.
"""

from __future__ import annotations

from typing import Any

from sip import events
from sip.acceptance import Acceptance, Acknowledgement
from sip.auth import DigestClient
from sip.call_state import CallState as CallState
from sip.callee import Callee
from sip.caller import Caller
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError, ParseError
from sip.flow import Flow
from sip.headers import HeaderList, NameAddr
from sip.message import Request, Response
from sip.offer_answer import OfferAnswer
from sip.outgoing import Outgoing, write_content
from sip.own_offers import OwnOffers
from sip.peer_offers import PeerOffers
from sip.reason import Reason, reason_of
from sip.refer import Reference, write_refer
from sip.reliable import EarlyDialogs, ReliableResponses
from sip.replaces import Replaces
from sip.session_timer import SessionTimer
from sip.settings import ALLOW as ALLOW
from sip.settings import SDP as SDP
from sip.transaction import Transaction
from sip.uri import Uri


class Call:
    """One call. `data` is the user's own slot. Commands that the state does not allow raise LocalProtocolError.

    `transaction` is that of the INVITE, or of the newest re-INVITE of ours that was accepted.
    """

    def __init__(self, core: Core, call_id: str, flow: Flow, contact: Uri, *, is_outgoing: bool) -> None:
        self._core = core
        self.id = call_id
        self.flow = flow
        self.contact = contact
        self.is_outgoing = is_outgoing
        self.state = CallState.CALLING if is_outgoing else CallState.RINGING
        self.dialog: Dialog | None = None
        self.invite: Request | None = None
        self.transaction: Transaction | None = None
        self.data: Any = None
        self.credentials: DigestClient | None = None
        self.alternatives: list[Flow] = []
        self._bye_due: Reason | None = None
        self._is_flow_lost = False
        self._acceptance = Acceptance(core, self._on_no_ack)
        self._ack = Acknowledgement(core)
        self._session = SessionTimer(core, self._on_refresh_due, self._on_session_over)
        self._exchange = OfferAnswer(self, EarlyDialogs(core, self), ReliableResponses(core, self._on_no_prack),
                                     self._acceptance, self._ack, self._session)
        self._own_offers = OwnOffers(core, self, self._exchange)
        self._peer_offers = PeerOffers(core, self, self._exchange)
        self._caller = Caller(core, self, self._exchange, self._peer_offers)
        self._callee = Callee(core, self, self._exchange, self._peer_offers)

    # ---- who

    @property
    def remote(self) -> NameAddr:
        """The peer: From of an incoming call, To of an outgoing one."""
        assert self.invite is not None
        return self.invite.to if self.is_outgoing else self.invite.from_

    @property
    def is_up(self) -> bool:
        """Whether the call is answered and not ended."""
        return self.state in (CallState.ACCEPTED, CallState.UP)

    def replaces_value(self, *, is_early_only: bool = False) -> Replaces:
        """What an INVITE to the peer says in Replaces to take this call's place (RFC 3891): a transfer hands it on.

        Raises LocalProtocolError for a call without a dialog.
        """
        if self.dialog is None:
            raise LocalProtocolError("no dialog")
        return Replaces(self.id, self.dialog.remote.tag, self.dialog.local.tag, is_early_only)

    def dialog_with(self, remote_tag: str) -> Dialog | None:
        """The dialog, early or confirmed, with the peer of that tag."""
        if self.dialog is not None and self.dialog.remote.tag == remote_tag:
            return self.dialog
        early = self._exchange.early.find(remote_tag)
        return early.dialog if early is not None else None

    # ---- commands of the caller

    def acknowledge(self, answer: bytes, now: float) -> None:
        """Our answer, in the ACK, to the offer that the 2xx of an INVITE without one brought (§13.2.2.4)."""
        self._caller.acknowledge(answer)

    # ---- commands of the callee

    def ring(self, now: float, status: int = 180, body: bytes = b"", *, reliable: bool = False) -> None:
        """Send a provisional response, with `body` for early media: our answer, or our offer when the INVITE had none.

        reliable: repeat it until its PRACK where the peer can (RFC 3262); to a peer that requires it, always. A response that
        the rules forbid (the first reliable one to an INVITE without offer has to bring ours, §5) is not sent.
        """
        self._callee.ring(now, status, body, reliable=reliable)

    def accept(self, body: bytes, now: float, *, contact: Uri | None = None, headers: HeaderList = ()) -> None:
        """Answer the call. body: the answer, or our offer when the INVITE had none; contact: in place of the given one.

        A call that has ended meanwhile (a CANCEL in the same read of a stream) takes it and does nothing. When a reliable
        provisional response brought the description already, the 200 has none; it waits until that one is acknowledged.
        """
        self._callee.accept(body, now, contact, headers)

    def reject(self, status: int, reason: str | None = None, headers: HeaderList = (), *, now: float) -> None:
        """Refuse the call."""
        self._callee.reject(status, reason, headers, now)

    # ---- commands of both

    def offer(self, sdp: bytes, now: float, headers: HeaderList = ()) -> None:
        """Send an offer: by re-INVITE, before the call is answered by UPDATE (RFC 3311 §5.1).

        headers: more of them, or in place of ours, in the re-INVITE. Raises LocalProtocolError while another offer is under
        way, or where offer and answer have not been exchanged yet.
        """
        self._own_offers.offer(sdp, now, headers)

    def tell(self, headers: HeaderList, now: float) -> bool:
        """Tell the peer headers, a new Contact or P-Asserted-Identity, by an UPDATE without an offer (RFC 3311 §5.1).

        False, and nothing is sent, where the call is not up, the peer takes no UPDATE, or a refresh is under way.
        """
        return self._own_offers.tell(headers, now)

    def update(self, sdp: bytes, now: float) -> None:
        """Send an offer by UPDATE, also before the answer. Raises LocalProtocolError as `offer`, or if the peer takes none."""
        self._own_offers.update(sdp, now)

    def accept_offer(self, body: bytes, now: float) -> None:
        """Answer the peer's re-INVITE or UPDATE. One that was withdrawn meanwhile needs no answer any more."""
        self._peer_offers.accept(body, now)
        self._callee.accept_if_due(now)

    def reject_offer(self, status: int, now: float, reason: str | None = None) -> None:
        """Refuse the peer's re-INVITE or UPDATE; the session goes on as it was."""
        self._peer_offers.reject(status, now, reason)
        self._callee.accept_if_due(now)

    def use_contact(self, contact: Uri) -> None:
        """Say from now on that requests in this call reach us there; the next `offer` or `tell` brings it to the peer."""
        self.contact = contact
        if self.dialog is not None:
            self.dialog.contact = contact

    def request(self, method: str, *, headers: HeaderList = (), body: bytes = b"", content_type: str | None = None,
                now: float) -> int:
        """Send another request (INFO, MESSAGE …) inside the dialog; the id that ResponseReceived will carry."""
        if self.dialog is None or self.state is CallState.ENDED:
            raise LocalProtocolError("no dialog")
        request = self.dialog.make_request(method, self._core.make_via(self.flow))
        write_content(request, headers, body, content_type)
        owner = Outgoing(self._core, self.credentials, self.dialog)
        owner.id = self._core.send_request(request, self.flow, owner, now).id
        return owner.id

    def refer(self, refer_to: Uri, *, now: float, replaces: Call | None = None, referred_by: NameAddr | None = None,
              has_reports: bool = True) -> Reference:
        """Ask the peer to call somebody (RFC 3515): a transfer. How it fares comes in `ReferProgressed`.

        replaces: our call with the target, whose place the peer's is to take (RFC 5589, attended transfer). Raises
        LocalProtocolError for a call that is not up.
        """
        if not self.is_up or self.dialog is None:
            raise LocalProtocolError("only a call that is up can be transferred")
        target = refer_to if replaces is None else refer_to.with_header("Replaces", replaces.replaces_value())
        request = self.dialog.make_request("REFER", self._core.make_via(self.flow))
        write_refer(request, target, referred_by or self.dialog.local, has_reports=has_reports)
        reference = Reference(self._core, self, self.contact, self.flow, self.credentials)
        reference.start(request, self.dialog, now)
        return reference

    def hang_up(self, now: float, reason: str = "", status: int = 200) -> None:
        """End the call as its state demands: CANCEL, a refusal, or BYE, with a Reason (RFC 3326). Twice is once.

        reason: words for people; status: the cause, a SIP status (200 in a CANCEL: answered elsewhere).
        """
        if self.state is CallState.ENDED:
            return
        if self.is_up:
            self.leave("hung_up", status, reason, now, by_remote=False)
        elif self.is_outgoing:
            self._caller.cancel(now, Reason("SIP", status, reason))
        else:
            self.reject(480, reason or None, now=now)

    # ---- what comes (called by the endpoint)

    def start(self, request: Request, offer: bytes | None, now: float) -> None:
        """Send the INVITE."""
        self._caller.start(request, offer, now)

    def receive_invite(self, transaction: Transaction, now: float, replaces: Call | None = None) -> None:
        """The INVITE of this call came, to take the place of another one if `replaces` says so."""
        self._callee.receive_invite(transaction, now, replaces)

    def receive_cancel(self, invite: Transaction, cancel: Request, now: float) -> None:
        """The caller gave up the call, or a re-INVITE; the CANCEL has been answered."""
        if invite is self._exchange.pending:
            self._peer_offers.withdraw(now)
        else:
            self._callee.receive_cancel(cancel, now)

    def receive_ack(self, request: Request, now: float) -> None:
        """The ACK of a 2xx of ours."""
        if not self._acceptance.receive_ack(request):
            return
        if self._bye_due is not None:
            self._send_due_bye(now)
            return
        first = self.state is CallState.ACCEPTED
        if first:
            self.state = CallState.UP
        if self._peer_offers.receive_ack(request, now) and first:
            self._core.emit(events.CallConfirmed(self))

    def repeat_ack(self, cseq: int) -> None:
        """A 2xx to the INVITE of that number came again: so does its ACK (§13.2.2.4)."""
        self._ack.repeat(cseq, self.flow)

    def receive_request(self, transaction: Transaction, now: float) -> None:
        """A request inside the dialog, in order, other than ACK and CANCEL."""
        request = transaction.request
        if request.method == "BYE":
            self._on_bye(transaction, now)
        elif self.state is CallState.ENDED:
            self._core.send_response(transaction, request.respond(481), now)
        elif request.method == "PRACK":
            self._callee.receive_prack(transaction, now)
        elif request.method in ("INVITE", "UPDATE"):
            self._peer_offers.receive(transaction, now)
        else:
            self._core.emit(events.DialogRequestReceived(self, transaction.id, request))

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response to one of our requests in this call."""
        if self._own_offers.has(transaction):
            self._own_offers.on_response(transaction, response, now)
        elif transaction is self.transaction:
            self._caller.on_response(transaction, response, now)
        elif response.status in (401, 407):
            self._core.retry_with_credentials(transaction, response, self.credentials, now)

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """One of our requests got no answer."""
        if transaction is self.transaction and not self.is_up:
            self._caller.on_failure(status, now)
        elif self._own_offers.has(transaction):
            self._own_offers.on_failure(transaction, status, now)

    def replace_transaction(self, old: Transaction, new: Transaction) -> None:
        """A request was sent again, with credentials or for a longer session."""
        if old is self.transaction:
            self._caller.replace_transaction(new)
        else:
            self._own_offers.replace_transaction(old, new)

    def follow(self, flow: Flow) -> None:
        """A request of the peer's came in order by this flow: ours go back by it, when the peer's address changed or its
        connection is new. A single request that moved to TCP for its size (§18.1.1) does not move the call."""
        if flow.transport == self.flow.transport or self._is_flow_lost:
            self.flow, self._is_flow_lost = flow, False

    def flow_lost(self, now: float) -> None:
        """The connection that this call came over is gone. An answered call goes on: the peer may open another one, and
        media that falls silent, or a request that fails, ends it."""
        self._is_flow_lost = True
        if self.state in (CallState.CALLING, CallState.RINGING):
            if self.transaction is not None:
                self._core.abandon(self.transaction)
            self.end("lost", 503, "the connection was lost", by_remote=True)

    def _on_no_ack(self, now: float) -> None:
        if self._bye_due is not None:
            self._send_due_bye(now)
        else:
            self.leave("timeout", 408, "no ACK came", now)

    def _on_no_prack(self, now: float) -> None:
        self._callee.no_prack(now)

    def _on_refresh_due(self, now: float) -> None:
        self._own_offers.refresh_session(now)

    def _on_session_over(self, now: float) -> None:
        self.leave("timeout", 408, "the session was not refreshed", now)

    # ---- the end

    def _on_bye(self, transaction: Transaction, now: float) -> None:
        request = transaction.request
        self._core.send_response(transaction, request.respond(200), now)
        if self.is_outgoing and self.dialog is None:                 # one phone of a fork has left before any answer
            self._exchange.early.drop(request.from_.tag)
            return
        if self._bye_due is not None:
            self._forget_dialog()
        elif self.state is CallState.RINGING and not self.is_outgoing:      # BYE of an early dialog (§15)
            self._callee.refuse(487, now)
        self._peer_offers.withdraw(now)
        why = reason_of(request)
        self.end("hung_up", 200, why.text, by_remote=True, why=why)

    def leave(self, cause: str, status: int, reason: str, now: float, *, by_remote: bool = True) -> None:
        """End an answered call with a BYE, which waits for the ACK of our 2xx (§15; called by its parts)."""
        self._bye_due = Reason("SIP", status, reason)
        is_waiting = self._acceptance.is_waiting and self.state is CallState.ACCEPTED
        if not is_waiting:
            self._send_due_bye(now)
        self._peer_offers.withdraw(now)
        self.end(cause, status, reason, by_remote=by_remote)

    def _send_due_bye(self, now: float) -> None:
        assert self.dialog is not None and self.invite is not None and self._bye_due is not None
        if self.is_outgoing and not self._ack.is_sent:
            self._ack.send(self.dialog, self.flow, self.invite)
        bye = self.dialog.make_request("BYE", self._core.make_via(self.flow))
        if self._bye_due.text:
            bye.headers.add("Reason", self._bye_due)
        self._core.send_request(bye, self.flow, self, now)
        self._forget_dialog()

    def end(self, cause: str, status: int, reason: str, *, by_remote: bool, why: Reason | None = None) -> None:
        """The call is over, without a word to the peer (called by its parts). Twice is once."""
        if self.state is CallState.ENDED:
            return
        is_waiting = self._bye_due is not None and self._acceptance.is_waiting
        self.state = CallState.ENDED
        self._caller.stop()
        self._callee.stop()
        self._own_offers.stop()
        self._session.stop()
        self._exchange.reliable.stop()
        if not is_waiting:
            self._forget_dialog()
        self._core.emit(events.CallTerminated(self, cause, status, reason, by_remote, why))

    def _forget_dialog(self) -> None:
        self._bye_due = None
        self._acceptance.stop()
        if self.dialog is not None:
            self._core.remove_dialog(self.dialog, self)


def check_invite(request: Request) -> None:
    """Raise ParseError (400, 415) for an INVITE or UPDATE whose body or Contact can't be used (§8.2.3, §12.1.1)."""
    if request.body and request.content_type != SDP:
        raise ParseError(f"a body of type {request.content_type}", status=415)
    if request.body and (request.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise ParseError("an encoded body", status=415)
    if not request.to.tag and (not request.contacts or request.contacts[0].is_wildcard):
        raise ParseError("no Contact")
