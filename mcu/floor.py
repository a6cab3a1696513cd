"""The rules of the floors *screen* and *control* of one conference (RFC 4353 §3.4; states of RFC 8855 §4.1). Pure.

*Screen* goes to who asks first; others queue in the order of asking. *Control* is of the desktop that is being shared: its
owner is the chair, who is asked and grants or denies; the host may only take it away. Commands go in with their actor, a
verdict comes back, and events are drained with `next_event`. They open and close the gates of media and input
(`mcu.relay.gate`): whatever ends a grant, `FloorEnded` is the first event of it, and control ends before the screen. Time is
a number; `next_timer` says when `handle_timer` is wanted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum

from mcu.conference import Done, Refused
from mcu.participant import ParticipantId
from mcu.transmission import Medium
from sip.bfcp.attributes import Status


class FloorId(IntEnum):
    """The floors of a conference, numbered as in SDP and BFCP."""

    SCREEN = 1
    CONTROL = 2


MEDIA = {FloorId.SCREEN: Medium.SCREEN, FloorId.CONTROL: Medium.CONTROL}
"""What passes while a floor is held: `FloorGranted` and `FloorEnded` go to `Conference.let_pass` of its holder."""


@dataclass(frozen=True, slots=True)
class FloorSettings:
    """What a conference allows.

    may_all_share: anyone may ask for the screen floor, or hosts alone; is_control_allowed: desktops may be controlled at all;
    answer_s: how long an owner has to answer; idle_s: how long a controller may do nothing; max_requests: for each floor.
    """

    may_all_share: bool = True
    is_control_allowed: bool = True
    answer_s: float = 30.0
    idle_s: float = 300.0
    max_requests: int = 32


@dataclass(frozen=True, slots=True)
class FloorRequest:
    """A request and how it stands. queue_position: 1 is next, 0 is none; reason: of its end, for people."""

    id: int
    floor: FloorId
    participant: ParticipantId
    status: Status
    queue_position: int = 0
    info: str = ""
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end."""
        return self.status in (Status.DENIED, Status.CANCELLED, Status.RELEASED, Status.REVOKED)


@dataclass(frozen=True, slots=True)
class Grant:
    """Who has a floor. desktop: whose desktop may be controlled; expires_at: monotonic seconds, later with each input."""

    floor: FloorId
    request_id: int
    holder: ParticipantId
    desktop: ParticipantId | None = None
    expires_at: float | None = None


# ---- commands


@dataclass(frozen=True, slots=True)
class RequestFloor:
    """Ask for a floor, for oneself. info: why, for the chair to read."""

    floor: FloorId
    info: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseFloor:
    """Give back a floor of one's own, or withdraw the request."""

    request_id: int


@dataclass(frozen=True, slots=True)
class GrantFloor:
    """The chair says yes. The host may so hand the screen on over the head of its holder."""

    request_id: int


@dataclass(frozen=True, slots=True)
class DenyFloor:
    """The chair says no to a request that waits."""

    request_id: int
    reason: str = "denied"


@dataclass(frozen=True, slots=True)
class RevokeFloor:
    """The chair or the host takes a floor away from its holder."""

    request_id: int
    reason: str = "revoked"


@dataclass(frozen=True, slots=True)
class StopFloors:
    """The host ends everything on both floors at once."""

    reason: str = "stopped by the host"


Command = RequestFloor | ReleaseFloor | GrantFloor | DenyFloor | RevokeFloor | StopFloors


# ---- events and a verdict


@dataclass(frozen=True, slots=True)
class Requested:
    """The request has been taken, and stands so."""

    request: FloorRequest


