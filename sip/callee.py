"""The callee's half of a call, from the INVITE to its answer (RFC 3261 §13.3, §9.2).

Provisional responses, reliable ones with early offer and answer (RFC 3262 §3, §5), the 2xx or the refusal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip import events
from sip.call_state import CallState
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.headers import HeaderList
from sip.message import Request, Response
from sip.offer_answer import OfferAnswer
from sip.peer_offers import PeerOffers
from sip.reason import reason_of
from sip.reliable import OPTION as RELIABLE
from sip.settings import SDP
from sip.transaction import Transaction
from sip.uri import Uri

if TYPE_CHECKING:
    from sip.invite import Call

RING_AGAIN_S = 60.0
"""How often a phone that rings says so (§13.3.1.1)."""


class Callee:
    """What an incoming call does until it is answered."""

    def __init__(self, core: Core, call: Call, exchange: OfferAnswer, offers: PeerOffers) -> None:
        self._core = core
        self._call = call
        self._exchange = exchange
        self._reliable = exchange.reliable
        self._offers = offers
        self._due: tuple[bytes, HeaderList] | None = None            # the 2xx that waits for a PRACK
        self._progress = (180, False)

    def receive_invite(self, transaction: Transaction, now: float, replaces: Call | None) -> None:
        """The INVITE came, to take the place of another call if `replaces` says so."""
        call, exchange, request = self._call, self._exchange, transaction.request
        call.invite, call.transaction = request, transaction
        transaction.owner = call
        self._core.send_response(transaction, request.respond(100), now)
        call.dialog = Dialog.from_request(request, self._core.token(), call.contact, call.flow)
        self._core.add_dialog(call.dialog, call)
        exchange.had_offer = bool(request.body)
        exchange.remote, exchange.peer_allows = request.body, request.allow
        self._core.emit(events.CallReceived(call, request, request.body or None, replaces))

    def ring(self, now: float, status: int, body: bytes, *, reliable: bool) -> None:
        """Send a provisional response. body: our answer, or our offer when the INVITE had none."""
        call, exchange = self._call, self._exchange
        if call.is_outgoing or call.state is not CallState.RINGING:
            return
        assert call.invite is not None and call.transaction is not None
        self._progress = (status, reliable)
        self._core.timers.start((self, "ring"), now + RING_AGAIN_S)
        is_required = RELIABLE in call.invite.require
        if self._reliable.has_description:                       # offer and answer have been said (RFC 3262 §5)
            body = b""
        if is_required or (reliable and RELIABLE in call.invite.supported):
            if body or exchange.had_offer or self._reliable.has_description:
                exchange.note_local(body)
                self._reliable.send(call.transaction, self._make_response(status, None, (), body), now)
                return
            if is_required:
                return
        self._respond(status, None, (), body, now)

    def handle_timer(self, name: str, now: float) -> None:
        """It still rings: say so, since a proxy on the way gives up after three minutes (§13.3.1.1)."""
        status, reliable = self._progress
        self.ring(now, status, b"", reliable=reliable)

    def stop(self) -> None:
        """It does not ring any more."""
        self._core.timers.stop((self, "ring"))

    def receive_prack(self, transaction: Transaction, now: float) -> None:
        """A PRACK came, in order."""
        request, exchange = transaction.request, self._exchange
        acknowledged = self._reliable.receive_prack(request, now)
        if acknowledged is None:
            self._core.send_response(transaction, request.respond(481), now)
            return
        if not exchange.had_offer and acknowledged.body:         # our offer: the PRACK brings its answer (RFC 3262 §5)
            if not request.body:
                self._core.send_response(transaction, request.respond(400, "No answer"), now)
                self._refuse_and_end("error", 400, "no answer in the PRACK", now)
                return
            exchange.remote = request.body
            self._core.send_response(transaction, request.respond(200), now)
            self._core.emit(events.AnswerReceived(self._call, request.body))
        elif not request.body:
            self._core.send_response(transaction, request.respond(200), now)
        elif self._reliable.is_settled and exchange.pending is None and exchange.own is None:
            self._offers.take(transaction, now)
        else:                                                    # an offer where none may be
            self._core.send_response(transaction, request.respond(488), now)
        self.accept_if_due(now)

    def no_prack(self, now: float) -> None:
        """A reliable response was not acknowledged in 64·T1 (RFC 3262 §3)."""
        self._refuse_and_end("timeout", 504, "no PRACK came", now)

    def _refuse_and_end(self, cause: str, status: int, reason: str, now: float) -> None:
        if self._call.state is CallState.RINGING:
            self.refuse(status, now)
            self._call.end(cause, status, reason, by_remote=True)

    # ---- the final response

    def accept(self, body: bytes, now: float, contact: Uri | None, headers: HeaderList) -> None:
        """Answer the call, as soon as a description that was sent reliably is acknowledged (RFC 3262 §3)."""
        call, exchange = self._call, self._exchange
        if call.state is CallState.ENDED:
            return
        if call.is_outgoing or call.state is not CallState.RINGING:
            raise LocalProtocolError("only a ringing call can be answered")
        assert call.dialog is not None and call.transaction is not None
        if contact is not None:
            call.contact = call.dialog.contact = contact
        if self._reliable.delays_answer or self._due is not None or exchange.pending is not None:
            self._due = (body, tuple(headers))
            return
        call.state = CallState.ACCEPTED
        self.stop()
        if self._reliable.has_description:
            body = b""
        self._reliable.stop()
        exchange.is_answer_due = not exchange.had_offer and bool(body)
        self._offers.send_ok(call.transaction, body, headers, now)

    def accept_if_due(self, now: float) -> None:
        """Answer the call if that waited, and nothing hinders it any more."""
        if self._due is not None and self._exchange.pending is None and not self._reliable.delays_answer:
            (body, headers), self._due = self._due, None
            self.accept(body, now, None, headers)

    def reject(self, status: int, reason: str | None, headers: HeaderList, now: float) -> None:
        """Refuse the call."""
        if self._call.is_outgoing or self._call.state is not CallState.RINGING:
            return
        self.refuse(status, now, reason, headers)
        self._call.end("rejected", status, reason or "", by_remote=False)

    def receive_cancel(self, cancel: Request, now: float) -> None:
        """The caller gave up (§9.2); the CANCEL is answered already."""
        if not self._call.is_outgoing and self._call.state is CallState.RINGING:
            why = reason_of(cancel)
            self.refuse(487, now)
            self._call.end("cancelled", 487, why.text or "the caller gave up", by_remote=True, why=why)

    def refuse(self, status: int, now: float, reason: str | None = None, headers: HeaderList = ()) -> None:
        """Send the refusal."""
        self._reliable.stop()
        self._due = None
        self._respond(status, reason, headers, b"", now)

    def _respond(self, status: int, reason: str | None, headers: HeaderList, body: bytes, now: float) -> None:
        assert self._call.transaction is not None
        self._core.send_response(self._call.transaction, self._make_response(status, reason, headers, body), now)

    def _make_response(self, status: int, reason: str | None, headers: HeaderList, body: bytes) -> Response:
        call = self._call
        assert call.invite is not None and call.dialog is not None
        own = [("Contact", f"<{call.contact}>"), ("Allow", self._core.settings.allow)] if status < 300 else []
        return call.invite.respond(status, reason, to_tag=call.dialog.local.tag, headers=[*own, *headers], body=body,
                                   content_type=SDP)
