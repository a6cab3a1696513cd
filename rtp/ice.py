"""ICE, the lite side (RFC 8445 §2.5, §7.3, §8; RFC 8839): answers connectivity checks, and notices consent (RFC 7675).

    ice = IceLite(os.urandom)
    ice.set_remote(remote)                                     # RemoteIce.of(session, media), when the SDP brings it
    reply = ice.receive(data, source, component, now)          # what RFC 7983 sorts as STUN; send the reply to `source`
    ice.next_event()                                           # PairSelected, ConsentLost
    ice.selected_address(1)

A lite agent sends no checks: the peer is full and controls, pairs what it can reach, and nominates. Nothing is answered but
checks with our ufrag and a MESSAGE-INTEGRITY made with our password (RFC 8489 §9.1.3 has 400 and 401 for the others; silence
tells a stranger less). A valid check from an address that no candidate names makes a peer-reflexive one (RFC 8445 §7.3.1.3).
Trickling (RFC 8838) needs nothing here, TCP candidates (RFC 6544) are passed over.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from rtp.errors import NegotiationFailed, ParseError
from rtp.sdp.model import Attribute, MediaDescription, SessionDescription
from rtp.stun import (
    BINDING,
    REQUEST,
    UNKNOWN_ATTRIBUTES,
    USERNAME,
    Message,
    binding_error,
    binding_success,
    check_fingerprint,
    check_integrity,
)

Address = tuple[str, int]
PRIORITY, USE_CANDIDATE, ICE_CONTROLLED, ICE_CONTROLLING = 0x0024, 0x0025, 0x8029, 0x802A
"""STUN attributes of RFC 8445 §16.1."""
MAX_CANDIDATES = 20
"""Of a stream; a laptop with three interfaces, a VPN and relays has about a dozen."""
MAX_PAIRS = 16
"""Addresses remembered from valid checks, each component."""
CONSENT_S = 30.0
"""RFC 7675 §5.1: who was not heard for so long wants nothing any more."""
HOST_TYPE_PREFERENCE = 126
"""RFC 8445 §5.1.2.2."""

_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}", re.A)
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}", re.A)
_CANDIDATE = re.compile(
    r"([A-Za-z0-9+/]{1,32}) +([0-9]{1,3}) +([A-Za-z0-9\-]{1,16}) +([0-9]{1,10}) +([!-~]{1,255}) +([0-9]{1,5}) +typ +"
    r"([A-Za-z0-9\-]{1,16})((?: +[!-~]{1,255} +[!-~]{1,255}){0,16}) *", re.A)


def is_blocked(host: str) -> bool:
    """Whether nothing may ever be sent to an address: none, multicast, broadcast, or no address at all. A server adds its own
    rules, about its loopback say, and gives the whole to `RemoteIce.of` and `IceLite`."""
    try:
        address = ip_address(host)
    except ValueError:
        return True
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return address.is_unspecified or address.is_multicast or (address.version == 4 and address.is_reserved)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transport address that a side can be reached at (RFC 8839 §5.1). `kind`: host, srflx, prflx or relay."""

    foundation: str
    component: int
    priority: int
    host: str
    port: int
    kind: str = "host"

    @classmethod
    def parse(cls, value: str) -> Candidate:
        """Read the value of an `a=candidate`. Raises ParseError, also for what we can't use: TCP, names, blocked addresses."""
        match = _CANDIDATE.fullmatch(value)
        if match is None:
            raise ParseError("candidate: foundation, component, transport, priority, address, port and type expected")
        component, priority, port = int(match[2]), int(match[4]), int(match[6])
        if match[3].upper() != "UDP":
            raise ParseError(f"candidate: transport {match[3]} is not spoken")
        if not (1 <= component <= 256 and 1 <= priority < 2**31 and 1 <= port <= 65535):
            raise ParseError("candidate: component, priority or port out of range")
        if is_blocked(match[5]):
            raise ParseError("candidate: an address expected that can be sent to")
        return cls(match[1], component, priority, match[5], port, match[7].lower())

    @classmethod
    def local(cls, host: str, port: int, component: int = 1, *, preference: int = 65535) -> Candidate:
        """A host candidate of ours (RFC 8445 §5.1.2.1). preference: among our addresses, 0 to 65535."""
        priority = HOST_TYPE_PREFERENCE << 24 | preference << 8 | 256 - component
        return cls(str(65536 - preference), component, priority, host, port)

    def __str__(self) -> str:
        return f"{self.foundation} {self.component} UDP {self.priority} {self.host} {self.port} typ {self.kind}"


