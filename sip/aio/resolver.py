"""Names looked up for RFC 3263 without holding up the loop: a `Resolver` Protocol, and the one that asks DNS (dnspython).

    destinations = await find(Uri.parse("sip:example.org"), DnsResolver())

Answers are kept as long as their TTL says, within bounds. Names of the hosts file go before DNS; names without a dot and
those of mDNS go to the system alone, and no service records are asked for them; `localhost` and `.invalid` are known without
asking (RFC 6761).
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver

from sip.routing import Destination, Host, Lookup, Naptr, NoRoute, Question, Record, Srv
from sip.uri import Uri

QUESTION_S = 2.0
"""For one question: some home routers drop what they don't know, such as NAPTR, and the way goes on without it."""
LOOKUP_S = 6.0
"""For all questions of one look-up."""
SHORTEST_S, LONGEST_S = 5.0, 3600.0
"""Bounds for what a TTL may say."""
NOTHING_S = 30.0
"""How long "there is none" is believed, and what the system says without a TTL."""
MAX_CACHED = 512
HOSTS_FILE = Path("/etc/hosts")
MAX_HOSTS_FILE = 1 << 20
log = logging.getLogger(__name__)


class LookupTimedOut(NoRoute):
    """The name service did not answer."""


class Unanswered(Exception):
    """A question got no answer: not even that there are no such records."""


class Resolver(Protocol):
    """Who can be asked for records."""

    async def ask(self, question: Question) -> Sequence[Record]:
        """The records, none when there are none. Raises Unanswered."""


async def find(uri: Uri, resolver: Resolver, *, transports: tuple[str, ...] = ("UDP", "TCP"),
               families: tuple[str, ...] = ("A", "AAAA"), chance: random.Random | None = None,
               limit_s: float = LOOKUP_S) -> tuple[Destination, ...]:
    """Where requests to a URI go, in order. limit_s: for all of it. Raises NoRoute in words, LookupTimedOut among them."""
    lookup = Lookup(uri, transports=transports, families=families, chance=chance)
    unanswered: list[Question] = []

    async def ask(question: Question) -> Sequence[Record]:
        try:
            return await resolver.ask(question)
        except Unanswered:
            unanswered.append(question)
            return ()

    try:
        async with asyncio.timeout(limit_s):
            while questions := lookup.questions:
                answers = await asyncio.gather(*(ask(question) for question in questions))
                lookup.receive_answers(dict(zip(questions, answers, strict=True)))
    except TimeoutError:
        raise LookupTimedOut(f"looking up {uri.host} took more than {limit_s:.0f} s") from None
    except NoRoute as error:
        if unanswered:
            raise LookupTimedOut(f"the name service did not answer when asked for {uri.host}") from error
        raise
    return lookup.destinations


