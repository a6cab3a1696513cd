"""A provider's trunk: our registration there, whose calls come in without a password, and what the called numbers mean.

We are the provider's customer: a user agent that registers (RFC 3261 §10.2) and is called at its Contact. A provider answers no
challenge of ours, so its calls are known by where they come from: the flow of our REGISTER, the addresses that its name stands
for, or networks of the configuration; and only numbers that the configuration names are let in that way. Our password is told
to nobody but the provider (its realm is the first that answers a REGISTER or INVITE of ours).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_network
from urllib.parse import unquote

from mcu.addresses import plain
from mcu.dialplan import RoomCalled, UserCalled
from mcu.leg import own_contact
from mcu.participant import Identity, clean_name
from mcu.surroundings import Surroundings
from mcu.trunk_config import ANY_NUMBER, TrunkConfig
from sip import events
from sip.auth import DigestClient
from sip.errors import ParseError
from sip.flow import Flow
from sip.headers import NameAddr
from sip.keep_alive import INTERVAL_S
from sip.message import Request
from sip.registration import Registration
from sip.uri import Uri

log = logging.getLogger(__name__)

LOOK_UP_EVERY_S = 300.0
"""How often the provider's name is looked up again: its addresses change, and calls are taken from them alone."""
EXPIRES_S = 3600
_SEPARATORS = re.compile(r"[-.() ]")
_DIGITS = re.compile(r"\+?[0-9]{1,32}")
_DIALLED = re.compile(r"\+?[0-9]{2,20}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A voice that asks for a PIN. room: the one that the PIN must be of, None for whichever has it."""

    room: str | None = None


Target = RoomCalled | UserCalled | Prompt
"""What a number of ours means."""


class TrunkState(Enum):
    """How we stand with a provider."""

    LOOKING = "looked up"
    REGISTERING = "registering"
    REGISTERED = "registered"
    UNREGISTERED = "not registered by us"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class Trunk:
    """One provider, as `config` has it."""

    def __init__(self, name: str, config: TrunkConfig, server: Surroundings, entropy: Callable[[int], bytes]) -> None:
        self.name = name
        self.config = config
        self.state = TrunkState.LOOKING
        self.reason = ""
        self.flows: Sequence[Flow] = ()
        self.registration: Registration | None = None
        self.expires_at = 0.0
        self.calls: set[object] = set()
        self.domain = Uri.parse(f"sip:{config.server}")
        self.aor = NameAddr(Uri("sip", config.user, self.domain.host, self.domain.port))
        self.credentials = DigestClient(config.user, config.password.get_secret_value(), entropy=entropy)
        self._server = server
        self._numbers = {canonical(number): _target(text) for number, text in config.numbers.items()}
        self._networks = [ip_network(text) for text in config.sources]
        self._untried: list[Flow] = []
        self._is_over = False

    # ---- our registration

    def start(self) -> None:
        """Look the provider up, and register; from then on all goes by itself."""
        self._look_up()

    def stop(self) -> None:
        """Take our registration back."""
        self._is_over = True
        if self.registration is not None and self.registration.is_active:
            self.registration.unregister(self._server.now())

    def _look_up(self) -> None:
        if self._is_over:
            return
        self._server.call_at(self._server.now() + LOOK_UP_EVERY_S, self._look_up)
        wanted = Uri("sip", None, self.domain.host, self.domain.port, (("transport", self.config.transport),))
        self._server.look_up(wanted, self._found, self._not_found)

    def _not_found(self, reason: str) -> None:
        if not self.flows:
            self._show(TrunkState.UNREACHABLE, reason)

    def _found(self, flows: Sequence[Flow]) -> None:
        if self._is_over:
            return
        self.flows, self._untried = flows, list(flows[1:])
        registration = self.registration
        if not self.config.registers:
            self._show(TrunkState.UNREGISTERED)
        elif registration is None:
            self._show(TrunkState.REGISTERING)
            self.registration = self._server.register(
                Uri("sip", None, self.domain.host, self.domain.port), self.aor, self._contact(flows[0]), flows[0],
                self.credentials, EXPIRES_S, INTERVAL_S)
        elif self.state is TrunkState.REFUSED or registration.flow.remote not in [flow.remote for flow in flows]:
            registration.move(flows[0], self._contact(flows[0]), self._server.now())

    def _contact(self, flow: Flow) -> Uri:
        return own_contact(flow, self.config.user, self._server.addresses)

    def receive_event(self, event: events.Registered | events.RegistrationFailed) -> None:
        """How our REGISTER fared."""
        match event:
            case events.Registered(_, expires_s, _) if expires_s:
                self._untried = [flow for flow in self.flows if flow.remote != event.registration.flow.remote]
                self.expires_at = self._server.wallclock() + expires_s
                self._show(TrunkState.REGISTERED)
            case events.Registered():
                self._show(TrunkState.UNREGISTERED)
            case events.RegistrationFailed(_, status, reason):
                self._failed(status, reason)

    def _failed(self, status: int, reason: str) -> None:
        self.expires_at = 0.0
        if self._is_over:
            return
        if status in (408, 503) and self._untried:
            flow = self._untried.pop(0)
            assert self.registration is not None
            self.registration.move(flow, self._contact(flow), self._server.now())
        elif status in (401, 407):
            self._show(TrunkState.REFUSED, "the provider does not take this user and password")
        elif status in (408, 503):
            self._show(TrunkState.UNREACHABLE, reason)
        else:
            self._show(TrunkState.REFUSED, f"{status} {reason}")

    def _show(self, state: TrunkState, reason: str = "") -> None:
        if (state, reason) == (self.state, self.reason):
            return
        self.state, self.reason = state, reason
        level = logging.WARNING if state in (TrunkState.REFUSED, TrunkState.UNREACHABLE) else logging.INFO
        log.log(level, "trunk", extra={"trunk": self.name, "state": state.value, "reason": reason})

    # ---- calls that come in

    def is_from(self, flow: Flow) -> bool:
        """Whether what came over a flow is the provider's."""
        registration = self.registration
        if registration is not None and registration.flow.went_by(flow):
            return True
        source = plain(flow.remote[0])
        if source is None:
            return False
        if any(source in network for network in self._networks):
            return True
        if source.is_loopback:                # everybody on this machine has that address: the port tells who it is
            return any(flow.remote == known.remote for known in self.flows)
        return any(source == plain(known.remote[0]) for known in self.flows)

    def named_target(self, request: Request) -> Target | None:
        """What the called number means: that of the request URI, else that of To; None where it is none of ours."""
        for uri in (request.uri, request.to.uri):
            target = self._numbers.get(canonical(_user(uri)))
            if target is not None:
                return target
        return None

    @property
    def other_target(self) -> Target | None:
        """What every other number means."""
        return self._numbers.get(ANY_NUMBER)

    def caller(self, request: Request) -> Identity:
        """Who calls, as the provider says (RFC 3325 where it does, else From); nobody with an account here."""
        who = request.from_
        for value in request.headers.get_all("P-Asserted-Identity")[:1]:
            try:
                asserted = NameAddr.parse(value)
            except ParseError:
                continue
            if who.uri.user != "anonymous":
                who = asserted
        number = clean_name(_user(who.uri)).replace("@", "")
        is_known = bool(_DIGITS.fullmatch(_SEPARATORS.sub("", number)))
        shown = clean_name(who.display_name) or (number if is_known else "") or "Anonymous"
        user = _SEPARATORS.sub("", number) if is_known else "anonymous"
        return Identity(f"sip:{user}@{self.domain.host_port}", shown)

    # ---- calls that go out

    def allows(self, number: str) -> bool:
        """Whether our users may call a number through this provider."""
        return bool(_DIALLED.fullmatch(number)) and number.startswith(self.config.dial_out)

    def uri_of(self, number: str) -> Uri:
        """A number as the provider is asked for it."""
        return Uri("sip", number, self.domain.host, self.domain.port)

    @property
    def ways(self) -> list[Flow]:
        """Where an INVITE goes: over the flow of our registration, or to its addresses; empty while none is known."""
        first = [self.registration.flow] if self.registration is not None else []
        flows = list(dict.fromkeys([*first, *self.flows]))
        return [flow for flow in flows if flow.local[0] == flows[0].local[0]]              # our SDP holds for those

    @property
    def is_full(self) -> bool:
        """Whether as many calls are going out as the configuration allows."""
        return len(self.calls) >= self.config.max_calls


class Trunks:
    """All providers of a server."""

    def __init__(self, trunks: Iterable[Trunk] = ()) -> None:
        self.all = list(trunks)

    def start(self) -> None:
        """Begin with all."""
        for trunk in self.all:
            trunk.start()

    def stop(self) -> None:
        """Take our registrations back."""
        for trunk in self.all:
            trunk.stop()

    def receive_event(self, event: events.Registered | events.RegistrationFailed) -> None:
        """An event of one of the registrations."""
        for trunk in self.all:
            if trunk.registration is event.registration:
                trunk.receive_event(event)

    def called(self, request: Request, flow: Flow) -> tuple[Trunk, Target] | None:
        """The provider that an INVITE comes from, and what it calls; None when it is to be treated like anybody's."""
        if not self.all:
            return None
        callers = [trunk for trunk in self.all if trunk.is_from(flow)]
        for trunk in callers:
            target = trunk.named_target(request)
            if target is not None:
                return trunk, target
        return next(((trunk, trunk.other_target) for trunk in callers if trunk.other_target is not None), None)

    def for_number(self, uri: Uri) -> tuple[Trunk, str] | None:
        """The provider through which a dialled number may be called, and the number; the first that isn't full."""
        number = dialled(uri)
        able = [trunk for trunk in self.all if trunk.allows(number)]
        trunk = next((one for one in able if not one.is_full), able[0] if able else None)
        return None if trunk is None else (trunk, number)


def canonical(number: str) -> str:
    """A number for comparison: without separators and without the mark of an international one (+ or 00)."""
    plain_number = _SEPARATORS.sub("", number)
    if not _DIGITS.fullmatch(plain_number):
        return number.lower()
    return plain_number[1:] if plain_number[0] == "+" else plain_number[2:] if plain_number[:2] == "00" else plain_number


def dialled(uri: Uri) -> str:
    """The number in what somebody dialled, without separators; empty where it is none."""
    number = _SEPARATORS.sub("", _user(uri))
    return number if _DIALLED.fullmatch(number) else ""


def _user(uri: Uri) -> str:
    """The user of a SIP URI, or the number of a tel URI (RFC 3966), without parameters."""
    return unquote((uri.user or "").partition(";")[0])


def _target(text: str) -> Target:
    kind, _, name = text.partition(":")
    return Prompt() if kind == "prompt" else RoomCalled(name) if kind == "room" else UserCalled(name)
