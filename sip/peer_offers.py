"""Offers of the peer's after the first exchange (RFC 3261 §14.2, RFC 3311 §5.2), and the 2xx that answers an INVITE.

A re-INVITE, an UPDATE or a PRACK (RFC 3262 §5) brings one; those that meet another offer are refused here, the others go to the
user, who answers when he likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip import events
from sip.core import Core
from sip.errors import LocalProtocolError
from sip.headers import HeaderList
from sip.message import Request, Response
from sip.offer_answer import OfferAnswer, what_we_can
from sip.settings import SDP
from sip.transaction import Transaction

if TYPE_CHECKING:
    from sip.invite import Call


class PeerOffers:
    """The peer's re-INVITEs and UPDATEs in one call."""

    def __init__(self, core: Core, call: Call, exchange: OfferAnswer) -> None:
        self._core = core
        self._call = call
        self._exchange = exchange
        self._is_withdrawn = False

    def receive(self, transaction: Transaction, now: float) -> None:
        """A re-INVITE or UPDATE came, in order."""
        request, call, exchange = transaction.request, self._call, self._exchange
        is_settled = exchange.is_settled_with(request.from_.tag)
        if request.method == "UPDATE" and not request.body:
            dialog = call.dialog_with(request.from_.tag)
            assert dialog is not None
            dialog.refresh_target(request)
            self._core.send_response(transaction, self._ok_to_update(request, b"", now), now)
            self._core.emit(events.PeerTold(call, request))
        elif request.method == "INVITE" and not call.is_up:
            self._put_off(transaction, 491 if call.is_outgoing else 500, now)
        elif call.is_outgoing and not is_settled:                    # our own offer has no answer yet (RFC 3311 §5.2)
            self._core.send_response(transaction, request.respond(491), now)
        elif exchange.pending is not None or not is_settled:         # §14.2, RFC 3311 §5.2
            self._put_off(transaction, 500, now)
        elif self._is_glare(request):
            self._core.send_response(transaction, request.respond(491), now)
        else:
            self.take(transaction, now)

    def _is_glare(self, request: Request) -> bool:
        """Whether it meets an offer of ours, or a 2xx of ours that has no ACK yet (§14.2)."""
        exchange = self._exchange
        is_unacknowledged = exchange.acceptance.is_waiting and request.method == "INVITE"
        return exchange.own is not None or exchange.is_answer_due or is_unacknowledged

    def _put_off(self, transaction: Transaction, status: int, now: float) -> None:
        """Refuse an offer with a Retry-After: at random up to 10 s (§14.2)."""
        retry_after = int(self._core.token(2), 16) % 11
        self._core.send_response(transaction, transaction.request.respond(status, headers=[("Retry-After", retry_after)]), now)

    def take(self, transaction: Transaction, now: float) -> None:
        """Hand out an offer that the rules allow."""
        request = transaction.request
        if request.method == "INVITE":
            self._core.send_response(transaction, request.respond(100), now)
        transaction.owner = self._call
        self._exchange.pending, self._is_withdrawn = transaction, False
        self._exchange.note_allow(request)
        self._core.emit(events.OfferReceived(self._call, request.body or None, request))

    # ---- the user's answer

    def accept(self, body: bytes, now: float) -> None:
        """Answer the offer. One that was withdrawn meanwhile needs no answer; LocalProtocolError when there was none."""
        transaction = self._take_pending()
        if transaction is None:
            return
        request, exchange = transaction.request, self._exchange
        dialog = self._call.dialog_with(request.from_.tag)
        assert dialog is not None
        dialog.refresh_target(request)
        exchange.note_remote(request.from_.tag, request.body)
        if request.method == "INVITE":
            exchange.is_answer_due = not request.body
            self.send_ok(transaction, body, (), now)
            return
        exchange.local = body
        response = (self._ok_to_update(request, body, now) if request.method == "UPDATE"
                    else request.respond(200, body=body, content_type=SDP))
        self._core.send_response(transaction, response, now)

    def reject(self, status: int, now: float, reason: str | None) -> None:
        """Refuse the offer; the session goes on as it was. Raises LocalProtocolError as `accept`."""
        transaction = self._take_pending()
        if transaction is not None:
            self._core.send_response(transaction, transaction.request.respond(status, reason), now)

    def _take_pending(self) -> Transaction | None:
        transaction, self._exchange.pending = self._exchange.pending, None
        is_withdrawn, self._is_withdrawn = self._is_withdrawn, False
        if transaction is None and not is_withdrawn:
            raise LocalProtocolError("no offer waits for an answer")
        return transaction

    def withdraw(self, now: float) -> None:
        """The call has ended, or the peer has cancelled: what waits is refused with 487 (§15.1.2, §9.2)."""
        transaction, self._exchange.pending = self._exchange.pending, None
        if transaction is not None:
            self._is_withdrawn = True
            self._core.send_response(transaction, transaction.request.respond(487), now)

    # ---- 2xx

    def send_ok(self, transaction: Transaction, body: bytes, headers: HeaderList, now: float) -> None:
        """Send the 2xx to an INVITE or re-INVITE, with our answer or offer. headers: may bring a Contact of their own."""
        call, exchange, request = self._call, self._exchange, transaction.request
        assert call.dialog is not None
        contact = headers if any(name == "Contact" for name, _ in headers) else [("Contact", f"<{call.contact}>"), *headers]
        exchange.note_local(body)
        response = request.respond(200, to_tag=call.dialog.local.tag, body=body, content_type=SDP, headers=[
            *contact, *what_we_can(self._core.settings), *exchange.session.answer(request, now)])
        exchange.acceptance.send(transaction, response, now)

    def receive_ack(self, ack: Request, now: float) -> bool:
        """The ACK of a 2xx of ours came; False when it lacks the answer that was due, which ends the call."""
        exchange = self._exchange
        if not exchange.is_answer_due:
            return True
        exchange.is_answer_due = False
        if not ack.body:
            self._call.leave("error", 400, "no answer in the ACK", now)
            return False
        exchange.remote = ack.body
        self._core.emit(events.AnswerReceived(self._call, ack.body))
        return True

    def _ok_to_update(self, request: Request, body: bytes, now: float) -> Response:
        headers: list[tuple[str, object]] = [("Contact", f"<{self._call.contact}>"), *what_we_can(self._core.settings)]
        if self._call.is_up:
            headers += self._exchange.session.answer(request, now)
        return request.respond(200, headers=headers, body=body, content_type=SDP)