class DnsResolver:
    """Asks DNS as the system is set up. Made and used inside one event loop.

    clock: monotonic seconds, for the cache; hosts: the hosts file; server: (address, port) of a name server in place of the
    system's own.
    """

    def __init__(self, clock: Callable[[], float] | None = None, *, hosts: Path = HOSTS_FILE,
                 server: tuple[str, int] | None = None) -> None:
        self._clock = clock or asyncio.get_running_loop().time
        self._hosts = hosts
        self._server = server
        self._cache: dict[Question, tuple[float, tuple[Record, ...]]] = {}

    async def ask(self, question: Question) -> Sequence[Record]:
        """See Resolver."""
        now = self._clock()
        known = self._cache.get(question)
        if known is not None and now < known[0]:
            return known[1]
        records, lifetime_s = await self._look_up(question)
        self._cache.pop(question, None)
        if len(self._cache) >= MAX_CACHED:                      # the oldest entry goes
            del self._cache[next(iter(self._cache))]
        self._cache[question] = (now + min(max(lifetime_s, SHORTEST_S), LONGEST_S), records)
        return records

    async def _look_up(self, question: Question) -> tuple[tuple[Record, ...], float]:
        kind, name = question.kind, question.name
        last = name.rpartition(".")[2]
        if last == "invalid" or (kind in ("NAPTR", "SRV") and _is_local(name)):
            return (), NOTHING_S
        if kind in ("A", "AAAA"):
            if last == "localhost":
                return (Host("127.0.0.1" if kind == "A" else "::1"),), LONGEST_S
            if listed := _listed(self._hosts, name, kind):
                return listed, SHORTEST_S
            if _is_local(name):
                return await _ask_system(name, kind), NOTHING_S
        return await self._ask_dns(question)

    async def _ask_dns(self, question: Question) -> tuple[tuple[Record, ...], float]:
        try:
            async with asyncio.timeout(QUESTION_S):
                answer = await self._stub().resolve(question.name, question.kind, lifetime=QUESTION_S, search=False,
                                                    raise_on_no_answer=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.YXDOMAIN):
            return (), NOTHING_S
        except (dns.exception.DNSException, OSError, TimeoutError, ValueError) as error:
            log.info("no answer from DNS", extra={"question": question.kind, "error": type(error).__name__})
            raise Unanswered from error
        if answer.rrset is None:
            return (), NOTHING_S
        records = tuple(record for item in answer.rrset if (record := _record_of(item)) is not None)
        return records, float(answer.rrset.ttl)

    def _stub(self) -> dns.asyncresolver.Resolver:
        """A resolver of dnspython; the system's configuration may change with the network, so it is read each time."""
        if self._server is None:
            return dns.asyncresolver.Resolver()
        stub = dns.asyncresolver.Resolver(configure=False)
        stub.nameservers, stub.port = [self._server[0]], self._server[1]
        return stub


class FixedResolver:
    """Answers from a table, for tests and for those who have no DNS: {("A", "example.org"): [Host("192.0.2.1")]}.

    `asked` holds each question in order; a name in `silent` gets no answer.
    """

    def __init__(self, zone: dict[tuple[str, str], list[Record]], silent: frozenset[str] = frozenset()) -> None:
        self.asked: list[Question] = []
        self._zone = zone
        self._silent = silent

    async def ask(self, question: Question) -> Sequence[Record]:
        """See Resolver."""
        self.asked.append(question)
        if question.name in self._silent:
            raise Unanswered
        return self._zone.get((question.kind, question.name), [])


def _is_local(name: str) -> bool:
    return "." not in name or name.endswith((".local", ".localhost"))


def _record_of(item: Any) -> Record | None:
    """A record of dnspython as one of ours."""
    match item.rdtype:
        case dns.rdatatype.A | dns.rdatatype.AAAA:
            return Host(str(item.address))
        case dns.rdatatype.SRV:
            return Srv(item.priority, item.weight, item.port, item.target.to_text())
        case dns.rdatatype.NAPTR:
            return Naptr(item.order, item.preference, item.flags.decode("ascii", "replace"),
                         item.service.decode("ascii", "replace"), item.replacement.to_text())
    return None


def _listed(file: Path, name: str, kind: str) -> tuple[Record, ...]:
    """The addresses of a name in the hosts file."""
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            text = lines.read(MAX_HOSTS_FILE)
    except OSError:
        return ()
    found: list[Record] = []
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if name in (one.lower().rstrip(".") for one in names) and (":" in address) == (kind == "AAAA"):
            found.append(Host(address))
    return tuple(found)


async def _ask_system(name: str, kind: str) -> tuple[Record, ...]:
    """What the system says to a name of the local network (mDNS, search domains). Raises Unanswered."""
    family = socket.AF_INET if kind == "A" else socket.AF_INET6
    try:
        async with asyncio.timeout(QUESTION_S):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, family=family, type=socket.SOCK_DGRAM)
    except TimeoutError as error:
        raise Unanswered from error
    except (OSError, UnicodeError):
        return ()
    return tuple(Host(str(item[4][0])) for item in found)
