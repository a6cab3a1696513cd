"""The client's side of registration (RFC 3261 §10.2): a binding that refreshes itself until it is ended.

With an instance, it is one flow of that phone (RFC 5626 §4.2): `+sip.instance`, `reg-id`, and `ob` in the Contact.

Its flow is kept alive (RFC 5626 §4.4, `sip.keep_alive`); one that has failed, or has become another one, is registered again.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sip import events
from sip.auth import DigestClient
from sip.core import Core
from sip.errors import ParseError
from sip.flow import Flow
from sip.headers import NameAddr
from sip.keep_alive import KeepAlive
from sip.message import Response
from sip.transaction import Transaction
from sip.uri import Uri

REFRESH_AT = 0.85
"""Share of the granted time after which a binding is refreshed."""
FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 300.0
MOST_S = 86400
_SECONDS = re.compile(r"[0-9]{1,9}")


class Registration:
    """A binding of our contact at a registrar. `is_active` while it holds."""

    def __init__(self, core: Core, registrar: Uri, aor: NameAddr, contact: Uri, flow: Flow, credentials: DigestClient | None,
                 expires_s: int, keep_alive_s: float = 0.0, instance: str = "", reg_id: int = 1) -> None:
        self._core = core
        self.keep_alive = KeepAlive(core, self, keep_alive_s) if keep_alive_s else None
        self.registrar = registrar
        self.aor = aor
        self.contact = contact
        self.flow = flow
        self.credentials = credentials
        self.expires_s = expires_s
        self.is_active = False
        self._outbound = f';+sip.instance="<{instance}>";reg-id={reg_id}' if instance else ""
        self._is_ending = False
        self._was_too_brief = False
        self._call_id = ""
        self._cseq = 0
        self._retry_s = FIRST_RETRY_S
        self._transaction: Transaction | None = None

    def refresh(self, now: float) -> None:
        """Send a REGISTER now."""
        registrar = replace(self.registrar, user=None, headers="")           # §10.2: the domain alone
        request = self._core.make_request("REGISTER", registrar, self.aor, self.aor, self.flow, None)
        self._cseq += 1
        if self._call_id:
            request.headers.set("Call-ID", self._call_id)
        else:
            self._call_id = request.headers.get("Call-ID") or ""
        request.headers.set("CSeq", f"{self._cseq} REGISTER")
        contact = self.contact.with_parameter("ob") if self._outbound else self.contact
        request.headers.add("Contact", f"<{contact}>{self._outbound}")
        request.headers.add("Supported", "outbound, path" if self._outbound else "path")
        request.headers.add("Expires", 0 if self._is_ending else self.expires_s)
        self._transaction = self._core.send_request(request, self.flow, self, now)

    def unregister(self, now: float) -> None:
        """Remove the binding (RFC 3261 §10.2.2)."""
        self._is_ending = True
        self._stop_pings()
        self._core.timers.stop((self, "refresh"))
        self.refresh(now)

    def replace_transaction(self, old: Transaction, new: Transaction) -> None:
        """The REGISTER was sent again with credentials (called by the endpoint)."""
        self._cseq = new.request.cseq.number
        self._transaction = new

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """The registrar answered."""
        if response.status < 200 or transaction is not self._transaction:
            return
        if response.status in (401, 407) and self._core.retry_with_credentials(transaction, response, self.credentials, now):
            return
        least = _seconds(response.headers.get("Min-Expires"))
        if response.status == 423 and least > self.expires_s and not self._was_too_brief:
            self.expires_s, self._was_too_brief = least, True            # once: a registrar can't make us run in circles
            self.refresh(now)
            return
        if 200 <= response.status < 300:
            self._on_success(response, now)
        else:
            self._on_refused(response.status, response.reason, now, _seconds(response.headers.get("Retry-After")))

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """The registrar did not answer."""
        if transaction is self._transaction:
            self._on_refused(status, "no answer" if status == 408 else "the server can't be reached", now)

    def _on_success(self, response: Response, now: float) -> None:
        self._retry_s, self._was_too_brief = FIRST_RETRY_S, False
        granted = 0 if self._is_ending else _granted(response, self.contact, self.expires_s)
        self.is_active = granted > 0
        if granted:
            self._core.timers.start((self, "refresh"), now + max(1.0, granted * REFRESH_AT))
            if self.keep_alive is not None:
                self.keep_alive.start(now)
                if self.keep_alive.observe(response):
                    self._core.touch_flow(self.flow, now)
        self._core.emit(events.Registered(self, granted, response))

    def _on_refused(self, status: int, reason: str, now: float, retry_after_s: int = 0) -> None:
        self.is_active = self._was_too_brief = False
        self._stop_pings()
        if not self._is_ending and (status in (408, 480) or status >= 500):
            self._retry_later(now, retry_after_s)
        self._core.emit(events.RegistrationFailed(self, status, reason))

    def _retry_later(self, now: float, least_s: float = 0.0) -> None:
        self._core.timers.start((self, "refresh"), now + max(self._retry_s, least_s))
        self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)

    def flow_lost(self, now: float) -> None:
        """The connection that the registrar reaches us by is gone: register again over a new one (RFC 5626 §4.5)."""
        self._stop_pings()
        if self.is_active and not self._is_ending:
            self._retry_later(now)

    def move(self, flow: Flow, contact: Uri, now: float) -> None:
        """Register by another flow from now on: the next server of the domain (RFC 3263 §4.3)."""
        self._stop_pings()
        self.flow, self.contact, self._retry_s = flow, contact, FIRST_RETRY_S
        self.refresh(now)

    def on_flow_moved(self, now: float) -> None:
        """A NAT gave us another address (RFC 5626 §4.4.2): the registrar is told, and the peers of our calls."""
        self.refresh(now)
        self._core.touch_flow(self.flow, now)

    def on_flow_failed(self, now: float) -> None:
        """No ping is answered any more (RFC 5626 §4.4): register again, over a new connection where it was one."""
        self._core.close_flow(self.flow)
        if not self.flow.is_reliable and not self._is_ending:
            self.refresh(now)

    def _stop_pings(self) -> None:
        if self.keep_alive is not None:
            self.keep_alive.stop()

    def handle_timer(self, name: str, now: float) -> None:
        """Time to refresh, to try again, or to ping."""
        if name == "refresh":
            self.refresh(now)
        elif self.keep_alive is not None:
            self.keep_alive.handle_timer(name, now)


def _seconds(text: str | None) -> int:
    """A number of seconds of up to a day at the start of a header's value, 0 for what is none."""
    match = _SECONDS.match(text or "")
    return min(int(match[0]), MOST_S) if match else 0


def _granted(response: Response, contact: Uri, asked_s: int) -> int:
    """The seconds that the registrar granted to our contact (§10.2.4); a binding that can't be read is passed over."""
    for value in response.headers.get_all("Contact"):
        try:
            item = NameAddr.parse(value)
        except ParseError:
            continue
        if not item.is_wildcard and item.uri.matches(contact) and (granted := item.parameter("expires")) is not None:
            return min(_seconds(granted), asked_s)
    expires = response.headers.get("Expires")
    return asked_s if expires is None else min(_seconds(expires), asked_s)
