"""Single requests: how they are made (RFC 3261 §8.1.1), and who is told of the response (§8.1.3, §22 for challenges)."""

from __future__ import annotations

from sip import events
from sip.auth import DigestClient
from sip.core import Core
from sip.dialog import Dialog
from sip.flow import Flow
from sip.headers import HeaderList, Headers, NameAddr
from sip.message import Request, Response
from sip.transaction import Transaction
from sip.uri import Uri


def request_outside_dialog(core: Core, method: str, target: Uri, from_: NameAddr, to: NameAddr, flow: Flow,
                           contact: Uri | None) -> Request:
    """A request outside of a dialog (§8.1.1), with a tag and a Call-ID of its own."""
    headers = Headers()
    headers.add("Via", core.make_via(flow))
    headers.add("Max-Forwards", 70)
    headers.add("From", from_.with_tag(core.token()))
    headers.add("To", to)
    headers.add("Call-ID", core.token(12))
    headers.add("CSeq", f"1 {method}")
    if contact is not None:
        headers.add("Contact", f"<{contact}>")
    return Request(method, target, headers)


def write_content(request: Request, headers: HeaderList, body: bytes, content_type: str | None) -> None:
    """What the user adds to a request: header fields, and a body, which is plain text unless it says another type."""
    for name, value in headers:
        request.headers.add(name, value)
    if body:
        request.headers.add("Content-Type", content_type or "text/plain")
        request.body = body


class Quiet:
    """The owner of a request whose response tells nothing (CANCEL, PRACK): it answers challenges, no more.

    dialog: that the request is sent in, whose CSeq goes on when it is sent again with credentials.
    """

    def __init__(self, core: Core, credentials: DigestClient | None = None, dialog: Dialog | None = None) -> None:
        self.dialog = dialog
        self._core = core
        self._credentials = credentials

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """Answer a challenge."""
        if response.status in (401, 407):
            self._core.retry_with_credentials(transaction, response, self._credentials, now)

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """Nothing to do."""


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