@dataclass(frozen=True, slots=True)
class RemoteIce:
    """What a peer's SDP says of ICE for one stream."""

    ufrag: str
    password: str = field(repr=False)
    candidates: tuple[Candidate, ...] = ()
    is_lite: bool = False

    @classmethod
    def of(cls, session: SessionDescription, media: MediaDescription,
           blocked: Callable[[str], bool] = is_blocked) -> RemoteIce | None:
        """Read the lines of a stream, or of the session where it has none; None for a peer without ICE.

        Candidates that can't be used are passed over, those beyond MAX_CANDIDATES too. Raises NegotiationFailed for a ufrag or
        password out of bounds (RFC 8839 §5.4).
        """
        ufrag, password = _value(session, media, "ice-ufrag"), _value(session, media, "ice-pwd")
        if ufrag is None or password is None:
            return None
        if not _UFRAG.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
            raise NegotiationFailed("ice-ufrag takes 4 to 256 characters, ice-pwd 22 to 256")
        is_lite = any(name == "ice-lite" for name, _ in session.attributes)
        candidates = tuple(each for each in parse_candidates(media.values("candidate")) if not blocked(each.host))
        return cls(ufrag, password, candidates, is_lite)

    def names(self, host: str, port: int) -> bool:
        """Whether a candidate has this address. If the default one of c= and m= has not, somebody between has changed the SDP
        (ice-mismatch, RFC 8839 §4.2.4), and ICE is left for this stream."""
        return any((each.host, each.port) == (host, port) for each in self.candidates)


def parse_candidates(values: Iterable[str]) -> tuple[Candidate, ...]:
    """The candidates that can be used, at most MAX_CANDIDATES of the lines."""
    found: list[Candidate] = []
    for value in list(values)[:MAX_CANDIDATES]:
        try:
            found.append(Candidate.parse(value))
        except ParseError:
            continue
    return tuple(found)


@dataclass(frozen=True, slots=True)
class PairSelected:
    """Media of a component goes to this address from now on: the first with a valid check, then what the peer nominates."""

    component: int
    address: Address


@dataclass(frozen=True, slots=True)
class ConsentLost:
    """No valid check came from the selected address for CONSENT_S (RFC 7675 §5.1).

    It is told once. Phones from before RFC 7675 (baresip 1.0, linphone 5.1) send no checks once they have nominated, so what
    still comes as authentic media is for the caller to weigh before it stops sending.
    """

    component: int
    address: Address


IceEvent = PairSelected | ConsentLost


@dataclass(slots=True)
class IceCounters:
    """Checks answered, and what was dropped: no check, or a wrong integrity; `conflicts` were answered with 487."""

    answered: int = 0
    malformed: int = 0
    unauthorized: int = 0
    conflicts: int = 0


@dataclass(slots=True)
class _Component:
    """Addresses with valid checks and the time of the last, and which of them is nominated."""

    heard: dict[Address, float] = field(default_factory=dict)
    selected: Address | None = None
    has_nomination: bool = False
    is_silent: bool = False


