"""Event subscriptions at both ends (RFC 6665): SUBSCRIBE, NOTIFY, refresh, end.

A SUBSCRIBE makes a dialog of its own, also when it comes while an INVITE is under way (linphone subscribes to a conference
before it sends the ACK of its INVITE).
"""

from __future__ import annotations

from typing import Any

from sip import events
from sip.auth import DigestClient
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError, RemoteProtocolError
from sip.flow import Flow
from sip.message import Request, Response
from sip.transaction import Transaction
from sip.uri import Uri

REFRESH_AT = 0.85
MAX_EXPIRES_S = 3600


class Subscription:
    """One subscription. `is_notifier` tells the side; `data` is the user's own slot."""

    def __init__(self, core: Core, package: str, flow: Flow, contact: Uri, *, is_notifier: bool) -> None:
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
        self._tag = core.token()
        self._waiting: Transaction | None = None
        self._expires_at = 0.0
        self._is_over = False
        self._accept = ""

    # ---- notifier

    def receive_subscribe(self, transaction: Transaction, now: float) -> None:
        """A SUBSCRIBE came: the first, or a refresh (called by the endpoint)."""
        request = transaction.request
        wanted = MAX_EXPIRES_S if request.expires is None else min(request.expires, MAX_EXPIRES_S)
        if self.dialog is None:
            self.request, self._waiting = request, transaction
            self.event_value = request.headers.get("Event") or self.package
            self.expires_s = wanted
            self._core.emit(events.SubscriptionReceived(self, request))
            return
        self._core.send_response(transaction, self._ok(request, wanted), now)
        if wanted == 0:
            self.terminate("timeout", now)
        else:
            self._set_expiry(wanted, now)
            self._core.emit(events.SubscriptionRefreshed(self))

    def accept(self, now: float, expires_s: int | None = None) -> None:
        """Take the subscription; the user then sends the state with `notify`. Of one for 0 s the state is sent once."""
        if self._waiting is None or self.request is None:
            raise LocalProtocolError("no SUBSCRIBE waits for an answer")
        transaction, self._waiting = self._waiting, None
        wanted = self.expires_s if expires_s is None else min(expires_s, self.expires_s)
        self.dialog = Dialog.from_request(self.request, self._tag, self.contact, self.flow)
        self._core.add_dialog(self.dialog, self)
        self.is_active = True
        self._core.send_response(transaction, self._ok(self.request, wanted), now)
        self._set_expiry(wanted, now)

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
        self._notify(body, content_type, f"active;expires={left}" if left else "terminated;reason=timeout", now)

    def terminate(self, reason: str, now: float, body: bytes = b"", content_type: str = "") -> None:
        """End the subscription with a last NOTIFY (§4.2.2); reason: noresource, timeout, rejected, deactivated …"""
        if not self._is_over:
            self._notify(body, content_type, f"terminated;reason={reason}", now)
            self._over(reason)

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

    def _add_subscribe_headers(self, request: Request) -> None:
        request.headers.add("Event", self.event_value)
        request.headers.add("Accept", self._accept)
        request.headers.add("Expires", self.expires_s)

    def end(self, now: float) -> None:
        """Unsubscribe (§4.1.2.3)."""
        self.expires_s = 0
        self._refresh(now)

    def _refresh(self, now: float) -> None:
        if self.dialog is not None and not self._is_over:
            request = self.dialog.make_request("SUBSCRIBE", self._core.make_via(self.flow))
            self._add_subscribe_headers(request)
            self._core.send_request(request, self.flow, self, now)

    def receive_notify(self, transaction: Transaction, now: float) -> None:
        """A NOTIFY came (called by the endpoint); also the first one, which may come before the 200 (§4.1.2.4)."""
        request = transaction.request
        if self.dialog is None:
            self._adopt(Dialog.from_request(request, self._own_tag(), self.contact, self.flow))
        self._core.send_response(transaction, request.respond(200), now)
        if self._is_over:
            return
        self._core.emit(events.NotifyReceived(self, request))
        state = (request.headers.get("Subscription-State") or "").partition(";")
        if state[0].strip(" \t").lower() == "terminated":
            self._over(state[2].partition("reason=")[2].partition(";")[0] or "terminated")

    def _own_tag(self) -> str:
        assert self.request is not None
        return self.request.from_.tag

    def _adopt(self, dialog: Dialog) -> None:
        assert self.request is not None
        dialog.local_cseq = self.request.cseq.number
        dialog.remote_cseq = None
        self.dialog = dialog
        self._core.add_dialog(dialog, self)

    # ---- both

    def receive_request(self, transaction: Transaction, now: float) -> None:
        """A request inside the subscription's dialog (called by the endpoint)."""
        request = transaction.request
        try:
            if self.dialog is not None:
                self.dialog.check_request(request)
        except RemoteProtocolError as error:
            self._core.send_response(transaction, request.respond(error.status), now)
            return
        if request.method == "SUBSCRIBE" and self.is_notifier:
            self.receive_subscribe(transaction, now)
        elif request.method == "NOTIFY" and not self.is_notifier:
            self.receive_notify(transaction, now)
        else:
            self._core.send_response(transaction, request.respond(405, headers=[("Allow", "SUBSCRIBE, NOTIFY")]), now)

    def replace_transaction(self, old: Transaction, new: Transaction) -> None:
        """The SUBSCRIBE was sent again with credentials (called by the endpoint)."""
        if self.dialog is None and new.request.method == "SUBSCRIBE":
            self.request = new.request

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """The answer to our SUBSCRIBE or NOTIFY."""
        if response.status < 200:
            return
        challenged = response.status in (401, 407)
        if challenged and self._core.retry_with_credentials(transaction, response, self.credentials, now) is not None:
            return
        if response.status >= 300:
            self._over(f"{response.status} {response.reason}")
        elif transaction.request.method == "SUBSCRIBE":
            self._on_subscribed(transaction.request, response, now)

    def _on_subscribed(self, request: Request, response: Response, now: float) -> None:
        self.is_active = self.expires_s > 0
        if self.dialog is None:
            self._adopt(Dialog.from_response(request, response, self.contact, self.flow))
        else:
            self.dialog.refresh_target(response)
        granted = self.expires_s if response.expires is None else min(response.expires, self.expires_s)
        if granted:
            self._core.timers.start((self, "refresh"), now + max(1.0, granted * REFRESH_AT))

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """The peer is gone."""
        self._over("no answer")

    def flow_lost(self, now: float) -> None:
        """The connection that the subscription came over is gone."""
        self._over("the connection was lost")

    def handle_timer(self, name: str, now: float) -> None:
        """Time to refresh, or the subscriber did not."""
        if name == "refresh":
            self._refresh(now)
        else:
            self.terminate("timeout", now)

    def _over(self, reason: str) -> None:
        if self._is_over:
            return
        self._is_over, self.is_active = True, False
        self._core.timers.stop((self, "expire"))
        self._core.timers.stop((self, "refresh"))
        if self.dialog is not None:
            self._core.remove_dialog(self.dialog)
        self._core.emit(events.SubscriptionTerminated(self, reason))
