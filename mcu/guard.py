"""The first look at a stranger's request, without any state for it (RFC 3261 §8.2.7, §22): let in, challenged, or refused.

It is the endpoint's `admit`: what it refuses makes no transaction. Who calls is known by digest alone; a From that claims an
account of ours is challenged everywhere, also where guests are welcome, so that nobody can sit in a room under another's name.
An unknown name is challenged like a known one. Wrong passwords lock a name out for its source after ten failures.

It is the endpoint's `readmit`, too: a request in a dialog that comes from another host than its phone is taken when a
registration, a provider's address, or digest proves whose it is (RFC 3261 §26.1.4).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol
from urllib.parse import unquote

from mcu.attempts import Attempts
from mcu.dialplan import Dialplan, Elsewhere, RoomCalled, Service, UserCalled
from mcu.storage.base import Account
from sip.auth import NonceSource, ReplayGuard, make_challenge, parse_digest, verify
from sip.errors import ParseError
from sip.flow import Flow
from sip.invite import Call
from sip.message import Request, Response
from sip.settings import ASKS_FOR_PIN
from sip.subscription import Subscription
from sip.uri import Uri

log = logging.getLogger(__name__)


class Knowledge(Protocol):
    """What the guard asks the server."""

    def account(self, name: str) -> Account | None:
        """An account by name."""

    def has_pin(self, room: str) -> bool:
        """Whether a room lets in who brings its PIN."""

    def is_member(self, request: Request, flow: Flow) -> bool:
        """Whether a SUBSCRIBE comes from a phone that is in the conference which it asks about."""

    def is_from_provider(self, request: Request, flow: Flow) -> bool:
        """Whether an INVITE comes from the provider of a trunk and calls a number of ours."""

    def is_same_peer(self, account: str | None, known: Flow, flow: Flow) -> bool:
        """Whether who came over one flow is known to come over the other one: a registered phone, or a provider."""


class Guard:
    """Decides about requests outside of dialogs, and about those inside that come from elsewhere.

    realm: ours alone; entropy: n random bytes; wallclock: seconds since 1970, since nonces outlive a restart.
    """

    def __init__(self, dialplan: Dialplan, knowledge: Knowledge, *, realm: str, nonce_key: bytes, is_open: bool,
                 entropy: Callable[[int], bytes], wallclock: Callable[[], float]) -> None:
        self._dialplan = dialplan
        self._knowledge = knowledge
        self._realm = realm
        self._is_open = is_open
        self._entropy = entropy
        self._wallclock = wallclock
        self._nonces = NonceSource(nonce_key)
        self._replays = ReplayGuard()
        self._failures = Attempts()
        self._admitted: tuple[Request, Account] | None = None

    # ---- sip.refusals.Admission

    def admit(self, request: Request, flow: Flow, now: float) -> Response | None:
        """None: go on; else the refusal to send."""
        if request.method in ("OPTIONS", "BYE", "NOTIFY", "UPDATE", "INFO", "CANCEL"):
            return None
        if request.method == "SUBSCRIBE" and self._knowledge.is_member(request, flow):
            return None
        if request.method == "INVITE" and _credentials(request) is None and self._knowledge.is_from_provider(request, flow):
            return None                                            # a provider answers no challenge of ours
        claimed = self._claimed(request)
        if not self._needs_account(request, claimed):
            return None
        return self._check_credentials(request, flow, claimed, now)

    # ---- sip.refusals.Readmission

    def readmit(self, owner: Call | Subscription, request: Request, flow: Flow, now: float) -> Response | None:
        """None: it is the peer, at another address; else the refusal. An ACK can't be challenged, so it is refused."""
        dialog = owner.dialog_with(request.from_.tag)
        account = None if dialog is None else self._account_at(dialog.remote.uri)
        if (flow.is_protected or not owner.flow.is_protected) and self._knowledge.is_same_peer(account, owner.flow, flow):
            return None
        if account is None or request.method == "ACK":
            log.info("a request in somebody else's dialog", extra={"source": str(flow), "method": request.method})
            return self._refuse(request, 403, "this call is not yours")
        return self._check_credentials(request, flow, account, now)

    def account_of(self, request: Request, flow: Flow) -> Account | None:
        """Whose credentials an admitted request carries, None for a guest's."""
        admitted, self._admitted = self._admitted, None
        if admitted is not None and admitted[0] is request:                         # checked a moment ago
            return admitted[1]
        credentials = _credentials(request)
        if credentials is None:
            return None
        account = self._knowledge.account(credentials.get("username", "").lower())
        if account is None or credentials.get("realm") != self._realm:
            return None
        nonce = self._nonces.check(credentials.get("nonce", ""), flow.remote[0], self._wallclock())
        if nonce == "forged" or not _is_good(credentials, request, account):
            return None
        return account

    # ---- who needs an account

    def _claimed(self, request: Request) -> str | None:
        """The account that the sender says they are: To of a REGISTER, From of anything else."""
        if request.method != "REGISTER":
            return self._account_at(request.from_.uri)
        uri = request.to.uri
        return unquote(uri.user or "").lower() if uri.is_sip and self._dialplan.is_ours(uri.host) else None

    def _account_at(self, uri: Uri) -> str | None:
        user = unquote(uri.user or "").lower()
        is_ours = uri.is_sip and self._dialplan.is_ours(uri.host)
        return user if is_ours and self._knowledge.account(user) is not None else None

    def _needs_account(self, request: Request, claimed: str | None) -> bool:
        if claimed is not None or request.method != "INVITE":
            return True
        match self._dialplan.resolve(request.uri):
            case Elsewhere():
                return not self._is_open
            case RoomCalled(name, pin) if self._knowledge.has_pin(name):
                return pin is None and ASKS_FOR_PIN in request.supported and not self._is_open
            case UserCalled():
                return True
            case Service() | _:
                return not self._is_open

    # ---- credentials

    def _check_credentials(self, request: Request, flow: Flow, claimed: str | None, now: float) -> Response | None:
        credentials = _credentials(request)
        host = flow.remote[0]
        if credentials is None or credentials.get("realm") != self._realm:
            return self._challenge(request, host, claimed)
        name = credentials.get("username", "").lower()
        key = f"{host} {name}"
        if self._failures.is_locked_out(key, now):
            return self._refuse(request, 403, "too many wrong passwords; try again in ten minutes")
        nonce = self._nonces.check(credentials.get("nonce", ""), host, self._wallclock())
        if nonce == "forged":
            return self._challenge(request, host, claimed)
        account = self._knowledge.account(name)
        if account is None or not _is_good(credentials, request, account):
            self._failures.fail(key, now)
            log.info("wrong user name or password", extra={"source": host, "user": name[:64]})
            return self._challenge(request, host, claimed)
        if nonce == "stale" or not self._is_fresh(credentials):
            return self._challenge(request, host, claimed, stale=True)
        self._failures.succeed(key)
        if claimed is not None and claimed != name:
            return self._refuse(request, 403, "that name belongs to another account")
        self._admitted = request, account
        return None

    def _is_fresh(self, credentials: dict[str, str]) -> bool:
        if "qop" not in credentials:
            return True
        return self._replays.is_fresh(credentials["nonce"], credentials.get("nc", ""))

    def _challenge(self, request: Request, host: str, claimed: str | None, *, stale: bool = False) -> Response:
        account = self._knowledge.account(claimed) if claimed else None
        algorithm = account.algorithm_name if account is not None else "MD5"
        value = make_challenge(self._realm, self._nonces.make(host, self._wallclock()), algorithm, stale=stale)
        return request.respond(401, to_tag=self._entropy(8).hex(), headers=[("WWW-Authenticate", value)])

    def _refuse(self, request: Request, status: int, reason: str) -> Response:
        return request.respond(status, reason, to_tag=self._entropy(8).hex())


def _credentials(request: Request) -> dict[str, str] | None:
    for value in request.headers.get_lines("Authorization") or request.headers.get_lines("Proxy-Authorization"):
        try:
            return parse_digest(value)
        except ParseError:
            continue
    return None


def _is_good(credentials: dict[str, str], request: Request, account: Account) -> bool:
    """Right algorithm, right password."""
    named = credentials.get("algorithm", "MD5").upper()
    return named == account.algorithm_name and verify(credentials, request.method, account.ha1)
