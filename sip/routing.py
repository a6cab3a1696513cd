"""Where to send a request (RFC 3263 §4): questions to the name service, and out of the answers a list of destinations.

A `Lookup` says what it wants to know next (NAPTR, then SRV, then A and AAAA) and is told; nothing here asks anybody. A
numeric address asks nothing, a port in the URI skips NAPTR and SRV, a transport parameter skips NAPTR. The order is the
records' own: order and preference of NAPTR (RFC 3403 §4.1), priority and weight of SRV (RFC 2782), IPv6 and IPv4 as they were
answered. When a destination fails, or says 503, the next one is tried (§4.3). Left out: NAPTR rewriting by expressions, which
RFC 3263 does not use, and answers for responses (§5), which go back where their request came from.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from sip.errors import SipError
from sip.flow import Flow
from sip.uri import Uri

MAX_NAPTR = 6
MAX_SRV = 8
"""Servers of one name that are looked at; a domain has two or three."""
MAX_RECORDS = 64
"""SRV records of one name that are drawn from: no domain has more, and drawing takes time in their square."""
MAX_ADDRESSES = 8
MAX_DESTINATIONS = 16
"""What a request is sent to at most: with 32 s for each that is silent, more is no help."""
PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
_SERVICES = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS"}
_SRV_PREFIX = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp."}


class NoRoute(SipError):
    """A URI that leads nowhere; the text says why, for a person."""


@dataclass(frozen=True, slots=True)
class Question:
    """A name and the kind of record asked for: NAPTR, SRV, A or AAAA."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Naptr:
    """A NAPTR record (RFC 3403): which service the domain prefers, and where its SRV records are."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """An SRV record (RFC 2782). A target of "." says that there is no such service."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Host:
    """An A or AAAA record: an IP address in text form."""

    address: str