@dataclass(frozen=True, slots=True)
class FloorGranted:
    """From now on, and not before, what the floor is for may pass: the holder's screen, or the controller's input."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class FloorEnded:
    """Nothing may pass any more. It comes before all other news of that end."""

    grant: Grant
    reason: str


@dataclass(frozen=True, slots=True)
class RequestChanged:
    """How a request stands now; tell who made it."""

    request: FloorRequest


@dataclass(frozen=True, slots=True)
class ChairAsked:
    """The owner of the desktop is to answer by then, monotonic seconds."""

    request: FloorRequest
    chair: ParticipantId
    answer_by: float


@dataclass(frozen=True, slots=True)
class FloorChanged:
    """Holder or queue of a floor changed; tell all who watch it."""

    floor: FloorId


Event = FloorGranted | FloorEnded | RequestChanged | ChairAsked | FloorChanged


class Floors:
    """Both floors of one conference. Only participants who have joined can ask for anything.

    may_ask: what the policy of the conference says of it, beside the settings.
    """

    def __init__(self, settings: FloorSettings) -> None:
        self.settings = settings
        self.may_ask: Callable[[FloorId, ParticipantId], bool] = lambda floor, participant: True
        self.members: set[ParticipantId] = set()
        self._requests: dict[int, FloorRequest] = {}
        self._grants: dict[FloorId, Grant] = {}
        self._answer_by: dict[int, float] = {}
        self._last_id = 0
        self._events: deque[Event] = deque()
        self._changed: set[FloorId] = set()

    # ---- what is

    def grant_of(self, floor: FloorId) -> Grant | None:
        """Who has a floor."""
        return self._grants.get(floor)

    def request(self, request_id: int) -> FloorRequest | None:
        """A request that has not ended."""
        return self._requests.get(request_id)

    def requests(self, floor: FloorId | None = None, participant: ParticipantId | None = None) -> tuple[FloorRequest, ...]:
        """The requests that have not ended, in the order of asking: of a floor, of a participant, or all."""
        return tuple(each for each in self._requests.values()
                     if floor in (None, each.floor) and participant in (None, each.participant))

    # ---- time and events

    def next_timer(self) -> float | None:
        """When `handle_timer` wants to be called."""
        ends = [grant.expires_at for grant in self._grants.values() if grant.expires_at is not None]
        return min([*ends, *self._answer_by.values()], default=None)

    def handle_timer(self, now: float) -> None:
        """Deny what the owner has not answered, revoke what lies idle."""
        control = self._grants.get(FloorId.CONTROL)
        if control is not None and control.expires_at is not None and control.expires_at <= now:
            self._end(control.request_id, Status.REVOKED, "no input for too long", now)
        for request_id in [key for key, due in self._answer_by.items() if due <= now]:
            self._end(request_id, Status.DENIED, "no answer", now)
        self._settle()

    def next_event(self) -> Event | None:
        """What happened, in order."""
        return self._events.popleft() if self._events else None

    # ---- coming and going, and input

    def join(self, participant: ParticipantId) -> None:
        """A participant is in the conference."""
        self.members.add(participant)

    def leave(self, participant: ParticipantId, now: float, reason: str = "left") -> None:
        """A participant is gone, or the connection by which they could be told: their floors are free, requests withdrawn."""
        self.members.discard(participant)
        self._withdraw(participant, reason, now)

    def lose_touch(self, participant: ParticipantId, now: float) -> None:
        """A participant is in the conference still, but can't be reached by floor control any more."""
        self._withdraw(participant, "connection lost", now)

    def _withdraw(self, participant: ParticipantId, reason: str, now: float) -> None:
        holds = [self._grants[floor] for floor in (FloorId.CONTROL, FloorId.SCREEN)
                 if floor in self._grants and participant in (self._grants[floor].holder, self._grants[floor].desktop)]
        for grant in holds:
            self._close_gate(grant.floor, reason)
        for request in self.requests(participant=participant):
            is_held = any(grant.request_id == request.id for grant in holds)
            self._end(request.id, Status.RELEASED if is_held else Status.CANCELLED, reason, now)
        self._settle()

    def touch(self, now: float) -> None:
        """Input of the controller has passed: the time of doing nothing begins anew."""
        grant = self._grants.get(FloorId.CONTROL)
        if grant is not None:
            self._grants[FloorId.CONTROL] = replace(grant, expires_at=now + self.settings.idle_s)

    # ---- commands

    def execute(self, command: Command, now: float, actor: ParticipantId | None, *,
                is_host: bool = False) -> Requested | Done | Refused:
        """Carry out a command. actor: who gave it, None for the operator; is_host: what the conference says of the actor."""
        verdict = self._execute(command, now, actor, is_host or actor is None)
        self._settle()
        return verdict

    def _execute(self, command: Command, now: float, actor: ParticipantId | None, is_host: bool) -> Requested | Done | Refused:
        if actor is not None and actor not in self.members:
            return Refused(403, "only members of the meeting may do that")
        if isinstance(command, RequestFloor):
            return self._ask(command, now, actor, is_host)
        if isinstance(command, StopFloors):
            return self._stop(command.reason, now) if is_host else Refused(403, "only the host may do that")
        request = self._requests.get(command.request_id)
        if request is None:
            return Refused(404, "there is no such request")
        match command:
            case ReleaseFloor():
                return self._release(request, now, actor)
            case GrantFloor():
                return self._say_yes(request, now, actor, is_host)
            case DenyFloor(_, reason):
                return self._say_no(request, reason, now, actor, is_host)
            case RevokeFloor(_, reason):
                return self._revoke(request, reason, now, actor, is_host)

    def _ask(self, command: RequestFloor, now: float, actor: ParticipantId | None, is_host: bool) -> Requested | Refused:
        if actor is None:
            return Refused(403, "a floor is asked for by a member of the meeting")
        refusal = self._check_asking(command.floor, actor, is_host)
        if refusal is not None:
            return refusal
        request = FloorRequest(self._new_id(), command.floor, actor, Status.PENDING, info=command.info)
        self._requests[request.id] = request
        if command.floor is FloorId.SCREEN:
            self._accept(request, now)
        else:
            self._ask_chair(request, now)
        return Requested(self._requests[request.id])

    def _check_asking(self, floor: FloorId, actor: ParticipantId, is_host: bool) -> Refused | None:
        if self.requests(floor, actor):
            return Refused(486, "you have asked for that already")
        if len(self.requests(floor)) >= self.settings.max_requests:
            return Refused(486, "too many are waiting for that")
        if not self.may_ask(floor, actor):
            return Refused(403, "the hosts have not allowed that")
        if floor is FloorId.SCREEN:
            return None if is_host or self.settings.may_all_share else Refused(403, "only the host may share here")
        if not self.settings.is_control_allowed:
            return Refused(403, "desktops are not controlled here")
        screen = self._grants.get(FloorId.SCREEN)
        if screen is None:
            return Refused(403, "nobody shares a desktop")
        return Refused(403, "it is your own desktop") if screen.holder == actor else None

    def _ask_chair(self, request: FloorRequest, now: float) -> None:
        self._answer_by[request.id] = now + self.settings.answer_s
        self._change(request)
        self._events.append(ChairAsked(request, self._grants[FloorId.SCREEN].holder, self._answer_by[request.id]))

    def _release(self, request: FloorRequest, now: float, actor: ParticipantId | None) -> Done | Refused:
        if actor != request.participant:
            return Refused(403, "only who asked may give it back")
        is_held = request.status is Status.GRANTED
        self._end(request.id, Status.RELEASED if is_held else Status.CANCELLED, "", now)
        return Done()

    def _say_yes(self, request: FloorRequest, now: float, actor: ParticipantId | None, is_host: bool) -> Done | Refused:
        if not self._is_chair(request.floor, actor, is_host):
            return Refused(403, _ONLY[request.floor])
        if request.status is Status.GRANTED:
            return Done(0)
        holder = self._grants.get(request.floor)
        if request.floor is FloorId.SCREEN and holder is not None:
            self._promote(request)
            self._end(holder.request_id, Status.REVOKED, "the host gave the floor to somebody else", now)
        elif request.status is Status.PENDING:
            self._accept(request, now)
        return Done()

    def _say_no(self, request: FloorRequest, reason: str, now: float, actor: ParticipantId | None,
                is_host: bool) -> Done | Refused:
        if not self._is_chair(request.floor, actor, is_host):
            return Refused(403, _ONLY[request.floor])
        if request.status is Status.GRANTED:
            return Refused(403, "it has been granted: revoke it")
        self._end(request.id, Status.DENIED, reason, now)
        return Done()

    def _revoke(self, request: FloorRequest, reason: str, now: float, actor: ParticipantId | None,
                is_host: bool) -> Done | Refused:
        if not is_host and not self._is_chair(request.floor, actor, is_host):
            return Refused(403, "only the host, or the desktop's owner, may do that")
        if request.status is not Status.GRANTED:
            self._end(request.id, Status.DENIED, reason, now)
            return Done()
        self._close_gate(request.floor, reason)
        if request.floor is FloorId.CONTROL:      # who takes back the mouse wants it back, not in the next one's hand
            self._end_all(FloorId.CONTROL, Status.ACCEPTED, reason, now)
        self._end(request.id, Status.REVOKED, reason, now)
        return Done()

    def _stop(self, reason: str, now: float) -> Done:
        count = len(self._requests)
        for floor in (FloorId.CONTROL, FloorId.SCREEN):
            self._close_gate(floor, reason)
        for request in self.requests():
            if request.id in self._requests:
                held = request.status is Status.GRANTED
                self._end(request.id, Status.REVOKED if held else Status.DENIED, reason, now, with_next=False)
        return Done(count)

    def _is_chair(self, floor: FloorId, actor: ParticipantId | None, is_host: bool) -> bool:
        """Of the screen the host is chair, of a desktop its owner, and nobody else."""
        if floor is FloorId.SCREEN:
            return is_host
        screen = self._grants.get(FloorId.SCREEN)
        return actor is not None and screen is not None and screen.holder == actor

    # ---- what follows

    def _accept(self, request: FloorRequest, now: float) -> None:
        """Grant it, or let it wait for its turn."""
        self._answer_by.pop(request.id, None)
        if request.floor in self._grants:
            self._change(replace(request, status=Status.ACCEPTED))
        else:
            self._grant(request, now)

    def _grant(self, request: FloorRequest, now: float) -> None:
        screen = self._grants.get(FloorId.SCREEN)
        is_control = request.floor is FloorId.CONTROL
        grant = Grant(request.floor, request.id, request.participant, screen.holder if is_control and screen else None,
                      now + self.settings.idle_s if is_control else None)
        self._grants[request.floor] = grant
        self._change(replace(request, status=Status.GRANTED, queue_position=0))
        self._events.append(FloorGranted(grant))

    def _change(self, request: FloorRequest) -> None:
        self._requests[request.id] = request
        if request.status is not Status.ACCEPTED:      # a place in the queue is told when it is known
            self._events.append(RequestChanged(request))
        self._changed.add(request.floor)

    def _close_gate(self, floor: FloorId, reason: str) -> None:
        if floor is FloorId.SCREEN:
            self._close_gate(FloorId.CONTROL, reason)
        grant = self._grants.pop(floor, None)
        if grant is not None:
            self._events.append(FloorEnded(grant, reason))

    def _end(self, request_id: int, status: Status, reason: str, now: float, *, with_next: bool = True) -> None:
        """The end of a request, and of what hangs on it: no share, no control; a free floor goes to who is next."""
        request = self._requests.pop(request_id, None)
        if request is None:
            return
        self._answer_by.pop(request_id, None)
        was_held = request.status is Status.GRANTED
        if was_held and self._holds(request):
            self._close_gate(request.floor, reason)
        self._events.append(RequestChanged(replace(request, status=status, queue_position=0, reason=reason)))
        self._changed.add(request.floor)
        if was_held and request.floor is FloorId.SCREEN:
            self._end_control("the share has ended", now)
        if was_held and with_next and request.floor not in self._grants:
            self._grant_next(request.floor, now)

    def _holds(self, request: FloorRequest) -> bool:
        grant = self._grants.get(request.floor)
        return grant is not None and grant.request_id == request.id

    def _end_control(self, reason: str, now: float) -> None:
        for request in self.requests(FloorId.CONTROL):
            held = request.status is Status.GRANTED
            self._end(request.id, Status.REVOKED if held else Status.DENIED, reason, now, with_next=False)

    def _end_all(self, floor: FloorId, status: Status, reason: str, now: float) -> None:
        for request in self.requests(floor):
            if request.status is status:
                self._end(request.id, Status.DENIED, reason, now)

    def _grant_next(self, floor: FloorId, now: float) -> None:
        waiting = [each for each in self.requests(floor) if each.status is Status.ACCEPTED]
        if waiting:
            self._grant(waiting[0], now)

    def _promote(self, request: FloorRequest) -> None:
        """Put a request at the head of the queue."""
        others = {key: each for key, each in self._requests.items() if key != request.id}
        self._requests = {request.id: request, **others}

    def _settle(self) -> None:
        """After each command: tell places in the queue that have changed, then which floors have."""
        for floor in FloorId:
            waiting = [each for each in self.requests(floor) if each.status is Status.ACCEPTED]
            for position, request in enumerate(waiting, 1):
                if request.queue_position != position:
                    moved = self._requests[request.id] = replace(request, queue_position=position)
                    self._events.append(RequestChanged(moved))
                    self._changed.add(floor)
        for floor in sorted(self._changed):
            self._events.append(FloorChanged(floor))
        self._changed.clear()

    def _new_id(self) -> int:
        self._last_id = self._last_id % 0xFFFF + 1
        while self._last_id in self._requests:
            self._last_id = self._last_id % 0xFFFF + 1
        return self._last_id


_ONLY = {FloorId.SCREEN: "only the host may do that", FloorId.CONTROL: "only the owner of the desktop may do that"}
