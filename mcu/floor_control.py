"""The floor control server of a conference (RFC 8855 §13): its members' BFCP sessions on one side, `mcu.floor` on the other.

It gives members their user ids, turns what their sessions ask into commands, and tells what follows: to who asked, by
FloorRequestStatus; to all who watch a floor, by FloorStatus. Commands from elsewhere (host, chat, REST) go in by `execute` and
are told in the same way. The events of the rules come out of `next_event` for those who open gates and write the audit. Pure:
`mcu.floor_door` carries the bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mcu.conference import Done, Refused
from mcu.floor import (
    Command,
    DenyFloor,
    Event,
    FloorChanged,
    FloorId,
    FloorRequest,
    Floors,
    GrantFloor,
    ReleaseFloor,
    RequestChanged,
    Requested,
    RequestFloor,
    RevokeFloor,
)
from mcu.participant import ParticipantId
from sip.bfcp.attributes import (
    ErrorValue,
    FloorRequestInformation,
    RequestStatus,
    Status,
    StatusOf,
    Type,
    UserInformation,
    cut,
)
from sip.bfcp.events import (
    ChairActed,
    ConnectionLost,
    FloorReleaseAsked,
    FloorRequested,
    FloorRequestQueried,
    FloorsQueried,
    GoodbyeReceived,
    HelloReceived,
    ServerEvent,
    UserQueried,
)
from sip.bfcp.message import Message
from sip.bfcp.server import ServerSession

MAX_USERS = 4096
STATUS_INTERVAL_S = 0.1
"""How often those who watch a floor are told of it at most: the first change at once, further ones together. Who asks and
releases without end would else make hundreds of messages to others by each of theirs."""
NAME_BYTES, URI_BYTES, TEXT_BYTES = 40, 60, 60
"""What of a name, an address and a text goes into a FLOOR-REQUEST-INFORMATION, which has room for 250 bytes in all. Half of an
address is none: a longer one is left out."""
_ERRORS = {403: ErrorValue.UNAUTHORIZED, 404: ErrorValue.NO_SUCH_FLOOR_REQUEST, 486: ErrorValue.TOO_MANY_REQUESTS}
_SAID = (Status.GRANTED, Status.ACCEPTED, Status.DENIED, Status.REVOKED)


@dataclass(slots=True)
class User:
    """A member as BFCP knows them. user_id: their number in SDP and on the wire; watches: floors that they asked about."""

    participant: ParticipantId
    user_id: int
    display_name: str
    uri: str
    session: ServerSession | None = None
    watches: set[FloorId] = field(default_factory=set)


class FloorControl:
    """The server of one conference. conference_id: 32 random bits; is_host: what the conference says of a member."""

    def __init__(self, conference_id: int, floors: Floors, is_host: Callable[[ParticipantId], bool]) -> None:
        self.conference_id = conference_id
        self.floors = floors
        self.users: dict[ParticipantId, User] = {}
        self._is_host = is_host
        self._last_id = 0
        self._events: deque[Event] = deque()
        self._told_at: dict[FloorId, float] = {}
        self._status_due: dict[FloorId, float] = {}

    # ---- members and their sessions

    def join(self, participant: ParticipantId, display_name: str, uri: str = "") -> int:
        """A member is in; the user id for their SDP. Raises ValueError beyond MAX_USERS."""
        known = self.users.get(participant)
        if known is not None:
            return known.user_id
        if len(self.users) >= MAX_USERS:
            raise ValueError("no user ids are left")
        taken = {user.user_id for user in self.users.values()}
        self._last_id = self._last_id % 0xFFFF + 1
        while self._last_id in taken:
            self._last_id = self._last_id % 0xFFFF + 1
        self.users[participant] = User(participant, self._last_id, display_name, uri)
        self.floors.join(participant)
        self._tell_who_is_there()
        return self._last_id

    def leave(self, participant: ParticipantId, now: float) -> None:
        """A member is gone: gates close, floors are free, and their session hears Goodbye."""
        user = self.users.get(participant)
        if user is None:
            return
        self.floors.leave(participant, now)
        self._distribute(now)
        del self.users[participant]
        self._tell_who_is_there()
        if user.session is not None:
            user.session.say_goodbye(now)

    def lose_touch(self, participant: ParticipantId, now: float) -> None:
        """A member is in the conference still, but has no connection any more; a session of theirs hears Goodbye."""
        user = self.users.get(participant)
        if user is None:
            return
        if user.session is not None:
            user.session.say_goodbye(now)
            self._lose(user, user.session, now)
        else:
            self.floors.lose_touch(participant, now)
            self._distribute(now)

    def attach(self, participant: ParticipantId, *, is_reliable: bool) -> ServerSession:
        """A new session for a member's connection; it takes the place of an older one. Raises KeyError for a stranger."""
        user = self.users[participant]
        user.session = ServerSession(self.conference_id, user.user_id, is_reliable=is_reliable)
        user.watches.clear()
        self._tell_who_is_there()
        return user.session

    def _tell_who_is_there(self) -> None:
        ids = frozenset(user.user_id for user in self.users.values())
        for user in self.users.values():
            if user.session is not None:
                user.session.user_ids = ids

    def _lose(self, user: User, session: ServerSession, now: float) -> None:
        """A session is over. Who can't be told that a floor is theirs no more doesn't keep it."""
        if user.session is session:
            user.session = None
            user.watches.clear()
            self.floors.lose_touch(user.participant, now)
            self._distribute(now)

    # ---- time, events, commands from elsewhere

    def next_timer(self) -> float | None:
        """When `handle_timer` wants to be called; sessions have timers of their own."""
        return min((at for at in (self.floors.next_timer(), *self._status_due.values()) if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Deny and revoke what is due, and tell of floors what has waited."""
        self.floors.handle_timer(now)
        self._distribute(now)
        for floor in [floor for floor, due in self._status_due.items() if due <= now]:
            self._tell_floor(floor, now)

    def next_event(self) -> Event | None:
        """What happened on the floors, in order: gates first."""
        return self._events.popleft() if self._events else None

    def execute(self, command: Command, now: float, actor: ParticipantId | None) -> Requested | Done | Refused:
        """Carry out a command that came by another way than BFCP. actor: None for the operator."""
        verdict = self._execute(command, now, actor)
        self._distribute(now)
        return verdict

    def _execute(self, command: Command, now: float, actor: ParticipantId | None) -> Requested | Done | Refused:
        return self.floors.execute(command, now, actor, is_host=actor is not None and self._is_host(actor))

    # ---- what a session asks

    def handle(self, participant: ParticipantId, session: ServerSession, now: float) -> int:
        """Act on everything that a member's session has heard; how much it was. Other sessions may have something to send then,
        or have broken."""
        count = 0
        while (event := session.next_event()) is not None:
            count += 1
            user = self.users.get(participant)
            if user is not None:
                self._handle(user, session, event, now)
        return count

    def _handle(self, user: User, session: ServerSession, event: ServerEvent, now: float) -> None:
        match event:
            case GoodbyeReceived() | ConnectionLost():
                self._lose(user, session, now)
                session.close("the client has left")
            case FloorRequested():
                self._request(user, session, event, now)
            case FloorReleaseAsked(request, request_id):
                self._carry_out(user, session, request, ReleaseFloor(request_id), request_id, now)
            case FloorRequestQueried(request, request_id):
                found = self.floors.request(request_id)
                if found is None:
                    session.refuse(request, ErrorValue.NO_SUCH_FLOOR_REQUEST, "there is no such request", now)
                else:
                    session.tell_request(self.describe(found, now), now, request)
            case UserQueried(request, beneficiary):
                self._answer_about_user(user, session, request, beneficiary, now)
            case FloorsQueried(request, floor_ids):
                self._watch(user, session, request, floor_ids, now)
            case ChairActed():
                self._chair(user, session, event, now)
            case HelloReceived():
                pass

    def _request(self, user: User, session: ServerSession, event: FloorRequested, now: float) -> None:
        if event.beneficiary not in (None, user.user_id):
            session.refuse(event.request, ErrorValue.UNAUTHORIZED, "a floor is asked for by who wants it", now)
        elif not set(event.floor_ids) <= set(FloorId):
            session.refuse(event.request, ErrorValue.INVALID_FLOOR_ID, "the floors are 1 (screen) and 2 (control)", now)
        elif len(event.floor_ids) != 1:
            session.refuse(event.request, ErrorValue.GENERIC, "one floor in a request", now)
        else:
            command = RequestFloor(FloorId(event.floor_ids[0]), cut(event.info, TEXT_BYTES))
            self._carry_out(user, session, event.request, command, None, now)

    def _carry_out(self, user: User, session: ServerSession, request: Message, command: Command, request_id: int | None,
                   now: float) -> None:
        """A command whose answer is how the request stands then."""
        verdict = self._execute(command, now, user.participant)
        match verdict:
            case Refused(status, reason):
                session.refuse(request, _ERRORS.get(status, ErrorValue.GENERIC), reason, now)
                self._distribute(now)
            case Requested(made):
                self._distribute(now, (made.id, request))
            case Done():
                self._distribute(now, (request_id or 0, request))

    def _chair(self, user: User, session: ServerSession, event: ChairActed, now: float) -> None:
        found = self.floors.request(event.request_id)
        said = event.floors[0] if len(event.floors) == 1 else None
        status = None if said is None or said.status is None else said.status.status
        if found is None:
            session.refuse(event.request, ErrorValue.NO_SUCH_FLOOR_REQUEST, "there is no such request", now)
        elif said is None or said.id != found.floor:
            session.refuse(event.request, ErrorValue.INVALID_FLOOR_ID, "the request is for another floor", now)
        elif status not in _SAID:
            session.refuse(event.request, ErrorValue.GENERIC, "granted, accepted, denied or revoked", now)
        else:
            self._say(user, session, event.request, _command(Status(status), event.request_id, said.info), now)

    def _say(self, user: User, session: ServerSession, request: Message, command: Command, now: float) -> None:
        verdict = self._execute(command, now, user.participant)
        if isinstance(verdict, Refused):
            session.refuse(request, _ERRORS.get(verdict.status, ErrorValue.GENERIC), verdict.reason, now)
        else:
            session.acknowledge(request, now)
        self._distribute(now)

    def _answer_about_user(self, user: User, session: ServerSession, request: Message, beneficiary: int | None,
                           now: float) -> None:
        about = user if beneficiary is None else next((u for u in self.users.values() if u.user_id == beneficiary), None)
        if about is None:
            session.refuse(request, ErrorValue.NO_SUCH_USER, "no such user in the conference", now)
            return
        requests = tuple(self.describe(each, now) for each in self.floors.requests(participant=about.participant))
        session.tell_user(_information(about), requests, now, request)

    def _watch(self, user: User, session: ServerSession, request: Message, floor_ids: tuple[int, ...], now: float) -> None:
        if not set(floor_ids) <= set(FloorId):
            session.refuse(request, ErrorValue.INVALID_FLOOR_ID, "the floors are 1 (screen) and 2 (control)", now)
            return
        user.watches = {FloorId(each) for each in floor_ids}
        if not user.watches:
            session.tell_no_floor(request, now)
            return
        first, *others = dict.fromkeys(FloorId(each) for each in floor_ids)
        session.tell_floor(first, self._all_of(first, now), now, request)
        for floor in others:
            session.tell_floor(floor, self._all_of(floor, now), now)

    # ---- what is told

    def _distribute(self, now: float, answering: tuple[int, Message] | None = None) -> None:
        """Tell the events of the rules. answering: the request whose first news is the answer to a message."""
        while (event := self.floors.next_event()) is not None:
            self._events.append(event)
            match event:
                case RequestChanged(request):
                    answers = answering[1] if answering is not None and answering[0] == request.id else None
                    answering = None if answers is not None else answering
                    self._tell_request(request, now, answers)
                case FloorChanged(floor):
                    self._tell_floor_soon(floor, now)

    def _tell_request(self, request: FloorRequest, now: float, answers: Message | None) -> None:
        user = self.users.get(request.participant)
        if user is not None and user.session is not None:
            user.session.tell_request(self.describe(request, now), now, answers)

    def _tell_floor_soon(self, floor: FloorId, now: float) -> None:
        due = self._told_at.get(floor, now - STATUS_INTERVAL_S) + STATUS_INTERVAL_S
        if due <= now:
            self._tell_floor(floor, now)
        else:
            self._status_due[floor] = due

    def _tell_floor(self, floor: FloorId, now: float) -> None:
        self._told_at[floor] = now
        self._status_due.pop(floor, None)
        requests = self._all_of(floor, now)
        for user in list(self.users.values()):
            if user.session is not None and floor in user.watches:
                user.session.tell_floor(floor, requests, now)

    def _all_of(self, floor: FloorId, now: float) -> tuple[FloorRequestInformation, ...]:
        return tuple(self.describe(each, now) for each in self.floors.requests(floor))

    def describe(self, request: FloorRequest, now: float) -> FloorRequestInformation:
        """What is told of a request. Of granted control the text says whose desktop, by user id, and for how long yet."""
        status = RequestStatus(request.status, request.queue_position)
        user = self.users.get(request.participant)
        return FloorRequestInformation(
            request.id, (StatusOf(Type.FLOOR_REQUEST_STATUS, request.floor, status),),
            StatusOf(Type.OVERALL_REQUEST_STATUS, request.id, status, cut(self._text_of(request, now), TEXT_BYTES)),
            None if user is None else _information(user), info=cut(request.info, TEXT_BYTES - 20),
        )

    def _text_of(self, request: FloorRequest, now: float) -> str:
        grant = self.floors.grant_of(request.floor)
        if grant is None or grant.request_id != request.id or grant.desktop is None or grant.expires_at is None:
            return request.reason
        owner = self.users.get(grant.desktop)
        return f"desktop={owner.user_id if owner else 0}; expires={max(0, round(grant.expires_at - now))}"


def _information(user: User) -> UserInformation:
    uri = user.uri if len(user.uri.encode()) <= URI_BYTES else ""
    return UserInformation(Type.BENEFICIARY_INFORMATION, user.user_id, cut(user.display_name, NAME_BYTES), uri)


def _command(status: Status, request_id: int, info: str) -> Command:
    """What a chair's status means."""
    if status in (Status.GRANTED, Status.ACCEPTED):
        return GrantFloor(request_id)
    words = cut(info, TEXT_BYTES)
    if status is Status.DENIED:
        return DenyFloor(request_id, words or "denied")
    return RevokeFloor(request_id, words or "revoked")
