"""Calls: INVITE sessions at both ends (RFC 3261 §13, §14, §15; offer and answer as RFC 3264 §4 and RFC 6337).

A `Call` is made by `Endpoint.invite` or comes in `CallReceived`. The user gives SDP in commands and gets it in events; what it
says is opaque here. Early and delayed offer, early media (RFC 3262, `sip.reliable`), re-INVITE and UPDATE (RFC 3311) with
glare, session timers (RFC 4028, `sip.session_timer`), CANCEL at both ends, the 2xx repeated until its ACK.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

from sip import events
from sip.auth import DigestClient
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError, ParseError
from sip.flow import Flow
from sip.headers import Headers, NameAddr
from sip.message import Request, Response
from sip.outgoing import Outgoing, Quiet
from sip.reason import Reason, reason_of
from sip.refer import Reference, write_refer
from sip.reliable import OPTION as RELIABLE
from sip.reliable import EarlyDialog, EarlyDialogs, ReliableResponses, rseq_of
from sip.replaces import Replaces
from sip.routing import contact_over
from sip.session_timer import Session
from sip.settings import ALLOW as ALLOW
from sip.timers import GIVE_UP, T1, T2, TIMER_C
from sip.transaction import State, Transaction
from sip.uri import Uri

SDP = "application/sdp"
RETRY_REFRESH_S = 5.0
"""The wait before a refresh of the session that could not be sent, or was refused, is tried again."""
HeaderList = Iterable[tuple[str, object]]


class CallState(Enum):
    """Life of a call, of either direction."""

    CALLING = "calling"
    RINGING = "ringing"
    ACCEPTED = "accepted"
    UP = "up"
    ENDED = "ended"


class Call:
    """One call. `data` is the user's own slot. Commands that the state does not allow raise LocalProtocolError."""

    def __init__(self, core: Core, call_id: str, flow: Flow, contact: Uri, *, is_outgoing: bool) -> None:
        self._core = core
        self.id = call_id
        self.flow = flow
        self.contact = contact
        self.is_outgoing = is_outgoing
        self.state = CallState.CALLING if is_outgoing else CallState.RINGING
        self.dialog: Dialog | None = None
        self.invite: Request | None = None
        self.data: Any = None
        self.credentials: DigestClient | None = None
        self.alternatives: list[Flow] = []
        self._transaction: Transaction | None = None
        self._local_tag = core.token()
        self._had_offer = False
        self._ok: bytes = b""
        self._ok_flow = flow
        self._ok_interval = T1
        self._ok_cseq = 0
        self._waiting_answer_in_ack = False
        self._reinvite: Transaction | None = None            # or an UPDATE with an offer
        self._refresh: Transaction | None = None
        self._pending_offer: Transaction | None = None
        self._is_offer_withdrawn = False
        self._ack: bytes = b""
        self._ack_cseq = 0
        self._dropped_forks: set[str] = set()
        self._is_cancelling = self._is_cancel_sent = False
        self._end_reason, self._end_status = "", 200
        self._bye_due: tuple[int, str] | None = None
        self._is_flow_lost = False
        self._early = EarlyDialogs(core, self)
        self._reliable = ReliableResponses(core, self._no_prack)
        self._accept_due: tuple[bytes, HeaderList] | None = None
        self._session = Session(core.settings.session_expires_s, core.settings.min_se_s)
        self._peer_allows: frozenset[str] = frozenset()
        self._local_description = self._remote_description = b""

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
        early = self._early.find(remote_tag)
        return early.dialog if early is not None else None

    # ---- outgoing

    def start(self, request: Request, offer: bytes | None, now: float) -> None:
        """Send the INVITE (called by the endpoint)."""
        self.invite = request
        self._had_offer = offer is not None
        if offer is not None:
            request.headers.add("Content-Type", SDP)
            request.body = self._local_description = offer
        self._session.ask(request)
        self._transaction = self._core.send_request(request, self.flow, self, now)
        self._core.timers.start((self, "C"), now + TIMER_C)

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response to one of our requests in this call."""
        method = transaction.request.method
        if transaction is self._reinvite or transaction is self._refresh:
            self._on_update_response(transaction, response, now)
        elif method == "INVITE" and transaction is self._transaction:
            self._on_invite_response(transaction, response, now)
        elif response.status in (401, 407):
            self._core.retry_with_credentials(transaction, response, self.credentials, now)

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """One of our requests got no answer."""
        if transaction is self._transaction and not self.is_up:
            if self.state is CallState.CALLING and self._try_elsewhere(now):
                return
            self._end("cancelled" if self._is_cancelling else "timeout" if status == 408 else "lost", status,
                      "no answer" if status == 408 else "the server can't be reached", by_remote=not self._is_cancelling)
        elif transaction is self._reinvite or transaction is self._refresh:
            self._reinvite = self._refresh = None
            if self.is_up:
                self._leave("lost", status, "no answer to a re-INVITE", now)

    def _on_invite_response(self, transaction: Transaction, response: Response, now: float) -> None:
        if response.status < 200:
            if response.status > 100 and self.state is CallState.CALLING:
                self.state = CallState.RINGING
            self._core.timers.start((self, "C"), now + TIMER_C)
            if self._is_cancelling:
                self._send_cancel(now)
            elif response.status > 100:
                self._on_progress(response, now)
        elif response.status < 300:
            self._on_answered(response, now)
        else:
            self._on_refused(transaction, response, now)

    def _on_progress(self, response: Response, now: float) -> None:
        assert self.invite is not None
        early, rseq = self._early.receive(self.invite, response, self.contact, self.flow), rseq_of(response)
        if rseq and early is not None:
            if not early.takes(rseq):                    # repeated, or out of order: its turn comes by repetition (RFC 3262 §4)
                return
            self._send_prack(early.dialog, rseq, now)
        self._peer_allows = response.allow or self._peer_allows
        answer = None
        if early is not None and response.body and not early.is_settled:
            early.description = answer = response.body
            early.is_settled = bool(rseq) and self._had_offer
        self._core.emit(events.CallProgressed(self, response, answer))

    def _send_prack(self, dialog: Dialog, rseq: int, now: float) -> None:
        assert self.invite is not None
        prack = dialog.make_request("PRACK", self._core.make_via(self.flow))
        prack.headers.add("RAck", f"{rseq} {self.invite.cseq}")
        self._core.send_request(prack, self.flow, Quiet(self._core, self.credentials, dialog), now)

    def _on_answered(self, response: Response, now: float) -> None:
        assert self.invite is not None
        self._core.timers.stop((self, "C"))
        if self.dialog is not None:
            if response.to.tag == self.dialog.remote.tag:
                self.repeat_ack(response.cseq.number)
            else:
                self._drop_fork(response, now)
            return
        if self.state is CallState.ENDED:
            self._drop_fork(response, now)
            return
        self.dialog = Dialog.from_response(self.invite, response, self.contact, self.flow)
        early = self._early.confirm(response)
        if early is not None:                       # route set and target are those of the 2xx, the numbers go on (§13.2.2.4)
            self.dialog.local_cseq, self.dialog.remote_cseq = early.dialog.local_cseq, early.dialog.remote_cseq
        self._core.add_dialog(self.dialog, self)
        self.state = CallState.UP
        self._peer_allows = response.allow or self._peer_allows
        self._remote_description = _answer_of(response, early)
        if self._had_offer or not response.body:
            self._send_ack(self.invite.cseq.number, b"", now)
        self._refuse_pending_offer(now)
        if self._is_cancelling:                     # the answer crossed our CANCEL (§9.1)
            if not self._ack:
                self._send_ack(self.invite.cseq.number, b"", now)
            self.hang_up(now, self._end_reason)
            return
        self._session.receive(response)
        self._restart_session(now)
        self._core.emit(events.CallAnswered(self, response, self._remote_description or None))

    def _drop_fork(self, response: Response, now: float) -> None:
        """A second 2xx from another phone, or one after the end: take it and hang up at once (§13.2.2.4)."""
        assert self.invite is not None
        other = Dialog.from_response(self.invite, response, self.contact, self.flow)
        ack = other.make_request("ACK", self._core.make_via(self.flow), cseq=self.invite.cseq.number)
        self._core.transmit(bytes(ack), self.flow)
        if response.to.tag in self._dropped_forks:
            return
        self._dropped_forks.add(response.to.tag)
        self._core.send_request(other.make_request("BYE", self._core.make_via(self.flow)), self.flow, self, now)

    def _on_refused(self, transaction: Transaction, response: Response, now: float) -> None:
        challenged = response.status in (401, 407) and not self._is_cancelling
        if challenged and self._core.retry_with_credentials(transaction, response, self.credentials, now) is not None:
            return
        if not self._is_cancelling and self._ask_again_for_longer(transaction, response, now):
            return
        if response.status == 503 and self._try_elsewhere(now):
            return
        cause = "cancelled" if self._is_cancelling else "rejected"
        self._end(cause, response.status, reason_of(response).text or response.reason, by_remote=cause == "rejected")

    def _try_elsewhere(self, now: float) -> bool:
        """Send the INVITE to the next destination: the same request in a new transaction (RFC 3263 §4.3)."""
        if self._is_cancelling or not self.alternatives or self.invite is None:
            return False
        self.flow = self.alternatives.pop(0)
        self.contact = contact_over(self.flow, self.contact)
        invite = Request("INVITE", self.invite.uri, Headers(list(self.invite.headers.items_)), self.invite.body)
        invite.headers.items_[0] = ("via", "Via", self._core.make_via(self.flow))
        invite.headers.set("Contact", f"<{self.contact}>")
        self.invite, self.state = invite, CallState.CALLING
        self._transaction = self._core.send_request(invite, self.flow, self, now)
        self._early.clear()
        self._core.timers.start((self, "C"), now + TIMER_C)
        return True

    def replace_transaction(self, old: Transaction, new: Transaction) -> None:
        """An INVITE was sent again with credentials (called by the endpoint)."""
        if old is self._transaction:
            self._transaction, self.invite = new, new.request
            self.state = CallState.CALLING
            self._early.clear()
        elif old is self._reinvite:
            self._reinvite = new
        elif old is self._refresh:
            self._refresh = new

    def acknowledge(self, answer: bytes, now: float) -> None:
        """Our answer, in the ACK, to the offer that the 2xx of an INVITE without one brought (§13.2.2.4)."""
        if self.invite is None or self._ack or self.dialog is None:
            raise LocalProtocolError("no 2xx waits for an answer")
        self._send_ack(self.invite.cseq.number, answer, now)

    def _send_ack(self, cseq: int, body: bytes, now: float) -> None:
        assert self.dialog is not None
        ack = self.dialog.make_request("ACK", self._core.make_via(self.flow), cseq=cseq)
        if body:
            ack.headers.add("Content-Type", SDP)
            ack.body = self._local_description = body
        self._ack, self._ack_cseq = bytes(ack), cseq
        self._core.transmit(self._ack, self.flow)

    def repeat_ack(self, cseq: int) -> None:
        """A 2xx to the INVITE of that number came again: so does its ACK (§13.2.2.4; called by the endpoint)."""
        if self._ack and self._ack_cseq == cseq:
            self._core.transmit(self._ack, self.flow)

    def _send_cancel(self, now: float) -> None:
        assert self.invite is not None
        if self._is_cancel_sent:                         # a further provisional response is no reason for another
            return
        self._is_cancel_sent = True
        cancel = Request("CANCEL", self.invite.uri)
        cancel.headers.add("Via", self.invite.via)
        cancel.headers.add("Max-Forwards", 70)
        for name in ("From", "To", "Call-ID"):
            cancel.headers.add(name, self.invite.headers.get(name) or "")
        cancel.headers.add("CSeq", f"{self.invite.cseq.number} CANCEL")
        for value in self.invite.headers.get_lines("Route"):
            cancel.headers.add("Route", value)
        if self._end_reason:
            cancel.headers.add("Reason", Reason("SIP", self._end_status, self._end_reason))
        self._core.send_request(cancel, self.flow, Quiet(self._core), now)
        self._core.timers.start((self, "cancelled"), now + GIVE_UP)

    # ---- incoming

    def receive_invite(self, transaction: Transaction, now: float, replaces: Call | None = None) -> None:
        """The INVITE of this call came, to take the place of another one if `replaces` says so (called by the endpoint)."""
        request = transaction.request
        self.invite, self._transaction = request, transaction
        transaction.owner = self
        self._core.send_response(transaction, request.respond(100), now)
        self.dialog = Dialog.from_request(request, self._local_tag, self.contact, self.flow)
        self._core.add_dialog(self.dialog, self)
        self._had_offer = bool(request.body)
        self._remote_description, self._peer_allows = request.body, request.allow
        self._core.emit(events.CallReceived(self, request, request.body or None, replaces))

    def ring(self, now: float, status: int = 180, body: bytes = b"", *, reliable: bool = False) -> None:
        """Send a provisional response, with `body` for early media: our answer, or our offer when the INVITE had none.

        reliable: repeat it until its PRACK where the peer can (RFC 3262); to a peer that requires it, always. A response that
        the rules forbid (the first reliable one to an INVITE without offer has to bring ours, §5) is not sent.
        """
        if self.is_outgoing or self.state is not CallState.RINGING:
            return
        assert self.invite is not None and self._transaction is not None
        is_required = RELIABLE in self.invite.require
        if self._reliable.has_description:                       # offer and answer have been said (§5)
            body = b""
        if is_required or (reliable and RELIABLE in self.invite.supported):
            if body or self._had_offer or self._reliable.has_description:
                self._local_description = body or self._local_description
                self._reliable.send(self._transaction, self._make_response(status, None, (), body), now)
                return
            if is_required:
                return
        self._respond(status, None, (), body, now)

    def _on_prack(self, transaction: Transaction, now: float) -> None:
        request = transaction.request
        acknowledged = self._reliable.receive_prack(request, now)
        if acknowledged is None:
            self._core.send_response(transaction, request.respond(481), now)
            return
        if not self._had_offer and acknowledged.body:            # our offer: the PRACK brings its answer (§5)
            if not request.body:
                self._core.send_response(transaction, request.respond(400, "No answer"), now)
                self._refuse_and_end("error", 400, "no answer in the PRACK", now)
                return
            self._remote_description = request.body
            self._core.send_response(transaction, request.respond(200), now)
            self._core.emit(events.AnswerReceived(self, request.body))
        elif not request.body:
            self._core.send_response(transaction, request.respond(200), now)
        elif self._reliable.is_settled and self._pending_offer is None and self._reinvite is None:
            self._take_offer_from(transaction, now)
        else:                                                    # an offer where none may be
            self._core.send_response(transaction, request.respond(488), now)
        self._accept_if_due(now)

    def _no_prack(self, now: float) -> None:
        self._refuse_and_end("timeout", 504, "no PRACK came", now)

    def _refuse_and_end(self, cause: str, status: int, reason: str, now: float) -> None:
        if self.state is CallState.RINGING:
            self._respond(status, None, (), b"", now)
            self._end(cause, status, reason, by_remote=True)

    def _accept_if_due(self, now: float) -> None:
        if self._accept_due is not None and self._pending_offer is None and not self._reliable.delays_answer:
            (body, headers), self._accept_due = self._accept_due, None
            self.accept(body, now, headers=headers)

    def accept(self, body: bytes, now: float, *, contact: Uri | None = None, headers: HeaderList = ()) -> None:
        """Answer the call. body: the answer, or our offer when the INVITE had none; contact: in place of the given one.

        A call that has ended meanwhile (a CANCEL in the same read of a stream) takes it and does nothing. When a reliable
        provisional response brought the description already, the 200 has none; it waits until that one is acknowledged.
        """
        if self.state is CallState.ENDED:
            return
        if self.is_outgoing or self.state is not CallState.RINGING:
            raise LocalProtocolError("only a ringing call can be answered")
        assert self.dialog is not None and self.invite is not None
        if contact is not None:
            self.contact = self.dialog.contact = contact
        if self._reliable.delays_answer or self._accept_due is not None or self._pending_offer is not None:
            self._accept_due = (body, tuple(headers))
            return
        self.state = CallState.ACCEPTED
        if self._reliable.has_description:
            body = b""
        self._reliable.stop()
        self._waiting_answer_in_ack = not self._had_offer and bool(body)
        self._ok_cseq = self.invite.cseq.number
        self._send_ok(self._transaction, self.invite, body, headers, now)

    def _send_ok(self, transaction: Transaction | None, request: Request, body: bytes, headers: HeaderList, now: float) -> None:
        assert transaction is not None
        contact = headers if any(name == "Contact" for name, _ in headers) else [("Contact", f"<{self.contact}>"), *headers]
        self._local_description = body or self._local_description
        response = request.respond(200, to_tag=self._local_tag, body=body, content_type=SDP, headers=[
            *contact, *self._what_we_can(), *self._session.answer(request)])
        self._restart_session(now)
        self._ok, self._ok_flow, self._ok_interval = bytes(response), transaction.flow, T1
        self._core.send_response(transaction, response, now)
        self._core.timers.start((self, "2xx"), now + T1)
        self._core.timers.start((self, "ack"), now + GIVE_UP)

    def _what_we_can(self) -> list[tuple[str, object]]:
        settings = self._core.settings
        return [("Allow", settings.allow), ("Supported", settings.supported_value)]

    def reject(self, status: int, reason: str | None = None, headers: HeaderList = (), *, now: float) -> None:
        """Refuse the call."""
        if self.is_outgoing or self.state is not CallState.RINGING:
            return
        self._respond(status, reason, headers, b"", now)
        self._end("rejected", status, reason or "", by_remote=False)

    def _respond(self, status: int, reason: str | None, headers: HeaderList, body: bytes, now: float) -> None:
        assert self._transaction is not None
        if status >= 300:
            self._reliable.stop()
            self._accept_due = None
        self._core.send_response(self._transaction, self._make_response(status, reason, headers, body), now)

    def _make_response(self, status: int, reason: str | None, headers: HeaderList, body: bytes) -> Response:
        assert self.invite is not None
        own = [("Contact", f"<{self.contact}>"), ("Allow", self._core.settings.allow)] if status < 300 else []
        return self.invite.respond(status, reason, to_tag=self._local_tag, headers=[*own, *headers], body=body,
                                   content_type=SDP)

    def receive_cancel(self, invite: Transaction, cancel: Request, now: float) -> None:
        """The caller gave up the call, or a re-INVITE (called by the endpoint, which has answered the CANCEL)."""
        if invite is self._pending_offer:
            self._refuse_pending_offer(now)
        elif not self.is_outgoing and self.state is CallState.RINGING:
            why = reason_of(cancel)
            self._respond(487, None, (), b"", now)
            self._end("cancelled", 487, why.text or "the caller gave up", by_remote=True, why=why)

    def _refuse_pending_offer(self, now: float) -> None:
        transaction, self._pending_offer = self._pending_offer, None
        if transaction is not None:
            self._is_offer_withdrawn = True
            self._core.send_response(transaction, transaction.request.respond(487), now)

    def receive_ack(self, request: Request, now: float) -> None:
        """The ACK of a 2xx of ours."""
        if request.cseq.number != self._ok_cseq or not self._ok:
            return
        self._ok = b""
        self._core.timers.stop((self, "2xx"))
        self._core.timers.stop((self, "ack"))
        if self._bye_due is not None:
            self._send_due_bye(now)
            return
        first = self.state is CallState.ACCEPTED
        if first:
            self.state = CallState.UP
        if self._waiting_answer_in_ack:
            self._waiting_answer_in_ack = False
            if not request.body:
                self._leave("error", 400, "no answer in the ACK", now)
                return
            self._remote_description = request.body
            self._core.emit(events.AnswerReceived(self, request.body))
        if first:
            self._core.emit(events.CallConfirmed(self))

    # ---- both, while the call is up

    def receive_request(self, transaction: Transaction, now: float) -> None:
        """A request inside the dialog, in order, other than ACK and CANCEL (called by the endpoint)."""
        request = transaction.request
        if request.method == "BYE":
            self._on_bye(transaction, now)
        elif self.state is CallState.ENDED:
            self._core.send_response(transaction, request.respond(481), now)
        elif request.method == "PRACK":
            self._on_prack(transaction, now)
        elif request.method in ("INVITE", "UPDATE"):
            self._on_offer(transaction, now)
        else:
            self._core.emit(events.DialogRequestReceived(self, transaction.id, request))

    def _on_bye(self, transaction: Transaction, now: float) -> None:
        request = transaction.request
        self._core.send_response(transaction, request.respond(200), now)
        if self.is_outgoing and self.dialog is None:                 # one phone of a fork has left before any answer
            self._early.drop(request.from_.tag)
            return
        if self._bye_due is not None:
            self._forget_dialog()
        elif self.state is CallState.RINGING and not self.is_outgoing:      # BYE of an early dialog (§15)
            self._respond(487, None, (), b"", now)
        self._refuse_pending_offer(now)
        why = reason_of(request)
        self._end("hung_up", 200, why.text, by_remote=True, why=why)

    def _on_offer(self, transaction: Transaction, now: float) -> None:
        request = transaction.request
        dialog = self.dialog_with(request.from_.tag)
        assert dialog is not None
        early = self._early.find(request.from_.tag)
        is_unanswered = not (early.is_settled if early is not None else self.is_up or self._reliable.is_settled)
        if request.method == "UPDATE" and not request.body:
            dialog.refresh_target(request)
            self._core.send_response(transaction, self._ok_to_update(request, b"", now), now)
        elif request.method == "INVITE" and not self.is_up:
            self._core.send_response(transaction, request.respond(491 if self.is_outgoing else 500, headers=[
                ("Retry-After", self._retry_after())]), now)
        elif is_unanswered and self.is_outgoing:                     # our own offer has no answer yet (RFC 3311 §5.2)
            self._core.send_response(transaction, request.respond(491), now)
        elif self._pending_offer is not None or is_unanswered:       # §14.2, RFC 3311 §5.2
            self._core.send_response(transaction, request.respond(500, headers=[("Retry-After", self._retry_after())]), now)
        elif self._reinvite is not None or self._waiting_answer_in_ack or (self._ok and request.method == "INVITE"):
            self._core.send_response(transaction, request.respond(491), now)              # glare, §14.2
        else:
            self._take_offer_from(transaction, now)

    def _retry_after(self) -> int:
        """Seconds for a Retry-After: at random up to 10 (§14.2)."""
        return int(self._core.token(2), 16) % 11

    def _ok_to_update(self, request: Request, body: bytes, now: float) -> Response:
        headers: list[tuple[str, object]] = [("Contact", f"<{self.contact}>"), *self._what_we_can()]
        if self.is_up:
            headers += self._session.answer(request)
            self._restart_session(now)
        return request.respond(200, headers=headers, body=body, content_type=SDP)

    def _take_offer_from(self, transaction: Transaction, now: float) -> None:
        request = transaction.request
        if request.method == "INVITE":
            self._core.send_response(transaction, request.respond(100), now)
        transaction.owner = self
        self._pending_offer, self._is_offer_withdrawn = transaction, False
        self._peer_allows = request.allow or self._peer_allows
        self._core.emit(events.OfferReceived(self, request.body or None, request))

    def accept_offer(self, body: bytes, now: float) -> None:
        """Answer the peer's re-INVITE or UPDATE. One that was withdrawn meanwhile needs no answer any more."""
        transaction = self._take_offer()
        if transaction is None:
            return
        request = transaction.request
        dialog = self.dialog_with(request.from_.tag)
        assert dialog is not None
        dialog.refresh_target(request)
        self._describe(request.from_.tag, request.body)
        if request.method != "INVITE":
            self._local_description = body
            response = (self._ok_to_update(request, body, now) if request.method == "UPDATE"
                        else request.respond(200, body=body, content_type=SDP))
            self._core.send_response(transaction, response, now)
            self._accept_if_due(now)
            return
        self._waiting_answer_in_ack = not request.body
        self._ok_cseq = request.cseq.number
        self._send_ok(transaction, request, body, (), now)

    def _describe(self, tag: str, description: bytes) -> None:
        """The peer's newest description, in an early dialog that of this one."""
        early = self._early.find(tag)
        if early is not None:
            early.description = description or early.description
        else:
            self._remote_description = description or self._remote_description

    def reject_offer(self, status: int, now: float, reason: str | None = None) -> None:
        """Refuse the peer's re-INVITE or UPDATE; the session goes on as it was."""
        transaction = self._take_offer()
        if transaction is not None:
            self._core.send_response(transaction, transaction.request.respond(status, reason), now)
            self._accept_if_due(now)

    def _take_offer(self) -> Transaction | None:
        transaction, self._pending_offer = self._pending_offer, None
        is_withdrawn, self._is_offer_withdrawn = self._is_offer_withdrawn, False
        if transaction is None and not is_withdrawn:
            raise LocalProtocolError("no offer waits for an answer")
        return transaction

    def offer(self, sdp: bytes, now: float) -> None:
        """Send an offer: by re-INVITE, before the call is answered by UPDATE (RFC 3311 §5.1).

        Raises LocalProtocolError while another offer is under way, or where offer and answer have not been exchanged yet.
        """
        if not self.is_up:
            self.update(sdp, now)
            return
        self._check_may_offer()
        assert self.dialog is not None
        self._reinvite = self._send_offer("INVITE", self.dialog, sdp, now)

    def update(self, sdp: bytes, now: float) -> None:
        """Send an offer by UPDATE, also before the answer. Raises LocalProtocolError as `offer`, or if the peer takes none."""
        dialog = self._check_may_offer()
        if "UPDATE" not in self._peer_allows:
            raise LocalProtocolError("the peer takes no UPDATE")
        self._reinvite = self._send_offer("UPDATE", dialog, sdp, now)

    def _check_may_offer(self) -> Dialog:
        is_refreshing = self._refresh is not None and bool(self._refresh.request.body)
        under_way = bool(self._reinvite or self._ok or self._pending_offer or is_refreshing)
        if self.is_up:
            dialog, under_way = self.dialog, under_way or (self.is_outgoing and not self._ack)
        elif self.is_outgoing:
            early = self._early.latest_settled
            dialog = early.dialog if early is not None else None
        else:
            dialog = self.dialog if self._reliable.is_settled else None
        if self.state is CallState.ENDED or dialog is None or under_way:
            raise LocalProtocolError("the call is not ready for another offer")
        return dialog

    def _send_offer(self, method: str, dialog: Dialog, sdp: bytes, now: float) -> Transaction:
        request = dialog.make_request(method, self._core.make_via(self.flow))
        for name, value in self._what_we_can():
            request.headers.add(name, value)
        if sdp:
            request.headers.add("Content-Type", SDP)
            request.body = self._local_description = sdp
        if self.is_up:
            self._session.ask(request)
        return self._core.send_request(request, self.flow, self, now)

    def _on_update_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """The response to a re-INVITE or UPDATE of ours, be it an offer or a refresh of the session."""
        if response.status < 200:
            return
        is_invite = transaction.request.method == "INVITE"
        if self.state is CallState.ENDED:                    # our BYE overtook it: a 2xx wants its ACK all the same
            if response.status < 300 and is_invite:
                self._send_ack(transaction.request.cseq.number, b"", now)
        elif response.status < 300:
            self._on_updated(transaction, response, now)
        else:
            self._on_update_refused(transaction, response, now)

    def _on_updated(self, transaction: Transaction, response: Response, now: float) -> None:
        is_refresh = transaction is self._refresh
        dialog = self.dialog_with(response.to.tag)
        if is_refresh:
            self._refresh = None
        else:
            self._reinvite = None
        if dialog is None:
            return
        dialog.refresh_target(response)
        if transaction.request.method == "INVITE":
            self._transaction = transaction           # a repeated 2xx is acknowledged again
            self._send_ack(transaction.request.cseq.number, b"", now)
        if self.is_up:
            self._session.receive(response)
            self._restart_session(now)
        is_news = response.body != self._remote_description
        self._describe(response.to.tag, response.body)
        if not is_refresh or (response.body and is_news):
            self._core.emit(events.AnswerReceived(self, response.body))

    def _on_update_refused(self, transaction: Transaction, response: Response, now: float) -> None:
        challenged = response.status in (401, 407)
        if challenged and self._core.retry_with_credentials(transaction, response, self.credentials, now) is not None:
            return
        if self._ask_again_for_longer(transaction, response, now):
            return
        is_refresh = transaction is self._refresh
        if is_refresh:
            self._refresh = None
        else:
            self._reinvite = None
        if response.status == 481 and self.is_up:
            self._end("lost", response.status, response.reason, by_remote=True)
        elif response.status == 408 and self.is_up:
            self._leave("lost", response.status, response.reason, now)
        elif is_refresh:                                     # tried again until the session's time is over (RFC 4028 §10)
            self._core.timers.start((self, "refresh"), now + RETRY_REFRESH_S)
        elif response.status == 491:
            self._core.timers.start((self, "glare"), now + self._glare_delay())
        else:
            self._core.emit(events.OfferRefused(self, response.status))

    # ---- the session's time

    def _restart_session(self, now: float) -> None:
        """The session was begun or refreshed: its time runs anew (RFC 4028 §10)."""
        self._stop_session()
        if self._session.interval_s and self.state is not CallState.ENDED:
            self._core.timers.start((self, "session"), now + self._session.ends_after_s)
            if self._session.is_refresher:
                self._core.timers.start((self, "refresh"), now + self._session.refresh_after_s)

    def _stop_session(self) -> None:
        self._core.timers.stop((self, "session"))
        self._core.timers.stop((self, "refresh"))

    def _refresh_session(self, now: float) -> None:
        """Refresh by UPDATE where the peer takes it, else by a re-INVITE with the description as it was (RFC 4028 §7.4)."""
        if not self.is_up or self.dialog is None or self._refresh is not None:
            return
        if "UPDATE" in self._peer_allows:
            self._refresh = self._send_offer("UPDATE", self.dialog, b"", now)
            return
        try:
            self._check_may_offer()
        except LocalProtocolError:                           # an offer is under way, which refreshes too unless it fails
            self._core.timers.start((self, "refresh"), now + RETRY_REFRESH_S)
            return
        self._refresh = self._send_offer("INVITE", self.dialog, self._local_description, now)

    def _ask_again_for_longer(self, transaction: Transaction, response: Response, now: float) -> bool:
        """After a 422 send the request again with the interval that the peer wants (RFC 4028 §7.3)."""
        if not self._session.take_refusal(response):
            return False
        request = transaction.request.copy()
        request.headers.remove("Authorization")
        request.headers.remove("Proxy-Authorization")
        self._session.ask(request)
        self._core.send_again(transaction, request, now)
        return True

    def _glare_delay(self) -> float:
        """The wait after a 491: 2.1 to 4 s for who made the Call-ID, up to 2 s for the other, in steps of 10 ms (§14.1)."""
        least, steps = (2.1, 190) if self.is_outgoing else (0.0, 200)
        return least + int(self._core.token(4), 16) % (steps + 1) / 100

    def request(self, method: str, *, headers: HeaderList = (), body: bytes = b"", content_type: str | None = None,
                now: float) -> int:
        """Send another request (INFO, MESSAGE …) inside the dialog; the id that ResponseReceived will carry."""
        if self.dialog is None or self.state is CallState.ENDED:
            raise LocalProtocolError("no dialog")
        request = self.dialog.make_request(method, self._core.make_via(self.flow))
        for name, value in headers:
            request.headers.add(name, value)
        if body:
            request.headers.add("Content-Type", content_type or "text/plain")
            request.body = body
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
        if self.state is CallState.ENDED or (self._is_cancelling and not self.is_up):
            return
        self._end_reason, self._end_status = reason, status
        if self.is_up:
            self._leave("hung_up", status, reason, now, by_remote=False)
        elif self.is_outgoing:
            self._is_cancelling = True
            if self._transaction is not None and self._transaction.state is State.PROCEEDING:
                self._send_cancel(now)
            else:                                    # no CANCEL before the first provisional response (§9.1)
                self._core.timers.start((self, "cancelled"), now + GIVE_UP)
        else:
            self.reject(480, reason or None, now=now)

    def _leave(self, cause: str, status: int, reason: str, now: float, *, by_remote: bool = True) -> None:
        """End an answered call with a BYE, which waits for the ACK of our 2xx (§15)."""
        self._bye_due = (status, reason)
        is_waiting = bool(self._ok) and self.state is CallState.ACCEPTED
        if not is_waiting:
            self._send_due_bye(now)
        self._refuse_pending_offer(now)
        self._end(cause, status, reason, by_remote=by_remote)

    def _send_due_bye(self, now: float) -> None:
        assert self.dialog is not None and self.invite is not None and self._bye_due is not None
        if self.is_outgoing and not self._ack:
            self._send_ack(self.invite.cseq.number, b"", now)
        bye = self.dialog.make_request("BYE", self._core.make_via(self.flow))
        status, reason = self._bye_due
        if reason:
            bye.headers.add("Reason", Reason("SIP", status, reason))
        self._core.send_request(bye, self.flow, self, now)
        self._forget_dialog()

    # ---- timers, end

    def handle_timer(self, name: str, now: float) -> None:
        """A timer of this call has fired."""
        if name == "2xx" and self._ok:
            self._core.transmit(self._ok, self._ok_flow)
            self._ok_interval = min(2 * self._ok_interval, T2)
            self._core.timers.start((self, "2xx"), now + self._ok_interval)
        elif name == "ack" and self._bye_due is not None:
            self._send_due_bye(now)
        elif name == "ack" and self._ok:
            self._ok = b""
            self._leave("timeout", 408, "no ACK came", now)
        elif name == "C":
            self.hang_up(now, "nobody answered")
        elif name == "cancelled":
            if self._transaction is not None:
                self._core.abandon(self._transaction)
            self._end("cancelled", 487, self._end_reason, by_remote=False)
        elif name == "glare" and self.state is not CallState.ENDED:
            self._core.emit(events.OfferRefused(self, 491))
        elif name == "refresh":
            self._refresh_session(now)
        elif name == "session" and self.is_up:
            self._leave("timeout", 408, "the session was not refreshed", now)

    def _end(self, cause: str, status: int, reason: str, *, by_remote: bool, why: Reason | None = None) -> None:
        if self.state is CallState.ENDED:
            return
        is_waiting = self._bye_due is not None and bool(self._ok)
        self.state = CallState.ENDED
        for name in ("C", "cancelled", "glare", "session", "refresh"):
            self._core.timers.stop((self, name))
        self._reliable.stop()
        self._early.clear()
        if not is_waiting:
            self._forget_dialog()
        self._core.emit(events.CallTerminated(self, cause, status, reason, by_remote, why))

    def _forget_dialog(self) -> None:
        self._ok, self._bye_due = b"", None
        self._core.timers.stop((self, "2xx"))
        self._core.timers.stop((self, "ack"))
        if self.dialog is not None:
            self._core.remove_dialog(self.dialog, self)

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
            if self._transaction is not None:
                self._core.abandon(self._transaction)
            self._end("lost", 503, "the connection was lost", by_remote=True)


def _answer_of(response: Response, early: EarlyDialog | None) -> bytes:
    """The peer's description when the 2xx comes: what was said reliably before stands, whatever the 2xx says (RFC 3262 §5)."""
    if early is not None and (early.is_settled or not response.body):
        return early.description
    return response.body


def check_invite(request: Request) -> None:
    """Raise ParseError (400, 415) for an INVITE or UPDATE whose body or Contact can't be used (§8.2.3, §12.1.1)."""
    if request.body and request.content_type != SDP:
        raise ParseError(f"a body of type {request.content_type}", status=415)
    if request.body and (request.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise ParseError("an encoded body", status=415)
    if not request.to.tag and (not request.contacts or request.contacts[0].is_wildcard):
        raise ParseError("no Contact")
