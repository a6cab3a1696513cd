"""Who gets which call: events of the endpoint go to the registrar, to a focus, or to a service (RFC 3261 §8.2, RFC 4579).

The switchboard keeps what is alive: conferences by name, services, and which role a media room belongs to. Requests reach it
only after the guard has let them in.
"""

from __future__ import annotations

import functools
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcu.attempts import Attempts
from mcu.attendant import Attendant
from mcu.b2bua import Outside, UserCall
from mcu.conference import Refused
from mcu.dial_outs import DialOut
from mcu.dialplan import (
    SERVICES,
    Destination,
    Dialplan,
    Elsewhere,
    Factory,
    Nowhere,
    RoomCalled,
    Service,
    UserCalled,
    without_pin,
)
from mcu.focus import Focus
from mcu.happenings import InviteRequested
from mcu.leg import CallLeg
from mcu.location import Way, ways_to
from mcu.participant import Identity, clean_name
from mcu.placement import MemoryPlacement, RoomPlacement
from mcu.policy import Policy
from mcu.registrar import Registrar
from mcu.services import ServiceRole
from mcu.storage.base import Account, CallRecord, RoomRecord
from mcu.surroundings import Surroundings
from mcu.transfers import Transfers
from mcu.trunk import Prompt, Target, Trunk, Trunks
from mcu.watchers import is_conference_event
from sip import events
from sip.errors import ParseError
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Call
from sip.media_backend import MediaRefused
from sip.message import Request
from sip.settings import ASKS_FOR_PIN
from sip.subscription import Subscription
from sip.uri import Uri

log = logging.getLogger(__name__)

Role = Focus | ServiceRole | UserCall | Attendant
"""What a call can belong to."""
Phone = tuple[Way, NameAddr, Identity]
"""What to call: the way there, To, and whose it is."""
ALPHABET = "abcdefghjkmnpqrstuvwxyz"
"""Letters of the names of new meetings: none that is read as another."""
LEAST_PIN = 6
"""Digits of a PIN that finds its room by itself: whoever guesses tries all rooms at once."""
FAILURES_OF_ALL = 50
"""Wrong PINs within ten minutes from all callers of a provider, who can say of themselves what they like, or for one room: a
guesser with many addresses would take years for six digits."""
MAX_ASKED = 100
"""Callers whom a voice asks for a PIN at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of each the server takes on; more is refused. max_call_s: 0 for no limit."""

    max_calls: int = 2000
    max_calls_per_source: int = 1000
    max_rooms: int = 500
    max_call_s: float = 0.0
    max_members: int = 200
    grace_s: float = 60.0
    succession_s: float = 20.0


class Names(Protocol):
    """Accounts and permanent rooms (mcu.directory.Directory)."""

    def account(self, name: str) -> Account | None:
        """An account by name."""

    def room(self, name: str) -> RoomRecord | None:
        """A permanent room by name."""

    def rooms(self) -> list[RoomRecord]:
        """All permanent rooms."""


class Accounts(Protocol):
    """Who has proved to be whom (mcu.guard.Guard)."""

    def account_of(self, request: Request, flow: Flow) -> Account | None:
        """The account behind an admitted request."""


