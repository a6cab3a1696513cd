"""The registrar (RFC 3261 §10.3): takes REGISTER, keeps bindings, answers with all of them. No query is on its way.

The guard has checked the password already, and that the account is the one that To names. Proxies on the way stand in Path
(RFC 3327); a phone may register several flows, told apart by reg-id (RFC 5626 §6).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mcu.location import Located, LocationStore
from mcu.storage.base import Binding
from sip.errors import ParseError
from sip.flow import Flow
from sip.grammar import quote
from sip.headers import NameAddr
from sip.message import Request
from sip.uri import Uri

MAX_CONTACTS = 10
"""Phones of one person; more is an attack or a broken phone."""
MAX_EXPIRES_S = 3600
MIN_EXPIRES_S = 60
DEFAULT_EXPIRES_S = 3600
LONGEST_PATH = 1024
"""Characters of a Path; a phone is behind one or two proxies."""
EXTENSIONS = frozenset(("path", "outbound"))
"""What a REGISTER may require of us."""
_NUMBER = re.compile(r"[0-9]{1,10}")


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
            path = [str(NameAddr.parse(value)) for value in request.headers.get_all("Path")]
        except ParseError as error:
            return Answer(400, str(error))
        if any(contact.uri.headers for contact, _ in wanted):             # a route of its own choice for all who call it
            return Answer(400, "a Contact has no headers in its URI")
        if len(", ".join(path)) > LONGEST_PATH:
            return Answer(400, "the Path is too long")
        is_outbound = any(_reg_id(request, contact) for contact, _ in wanted)
        if is_outbound and len(request.vias) > 1 and not (path and NameAddr.parse(path[-1]).uri.has_parameter("ob")):
            return Answer(439)                                             # RFC 5626 §6
        self.expire(wallclock, account)
        if any(contact.is_wildcard for contact in contacts):
            return self._remove_all(request, account, wallclock)
        brief = [seconds for _, seconds in wanted if 0 < seconds < MIN_EXPIRES_S]
        if brief:
            return Answer(423, None, (("Min-Expires", MIN_EXPIRES_S),))
        known = {located.binding.contact: located.binding for located in self.store.get(account)}
        wanted = [(_as_known(contact, known), seconds) for contact, seconds in wanted]
        kept = known.keys() - {old.contact for contact, _ in wanted for old in self._replaced(request, account, contact)}
        if len(kept | {str(contact.uri) for contact, seconds in wanted if seconds}) > MAX_CONTACTS:
            return Answer(403, f"no more than {MAX_CONTACTS} phones for one account")
        for contact, _ in wanted:
            old = known.get(str(contact.uri))
            if old is not None and _is_old(request, old):
                return Answer(500, "an old CSeq")                     # §10.3 step 7
        for contact, seconds in wanted:
            self._bind(request, account, contact, seconds, flow, wallclock, ", ".join(path))
        headers: list[tuple[str, object]] = list(self._contacts(account, wallclock))
        if "path" in request.supported:
            headers += [("Path", value) for value in path]                      # RFC 3327 §5.3
        if is_outbound:
            headers.append(("Require", "outbound"))
        return Answer(200, None, tuple(headers))

    def _bind(self, request: Request, account: str, contact: NameAddr, seconds: int, flow: Flow, wallclock: float,
              path: str) -> None:
        if seconds == 0:
            self.store.remove(account, str(contact.uri))
            return
        for old in self._replaced(request, account, contact):
            self.store.remove(account, old.contact)
        self.store.put(Located(Binding(
            account, str(contact.uri), f"{flow.remote[0]}:{flow.remote[1]}", flow.transport, request.call_id,
            request.cseq.number, wallclock + min(seconds, MAX_EXPIRES_S), (request.headers.get("User-Agent") or "")[:128],
            contact.parameter("+sip.instance"), _reg_id(request, contact), path,
        ), flow))

    def _replaced(self, request: Request, account: str, contact: NameAddr) -> list[Binding]:
        """The bindings whose place this one takes: those of the same phone, or of the same flow of it (RFC 5626 §6)."""
        instance, reg_id = contact.parameter("+sip.instance"), _reg_id(request, contact)
        olds = [located.binding for located in self.store.get(account)] if instance else []
        return [old for old in olds if old.instance == instance and old.contact != str(contact.uri)
                and (not reg_id or old.reg_id in (0, reg_id))]

    def _remove_all(self, request: Request, account: str, wallclock: float) -> Answer:
        if len(request.contacts) != 1 or request.expires != 0:
            return Answer(400, "a Contact of * stands alone and with Expires: 0")
        bindings = [located.binding for located in self.store.get(account)]
        if any(_is_old(request, binding) for binding in bindings):
            return Answer(500, "an old CSeq")                         # §10.3 step 6
        for binding in bindings:
            self.store.remove(account, binding.contact)
        return Answer(200, None, tuple(self._contacts(account, wallclock)))

    def _contacts(self, account: str, wallclock: float) -> Iterator[tuple[str, object]]:
        for located in self.store.get(account):
            left = max(1, round(located.binding.expires_at - wallclock))
            binding, ours = located.binding, ""
            if binding.instance:
                ours = f";+sip.instance={quote(binding.instance)}" + (f";reg-id={binding.reg_id}" if binding.reg_id else "")
            yield "Contact", f"<{binding.contact}>;expires={left}{ours}"

    def expire(self, wallclock: float, account: str | None = None) -> None:
        """Drop what has run out, of one account or of all."""
        for located in self.store.get(account) if account is not None else list(self.store.all()):
            if located.binding.expires_at <= wallclock:
                self.store.remove(located.binding.aor, located.binding.contact)

    def remove(self, account: str) -> None:
        """Drop all bindings of an account that was deleted."""
        for located in self.store.get(account):
            self.store.remove(account, located.binding.contact)


def _is_old(request: Request, binding: Binding) -> bool:
    """Whether a REGISTER was sent before the one that made a binding."""
    return binding.call_id == request.call_id and request.cseq.number <= binding.cseq


def _as_known(contact: NameAddr, known: Iterable[str]) -> NameAddr:
    """A Contact in the spelling of the binding that it means (§10.3 step 7, by the rules of §19.1.4)."""
    for spelling in known:
        uri = Uri.parse(spelling)
        if uri != contact.uri and uri.matches(contact.uri):
            return replace(contact, uri=uri)
    return contact


def _reg_id(request: Request, contact: NameAddr) -> int:
    """Which flow of a phone a Contact is, 0 where the phone has only one or does not know RFC 5626."""
    value = contact.parameter("reg-id") or ""
    is_flow = "outbound" in request.supported and contact.parameter("+sip.instance") and _NUMBER.fullmatch(value)
    return int(value) if is_flow else 0


def _expires(contact: NameAddr, default: int) -> int:
    value = contact.parameter("expires")
    return int(value) if value is not None and _NUMBER.fullmatch(value) else default
