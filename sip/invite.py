"""Calls: INVITE sessions at both ends (RFC 3261 §13, §14, §15; offer and answer as RFC 3264 §4 and RFC 6337).

A `Call` is made by `Endpoint.invite` or comes in `CallReceived`. The user gives SDP in commands and gets it in events; what it
says is opaque here. Early and delayed offer, re-INVITE with glare (491), CANCEL at both ends, the 2xx repeated until its ACK.
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
from sip.headers import NameAddr
from sip.message import Request, Response
from sip.timers import GIVE_UP, T1, T2, TIMER_C
from sip.transaction import State, Transaction
from sip.uri import Uri

SDP = "application/sdp"
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, SUBSCRIBE, NOTIFY, UPDATE"
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
        self._transaction: Transaction | None = None
        self._local_tag = core.token()
        self._had_offer = False
        self._ok: bytes = b""
        self._ok_flow = flow
        self._ok_interval = T1
        self._ok_cseq = 0
        self._waiting_answer_in_ack = False
        self._reinvite: Transaction | None = None
        self._pending_offer: Transaction | None = None
        self._is_offer_withdrawn = False
        self._ack: bytes = b""
        self._ack_cseq = 0
        self._dropped_forks: set[str] = set()
        self._is_cancelling = self._is_cancel_sent = False
        self._end_reason = ""
        self._bye_due: tuple[int, str] | None = None
        self._is_flow_lost = False

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

    # ---- outgoing

    def start(self, request: Request, offer: bytes | None, now: float) -> None:
        """Send the INVITE (called by the endpoint)."""
        self.invite = request
        self._had_offer = offer is not None
        if offer is not None:
            request.headers.add("Content-Type", SDP)
            request.body = offer
        self._transaction = self._core.send_request(request, self.flow, self, now)
        self._core.timers.start((self, "C"), now + TIMER_C)

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response to one of our requests in this call."""
        method = transaction.request.method
        if method == "INVITE" and transaction is self._reinvite:
            self._on_reinvite_response(transaction, response, now)
        elif method == "INVITE" and transaction is self._transaction:
            self._on_invite_response(transaction, response, now)
        elif response.status in (401, 407):
            self._core.retry_with_credentials(transaction, response, self.credentials, now)

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """One of our requests got no answer."""
        if transaction is self._transaction and not self.is_up:
            self._end("cancelled" if self._is_cancelling else "timeout" if status == 408 else "lost", status,
                      "no answer" if status == 408 else "the server can't be reached", by_remote=not self._is_cancelling)
        elif transaction is self._reinvite:
            self._reinvite = None
            self._leave("lost", status, "no answer to a re-INVITE", now)

    def _on_invite_response(self, transaction: Transaction, response: Response, now: float) -> None:
        if response.status < 200:
            if response.status > 100 and self.state is CallState.CALLING:
                self.state = CallState.RINGING
            self._core.timers.start((self, "C"), now + TIMER_C)
            if self._is_cancelling:
                self._send_cancel(now)
            elif response.status > 100:
                self._core.emit(events.CallProgressed(self, response))
        elif response.status < 300:
            self._on_answered(response, now)
        else:
            self._on_refused(transaction, response, now)

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
        self._core.add_dialog(self.dialog, self)
        self.state = CallState.UP
        if self._had_offer or not response.body:
            self._send_ack(self.invite.cseq.number, b"", now)
        if self._is_cancelling:                     # the answer crossed our CANCEL (§9.1)
            if not self._ack:
                self._send_ack(self.invite.cseq.number, b"", now)
            self.hang_up(now, self._end_reason)
            return
        self._core.emit(events.CallAnswered(self, response, response.body or None))

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
        cause = "cancelled" if self._is_cancelling else "rejected"
        self._end(cause, response.status, _reason_text(response) or response.reason, by_remote=cause == "rejected")

    def replace_transaction(self, old: Transaction, new: Transaction) -> None:
        """An INVITE was sent again with credentials (called by the endpoint)."""
        if old is self._transaction:
            self._transaction, self.invite = new, new.request
            self.state = CallState.CALLING
        elif old is self._reinvite:
            self._reinvite = new

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
            ack.body = body
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
        self._core.send_request(cancel, self.flow, _Ignore(), now)
        self._core.timers.start((self, "cancelled"), now + GIVE_UP)

    # ---- incoming

    def receive_invite(self, transaction: Transaction, now: float) -> None:
        """The INVITE of this call came (called by the endpoint)."""
        request = transaction.request
        self.invite, self._transaction = request, transaction
        transaction.owner = self
        self._core.send_response(transaction, request.respond(100), now)
        self.dialog = Dialog.from_request(request, self._local_tag, self.contact, self.flow)
        self._core.add_dialog(self.dialog, self)
        self._had_offer = bool(request.body)
        self._core.emit(events.CallReceived(self, request, request.body or None))

    def ring(self, now: float, status: int = 180, body: bytes = b"") -> None:
        """Send a provisional response."""
        if self.is_outgoing or self.state is not CallState.RINGING:
            return
        self._respond(status, None, (), body, now)

    def accept(self, body: bytes, now: float, *, contact: Uri | None = None, headers: HeaderList = ()) -> None:
        """Answer the call. body: the answer, or our offer when the INVITE had none; contact: in place of the given one.

        A call that has ended meanwhile (a CANCEL in the same read of a stream) takes it and does nothing.
        """
        if self.state is CallState.ENDED:
            return
        if self.is_outgoing or self.state is not CallState.RINGING:
            raise LocalProtocolError("only a ringing call can be answered")
        assert self.dialog is not None and self.invite is not None
        if contact is not None:
            self.contact = self.dialog.contact = contact
        self.state = CallState.ACCEPTED
        self._waiting_answer_in_ack = not self._had_offer
        self._ok_cseq = self.invite.cseq.number
        self._send_ok(self._transaction, self.invite, body, headers, now)

    def _send_ok(self, transaction: Transaction | None, request: Request, body: bytes, headers: HeaderList, now: float) -> None:
        assert transaction is not None
        contact = headers if any(name == "Contact" for name, _ in headers) else [("Contact", f"<{self.contact}>"), *headers]
        response = request.respond(200, to_tag=self._local_tag, body=body, content_type=SDP, headers=[
            *contact, ("Allow", ALLOW)])
        self._ok, self._ok_flow, self._ok_interval = bytes(response), transaction.flow, T1
        self._core.send_response(transaction, response, now)
        self._core.timers.start((self, "2xx"), now + T1)
        self._core.timers.start((self, "ack"), now + GIVE_UP)

    def reject(self, status: int, reason: str | None = None, headers: HeaderList = (), *, now: float) -> None:
        """Refuse the call."""
        if self.is_outgoing or self.state is not CallState.RINGING:
            return
        self._respond(status, reason, headers, b"", now)
        self._end("rejected", status, reason or "", by_remote=False)

    def _respond(self, status: int, reason: str | None, headers: HeaderList, body: bytes, now: float) -> None:
        assert self.invite is not None and self._transaction is not None
        contact = [("Contact", f"<{self.contact}>")] if status < 300 else []
        response = self.invite.respond(status, reason, to_tag=self._local_tag, headers=[*contact, *headers], body=body,
                                       content_type=SDP)
        self._core.send_response(self._transaction, response, now)

    def receive_cancel(self, invite: Transaction, now: float) -> None:
        """The caller gave up the call, or a re-INVITE (called by the endpoint, which has answered the CANCEL)."""
        if invite is self._pending_offer:
            self._refuse_pending_offer(now)
        elif not self.is_outgoing and self.state is CallState.RINGING:
            self._respond(487, None, (), b"", now)
            self._end("cancelled", 487, "the caller gave up", by_remote=True)

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
            self._core.emit(events.AnswerReceived(self, request.body))
        if first:
            self._core.emit(events.CallConfirmed(self))

    # ---- both, while the call is up

    def receive_request(self, transaction: Transaction, now: float) -> None:
        """A request inside the dialog, in order, other than ACK and CANCEL (called by the endpoint)."""
        request = transaction.request
        if request.method == "BYE":
            self._core.send_response(transaction, request.respond(200), now)
            if self._bye_due is not None:
                self._forget_dialog()
            elif self.state is CallState.RINGING and not self.is_outgoing:      # BYE of an early dialog (§15)
                self._respond(487, None, (), b"", now)
            self._refuse_pending_offer(now)
            self._end("hung_up", 200, _reason_text(request) or "", by_remote=True)
        elif self.state is CallState.ENDED:
            self._core.send_response(transaction, request.respond(481), now)
        elif request.method in ("INVITE", "UPDATE"):
            self._on_offer(transaction, now)
        else:
            self._core.emit(events.DialogRequestReceived(self, transaction.id, request))

    def _on_offer(self, transaction: Transaction, now: float) -> None:
        request = transaction.request
        assert self.dialog is not None
        if request.method == "UPDATE" and not request.body:
            self.dialog.refresh_target(request)
            self._core.send_response(transaction, request.respond(200, headers=[("Contact", f"<{self.contact}>")]), now)
        elif self._pending_offer is not None or self.state is CallState.RINGING:          # §14.2, RFC 3311 §5.2
            self._core.send_response(transaction, request.respond(500, headers=[("Retry-After", 1)]), now)
        elif self._reinvite is not None or self._waiting_answer_in_ack or (self._ok and request.method == "INVITE"):
            self._core.send_response(transaction, request.respond(491), now)              # glare, §14.2
        else:
            self._take_offer_from(transaction, now)

    def _take_offer_from(self, transaction: Transaction, now: float) -> None:
        request = transaction.request
        if request.method == "INVITE":
            self._core.send_response(transaction, request.respond(100), now)
        transaction.owner = self
        self._pending_offer, self._is_offer_withdrawn = transaction, False
        self._core.emit(events.OfferReceived(self, request.body or None, request))

    def accept_offer(self, body: bytes, now: float) -> None:
        """Answer the peer's re-INVITE or UPDATE. One that was withdrawn meanwhile needs no answer any more."""
        transaction = self._take_offer()
        if transaction is None:
            return
        request = transaction.request
        assert self.dialog is not None
        self.dialog.refresh_target(request)
        if request.method == "UPDATE":
            response = request.respond(200, headers=[("Contact", f"<{self.contact}>")], body=body, content_type=SDP)
            self._core.send_response(transaction, response, now)
            return
        self._waiting_answer_in_ack = not request.body
        self._ok_cseq = request.cseq.number
        self._send_ok(transaction, request, body, (), now)

    def reject_offer(self, status: int, now: float, reason: str | None = None) -> None:
        """Refuse the peer's re-INVITE or UPDATE; the session goes on as it was."""
        transaction = self._take_offer()
        if transaction is not None:
            self._core.send_response(transaction, transaction.request.respond(status, reason), now)

    def _take_offer(self) -> Transaction | None:
        transaction, self._pending_offer = self._pending_offer, None
        is_withdrawn, self._is_offer_withdrawn = self._is_offer_withdrawn, False
        if transaction is None and not is_withdrawn:
            raise LocalProtocolError("no offer waits for an answer")
        return transaction

    def offer(self, sdp: bytes, now: float) -> None:
        """Send a re-INVITE with an offer. Raises LocalProtocolError while another offer is under way, or the call isn't up."""
        under_way = self._reinvite or self._ok or self._pending_offer or (self.is_outgoing and not self._ack)
        if not self.is_up or self.dialog is None or under_way:
            raise LocalProtocolError("the call is not ready for another offer")
        request = self.dialog.make_request("INVITE", self._core.make_via(self.flow))
        request.headers.add("Allow", ALLOW)
        request.headers.add("Content-Type", SDP)
        request.body = sdp
        self._reinvite = self._core.send_request(request, self.flow, self, now)

    def _on_reinvite_response(self, transaction: Transaction, response: Response, now: float) -> None:
        assert self.dialog is not None
        if response.status < 200:
            return
        if self.state is CallState.ENDED:                    # our BYE overtook it: a 2xx wants its ACK all the same
            if response.status < 300:
                self._send_ack(transaction.request.cseq.number, b"", now)
            return
        if response.status < 300:
            self.dialog.refresh_target(response)
            self._reinvite = None
            self._transaction = transaction           # a repeated 2xx is acknowledged again
            self._send_ack(transaction.request.cseq.number, b"", now)
            self._core.emit(events.AnswerReceived(self, response.body))
            return
        challenged = response.status in (401, 407)
        if challenged and self._core.retry_with_credentials(transaction, response, self.credentials, now) is not None:
            return
        self._reinvite = None
        if response.status == 481:
            self._end("lost", response.status, response.reason, by_remote=True)
        elif response.status == 408:
            self._leave("lost", response.status, response.reason, now)
        elif response.status == 491:
            self._core.timers.start((self, "glare"), now + self._glare_delay())
        else:
            self._core.emit(events.OfferRefused(self, response.status))

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

    def hang_up(self, now: float, reason: str = "", status: int = 200) -> None:
        """End the call as its state demands: CANCEL, a refusal, or BYE with a Reason (RFC 3326). Twice is once."""
        if self.state is CallState.ENDED or (self._is_cancelling and not self.is_up):
            return
        self._end_reason = reason
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
            text = reason.replace("\\", "").replace('"', "'")
            bye.headers.add("Reason", f'SIP;cause={status};text="{text}"')
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
        elif name == "glare" and self.is_up:
            self._core.emit(events.OfferRefused(self, 491))

    def _end(self, cause: str, status: int, reason: str, *, by_remote: bool) -> None:
        if self.state is CallState.ENDED:
            return
        is_waiting = self._bye_due is not None and bool(self._ok)
        self.state = CallState.ENDED
        for name in ("C", "cancelled", "glare"):
            self._core.timers.stop((self, name))
        if not is_waiting:
            self._forget_dialog()
        self._core.emit(events.CallTerminated(self, cause, status, reason, by_remote))

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
        if not self.is_up:
            if self._transaction is not None:
                self._core.abandon(self._transaction)
            self._end("lost", 503, "the connection was lost", by_remote=True)