class Switchboard:
    """All roles of a server. is_open: anyone may call and create rooms."""

    def __init__(self, server: Surroundings, dialplan: Dialplan, names: Names, registrar: Registrar, limits: Limits, *,
                 is_open: bool, placement: RoomPlacement | None = None, trunks: Trunks | None = None) -> None:
        self.server = server
        self.trunks = trunks if trunks is not None else Trunks()
        self.foci: dict[str, Focus] = {}
        self.services: dict[str, ServiceRole] = {
            name: ServiceRole(name, kind, server) for name, kind in SERVICES.items()
        }
        self.user_calls: set[UserCall] = set()
        self.attendants: set[Attendant] = set()
        self.registrar = registrar
        self.accounts: Accounts | None = None
        self._dialplan = dialplan
        self._names = names
        self.limits = limits
        self._is_open = is_open
        self._placement = placement if placement is not None else MemoryPlacement()
        self._pins = Attempts()
        self._pins_of_all = Attempts(FAILURES_OF_ALL)
        self._sources: Counter[str] = Counter()
        self._probed: set[Call] = set()
        self._transfers = Transfers(self, is_open=is_open)
        self._incoming: dict[Call, tuple[str, float]] = {}          # in the order in which they came: whence, and since when
        self._is_limit_armed = False
        self._expected: dict[int, Callable[[int, str], None]] = {}

    # ---- events of the endpoint

    def receive_event(self, event: events.Event) -> None:
        """Hand an event to whom it belongs."""
        match event:
            case events.CallReceived():
                self._receive_call(event)
            case events.RequestReceived(transaction_id, request, flow):
                self._receive_request(transaction_id, request, flow)
            case events.SubscriptionReceived(subscription, request):
                self._receive_subscription(subscription, request)
            case events.SubscriptionRefreshed(subscription):
                if isinstance(subscription.data, Focus):
                    subscription.data.watchers.refresh(subscription)
            case events.SubscriptionTerminated(subscription, _):
                if isinstance(subscription.data, Focus):
                    subscription.data.watchers.drop(subscription)
            case events.ResponseReceived(request_id, response):
                self._answered(request_id, response.status, response.reason)
            case events.RequestFailed(request_id, status):
                self._answered(request_id, status, "no answer")
            case events.CallTerminated(call):
                self._forget(call)
                self._to_role(call, event)
            case events.ReferReceived(referral, call, refer_to, _, replaces, _):
                self._transfers.refer(referral, call, refer_to, replaces)
            case events.Registered() | events.RegistrationFailed():
                self.trunks.receive_event(event)
            case events.OfferRefused(call):
                self._to_role(call, event)
            case (events.OfferReceived(call) | events.AnswerReceived(call) | events.DialogRequestReceived(call)
                  | events.CallProgressed(call) | events.CallAnswered(call)):
                self._to_role(call, event)

    def _to_role(self, call: Call, event: events.Event) -> None:
        if isinstance(call.data, Focus | ServiceRole | UserCall | Attendant):
            call.data.receive_event(event)

    # ---- calls

    def _receive_call(self, event: events.CallReceived) -> None:
        call, request, now = event.call, event.request, self.server.now()
        source = call.flow.remote[0]
        if len(self._incoming) >= self.limits.max_calls or self._sources[source] >= self.limits.max_calls_per_source:
            call.reject(503, "too many calls just now", [("Retry-After", 10)], now=now)
            return
        self._incoming[call] = (source, now)
        self._sources[source] += 1
        identity = self._identify(request, call.flow)
        if event.replaces is not None:
            self._transfers.replace(event, event.replaces, identity)
            return
        log.info("call", extra={"from": identity.entity, "to": without_pin(request.uri), "source": str(call.flow)})
        incoming = self.trunks.called(request, call.flow) if identity.account is None else None
        if incoming is not None:
            self._receive_from_trunk(event, *incoming)
        else:
            self._connect(event, identity)
        if self.limits.max_call_s and not self._is_limit_armed:
            self._end_longest()

    def _end_longest(self) -> None:
        """Hang up on who has called for the longest time, and come back for the next one."""
        self._is_limit_armed = False
        now = self.server.now()
        for call, (_, since) in list(self._incoming.items()):
            if since + self.limits.max_call_s > now:
                self._is_limit_armed = True
                self.server.call_at(since + self.limits.max_call_s, self._end_longest)
                return
            call.hang_up(now, "the longest time for a call is over")

    def _connect(self, event: events.CallReceived, identity: Identity) -> None:
        call, request, now = event.call, event.request, self.server.now()
        destination = self._dialplan.resolve(request.uri)
        outside = self._outside(request.uri, destination) if identity.account is not None else None
        if outside is not None:
            self._call_outside(event, identity, *outside)
            return
        match destination:
            case Service(name, _):
                self.services[name].receive_call(event, identity)
            case Factory():
                self._new_meeting(event, identity)
            case RoomCalled(name, pin):
                self._enter(event, identity, name, pin)
            case UserCalled(name):
                self._call_user(event, identity, name)
            case Elsewhere(host):
                call.reject(404, f"this server does not know {host[:80]}", now=now)
            case Nowhere():
                call.reject(404, "nobody and no room has that name", now=now)

    def _receive_from_trunk(self, event: events.CallReceived, trunk: Trunk, target: Target) -> None:
        """A call of a provider: to a user, into a room, or to the voice that asks for a PIN."""
        identity = trunk.caller(event.request)
        match target:
            case UserCalled(name) if self._names.account(name) is not None:
                self._call_user(event, identity, name)
            case RoomCalled(name) if not self._wants_pin(name):
                self._enter(event, identity, name, None)
            case RoomCalled(name) | Prompt(name):
                self._ask_for_pin(event, identity, (f"{trunk.name} {identity.entity}", trunk.name), name, trunk.config.user)
            case UserCalled(name):
                log.warning("a number of a trunk leads nowhere", extra={"trunk": trunk.name, "user": name})
                event.call.reject(404, "nobody has that number", now=self.server.now())

    def _ask_for_pin(self, event: events.CallReceived, identity: Identity, counted_as: tuple[str, str], room: str | None,
                     number: str) -> None:
        """Let a voice ask the caller."""
        if len(self.attendants) >= MAX_ASKED:
            event.call.reject(503, "too many callers are being asked for a PIN just now", [("Retry-After", 30)],
                              now=self.server.now())
            return
        attendant = Attendant(identity, counted_as, room, self.server, self._enter_by_pin, self.attendants.discard)
        self.attendants.add(attendant)
        attendant.receive_call(event, number)

    def _wants_pin(self, room: str) -> bool:
        policy = self.foci[room].conference.policy if room in self.foci else self._policy_for(room)
        return policy is not None and policy.pin is not None

    def _enter_by_pin(self, attendant: Attendant, pin: str) -> Refused | None:
        """Bring a caller into the room with the PIN that they keyed."""
        now, (key, together) = self.server.now(), attendant.counted_as
        if self._pins.is_locked_out(key, now) or self._pins_of_all.is_locked_out(together, now):
            return Refused(403, "too many wrong PINs; try again in ten minutes")
        name = attendant.room or self._room_with_pin(pin)
        assert attendant.leg is not None
        refusal = Refused(404, "no room has that PIN") if name is None else self._adopt(attendant.leg, name, pin)
        if refusal is None:
            self._pins.succeed(key)
        elif refusal.status == 403 and "PIN" in refusal.reason:
            refusal = Refused(404, refusal.reason)
        if refusal is not None and refusal.status == 404:
            self._pins.fail(key, now)
            self._pins_of_all.fail(together, now)
        return refusal

    def _room_with_pin(self, pin: str) -> str | None:
        names = [room.name for room in self._names.rooms() if pin in (room.pin, room.host_pin) and room.pin]
        if len(names) > 1:
            log.warning("rooms have the same PIN, so callers of a trunk can't get in", extra={"rooms": ", ".join(names)})
        return names[0] if len(names) == 1 and len(pin) >= LEAST_PIN else None

    def adopt(self, leg: CallLeg, name: str, pin: str | None, tried_by: str) -> Refused | None:
        """Bring a leg of another role into a room; None, or why that can't be. tried_by: whose wrong PINs are counted."""
        key = f"{tried_by} {name}"
        if pin is not None and self._is_locked_out(key, name):
            return Refused(403, "too many wrong PINs; try again in ten minutes")
        refusal = self._adopt(leg, name, pin)
        self._count_pin(key, name, pin, refusal)
        return refusal

    def _adopt(self, leg: CallLeg, name: str, pin: str | None) -> Refused | None:
        focus = self.foci.get(name)
        if focus is None:
            policy = self._policy_for(name)
            if policy is None:
                return Refused(480, "that room is gone")
            try:
                focus = self._make_focus(name, policy)
            except MediaRefused as error:
                return Refused(error.status, error.reason)
        try:
            return focus.adopt(leg, pin)
        finally:
            focus.put_away_if_unused()

    def _count_pin(self, key: str, room: str, pin: str | None, refusal: Refused | None) -> None:
        if pin is not None and refusal is not None and refusal.status == 403 and "PIN" in refusal.reason:
            self._pins.fail(key, self.server.now())
            self._pins_of_all.fail(f"room {room}", self.server.now())
        elif pin is not None and refusal is None:
            self._pins.succeed(key)

    def _call_user(self, event: events.CallReceived, identity: Identity, name: str) -> None:
        callee = self._names.account(name)
        assert callee is not None
        self.registrar.expire(self.server.wallclock(), name)
        user_call = UserCall(event, identity, callee, self.server, self.user_calls.discard)
        self.user_calls.add(user_call)
        wanted = event.request.uri.parameter("gr")                              # one phone of theirs alone (RFC 5627 §5.1)
        phones = self.registrar.store.get(name)
        user_call.start([one for one in phones if not wanted or one.binding.instance == f"<{wanted}>"], callee)

    def _outside(self, uri: Uri, destination: Destination) -> tuple[Trunk, str] | None:
        """The provider and the number, where what was dialled is nobody and nothing of ours but may be called there."""
        match destination:
            case Nowhere():
                return self.trunks.for_number(uri)
            case RoomCalled(name) if name not in self.foci and self._names.room(name) is None:
                return self.trunks.for_number(uri)
            case Elsewhere(host) if any(host == trunk.domain.host for trunk in self.trunks.all):
                return self.trunks.for_number(uri)
        return None

    def _call_outside(self, event: events.CallReceived, identity: Identity, trunk: Trunk, number: str) -> None:
        if not trunk.ways or trunk.is_full:
            reason = "all lines to the telephone network are in use" if trunk.ways else "the provider can't be reached just now"
            event.call.reject(503, reason, [("Retry-After", 60)], now=self.server.now())
            return

        def ended(user_call: UserCall) -> None:
            trunk.calls.discard(user_call)
            self.user_calls.discard(user_call)

        user_call = UserCall(event, identity, Outside(number), self.server, ended)
        trunk.calls.add(user_call)
        self.user_calls.add(user_call)
        user_call.start_through(trunk)

    def _forget(self, call: Call) -> None:
        source, _ = self._incoming.pop(call, ("", 0.0))
        if source:
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]

    def _identify(self, request: Request, flow: Flow) -> Identity:
        account = self.accounts.account_of(request, flow) if self.accounts is not None else None
        shown = clean_name(request.from_.display_name)
        if account is not None:
            return Identity(f"sip:{account.name}@{self._dialplan.domain}", shown or account.display_name, account.name,
                            account.srtp)
        entity = f"sip:guest-{secrets.token_hex(4)}@{self._dialplan.domain}"
        return Identity(entity, shown or clean_name(request.from_.uri.user or "") or "Guest")

    def _new_meeting(self, event: events.CallReceived, identity: Identity) -> None:
        name = self._free_name()
        policy = Policy(self.limits.max_members, grace_s=self.limits.grace_s, guests_may_host=self._is_open,
                        succession_s=self.limits.succession_s)
        focus = self._open_focus(event.call, name, policy)
        if focus is not None:
            self._join(focus, event, identity, None, is_creator=True)

    def _enter(self, event: events.CallReceived, identity: Identity, name: str, pin: str | None) -> None:
        now, source = self.server.now(), f"{event.call.flow.remote[0]} {name}"
        if pin is not None and self._is_locked_out(source, name):
            event.call.reject(403, "too many wrong PINs; try again in ten minutes", now=now)
            return
        focus = self.foci.get(name)
        is_creator = focus is None
        if focus is None:
            policy = self._policy_for(name)
            if policy is None:
                event.call.reject(404, f"there is no room called {name}", now=now)
                return
            is_creator = not policy.is_permanent
            focus = self._open_focus(event.call, name, policy)
        if focus is None:
            return
        if pin is None and self._must_be_asked(focus, event, identity):
            self._ask_for_pin(event, identity, (source, f"room {name}"), name, name)
            focus.put_away_if_unused()
            return
        refusal = self._join(focus, event, identity, pin, is_creator=is_creator)
        self._count_pin(source, name, pin, refusal)

    def _must_be_asked(self, focus: Focus, event: events.CallReceived, identity: Identity) -> bool:
        """Whether only the PIN is missing, of a caller whose phone will not ask them for it."""
        if ASKS_FOR_PIN in event.request.supported or not focus.conference.policy.pin:
            return False
        source = event.call.flow.remote[0]
        return (focus.conference.check(identity, None, source) is not None
                and focus.conference.check(identity, focus.conference.policy.pin, source) is None)

    def _is_locked_out(self, key: str, room: str) -> bool:
        """Whether a caller, or all callers of a room, have tried too many PINs."""
        now = self.server.now()
        return self._pins.is_locked_out(key, now) or self._pins_of_all.is_locked_out(f"room {room}", now)

    def _join(self, focus: Focus, event: events.CallReceived, identity: Identity, pin: str | None, *,
              is_creator: bool) -> Refused | None:
        refusal = focus.receive_call(event, identity, pin=pin, is_creator=is_creator)
        if refusal is not None:
            focus.put_away_if_unused()
        return refusal

    def _open_focus(self, call: Call, name: str, policy: Policy) -> Focus | None:
        elsewhere = self._placement.claim(name)
        if elsewhere is not None:
            call.reject(302, None, [("Contact", f"<sip:{name}@{elsewhere}>")], now=self.server.now())
            return None
        try:
            return self._make_focus(name, policy)
        except MediaRefused as error:
            headers = [("Retry-After", 60)] if error.status == 503 else []
            call.reject(error.status, error.reason, headers, now=self.server.now())
            return None

    def _make_focus(self, name: str, policy: Policy) -> Focus:
        """A conference that begins. Raises MediaRefused."""
        if self._placement.claim(name) is not None:
            raise MediaRefused("that room is open at another server", 480)
        try:
            if len(self.foci) >= self.limits.max_rooms:
                raise MediaRefused("too many rooms are open just now", 503)
            focus = Focus(name, policy, self.server, self._closed)
        except MediaRefused:
            self._placement.release(name)
            raise
        focus.conference.may_invite = self._may_invite
        self.foci[name] = focus
        return focus

    def _may_invite(self, target: str) -> bool:
        """Whether members may call somebody into their meeting: a user of ours, or with `--open` anyone."""
        try:
            return self._is_open or not isinstance(self._phones_at(target), Uri)
        except (LookupError, ValueError):
            return True                                                    # said in words when it is tried

    def _closed(self, focus: Focus) -> None:
        if self.foci.get(focus.name) is focus:
            del self.foci[focus.name]
            self._placement.release(focus.name)

    def _policy_for(self, name: str) -> Policy | None:
        record = self._names.room(name)
        if record is not None:
            return Policy(record.max_members, record.pin, record.host_pin, record.owner, is_permanent=True,
                          guests_may_host=self._is_open, srtp=record.srtp, succession_s=self.limits.succession_s,
                          lobby=record.lobby)
        if self._is_open or self.server.was_interrupted(name):
            return Policy(self.limits.max_members, grace_s=self.limits.grace_s, guests_may_host=self._is_open,
                        succession_s=self.limits.succession_s)
        return None

    def _free_name(self) -> str:
        while True:
            letters = "".join(secrets.choice(ALPHABET) for _ in range(10))
            name = f"{letters[:3]}-{letters[3:7]}-{letters[7:]}"
            if name not in self.foci and self._names.room(name) is None:
                return name

    def dial(self, room: str, target: str, by: str = "") -> DialOut:
        """Call a user's phones, or a SIP URI, into a room; what becomes of it is told there. by: who wants it.

        Raises LookupError, ValueError or MediaRefused, in words, when nobody can be called.
        """
        phones = self._phones_at(target)
        if room not in self.foci and self._policy_for(room) is None:
            raise LookupError(f"there is no room {room!r}")
        entry = self.server.dial_outs.begin(room, str(phones) if isinstance(phones, Uri) else target, by)
        try:
            if isinstance(phones, Uri):
                self._dial_out(room, phones, entry)
            else:
                self._dial_all(room, phones, entry)
        except (LookupError, ValueError, MediaRefused) as error:
            if not entry.calls:
                self.server.dial_outs.failed(entry, getattr(error, "status", 404), str(error))
            raise
        return entry

    def invite(self, room: str, event: InviteRequested) -> str:
        """Call somebody into a room, as its rules have decided; "", or why nobody could be called."""
        member = self.foci[room].members.get(event.by) if event.by is not None and room in self.foci else None
        try:
            self.dial(room, event.uri, "the operator" if member is None else member.leg.identity.display_name)
        except (LookupError, ValueError, MediaRefused) as error:
            reason = str(error.args[0] if error.args else error)
            log.warning("nobody could be called", extra={"room": room, "reason": reason})
            return reason
        return ""

    def cancel_dial(self, entry: DialOut) -> None:
        """Call somebody no longer."""
        for call in self.server.dial_outs.cancelled(entry):
            call.hang_up(self.server.now(), "not wanted any more", 487)

    def _dial_out(self, room: str, uri: Uri, entry: DialOut) -> None:
        """Call an address of somebody else's: at once where it is numeric, else when its name has been looked up."""
        to, identity = NameAddr(uri.without_parameters()), Identity(str(uri), clean_name(uri.user or "") or uri.host)
        is_later = False

        def found(flows: Sequence[Flow]) -> None:
            if not entry.is_pending:
                return
            alternatives = [flow for flow in flows[1:] if flow.local[0] == flows[0].local[0]]      # our SDP holds for those
            try:
                self._dial_all(room, [(Way(uri, flows[0], tuple(alternatives)), to, identity)], entry)
            except (LookupError, MediaRefused) as error:
                if not is_later:
                    raise
                failed(str(error))

        def failed(reason: str) -> None:
            if not is_later:
                raise ValueError(reason)
            log.warning("a call out of a room could not be made", extra={"room": room, "reason": reason})
            self.server.dial_outs.failed(entry, 404, reason)
            now = self.server.wallclock()
            self.server.keep_record(CallRecord(secrets.token_hex(12), room, None, str(to.uri), identity.display_name, "", "",
                                               "", now, ended_at=now, cause="rejected", status=404, reason=reason))

        self.server.look_up(uri, found, failed)
        is_later = True

    def _dial_all(self, room: str, phones: Iterable[Phone], entry: DialOut) -> None:
        focus = self.foci.get(room)
        if focus is None:
            policy = self._policy_for(room)
            if policy is None:
                raise LookupError(f"there is no room {room!r}")
            focus = self._make_focus(room, policy)
        try:
            for phone in phones:
                focus.dial(*phone, entry)
        finally:
            focus.put_away_if_unused()

    def _phones_at(self, target: str) -> list[Phone] | Uri:
        """The phones of a user of ours, or the address of somebody else."""
        if ":" in target or "@" in target:
            try:
                uri = Uri.parse(target if ":" in target.partition("@")[0] else f"sip:{target}")
            except ParseError as error:
                raise ValueError(str(error)) from None
            what = self._dialplan.resolve(uri)
            if not isinstance(what, UserCalled):
                return uri
            target = what.name
        account = self._names.account(target)
        if account is None:
            raise LookupError(f"there is no user {target!r}")
        self.registrar.expire(self.server.wallclock(), account.name)
        aor = NameAddr(Uri("sip", account.name, self._dialplan.domain), account.display_name)
        identity = Identity(str(aor.uri), account.display_name, account.name)
        ways = ways_to(self.registrar.store.get(account.name), self.server.flow_of)
        if not ways:
            raise LookupError(f"{account.name} has no phone registered")
        return [(way, aor, identity) for way in ways]

    # ---- other requests

    def _receive_request(self, transaction_id: int, request: Request, flow: Flow) -> None:
        if request.method == "REGISTER":
            account = self.accounts.account_of(request, flow) if self.accounts is not None else None
            if account is None:
                self.server.respond(transaction_id, 403)
                return
            if not self._dialplan.is_ours(request.to.uri.host):                # RFC 3261 §10.3 step 5
                self.server.respond(transaction_id, 404, "this server registers nobody of that domain")
                return
            before = {located.binding.phone: located.flow for located in self.registrar.store.get(account.name)}
            answer = self.registrar.receive(request, account.name, flow, self.server.wallclock())
            self.server.respond(transaction_id, answer.status, answer.reason, answer.headers)
            self._move_calls(account.name, before)
        elif request.method == "OPTIONS":
            self.server.respond(transaction_id, 200, None, (("Accept", "application/sdp"), ("Allow-Events", "conference")))
        else:
            self.server.respond(transaction_id, 403, f"{request.method} is taken inside a call only")

    def _move_calls(self, account: str, before: dict[tuple[str, int], Flow | None]) -> None:
        """Calls of a phone that has registered by another flow go on there: its NAT has changed, or its network."""
        ways: dict[Flow, Flow] = {}
        for located in self.registrar.store.get(account):
            old = before.get(located.binding.phone)
            if old is not None and located.flow is not None and located.flow != old:
                ways[old] = located.flow
        if not ways:
            return
        for leg in self.legs():
            way = ways.get(leg.call.flow) if leg.identity.account == account else None
            if way is not None:
                leg.move(way)
        for focus in self.foci.values():
            focus.watchers.move(ways)

    def _receive_subscription(self, subscription: Subscription, request: Request) -> None:
        now = self.server.now()
        if not is_conference_event(subscription):
            subscription.reject(489, now)
            return
        focus = self._focus_at(request)
        if focus is None:
            subscription.reject(480, now, "nobody is in that room")
            return
        owner = focus.member_from(request.from_.uri, subscription.flow)
        identity = self._identify(request, subscription.flow)
        if owner is None and not focus.may_look(identity):
            subscription.reject(403, now, "who is in that room is told to those who may enter it")
            return
        focus.watchers.receive(subscription, owner, focus)

    def _focus_at(self, request: Request) -> Focus | None:
        match self._dialplan.resolve(request.uri):
            case RoomCalled(name, _):
                return self.foci.get(name)
        return None

    # ---- what transfers ask (mcu.transfers.House), and the guard (mcu.guard.Knowledge)

    def destination(self, uri: Uri) -> Destination:
        """What answers at a URI."""
        return self._dialplan.resolve(uri)

    def has_room(self, name: str) -> bool:
        """Whether a room is open, or would be opened for who calls it."""
        return name in self.foci or self._policy_for(name) is not None

    def account(self, name: str) -> Account | None:
        """An account by name."""
        return self._names.account(name)

    def has_pin(self, room: str) -> bool:
        """Whether a room lets in who brings its PIN."""
        record = self._names.room(room)
        return record is not None and record.pin is not None

    def is_from_provider(self, request: Request, flow: Flow) -> bool:
        """Whether an INVITE comes from the provider of a trunk and calls a number of ours."""
        return self.trunks.called(request, flow) is not None

    def is_same_peer(self, account: str | None, known: Flow, flow: Flow) -> bool:
        """Whether who came over one flow is known to come over the other: a phone that registered by it, or a provider."""
        bindings = self.registrar.store.get(account) if account is not None else []
        if any(located.flow is not None and located.flow.remote[0] == flow.remote[0] for located in bindings):
            return True
        return any(trunk.is_from(known) and trunk.is_from(flow) for trunk in self.trunks.all)

    def is_member(self, request: Request, flow: Flow) -> bool:
        """Whether the sender's phone is in the conference that the request is for."""
        focus = self._focus_at(request)
        return focus is not None and focus.member_from(request.from_.uri, flow) is not None

    # ---- phones that say nothing

    def legs(self) -> Iterator[CallLeg]:
        """Every call that is up."""
        for focus in self.foci.values():
            yield from focus.legs
        for service in self.services.values():
            yield from service.legs
        for user_call in self.user_calls:
            yield from user_call.legs
        for attendant in self.attendants:
            yield from attendant.legs

    def probe_quiet_legs(self) -> None:
        """Ask the phones that send no media by right whether they are still there (an OPTIONS inside the dialog)."""
        for leg in list(self.legs()):
            if leg.is_silent_by_right and leg.call.is_up and leg.call not in self._probed:
                self._probed.add(leg.call)
                self.server.request(leg.call, "OPTIONS", functools.partial(self._judge_probe, leg.call))

    def _judge_probe(self, call: Call, status: int, reason: str) -> None:
        self._probed.discard(call)
        if status in (408, 481, 503):
            call.hang_up(self.server.now(), "the phone does not answer any more", 408)

    def expect(self, request_id: int, answered: Callable[[int, str], None]) -> None:
        """Hand the answer to a request of ours, its status and reason, to `answered`."""
        self._expected[request_id] = answered

    def _answered(self, request_id: int, status: int, reason: str) -> None:
        answered = self._expected.pop(request_id, None)
        if answered is not None:
            answered(status, reason)

    def silent(self, room_id: int, leg_id: int) -> None:
        """A leg whose phone should send has been silent too long: the phone is gone."""
        for leg in list(self.legs()):
            if leg.media.leg_id == leg_id:
                log.info("no media", extra={"call": leg.call.id})
                leg.call.hang_up(self.server.now(), "no media came any more", 408)

    def unprotected(self, leg_id: int, reason: str) -> None:
        """The handshake of a leg has failed: nothing can be said in that call."""
        for leg in list(self.legs()):
            if leg.media.leg_id == leg_id:
                log.info("no keys", extra={"call": leg.call.id, "reason": reason})
                leg.call.hang_up(self.server.now(), f"media can't be protected: {reason}", 488)

    def role_of(self, room_id: int) -> Role | None:
        """Whose media room that is."""
        return next((role for role in self._roles() if role.room_id == room_id), None)

    def _roles(self) -> list[Role]:
        return [*self.foci.values(), *self.services.values(), *self.user_calls, *self.attendants]

    def shut_down(self, reason: str) -> None:
        """Hang up on everybody."""
        for role in self._roles():
            role.shut_down(reason)
        self.trunks.stop()
