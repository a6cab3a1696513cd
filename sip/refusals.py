"""Refusals without state (RFC 3261 §8.2, §8.2.7): what is wrong with a request is found before a transaction is made for it.

The same request gets the same refusal, with the same To tag, each time that it comes. What is sent in a dialog from a host
that isn't its peer's is refused, too, unless the user knows better (BYE, CANCEL and offers of somebody who listens: §26.1.4).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

from sip.core import Core
from sip.dialogs import Dialogs, Owner
from sip.errors import ParseError
from sip.flow import Flow
from sip.headers import HeaderList
from sip.invite import check_invite
from sip.message import Request, Response
from sip.replaces import OPTION as REPLACES
from sip.replaces import replaces_of
from sip.session_timer import is_too_small
from sip.settings import SDP
from sip.source import is_from_peer
from sip.transactions import Transactions

Admission = Callable[[Request, Flow, float], Response | None]
Readmission = Callable[[Owner, Request, Flow, float], Response | None]
"""Asked about a request in a dialog from another host than the peer's: None takes it, and the dialog moves there."""
_ONLY_IN_DIALOGS = frozenset(("BYE", "NOTIFY", "UPDATE", "INFO", "PRACK"))
_TARGETS = frozenset(("INVITE", "SUBSCRIBE", "NOTIFY", "UPDATE", "REGISTER"))
"""Methods whose Contact we use."""


class Refusals:
    """The checks of one endpoint. key: makes the tags, secret and random; `overload` is counted in `counters`."""

    def __init__(self, core: Core, transactions: Transactions, dialogs: Dialogs, counters: Counter[str], key: bytes) -> None:
        self._core = core
        self._transactions = transactions
        self._dialogs = dialogs
        self._counters = counters
        self._key = key
        self._allowed = frozenset(method.strip() for method in core.settings.allow.split(",")) | {"REGISTER", "ACK"}

    def make(self, request: Request, status: int, headers: HeaderList = ()) -> Response:
        """A refusal with the same To tag each time that the same request comes (§8.2.7)."""
        what = f"{request.call_id} {request.from_.tag} {request.cseq}".encode("utf-8", "surrogateescape")
        tag = hashlib.blake2s(what, key=self._key, digest_size=8).hexdigest()
        return request.respond(status, to_tag=tag, headers=headers)

    def check(self, request: Request, flow: Flow, now: float, admit: Admission | None,
              readmit: Readmission | None = None) -> Response | None:
        """A refusal, or None for a request that may go on.

        admit: asked about a stranger's request; readmit: about one in a dialog from another host, which is refused without it.

        Max-Forwards 0 is refused although §8.2 lets a UAS take it: behind us stands a B2BUA, where calls could go in circles.
        """
        settings = self._core.settings
        if request.method not in self._allowed:
            return self.make(request, 405, [("Allow", settings.allow)])
        if request.method == "CANCEL":
            return self._check_cancel(request, flow)
        if not request.uri.is_sip:
            return self.make(request, 416)
        if request.uri.scheme == "sips" and not flow.is_protected:          # somebody on the way broke the promise, §26.2.2
            return self.make(request, 403)
        if request.max_forwards == 0 and request.method != "OPTIONS":
            return self.make(request, 483)
        registrar = settings.registrar_supported if request.method == "REGISTER" else frozenset()
        unknown = sorted(request.require - settings.supported - registrar)
        if unknown:
            return self.make(request, 420, [("Unsupported", ", ".join(unknown))])
        if request.to.tag or request.method in _ONLY_IN_DIALOGS:
            return self._check_in_dialog(request, flow, now, readmit)
        if self._transactions.is_merged(request):
            return self.make(request, 482)
        if admit is not None and (refusal := admit(request, flow, now)) is not None:
            return refusal
        if len(self._transactions) >= settings.max_transactions or len(self._dialogs) >= settings.max_dialogs:
            return self._overload(request)
        return self._check_body(request) or self._check_replaces(request)

    def _check_cancel(self, request: Request, flow: Flow) -> Response | None:
        """A CANCEL can't be challenged (§22.1): it has to come from where its INVITE came from."""
        invite = self._transactions.find_invite(request)
        if invite is None:
            return self.make(request, 481)
        if invite.flow.remote[0] != flow.remote[0]:
            self._counters["foreign requests"] += 1
            return self.make(request, 403)
        return None

    def check_peer(self, owner: Owner, request: Request, flow: Flow, now: float,
                   readmit: Readmission | None) -> Response | None:
        """A refusal for a request in a dialog that another one than its peer may have sent."""
        dialog = owner.dialog_with(request.from_.tag)
        if dialog is None or is_from_peer(dialog, owner.flow, flow):
            return None
        refusal = self.make(request, 403) if readmit is None else readmit(owner, request, flow, now)
        if refusal is not None:
            self._counters["foreign requests"] += 1
        return refusal

    def _check_in_dialog(self, request: Request, flow: Flow, now: float, readmit: Readmission | None) -> Response | None:
        owner = self._dialogs.find(request)
        if owner is None:
            return self.make(request, 481)
        refusal = self.check_peer(owner, request, flow, now, readmit)
        if refusal is not None:
            return refusal
        if len(self._transactions) >= 2 * self._core.settings.max_transactions and request.method != "BYE":
            return self._overload(request)
        return self._check_body(request)

    def _overload(self, request: Request) -> Response:
        self._counters["overload"] += 1
        return self.make(request, 503, [("Retry-After", 5)])

    def _check_body(self, request: Request) -> Response | None:
        if request.method not in ("INVITE", "UPDATE", "PRACK"):
            return None
        try:
            check_invite(request)
        except ParseError as error:
            headers = [("Accept", SDP), ("Accept-Encoding", "identity")] if error.status == 415 else []
            return self.make(request, error.status, headers)
        least_s = self._core.settings.min_se_s
        if request.method != "PRACK" and is_too_small(request, least_s):
            return self.make(request, 422, [("Min-SE", least_s)])
        return None

    def _check_replaces(self, request: Request) -> Response | None:
        """RFC 3891 §3, for a user that acts on it."""
        if request.method != "INVITE" or REPLACES not in self._core.settings.supported:
            return None
        try:
            replaces = replaces_of(request)
        except ParseError as error:
            return self.make(request, error.status)
        if replaces is None:
            return None
        call = self._dialogs.find_call(replaces.dialog_id)
        if call is None or (not call.is_up and not call.is_outgoing):                     # none, or one that rings here
            return self.make(request, 481)
        if call.is_up and replaces.is_early_only:
            return self.make(request, 486)
        return None


def read_ahead(request: Request) -> None:
    """Parse what is used later, so that a fault is found while there is no state for the request. Raises ParseError."""
    _ = request.max_forwards, request.require, request.expires
    if request.method in _TARGETS:
        _ = request.contacts, request.record_routes
    if request.method in ("SUBSCRIBE", "NOTIFY"):
        _ = request.event
    if not request.call_id:
        raise ParseError("an empty Call-ID")
