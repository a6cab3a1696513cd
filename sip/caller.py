"""The caller's half of a call, from the INVITE to its answer (RFC 3261 §13.2, §9.1).

Early media and PRACK (RFC 3262 §4, §5), forks, the next destination when one fails (RFC 3263 §4.3), CANCEL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip import events
from sip.acceptance import make_ack
from sip.call_state import CallState
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.headers import Headers
from sip.message import Request, Response
from sip.offer_answer import OfferAnswer
from sip.outgoing import Quiet
from sip.peer_offers import PeerOffers
from sip.reason import Reason, reason_of
from sip.reliable import EarlyDialog, rseq_of
from sip.routing import contact_over
from sip.settings import SDP
from sip.timers import GIVE_UP, TIMER_C
from sip.transaction import State, Transaction

if TYPE_CHECKING:
    from sip.invite import Call


class Caller:
    """What an outgoing call does until it is answered."""

    def __init__(self, core: Core, call: Call, exchange: OfferAnswer, offers: PeerOffers) -> None:
        self._core = core
        self._call = call
        self._exchange = exchange
        self._offers = offers
        self._dropped_forks: set[str] = set()
        self._is_cancelling = self._is_cancel_sent = False
        self._why = Reason("SIP", 200)

    def start(self, invite: Request, offer: bytes | None, now: float) -> None:
        """Send the INVITE, with our offer or without."""
        exchange = self._exchange
        exchange.had_offer = offer is not None
        if offer is not None:
            invite.headers.add("Content-Type", SDP)
            invite.body = exchange.local = offer
        exchange.session.ask(invite)
        self._send(invite, now)

    def _send(self, invite: Request, now: float) -> None:
        call = self._call
        call.invite = invite
        call.transaction = self._core.send_request(invite, call.flow, call, now)
        self._core.timers.start((self, "C"), now + TIMER_C)

    # ---- responses

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response to the INVITE, or a repeated 2xx to a re-INVITE."""
        if response.status < 200:
            if response.status > 100 and self._call.state is CallState.CALLING:
                self._call.state = CallState.RINGING
            self._core.timers.start((self, "C"), now + TIMER_C)
            if self._is_cancelling:
                self._send_cancel(now)
            elif response.status > 100:
                self._on_progress(response, now)
        elif response.status < 300:
            self._on_answered(response, now)
        else:
            self._on_refused(transaction, response, now)

    def on_failure(self, status: int, now: float) -> None:
        """The INVITE got no answer: 408 nobody said anything, 503 the transport failed."""
        if self._call.state is CallState.CALLING and self._try_elsewhere(now):
            return
        self._call.end("cancelled" if self._is_cancelling else "timeout" if status == 408 else "lost", status,
                       "no answer" if status == 408 else "the server can't be reached", by_remote=not self._is_cancelling)

    def replace_transaction(self, new: Transaction) -> None:
        """The INVITE was sent again, with credentials or for a longer session."""
        self._call.transaction, self._call.invite = new, new.request
        self._call.state = CallState.CALLING
        self._exchange.early.clear()

    def _on_progress(self, response: Response, now: float) -> None:
        call, exchange = self._call, self._exchange
        assert call.invite is not None
        early, rseq = exchange.early.receive(call.invite, response, call.contact, call.flow), rseq_of(response)
        if rseq and early is not None:
            if not early.takes(rseq):                    # repeated, or out of order: its turn comes by repetition (RFC 3262 §4)
                return
            self._send_prack(early.dialog, rseq, now)
        exchange.note_allow(response)
        answer = None
        if early is not None and response.body and not early.is_settled:
            early.description = answer = response.body
            early.is_settled = bool(rseq) and exchange.had_offer
        self._core.emit(events.CallProgressed(call, response, answer))

    def _send_prack(self, dialog: Dialog, rseq: int, now: float) -> None:
        call = self._call
        assert call.invite is not None
        prack = dialog.make_request("PRACK", self._core.make_via(call.flow))
        prack.headers.add("RAck", f"{rseq} {call.invite.cseq}")
        self._core.send_request(prack, call.flow, Quiet(self._core, call.credentials, dialog), now)

    def _on_answered(self, response: Response, now: float) -> None:
        call = self._call
        self._core.timers.stop((self, "C"))
        if call.dialog is not None and response.to.tag == call.dialog.remote.tag:
            call.repeat_ack(response.cseq.number)
        elif call.dialog is not None or call.state is CallState.ENDED:
            self._drop_fork(response, now)
        else:
            self._confirm(response, now)

    def _confirm(self, response: Response, now: float) -> None:
        """The first 2xx (§13.2.2.4)."""
        call, exchange = self._call, self._exchange
        assert call.invite is not None
        dialog = call.dialog = Dialog.from_response(call.invite, response, call.contact, call.flow)
        early = exchange.early.confirm(response)
        if early is not None:                       # route set and target are those of the 2xx, the numbers go on
            dialog.local_cseq, dialog.remote_cseq = early.dialog.local_cseq, early.dialog.remote_cseq
        self._core.add_dialog(dialog, call)
        call.state = CallState.UP
        exchange.note_allow(response)
        exchange.remote = _answer_of(response, early)
        is_acknowledged = exchange.had_offer or not response.body
        if is_acknowledged or self._is_cancelling:
            exchange.ack.send(dialog, call.flow, call.invite)
        self._offers.withdraw(now)
        if self._is_cancelling:                     # the answer crossed our CANCEL (§9.1)
            call.hang_up(now, self._why.text)
            return
        exchange.session.receive(response, now)
        self._core.emit(events.CallAnswered(call, response, exchange.remote or None))

    def _drop_fork(self, response: Response, now: float) -> None:
        """A second 2xx from another phone, or one after the end: take it and hang up at once (§13.2.2.4)."""
        call = self._call
        assert call.invite is not None
        other = Dialog.from_response(call.invite, response, call.contact, call.flow)
        self._core.transmit(bytes(make_ack(other, self._core.make_via(call.flow), call.invite)), call.flow)
        if response.to.tag in self._dropped_forks:
            return
        self._dropped_forks.add(response.to.tag)
        self._core.send_request(other.make_request("BYE", self._core.make_via(call.flow)), call.flow, call, now)

    def _on_refused(self, transaction: Transaction, response: Response, now: float) -> None:
        call, is_cancelling = self._call, self._is_cancelling
        challenged = response.status in (401, 407) and not is_cancelling
        if challenged and self._core.retry_with_credentials(transaction, response, call.credentials, now) is not None:
            return
        if not is_cancelling and self._exchange.session.ask_again_for_longer(transaction, response, now):
            return
        if response.status == 503 and self._try_elsewhere(now):
            return
        cause = "cancelled" if is_cancelling else "rejected"
        call.end(cause, response.status, reason_of(response).text or response.reason, by_remote=cause == "rejected")

    def _try_elsewhere(self, now: float) -> bool:
        """Send the INVITE to the next destination: the same request in a new transaction (RFC 3263 §4.3)."""
        call = self._call
        if self._is_cancelling or not call.alternatives or call.invite is None:
            return False
        call.flow = call.alternatives.pop(0)
        call.contact = contact_over(call.flow, call.contact)
        invite = Request("INVITE", call.invite.uri, Headers(list(call.invite.headers.items_)), call.invite.body)
        invite.headers.items_[0] = ("via", "Via", self._core.make_via(call.flow))
        invite.headers.set("Contact", f"<{call.contact}>")
        call.state = CallState.CALLING
        self._exchange.early.clear()
        self._send(invite, now)
        return True

    def acknowledge(self, answer: bytes) -> None:
        """Send our answer to the offer that the 2xx brought. Raises LocalProtocolError when none waits for one."""
        call, exchange = self._call, self._exchange
        if call.invite is None or exchange.ack.is_sent or call.dialog is None:
            raise LocalProtocolError("no 2xx waits for an answer")
        exchange.note_local(answer)
        exchange.ack.send(call.dialog, call.flow, call.invite, answer)

    # ---- CANCEL

    def cancel(self, now: float, why: Reason) -> None:
        """Give up the call before its answer: by CANCEL, as soon as a provisional response came (§9.1). Twice is once."""
        if self._is_cancelling:
            return
        self._is_cancelling, self._why = True, why
        transaction = self._call.transaction
        if transaction is not None and transaction.state is State.PROCEEDING:
            self._send_cancel(now)
        else:
            self._core.timers.start((self, "cancelled"), now + GIVE_UP)

    def _send_cancel(self, now: float) -> None:
        invite = self._call.invite
        assert invite is not None
        if self._is_cancel_sent:                         # a further provisional response is no reason for another
            return
        self._is_cancel_sent = True
        cancel = Request("CANCEL", invite.uri)
        cancel.headers.add("Via", invite.via)
        cancel.headers.add("Max-Forwards", 70)
        for name in ("From", "To", "Call-ID"):
            cancel.headers.add(name, invite.headers.get(name) or "")
        cancel.headers.add("CSeq", f"{invite.cseq.number} CANCEL")
        for value in invite.headers.get_lines("Route"):
            cancel.headers.add("Route", value)
        if self._why.text:
            cancel.headers.add("Reason", self._why)
        self._core.send_request(cancel, self._call.flow, Quiet(self._core), now)
        self._core.timers.start((self, "cancelled"), now + GIVE_UP)

    def handle_timer(self, name: str, now: float) -> None:
        """It rang for too long (timer C, §16.6), or the CANCEL did nothing (§9.1)."""
        if name == "C":
            self._call.hang_up(now, "nobody answered")
        else:
            if self._call.transaction is not None:
                self._core.abandon(self._call.transaction)
            self._call.end("cancelled", 487, self._why.text, by_remote=False)

    def stop(self) -> None:
        """The call is over."""
        self._core.timers.stop((self, "C"))
        self._core.timers.stop((self, "cancelled"))
        self._exchange.early.clear()


def _answer_of(response: Response, early: EarlyDialog | None) -> bytes:
    """The peer's description when the 2xx comes: what was said reliably before stands, whatever the 2xx says (RFC 3262 §5)."""
    if early is not None and (early.is_settled or not response.body):
        return early.description
    return response.body