Record = Naptr | Srv | Host
Answers = Mapping[Question, Iterable[Record]]
"""What the name service said; a question without records (or without an answer at all) may be left out."""
_Steps = Generator[tuple[Question, ...], Answers, list["Destination"]]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request may go: transport (UDP, TCP or TLS), IP address, port."""

    transport: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport} {host}:{self.port}"


class Lookup:
    """The way to a URI, found step by step: while there are `questions`, answer them; then `destinations` is the result.

    transports: those that we speak, in our order of preference; families: A and AAAA, or one of the two; chance: draws among
    SRV records of one priority. Raises NoRoute for a URI that no answer could help, and from `receive_answers` when the
    answers lead nowhere.
    """

    def __init__(self, uri: Uri, *, transports: tuple[str, ...] = ("UDP", "TCP"), families: tuple[str, ...] = ("A", "AAAA"),
                 chance: random.Random | None = None) -> None:
        self.destinations: tuple[Destination, ...] = ()
        self.questions: tuple[Question, ...] = ()
        self._uri = uri
        self._families = families
        self._chance = chance or random.Random()
        self._transports = _usable(uri, transports)
        self._steps = self._plan()
        self._advance(None)

    def receive_answers(self, answers: Answers) -> None:
        """The answers to all `questions`. Raises NoRoute when nothing more can be asked and nothing was found."""
        self._advance(answers)

    def _advance(self, answers: Answers | None) -> None:
        try:
            self.questions = next(self._steps) if answers is None else self._steps.send(answers)
        except StopIteration as done:
            self.questions = ()
            found: list[Destination] = done.value
            self.destinations = tuple(dict.fromkeys(found))[:MAX_DESTINATIONS]
            if not self.destinations:
                raise NoRoute(f"there is no way to {self._uri.host}: its name leads to no address") from None

    # ---- the plan (RFC 3263 §4.1, §4.2)

    def _plan(self) -> _Steps:
        uri = self._uri
        host = (uri.parameter("maddr") or uri.host).rstrip(".").lower()
        first = self._transports[0]
        named = uri.parameter("transport") is not None
        if (address := _numeric(host)) is not None:
            return [Destination(first, address, uri.port or PORTS[first])]
        if uri.port is not None:
            return (yield from self._addresses(first, ((host, uri.port),)))
        if not named and (found := (yield from self._by_naptr(host))):
            return found
        for transport in self._transports:
            servers = yield from self._servers(_SRV_PREFIX[transport] + host)
            if servers is None:
                continue
            return (yield from self._addresses(transport, servers))
        return (yield from self._addresses(first, ((host, PORTS[first]),)))

    def _by_naptr(self, host: str) -> _Steps:
        question = Question("NAPTR", host)
        answers = yield (question,)
        records = [record for record in answers.get(question, ()) if isinstance(record, Naptr)]
        known = [record for record in records
                 if record.flags.lower() == "s" and _SERVICES.get(record.service.upper()) in self._transports]
        found: list[Destination] = []
        for record in sorted(known, key=lambda one: (one.order, one.preference))[:MAX_NAPTR]:
            servers = yield from self._servers(record.replacement)
            if servers:
                found += yield from self._addresses(_SERVICES[record.service.upper()], servers)
        return found

    def _servers(self, name: str) -> Generator[tuple[Question, ...], Answers, tuple[tuple[str, int], ...] | None]:
        """(name, port) of each server of a service in the order to try; None when the name has no SRV records at all."""
        question = Question("SRV", name.rstrip(".").lower())
        answers = yield (question,)
        records = [record for record in answers.get(question, ()) if isinstance(record, Srv)]
        if not records:
            return None
        usable = [record for record in records if record.target.rstrip(".") and 0 < record.port <= 65535]
        nearest = sorted(usable, key=lambda record: record.priority)[:MAX_RECORDS]
        ordered = order_servers(nearest, self._chance)[:MAX_SRV]
        return tuple((record.target.rstrip(".").lower(), record.port) for record in ordered)

    def _addresses(self, transport: str, servers: tuple[tuple[str, int], ...]) -> _Steps:
        names = dict.fromkeys(name for name, _ in servers if _numeric(name) is None)
        questions = tuple(Question(kind, name) for name in names for kind in self._families)
        answers = (yield questions) if questions else {}
        found: list[Destination] = []
        for name, port in servers:
            if (address := _numeric(name)) is not None:
                found.append(Destination(transport, address, port))
            for kind in self._families:
                records = [one for one in answers.get(Question(kind, name), ()) if isinstance(one, Host)][:MAX_ADDRESSES]
                found += [Destination(transport, address, port) for one in records
                          if (address := _numeric(one.address)) is not None and (":" in address) == (kind == "AAAA")]
        return found


def contact_over(flow: Flow, contact: Uri) -> Uri:
    """A contact of ours as it stands in a request over another flow: the transport follows."""
    if contact.scheme == "sips":
        return contact
    kept = tuple(item for item in contact.parameters if item[0] != "transport")
    return replace(contact, parameters=kept if flow.transport == "UDP" else (*kept, ("transport", flow.transport.lower())))


def own_contact_over(flow: Flow, user: str | None, host: str, *, is_secure: bool = False) -> Uri:
    """Where requests reach us over a flow. is_secure: in a dialog made by sips:, which asks for it (RFC 3261 §12.1.1)."""
    if is_secure:
        return Uri("sips", user, host, flow.local[1])
    transport = "ws" if flow.transport == "WSS" else flow.transport.lower()         # RFC 7118 §5.2 has one name for both
    return Uri("sip", user, host, flow.local[1], () if transport == "udp" else (("transport", transport),))


def asks_for_tls(uri: Uri, spoken: str) -> bool:
    """Whether a request to this URI may go by TLS alone. spoken: our transport where the URI names none."""
    return uri.scheme == "sips" or (uri.parameter("transport") or spoken).upper() == "TLS"


def order_servers(records: Iterable[Srv], chance: random.Random) -> list[Srv]:
    """SRV records in the order to try: by priority, and among equals drawn by weight (RFC 2782, usage of weight)."""
    ordered: list[Srv] = []
    waiting = list(records)
    for priority in sorted({record.priority for record in waiting}):
        pool = sorted((one for one in waiting if one.priority == priority), key=lambda one: one.weight > 0)
        while pool:
            point, passed = chance.randint(0, sum(one.weight for one in pool)), 0
            for one in pool:
                passed += one.weight
                if passed >= point:
                    break
            pool.remove(one)
            ordered.append(one)
    return ordered


def _usable(uri: Uri, spoken: tuple[str, ...]) -> tuple[str, ...]:
    """The transports that may carry a request to this URI. Raises NoRoute when we speak none of them."""
    if not uri.is_sip:
        raise NoRoute(f"{uri.scheme}: addresses can't be called from here; a sip: address was expected")
    wanted = (uri.parameter("transport") or "").upper()
    if uri.scheme == "sips" or wanted == "TLS":
        allowed: tuple[str, ...] = ("TLS",) if wanted in ("", "TCP", "TLS") else ()
    elif wanted:
        allowed = (wanted,)
    elif _numeric(uri.parameter("maddr") or uri.host) is not None or uri.port is not None:
        allowed = ("UDP",) if "UDP" in spoken else spoken               # RFC 3263 §4.1
    else:
        allowed = spoken
    usable = tuple(transport for transport in allowed if transport in spoken and transport in PORTS)
    if not usable:
        raise NoRoute(f"{uri.host} asks for {wanted or 'TLS'}, but only {' and '.join(spoken)} are spoken here")
    return usable


def _numeric(host: str) -> str | None:
    """An IP address as it is written by the system, None for a name."""
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        return None
