"""What calls, registrations and subscriptions ask of the endpoint that they live in (RFC 3261 §8, the core of a user agent)."""

from __future__ import annotations

from typing import Protocol

from sip.auth import DigestClient
from sip.dialog import Dialog
from sip.events import Event
from sip.flow import Flow
from sip.headers import NameAddr
from sip.message import Request, Response
from sip.settings import EndpointSettings
from sip.timers import Timers
from sip.transaction import Transaction
from sip.transactions import User
from sip.uri import Uri


class Core(Protocol):
    """The endpoint as its parts see it."""

    timers: Timers
    settings: EndpointSettings

    def emit(self, event: Event) -> None:
        """Queue an event for the user."""

    def transmit(self, data: bytes, flow: Flow) -> None:
        """Queue bytes for a flow."""

    def token(self, size: int = 8) -> str:
        """Fresh random text for tags, branches and Call-IDs."""

    def make_via(self, flow: Flow) -> str:
        """A Via of ours for a flow, with a new branch and rport."""

    def make_request(self, method: str, target: Uri, from_: NameAddr, to: NameAddr, flow: Flow, contact: Uri | None) -> Request:
        """A request outside of a dialog (§8.1.1) with a new Call-ID."""

    def send_request(self, request: Request, flow: Flow, owner: User, now: float, attempt: int = 1) -> Transaction:
        """Start a client transaction."""

    def retry_with_credentials(
        self, transaction: Transaction, response: Response, credentials: DigestClient | None, now: float,
    ) -> Request | None:
        """Answer a challenge: the request sent again with credentials, or None when that can't be (§22.2)."""

    def send_again(self, transaction: Transaction, request: Request, now: float, attempt: int = 1) -> Transaction:
        """Send a request that was refused once more, changed, with a new branch and the next CSeq (§8.1.3.5)."""

    def send_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """Answer through a server transaction."""

    def add_dialog(self, dialog: Dialog, owner: object) -> None:
        """Let requests of this dialog go to its owner."""

    def remove_dialog(self, dialog: Dialog, owner: object) -> None:
        """The owner has no more use for a dialog."""

    def touch_flow(self, flow: Flow, now: float) -> None:
        """Send a request inside each dialog that goes by a flow, so that the peer learns where we are now."""

    def close_flow(self, flow: Flow) -> None:
        """Have the connection closed that a flow goes by."""

    def forget_unconfirmed(self, owner: object) -> None:
        """A subscription that never got a dialog is over."""

    def abandon(self, transaction: Transaction) -> None:
        """Forget a transaction of which nothing is expected any more."""