class Outgoing:
    """The owner of a single request: answers challenges, and reports the final response by the request's id.

    dialog: that it is sent in, whose CSeq goes on when it is sent again with credentials.
    """

    def __init__(self, core: Core, credentials: DigestClient | None, dialog: Dialog | None = None) -> None:
        self.dialog = dialog
        self._core = core
        self._credentials = credentials
        self.id = 0

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """Report a final response, or answer a challenge."""
        if response.status < 200:
            return
        challenged = response.status in (401, 407)
        if challenged and self._core.retry_with_credentials(transaction, response, self._credentials, now) is not None:
            return
        self._core.emit(events.ResponseReceived(self.id, response))

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """Report that no response came."""
        self._core.emit(events.RequestFailed(self.id, status))


class _Ignore:
    """The owner of a CANCEL: its answer tells nothing."""

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """Nothing to do."""

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """Nothing to do."""


def _reason_text(message: Request | Response) -> str:
    """The words of a Reason header (RFC 3326), or of a Warning."""
    for value in message.headers.get_lines("Reason"):
        _, found, rest = value.partition('text="')
        if found:
            return rest.partition('"')[0]
    return ""


def check_invite(request: Request) -> None:
    """Raise ParseError (400, 415) for an INVITE or UPDATE whose body or Contact can't be used (§8.2.3, §12.1.1)."""
    if request.body and request.content_type != SDP:
        raise ParseError(f"a body of type {request.content_type}", status=415)
    if request.body and (request.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise ParseError("an encoded body", status=415)
    if not request.to.tag and (not request.contacts or request.contacts[0].is_wildcard):
        raise ParseError("no Contact")
