"""Event subscriptions at both ends (RFC 6665): SUBSCRIBE, NOTIFY, refresh, end; and those that a REFER implies (RFC 3515).

A SUBSCRIBE makes a dialog of its own, also when it comes while an INVITE is under way (linphone subscribes to a conference
before it sends the ACK of its INVITE).
"""

from __future__ import annotations

from typing import Any, Protocol

from sip import events
from sip.auth import DigestClient
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError, ParseError
from sip.flow import Flow
from sip.grammar import number
from sip.message import Request, Response
from sip.timers import GIVE_UP
from sip.transaction import Transaction
from sip.uri import Uri

REFRESH_AT = 0.85
MAX_EXPIRES_S = 3600
_PASSING = frozenset((491, 500, 503))
"""Refusals that concern the one request and leave the subscription alone (RFC 5057 §5.1)."""


class Watcher(Protocol):
    """Who owns an implicit subscription (`sip.refer`) and is told in place of the endpoint's user."""

    def answered(self, response: Response, now: float) -> None:
        """The final response to our REFER."""

    def refreshed(self, now: float) -> None:
        """The subscriber asked for more time, and wants the state again."""

    def notified(self, request: Request, now: float) -> None:
        """A NOTIFY came."""

    def ended(self, reason: str, now: float) -> None:
        """The subscription is over."""