class IceLite:
    """The lite agent of one stream. `ufrag` and `password` are ours, for the SDP.

    random: gives bytes fit for a password; components: 1, and 2 for RTCP without rtcp-mux; blocked: addresses that get nothing.
    """

    def __init__(self, random: Callable[[int], bytes], *, components: Sequence[int] = (1,),
                 blocked: Callable[[str], bool] = is_blocked) -> None:
        self.counters = IceCounters()
        self.remote: RemoteIce | None = None
        self._blocked = blocked
        self._random = random
        self._components = {component: _Component() for component in components}
        self._events: deque[IceEvent] = deque()
        self.restart()

    def restart(self) -> None:
        """New credentials (RFC 8445 §9). Media goes on to the address selected before, until another is nominated."""
        self.ufrag = b64encode(self._random(6)).decode()
        self.password = b64encode(self._random(18)).decode()
        for component in self._components.values():
            component.has_nomination = False
            component.heard = {address: heard for address, heard in component.heard.items() if address == component.selected}

    def set_remote(self, remote: RemoteIce, *, is_answer: bool = False) -> bool:
        """What the peer's SDP says; whether it restarts (RFC 8445 §9). After the restart in an offer of theirs, our answer
        carries new credentials, too; an answer to a restart of ours changes none."""
        before, self.remote = self.remote, remote
        is_restart = before is not None and (before.ufrag, before.password) != (remote.ufrag, remote.password)
        if is_restart and not is_answer:
            self.restart()
        return is_restart

    def attributes(self, candidates: Iterable[Candidate]) -> tuple[Attribute, ...]:
        """The lines of a stream of ours; `a=ice-lite` is the session's (RFC 8839 §5.3)."""
        lines = [("ice-ufrag", self.ufrag), ("ice-pwd", self.password)]
        return (*lines, *(("candidate", str(candidate)) for candidate in candidates), ("end-of-candidates", None))

    def receive(self, data: bytes, source: Address, component: int, now: float) -> bytes | None:
        """A STUN message on the socket of a component; the reply for its source, or None."""
        try:
            message = Message.parse(data)
            is_whole = check_fingerprint(data)
        except ParseError:
            is_whole = False
        if not is_whole or message.kind != REQUEST or message.method != BINDING or component not in self._components:
            self.counters.malformed += 1
            return None
        if not self._is_authorized(message, data) or self._blocked(source[0]):
            self.counters.unauthorized += 1
            return None
        return self._reply(message, source, component, now).encode(self.password.encode(), fingerprint=True)

    def selected_address(self, component: int = 1) -> Address | None:
        """Where media goes: the nominated address, or before that the one of the first valid check; None for nowhere yet."""
        return self._components[component].selected

    def is_valid(self, source: Address, component: int = 1) -> bool:
        """Whether a valid check came from an address: media from there is the peer's."""
        return source in self._components[component].heard

    def next_timer(self) -> float | None:
        """When the consent of a component ends, unless a check comes."""
        return min((end for each in self._components.values() if (end := _consent_end(each)) is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Notice the silence of selected addresses."""
        for number, component in self._components.items():
            end = _consent_end(component)
            if end is not None and component.selected is not None and now >= end:
                component.is_silent = True
                self._events.append(ConsentLost(number, component.selected))

    def next_event(self) -> IceEvent | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    def _is_authorized(self, message: Message, data: bytes) -> bool:
        """Short-term credentials: our ufrag before the colon, our password in the integrity (RFC 8445 §7.2.2, §7.3)."""
        name, colon, _ = (message.value(USERNAME) or b"").partition(b":")
        return bool(colon) and name == self.ufrag.encode() and check_integrity(data, self.password.encode())

    def _reply(self, message: Message, source: Address, component: int, now: float) -> Message:
        unknown = [kind for kind in message.unknown if kind not in (PRIORITY, USE_CANDIDATE)]
        if unknown:
            refusal = binding_error(message, 420, "Unknown Attribute")
            kept = tuple(each for each in refusal.attributes if each[0] != UNKNOWN_ATTRIBUTES)
            value = b"".join(kind.to_bytes(2) for kind in unknown)
            return Message(refusal.kind, refusal.method, refusal.transaction_id, (*kept, (UNKNOWN_ATTRIBUTES, value)))
        if message.value(ICE_CONTROLLED) is not None:
            self.counters.conflicts += 1
            return binding_error(message, 487, "Role Conflict")
        if len(message.value(PRIORITY) or b"") != 4:
            return binding_error(message, 400, "Bad Request")
        self._hear(source, component, message.value(USE_CANDIDATE) is not None, now)
        self.counters.answered += 1
        return binding_success(message, source)

    def _hear(self, source: Address, number: int, is_nominated: bool, now: float) -> None:
        """A valid check: consent, and with USE-CANDIDATE the choice of the address (RFC 8445 §7.3.1.5); a later one wins, as
        with peers that nominate aggressively, all pairs in turn."""
        component = self._components[number]
        component.heard[source] = now
        if source == component.selected:
            component.is_silent = False
        if len(component.heard) > MAX_PAIRS:
            del component.heard[min((at, each) for each, at in component.heard.items() if each != component.selected)[1]]
        if not is_nominated and (component.has_nomination or component.selected is not None):
            return
        component.has_nomination |= is_nominated
        if component.selected != source:
            component.selected, component.is_silent = source, False
            self._events.append(PairSelected(number, source))


def _consent_end(component: _Component) -> float | None:
    if component.selected is None or component.is_silent:
        return None
    return component.heard[component.selected] + CONSENT_S


def _value(session: SessionDescription, media: MediaDescription, name: str) -> str | None:
    found = media.value(name)
    return found if found is not None else next((value for key, value in session.attributes if key == name), None)
