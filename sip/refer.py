"""REFER at both ends (RFC 3515), with the subscription that it implies, or without (RFC 4488), and Referred-By (RFC 3892).

A `Referral` came to us in `ReferReceived`: the user accepts it, does what it asks, and tells how that fares. A `Reference` is
ours, made by `Call.refer` or `Endpoint.refer`; what the other end tells comes in `ReferProgressed`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sip import events
from sip.auth import DigestClient
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import ParseError
from sip.flow import Flow
from sip.headers import NameAddr
from sip.message import REASONS, Request, Response
from sip.replaces import Replaces
from sip.subscription import Subscription
from sip.timers import TIMER_C
from sip.transaction import Transaction
from sip.uri import Uri

PACKAGE = "refer"
SIPFRAG = "message/sipfrag;version=2.0"
_LINE_BREAKS = re.compile(r"[\r\n\x00]+")
_STATUS_LINE = re.compile(r"SIP/2\.0[ \t]+([1-6][0-9]{2})(?:[ \t]+([^\r\n]*))?", re.I)


class Referral:
    """A REFER that came in. `call` is the one in whose dialog it came, or None."""

    def __init__(self, core: Core, transaction: Transaction, call: object, dialog: Dialog | None, contact: Uri,
                 flow: Flow) -> None:
        request = transaction.request
        self._core = core
        self._transaction: Transaction | None = transaction
        self._contact = contact
        self._dialog = dialog or Dialog.from_request(request, core.token(), contact, flow)
        self._subscription: Subscription | None = None
        self._last = (100, REASONS[100])
        self._is_told = False
        self.call = call
        self.request = request
        values = request.headers.get_all("Refer-To")
        if len(values) != 1:
            raise ParseError("one Refer-To was expected")
        refer_to = NameAddr.parse(values[0])
        replaces = refer_to.uri.header("Replaces")
        self.replaces = None if replaces is None else Replaces.parse(replaces)
        self.method = (refer_to.uri.parameter("method") or "INVITE").upper()
        self.refer_to = replace(refer_to, uri=replace(refer_to.uri, headers=""))
        by = request.headers.get("Referred-By")
        self.referred_by = None if by is None else NameAddr.parse(by)

    @property
    def wants_reports(self) -> bool:
        """Whether the other end wants to be told (RFC 4488 §4)."""
        return (self.request.headers.get("Refer-Sub") or "").partition(";")[0].strip(" \t").lower() != "false"

    def accept(self, now: float, status: int = 202) -> None:
        """Take the REFER, and tell at once that it is under way (RFC 3515 §2.4.4). Twice is once."""
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        headers: list[tuple[str, object]] = [("Contact", f"<{self._contact}>")]
        if not self.wants_reports:
            headers.append(("Refer-Sub", "false"))
        response = self.request.respond(status, to_tag=self._dialog.local.tag, headers=headers)
        self._core.send_response(transaction, response, now)
        if not self.wants_reports:
            return
        first = self._dialog.referrals == 0
        self._dialog.referrals += 1
        self._subscription = Subscription(self._core, PACKAGE, self._dialog.flow, self._contact, is_notifier=True,
                                          shared=self._dialog)
        self._subscription.watcher = self
        event_id = None if first else str(self.request.cseq.number)
        self._subscription.begin(self.request, self._dialog, event_id, int(TIMER_C), now)
        self.refreshed(now)

    def reject(self, status: int, now: float, reason: str | None = None) -> None:
        """Refuse the REFER."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            self._core.send_response(transaction, self.request.respond(status, reason, to_tag=self._dialog.local.tag), now)

    def notify(self, status: int, now: float, reason: str | None = None) -> None:
        """Tell how it fares: the status of the request that was made for it. A final one ends the subscription."""
        if self._is_told or self._subscription is None:
            return
        self._last = (status, reason or REASONS.get(status, "Unknown"))
        self._is_told = status >= 200
        self.refreshed(now)

    def refreshed(self, now: float) -> None:
        """Tell the state as it is (called by the subscription too, when it is refreshed)."""
        subscription = self._subscription
        if subscription is None:
            return
        status, reason = self._last
        fragment = f"SIP/2.0 {status} {_LINE_BREAKS.sub(' ', reason)}\r\n".encode("utf-8", "surrogateescape")
        if status < 200:
            subscription.notify(fragment, SIPFRAG, now)
        else:
            subscription.terminate("noresource", now, fragment, SIPFRAG)

    def answered(self, response: Response, now: float) -> None:
        """Nothing: the REFER was not ours."""

    def notified(self, request: Request, now: float) -> None:
        """Nothing: we are the ones who tell."""

    def ended(self, reason: str, now: float) -> None:
        """Nobody wants to be told any more."""
        self._subscription = None


class Reference:
    """A REFER of ours. `status` is the newest that we were told of the request made for it, `is_over` when no more comes."""

    def __init__(self, core: Core, call: object, contact: Uri, flow: Flow, credentials: DigestClient | None) -> None:
        self._core = core
        self._subscription = Subscription(core, PACKAGE, flow, contact, is_notifier=False)
        self._subscription.credentials = credentials
        self._subscription.watcher = self
        self.call = call
        self.status = 0
        self.reason = ""
        self.is_over = False

    @property
    def subscription(self) -> Subscription:
        """The implied subscription."""
        return self._subscription

    def start(self, request: Request, dialog: Dialog | None, now: float) -> None:
        """Send it (called by the call or the endpoint)."""
        self._subscription.start_by_refer(request, dialog, now)

    def answered(self, response: Response, now: float) -> None:
        """The REFER was accepted or refused."""
        is_alone = (response.headers.get("Refer-Sub") or "").strip(" \t").lower() == "false"
        if not self.status or response.status >= 300:            # a NOTIFY may have overtaken it
            self._tell(response.status, response.reason, is_final=response.status >= 300 or is_alone)

    def refreshed(self, now: float) -> None:
        """Nothing: we are told, and do not tell."""

    def notified(self, request: Request, now: float) -> None:
        """The other end tells a status; what is no status line is passed over."""
        found = _STATUS_LINE.match(request.body.decode("utf-8", "replace").lstrip())
        if found is not None and not self.is_over:
            self._tell(int(found[1]), (found[2] or "").strip(), is_final=int(found[1]) >= 200)

    def ended(self, reason: str, now: float) -> None:
        """The subscription is over, with or without a final status."""
        if not self.is_over:
            self._tell(408 if not self.status else self.status, reason, is_final=True)

    def _tell(self, status: int, reason: str, *, is_final: bool) -> None:
        self.status, self.reason, self.is_over = status, reason, is_final
        self._core.emit(events.ReferProgressed(self, self.call, status, reason, is_final))  # type: ignore[arg-type]


def write_refer(request: Request, refer_to: Uri, referred_by: NameAddr | None, *, has_reports: bool) -> None:
    """The headers of a REFER (RFC 3515 §2.1, RFC 3892 §3, RFC 4488 §4)."""
    request.headers.add("Refer-To", f"<{refer_to}>")
    if referred_by is not None:
        request.headers.add("Referred-By", NameAddr(referred_by.uri, referred_by.display_name))
    if not has_reports:
        request.headers.add("Refer-Sub", "false")
