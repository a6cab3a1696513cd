"""Offers of ours after the first exchange, and the refreshes of the session (RFC 3261 §14.1, RFC 3311 §5.1, RFC 4028 §7.4).

By re-INVITE, or by UPDATE, which may be sent before the call is answered. A refresh is an offer that changes nothing, or an
UPDATE without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip import events
from sip.call_state import CallState
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.headers import HeaderList
from sip.message import Response
from sip.offer_answer import OfferAnswer, what_we_can
from sip.settings import SDP
from sip.timers import TIMER_C
from sip.transaction import Transaction

if TYPE_CHECKING:
    from sip.invite import Call


class OwnOffers:
    """Our re-INVITEs and UPDATEs in one call."""

    def __init__(self, core: Core, call: Call, exchange: OfferAnswer) -> None:
        self._core = core
        self._call = call
        self._exchange = exchange
        self._is_waiting = False                             # after a 491, until the user is told (§14.1)

    def offer(self, sdp: bytes, now: float, headers: HeaderList = ()) -> None:
        """Send an offer by re-INVITE, before the answer by UPDATE. Raises LocalProtocolError where none may be made."""
        if not self._call.is_up:
            self.update(sdp, now)
            return
        self._exchange.own = self._send("INVITE", self._check_may_offer(), sdp, now, headers)

    def update(self, sdp: bytes, now: float) -> None:
        """Send an offer by UPDATE. Raises LocalProtocolError as `offer`, or if the peer takes none."""
        dialog = self._check_may_offer()
        if "UPDATE" not in self._exchange.peer_allows:
            raise LocalProtocolError("the peer takes no UPDATE")
        self._exchange.own = self._send("UPDATE", dialog, sdp, now)

    def _check_may_offer(self) -> Dialog:
        if self._is_waiting:
            raise LocalProtocolError("another offer was refused for its glare and is not reported yet")
        return self._exchange.check_may_offer()

    def tell(self, headers: HeaderList, now: float) -> bool:
        """Send headers by an UPDATE without an offer, which refreshes the session too; False where that can't be just now."""
        exchange, dialog = self._exchange, self._call.dialog
        if not self._call.is_up or dialog is None or exchange.refresh is not None or "UPDATE" not in exchange.peer_allows:
            return False
        exchange.refresh = self._send("UPDATE", dialog, b"", now, headers)
        return True

    def refresh_session(self, now: float) -> None:
        """Refresh by UPDATE where the peer takes it, else by a re-INVITE with the description as it was (RFC 4028 §7.4)."""
        exchange, dialog = self._exchange, self._call.dialog
        if not self._call.is_up or dialog is None or exchange.refresh is not None:
            return
        if "UPDATE" in exchange.peer_allows:
            exchange.refresh = self._send("UPDATE", dialog, b"", now)
            return
        try:
            exchange.check_may_offer()
        except LocalProtocolError:                           # an offer is under way, which refreshes too unless it fails
            exchange.session.retry(now)
            return
        exchange.refresh = self._send("INVITE", dialog, exchange.local, now)

    def _send(self, method: str, dialog: Dialog, sdp: bytes, now: float, headers: HeaderList = ()) -> Transaction:
        call = self._call
        request = dialog.make_request(method, self._core.make_via(call.flow))
        for name, value in headers:
            request.headers.set(name, value)
        for name, value in what_we_can(self._core.settings):
            request.headers.add(name, value)
        if sdp:
            request.headers.add("Content-Type", SDP)
            request.body = sdp
        if call.is_up:
            self._exchange.session.ask(request)
        return self._core.send_request(request, call.flow, call, now)

    # ---- what becomes of them

    def has(self, transaction: Transaction) -> bool:
        """Whether a request is one of these, and waits for its final response."""
        return transaction is self._exchange.own or transaction is self._exchange.refresh

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """The response to a re-INVITE or UPDATE of ours, be it an offer or a refresh of the session."""
        is_invite = transaction.request.method == "INVITE"
        if response.status < 200:
            if is_invite:                                    # whose transaction waits without end now (§17.1.1.2)
                self._core.timers.start((self, "C"), now + TIMER_C)
            return
        if is_invite:
            self._core.timers.stop((self, "C"))
        if self._call.state is CallState.ENDED:              # our BYE overtook it: a 2xx wants its ACK all the same
            if response.status < 300 and is_invite:
                self._acknowledge(transaction)
        elif response.status < 300:
            self._on_accepted(transaction, response, now)
        else:
            self._on_refused(transaction, response, now)

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """No final response came, which ends the call (§12.2.1.2)."""
        self._take(transaction)
        if transaction.request.method == "INVITE":
            self._core.timers.stop((self, "C"))
        if self._call.is_up:
            self._call.leave("lost", status, "no answer to a re-INVITE", now)

    def replace_transaction(self, old: Transaction, new: Transaction) -> None:
        """A request was sent again, with credentials or for a longer session."""
        if old is self._exchange.own:
            self._exchange.own = new
        elif old is self._exchange.refresh:
            self._exchange.refresh = new

    def _on_accepted(self, transaction: Transaction, response: Response, now: float) -> None:
        call, exchange = self._call, self._exchange
        is_refresh = self._take(transaction)
        dialog = call.dialog_with(response.to.tag)
        if dialog is None:
            return
        dialog.refresh_target(response)
        if transaction.request.method == "INVITE":
            call.transaction = transaction                   # a repeated 2xx is acknowledged again
            self._acknowledge(transaction)
        if call.is_up:
            exchange.session.receive(response, now)
        is_news = response.body != exchange.remote
        exchange.note_local(transaction.request.body)           # until then the session is as it was (§14.1)
        exchange.note_remote(response.to.tag, response.body)
        if not is_refresh or (response.body and is_news):
            self._core.emit(events.AnswerReceived(call, response.body))

    def _on_refused(self, transaction: Transaction, response: Response, now: float) -> None:
        call = self._call
        challenged = response.status in (401, 407)
        if challenged and self._core.retry_with_credentials(transaction, response, call.credentials, now) is not None:
            return
        if self._exchange.session.ask_again_for_longer(transaction, response, now):
            return
        is_refresh = self._take(transaction)
        if response.status == 481 and call.is_up:            # §12.2.1.2
            call.end("lost", response.status, response.reason, by_remote=True)
        elif response.status == 408 and call.is_up:
            call.leave("lost", response.status, response.reason, now)
        elif is_refresh:
            self._exchange.session.retry(now)
        elif response.status == 491:
            self._is_waiting = True
            self._core.timers.start((self, "glare"), now + glare_delay(self._core, call))
        else:
            self._core.emit(events.OfferRefused(call, response.status))

    def _take(self, transaction: Transaction) -> bool:
        """A request has its final response; whether it was the refresh."""
        if transaction is self._exchange.refresh:
            self._exchange.refresh = None
            return True
        self._exchange.own = None
        return False

    def _acknowledge(self, reinvite: Transaction) -> None:
        assert self._call.dialog is not None
        self._exchange.ack.send(self._call.dialog, self._call.flow, reinvite.request)

    # ---- timers

    def handle_timer(self, name: str, now: float) -> None:
        """The wait after a 491 is over: the user may offer again. Or a re-INVITE has no final response (timer C, §16.6)."""
        if name == "glare":
            self._is_waiting = False
            self._core.emit(events.OfferRefused(self._call, 491))
            return
        for transaction in (self._exchange.own, self._exchange.refresh):
            if transaction is not None and transaction.request.method == "INVITE":
                self._core.abandon(transaction)
                self.on_failure(transaction, 408, now)

    def stop(self) -> None:
        """The call is over. A re-INVITE that waits for its final response goes on to wait."""
        self._is_waiting = False
        self._core.timers.stop((self, "glare"))


def glare_delay(core: Core, call: Call) -> float:
    """The wait after a 491, s: 2.1 to 4 for who made the Call-ID, up to 2 for the other, in steps of 10 ms (§14.1)."""
    least, steps = (2.1, 190) if call.is_outgoing else (0.0, 200)
    return least + int(core.token(4), 16) % (steps + 1) / 100