class Subscription:
    """One subscription. `is_notifier` tells the side; `data` is the user's own slot."""

    def __init__(self, core: Core, package: str, flow: Flow, contact: Uri, *, is_notifier: bool,
                 shared: Dialog | None = None) -> None:
        self._core = core
        self.package = package
        self.flow = flow
        self.contact = contact
        self.is_notifier = is_notifier
        self.is_active = False
        self.expires_s = MAX_EXPIRES_S
        self.dialog: Dialog | None = None
        self.request: Request | None = None
        self.credentials: DigestClient | None = None
        self.event_value = package
        self.data: Any = None
        self._shared = shared
        self._tag = core.token() if shared is None else shared.local.tag
        self._event_id: str | None = None
        self._waiting: Transaction | None = None
        self._most_s = MAX_EXPIRES_S
        self._expires_at = 0.0
        self._is_over = False
        self._is_ending = False
        self._is_flow_lost = False
        self._accept = ""
        self._was_notified = False
        self.watcher: Watcher | None = None

    # ---- notifier

    def receive_subscribe(self, transaction: Transaction, now: float) -> None:
        """A SUBSCRIBE came: the first, or a refresh (called by the endpoint)."""
        request = transaction.request
        wanted = self._most_s if request.expires is None else min(request.expires, self._most_s)
        if self.dialog is None:
            self.request, self._waiting = request, transaction
            self.event_value = request.headers.get("Event") or self.package
            self._event_id = _event_id(request)
            self.expires_s = wanted
            self._core.emit(events.SubscriptionReceived(self, request))
            return
        self._core.send_response(transaction, self._ok(request, wanted), now)
        if wanted == 0:
            self.terminate("timeout", now)
        else:
            self._set_expiry(wanted, now)
            if self.watcher is not None:
                self.watcher.refreshed(now)
            else:
                self._core.emit(events.SubscriptionRefreshed(self))

    def accept(self, now: float, expires_s: int | None = None) -> None:
        """Take the subscription for up to `expires_s` at a time; the user then sends the state with `notify`."""
        if self._waiting is None or self.request is None:
            raise LocalProtocolError("no SUBSCRIBE waits for an answer")
        transaction, self._waiting = self._waiting, None
        self._most_s = MAX_EXPIRES_S if expires_s is None else min(expires_s, MAX_EXPIRES_S)
        wanted = min(self._most_s, self.expires_s)
        self.dialog = self._shared or Dialog.from_request(self.request, self._tag, self.contact, self.flow)
        self._core.add_dialog(self.dialog, self)
        self.is_active = True
        self._core.send_response(transaction, self._ok(self.request, wanted), now)
        self._set_expiry(wanted, now)

    def begin(self, request: Request, dialog: Dialog, event_id: str | None, expires_s: int, now: float) -> None:
        """A REFER was accepted: the subscription that it implies begins in its dialog (RFC 3515 §2.4.4)."""
        self.request, self.dialog, self._event_id = request, dialog, event_id
        self.event_value = self.package if event_id is None else f"{self.package};id={event_id}"
        self.is_active = True
        self._core.add_dialog(dialog, self)
        self._set_expiry(expires_s, now)

    def _ok(self, request: Request, expires_s: int) -> Response:
        headers = [("Contact", f"<{self.contact}>"), ("Expires", expires_s)]
        return request.respond(200, to_tag=self._tag, headers=headers)

    def reject(self, status: int, now: float, reason: str | None = None) -> None:
        """Refuse the subscription."""
        if self._waiting is not None:
            self._core.send_response(self._waiting, self._waiting.request.respond(status, reason, to_tag=self._tag), now)
            self._waiting, self._is_over = None, True

    def _set_expiry(self, seconds: int, now: float) -> None:
        self.expires_s = seconds
        self._expires_at = now + seconds
        self._core.timers.start((self, "expire"), self._expires_at)

    def notify(self, body: bytes, content_type: str, now: float) -> None:
        """Send the state. A subscription that is over takes it and does nothing."""
        left = max(0, round(self._expires_at - now))
        if left:
            self._notify(body, content_type, f"active;expires={left}", now)
        else:
            self.terminate("timeout", now, body, content_type)

    def terminate(self, reason: str, now: float, body: bytes = b"", content_type: str = "") -> None:
        """End the subscription with a last NOTIFY (§4.2.2); reason: noresource, timeout, rejected, deactivated …"""
        if not self._is_over:
            self._notify(body, content_type, f"terminated;reason={reason}", now)
            self._over(reason, now)

    def _notify(self, body: bytes, content_type: str, state: str, now: float) -> None:
        if self._is_over or self.dialog is None:
            return
        request = self.dialog.make_request("NOTIFY", self._core.make_via(self.flow))
        request.headers.add("Event", self.event_value)
        request.headers.add("Subscription-State", state)
        if body:
            request.headers.add("Content-Type", content_type)
            request.body = body
        self._core.send_request(request, self.flow, self, now)

    # ---- subscriber

    def start(self, request: Request, accept: str, now: float) -> None:
        """Send the first SUBSCRIBE (called by the endpoint)."""
        self.request, self._accept = request, accept
        self._add_subscribe_headers(request)
        self._core.send_request(request, self.flow, self, now)

    def start_by_refer(self, request: Request, dialog: Dialog | None, now: float) -> None:
        """Send a REFER, in a dialog or out of one; what follows is told to the watcher (called by `sip.refer`)."""
        self.request, self._event_id = request, str(request.cseq.number)
        if dialog is not None:
            self.dialog = dialog
            self._core.add_dialog(dialog, self)
        self._core.send_request(request, self.flow, self, now)

    def _add_subscribe_headers(self, request: Request) -> None:
        request.headers.add("Event", self.event_value)
        request.headers.add("Accept", self._accept)
        request.headers.add("Expires", 0 if self._is_ending else self.expires_s)

    def end(self, now: float) -> None:
        """Unsubscribe (§4.1.2.3); one that is not answered yet, as soon as it is."""
        self._is_ending = True
        self.refresh(now)

    def refresh(self, now: float) -> None:
        """Subscribe for another while; the notifier then tells the whole state again (§4.1.2.2)."""
        if self.dialog is not None and not self._is_over:
            self._was_notified = False
            request = self.dialog.make_request("SUBSCRIBE", self._core.make_via(self.flow))
            self._add_subscribe_headers(request)
            self._core.send_request(request, self.flow, self, now)

    def receive_notify(self, transaction: Transaction, now: float) -> None:
        """A NOTIFY came (called by the endpoint); also the first one, which may come before the 200 (§4.1.2.4)."""
        request = transaction.request
        if self.dialog is None:
            if not request.contacts or request.contacts[0].is_wildcard:
                self._core.send_response(transaction, request.respond(400), now)
                return
            self._adopt(Dialog.from_request(request, self._own_tag(), self.contact, self.flow))
        self._core.send_response(transaction, request.respond(200), now)
        if self._is_over:
            return
        self._was_notified = True
        self._core.timers.stop((self, "N"))
        if self.watcher is not None:
            self.watcher.notified(request, now)
        else:
            self._core.emit(events.NotifyReceived(self, request))
        state = (request.headers.get("Subscription-State") or "").partition(";")
        if state[0].strip(" \t").lower() == "terminated":
            self._over(state[2].partition("reason=")[2].partition(";")[0] or "terminated", now)
        else:
            self._heed_expiry(state[2], now)

    def _heed_expiry(self, state: str, now: float) -> None:
        """The notifier's word on the time that is left: it may shorten what it granted (§4.1.2.1, §4.1.3)."""
        found = state.partition("expires=")[2].partition(";")[0]
        try:
            at = now + min(number(found, "expires"), MAX_EXPIRES_S)
        except ParseError:
            return
        if self._is_ending or (self._expires_at and at >= self._expires_at):
            return
        self._expires_at = at
        self._core.timers.start((self, "expire"), at)
        if self.is_active and self.watcher is None:
            self._core.timers.start((self, "refresh"), now + max(1.0, (at - now) * REFRESH_AT))

    def _own_tag(self) -> str:
        assert self.request is not None
        return self.request.from_.tag

    def _adopt(self, dialog: Dialog) -> None:
        assert self.request is not None
        dialog.local_cseq = self.request.cseq.number
        self.dialog = dialog
        self._core.add_dialog(dialog, self)

    # ---- both

    def dialog_with(self, remote_tag: str) -> Dialog | None:
        """The subscription's dialog, None before there is one."""
        return self.dialog

    def receive_request(self, transaction: Transaction, now: float) -> None:
        """A request inside the subscription's dialog, in order (called by the endpoint)."""
        request = transaction.request
        if request.method == "SUBSCRIBE" and self.is_notifier:
            self.receive_subscribe(transaction, now)
        elif request.method == "NOTIFY" and not self.is_notifier:
            self.receive_notify(transaction, now)
        else:
            self._core.send_response(transaction, request.respond(405, headers=[("Allow", "SUBSCRIBE, NOTIFY")]), now)

    def replace_transaction(self, old: Transaction, new: Transaction) -> None:
        """The SUBSCRIBE was sent again with credentials (called by the endpoint)."""
        if self.dialog is None and new.request.method in ("SUBSCRIBE", "REFER"):
            self.request = new.request
        if new.request.method == "REFER":
            self._event_id = str(new.request.cseq.number)

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """The answer to our SUBSCRIBE or NOTIFY."""
        if response.status < 200:
            return
        challenged = response.status in (401, 407)
        if challenged and self._core.retry_with_credentials(transaction, response, self.credentials, now) is not None:
            return
        if transaction.request.method == "REFER":
            self._on_refer_answered(transaction.request, response, now)
        elif transaction.request.method == "NOTIFY":
            if response.status >= 300 and response.status not in _PASSING:
                self._over(f"{response.status} {response.reason}", now)
        elif response.status < 300:
            self._on_subscribed(transaction.request, response, now)
        elif not self.is_active or response.status not in _PASSING:
            self._over(f"{response.status} {response.reason}", now)

    def _on_refer_answered(self, request: Request, response: Response, now: float) -> None:
        assert self.watcher is not None
        self.watcher.answered(response, now)
        if response.status >= 300 or (response.headers.get("Refer-Sub") or "").strip(" \t").lower() == "false":
            self._over(f"{response.status} {response.reason}", now)
        elif not self._is_over:
            if self.dialog is None:
                self._adopt(Dialog.from_response(request, response, self.contact, self.flow))
            self.is_active = True
            self._await_notify(now)

    def _await_notify(self, now: float) -> None:
        """Timer N (§4.1.2.4): a NOTIFY has to follow the 2xx."""
        if not self._was_notified:
            self._core.timers.start((self, "N"), now + GIVE_UP)

    def _on_subscribed(self, request: Request, response: Response, now: float) -> None:
        if self._is_over:
            return
        if self.dialog is None:
            self._adopt(Dialog.from_response(request, response, self.contact, self.flow))
        else:
            self.dialog.refresh_target(response)
        if self._is_ending:
            self._on_unsubscribed(request, now)
            return
        self.is_active = True
        granted = self.expires_s if response.expires is None else min(response.expires, self.expires_s)
        self._expires_at = now + granted
        self._core.timers.start((self, "expire"), self._expires_at)
        self._await_notify(now)
        if granted:
            self._core.timers.start((self, "refresh"), now + max(1.0, granted * REFRESH_AT))

    def _on_unsubscribed(self, request: Request, now: float) -> None:
        if request.expires:                                  # the answer to what went out before `end`
            self.refresh(now)
            return
        self.is_active = False
        self._core.timers.stop((self, "refresh"))
        self._core.timers.start((self, "expire"), now + GIVE_UP)         # for the last NOTIFY

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """No answer. A refresh that failed leaves the subscription as it was until it expires (§4.1.2.2)."""
        if self.is_notifier or not self.is_active:
            self._over("no answer", now)

    def matches(self, request: Request) -> bool:
        """Whether a SUBSCRIBE or NOTIFY in the dialog is of this subscription (RFC 6665 §4.5.2)."""
        is_ours = self.is_notifier if request.method == "SUBSCRIBE" else not self.is_notifier
        name, found = request.event[0], _event_id(request)
        if found is None and self.watcher is not None and not self.is_notifier:     # the first REFER of a dialog may go without
            found = self._event_id
        return is_ours and name == self.package.lower() and found == self._event_id

    def follow(self, flow: Flow) -> None:
        """A request of the peer's came in order by this flow, see `Call.follow`."""
        if flow.transport == self.flow.transport or self._is_flow_lost:
            self.flow, self._is_flow_lost = flow, False

    def flow_lost(self, now: float) -> None:
        """The connection is gone: the peer may open another one; a NOTIFY that fails, or the time, ends the subscription."""
        self._is_flow_lost = True

    def handle_timer(self, name: str, now: float) -> None:
        """Time to refresh, or it was not refreshed in time."""
        if name == "refresh":
            self.refresh(now)
        elif self.is_notifier:
            self.terminate("timeout", now)
        elif name == "N":
            self._over("no NOTIFY came", now)
        else:
            self._over("timeout", now)

    def _over(self, reason: str, now: float) -> None:
        if self._is_over:
            return
        self._is_over, self.is_active = True, False
        self._core.timers.stop((self, "expire"))
        self._core.timers.stop((self, "refresh"))
        self._core.timers.stop((self, "N"))
        if self.dialog is not None:
            self._core.remove_dialog(self.dialog, self)
        else:
            self._core.forget_unconfirmed(self)
        if self.watcher is not None:
            self.watcher.ended(reason, now)
        else:
            self._core.emit(events.SubscriptionTerminated(self, reason))


def _event_id(request: Request) -> str | None:
    return dict(request.event[1]).get("id")
