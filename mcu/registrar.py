"""The registrar (RFC 3261 §10.3): takes REGISTER, keeps bindings, answers with all of them. No query is on its way.

The guard has checked the password already, and that the account is the one that To names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcu.location import Located, LocationStore
from mcu.storage.base import Binding
from sip.errors import ParseError
from sip.flow import Flow
from sip.headers import NameAddr
from sip.message import Request

MAX_CONTACTS = 10
"""Phones of one person; more is an attack or a broken phone."""
MAX_EXPIRES_S = 3600
MIN_EXPIRES_S = 60
DEFAULT_EXPIRES_S = 3600


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer a REGISTER with."""

    status: int
    reason: str | None = None
    headers: tuple[tuple[str, object], ...] = ()


class Registrar:
    """Bindings for the accounts of one domain, kept in `store`."""

    def __init__(self, store: LocationStore) -> None:
        self.store = store

    def receive(self, request: Request, account: str, flow: Flow, wallclock: float) -> Answer:
        """Carry out an admitted REGISTER of an account. wallclock: seconds since 1970."""
        try:
            contacts = request.contacts
            default = DEFAULT_EXPIRES_S if request.expires is None else request.expires
            wanted = [(contact, _expires(contact, default)) for contact in contacts if not contact.is_wildcard]
        except ParseError as error:
            return Answer(400, str(error))
        self.expire(wallclock, account)
        if any(contact.is_wildcard for contact in contacts):
            return self._remove_all(request, account, wallclock)
        brief = [seconds for _, seconds in wanted if 0 < seconds < MIN_EXPIRES_S]
        if brief:
            return Answer(423, None, (("Min-Expires", MIN_EXPIRES_S),))
        known = {located.binding.contact: located.binding for located in self.store.get(account)}
        added = {str(contact.uri) for contact, seconds in wanted if seconds} - known.keys()
        if len(known) + len(added) > MAX_CONTACTS:
            return Answer(403, f"no more than {MAX_CONTACTS} phones for one account")
        for contact, _ in wanted:
            old = known.get(str(contact.uri))
            if old is not None and old.call_id == request.call_id and request.cseq.number <= old.cseq:
                return Answer(500, "an old CSeq")                     # §10.3 step 7
        for contact, seconds in wanted:
            self._bind(request, account, contact, seconds, flow, wallclock)
        return Answer(200, None, tuple(self._contacts(account, wallclock)))

    def _bind(self, request: Request, account: str, contact: NameAddr, seconds: int, flow: Flow, wallclock: float) -> None:
        if seconds == 0:
            self.store.remove(account, str(contact.uri))
            return
        instance = contact.parameter("+sip.instance")
        if instance:                      # the same phone with a new address takes the place of its old one (RFC 5626 §6)
            for located in self.store.get(account):
                if located.binding.instance == instance and located.binding.contact != str(contact.uri):
                    self.store.remove(account, located.binding.contact)
        self.store.put(Located(Binding(
            account, str(contact.uri), f"{flow.remote[0]}:{flow.remote[1]}", flow.transport, request.call_id,
            request.cseq.number, wallclock + min(seconds, MAX_EXPIRES_S), (request.headers.get("User-Agent") or "")[:128],
            instance,
        ), flow))

    def _remove_all(self, request: Request, account: str, wallclock: float) -> Answer:
        if len(request.contacts) != 1 or request.expires != 0:
            return Answer(400, "a Contact of * stands alone and with Expires: 0")
        for located in self.store.get(account):
            self.store.remove(account, located.binding.contact)
        return Answer(200, None, tuple(self._contacts(account, wallclock)))

    def _contacts(self, account: str, wallclock: float) -> Iterator[tuple[str, object]]:
        for located in self.store.get(account):
            left = max(1, round(located.binding.expires_at - wallclock))
            yield "Contact", f"<{located.binding.contact}>;expires={left}"

    def expire(self, wallclock: float, account: str | None = None) -> None:
        """Drop what has run out, of one account or of all."""
        for located in self.store.get(account) if account is not None else list(self.store.all()):
            if located.binding.expires_at <= wallclock:
                self.store.remove(located.binding.aor, located.binding.contact)

    def remove(self, account: str) -> None:
        """Drop all bindings of an account that was deleted."""
        for located in self.store.get(account):
            self.store.remove(account, located.binding.contact)


def _expires(contact: NameAddr, default: int) -> int:
    value = contact.parameter("expires")
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 10:
        return default
    return int(value)
