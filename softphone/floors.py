"""The floors of one call as the phone uses them (RFC 8855): who shares, who may touch whose desktop, and what we asked for.

    floors = Floors(host, certificate)                   # an `ApplicationLine` of the call's media
    outcome = await floors.ask(SCREEN)                   # Granted, Denied …
    floors.release(SCREEN)
    floors.decide(request_id, Status.GRANTED)            # as the owner of the desktop that another asks for

The connection (`softphone.floor_link`) is opened once the SDP says where, and again when it breaks. `listeners` get events in
the loop: how our own requests stand, who holds each floor, and who asks for control of the desktop that we share.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from rtp.errors import HandshakeFailed, NegotiationFailed
from rtp.keying.certificate import Certificate
from rtp.sdp.floor_client import LocalClient, answer_as_client, apply_answer_as_client, offer_as_client
from rtp.sdp.floor_control import TLS, NegotiatedFloors, is_floor_stream
from rtp.sdp.model import MediaDescription, SessionDescription
from sip.bfcp.attributes import FloorRequestInformation, Status
from sip.bfcp.events import ClientEvent, ConnectionLost, ErrorReceived, FloorStatusChanged, RequestStatusChanged
from sip.errors import LocalProtocolError
from softphone.floor_link import FloorLink

SCREEN, CONTROL = 1, 2
FLOORS = (SCREEN, CONTROL)
VIEW_ONLY = "view only"
"""What an owner says to who asked for control and may look: the request is denied with it, the pictures come."""
RETRY_S = (0.5, 1.0, 2.0, 5.0)
OVER = (Status.DENIED, Status.CANCELLED, Status.RELEASED, Status.REVOKED)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the meeting, as floor control knows them."""

    user_id: int
    name: str
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a request of ours stands. reason: of its end, in words of the server; desktop: user id of its owner, or 0."""

    floor: int
    status: Status
    reason: str = ""
    queue_position: int = 0
    desktop: int = 0

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end."""
        return self.status in OVER


@dataclass(frozen=True, slots=True)
class HolderChanged:
    """Another has a floor, or nobody."""

    floor: int
    holder: Person | None
    is_ours: bool


@dataclass(frozen=True, slots=True)
class ControlAsked:
    """Somebody asks for the desktop that we share. info: what they say to it."""

    request_id: int
    who: Person
    info: str = ""


@dataclass(frozen=True, slots=True)
class ControlSettled:
    """A request for our desktop waits for our answer no more."""

    request_id: int


FloorEvent = Standing | HolderChanged | ControlAsked | ControlSettled


@dataclass(slots=True)
class _Own:
    """A request of ours. waiting: who wants to know when it is decided."""

    floor: int
    request_id: int = 0
    standing: Standing | None = None
    waiting: list[asyncio.Future[Standing]] = field(default_factory=list)


class Floors:
    """The floors of one call. user_id: ours, 0 while there are none; holders: who has which floor."""

    def __init__(self, host: str, certificate: Certificate | None) -> None:
        self.user_id = 0
        self.holders: dict[int, Person] = {}
        self.listeners: list[Callable[[FloorEvent], None]] = []
        self._host, self._certificate = host, certificate
        self._agreed: NegotiatedFloors | None = None
        self._offered: MediaDescription | None = None
        self._link: FloorLink | None = None
        self._opening: asyncio.Task[None] | None = None
        self._is_closed = False
        self._own: dict[int, _Own] = {}
        self._transactions: dict[int, _Own] = {}
        self._asked: dict[int, ControlAsked] = {}
        self._control: FloorRequestInformation | None = None

    @property
    def is_there(self) -> bool:
        """Whether floors can be asked for now."""
        return self._link is not None and self._link.session is not None and not self._link.session.is_over

    @property
    def is_agreed(self) -> bool:
        """Whether the SDP has told where the server is."""
        return self._agreed is not None

    def shares(self) -> bool:
        """Whether the desktop that is shared is ours."""
        holder = self.holders.get(SCREEN)
        return holder is not None and holder.user_id == self.user_id

    def standing(self, floor: int) -> Standing | None:
        """How our request for a floor stands; None when there is none."""
        own = self._own.get(floor)
        return None if own is None else own.standing

    # ---- asking and answering

    def request(self, floor: int, info: str = "") -> None:
        """Ask for a floor; what comes of it are `Standing`s. Asked for already: nothing happens."""
        if floor in self._own:
            return
        own = self._own[floor] = _Own(floor)
        transaction = self._ask(lambda session, now: session.request_floor(floor, now, info=info))
        if transaction is None:
            self._stands(own, Standing(floor, Status.DENIED, "this meeting has no floor control"))
        else:
            self._transactions[transaction] = own

    async def ask(self, floor: int, info: str = "") -> Standing:
        """Ask for a floor, and wait until it is granted or refused."""
        self.request(floor, info)
        own = self._own.get(floor)
        if own is None:
            return Standing(floor, Status.DENIED, "this meeting has no floor control")
        if own.standing is not None and own.standing.status is Status.GRANTED:
            return own.standing
        future: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()
        own.waiting.append(future)
        return await future

    def release(self, floor: int) -> None:
        """Give a floor back, or withdraw the request."""
        own = self._own.get(floor)
        if own is not None and own.request_id:
            request_id = own.request_id
            self._ask(lambda session, now: session.release(request_id, now))

    def decide(self, request_id: int, status: Status, info: str = "") -> None:
        """As the owner of the desktop: grant, deny or revoke."""
        self._ask(lambda session, now: session.decide(request_id, CONTROL, status, now, info=info))

    def take_back(self, reason: str) -> None:
        """As the owner: take control from who has it."""
        if self._control is not None and self.shares():
            self.decide(self._control.request_id, Status.REVOKED, reason)

    # ---- softphone.media.lines.ApplicationLine

    def is_mine(self, media: MediaDescription) -> bool:
        """See ApplicationLine."""
        return is_floor_stream(media)

    def offer(self, previous: MediaDescription | None) -> MediaDescription | None:
        """See ApplicationLine."""
        if self._certificate is None or (previous is not None and not previous.port):
            return None
        self._offered = offer_as_client(self._local(), TLS, is_new=not self.is_there)
        return self._offered

    def answer(self, session: SessionDescription, index: int) -> MediaDescription | None:
        """See ApplicationLine."""
        try:
            line, agreed = answer_as_client(session, index, self._local())
        except NegotiationFailed as error:
            self._refuse(str(error))
            return None
        self._use(agreed)
        return line

    def apply(self, session: SessionDescription, index: int) -> None:
        """See ApplicationLine."""
        if self._offered is None:
            return
        try:
            self._use(apply_answer_as_client(self._offered, index, session))
        except NegotiationFailed as error:
            self._refuse(str(error))

    def _refuse(self, reason: str) -> None:
        log.info("no floor control", extra={"reason": reason})
        self._agreed = None
        self._lost()

    def close(self) -> None:
        """The call is over."""
        self._is_closed = True
        link, self._link = self._link, None
        if self._opening is not None:
            self._opening.cancel()
        if link is not None:
            asyncio.get_running_loop().create_task(_leave(link))
        self._forget("the call is over")

    # ---- the connection

    def _local(self) -> LocalClient:
        return LocalClient(self._host, fingerprint=None if self._certificate is None else self._certificate.fingerprint())

    def _use(self, agreed: NegotiatedFloors) -> None:
        is_same = self._agreed is not None and self._agreed.peer.remote == agreed.peer.remote
        self._agreed = agreed
        self.user_id = agreed.peer.user_id or 0
        if not self._is_closed and not (is_same and (self.is_there or self._is_opening)):
            self._open()

    @property
    def _is_opening(self) -> bool:
        return self._opening is not None and not self._opening.done()

    def _open(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        self._opening = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        for pause_s in (0.0, *RETRY_S):
            await asyncio.sleep(pause_s)
            if self._agreed is None or self._is_closed:
                return
            if await self._try(self._agreed):
                return

    async def _try(self, agreed: NegotiatedFloors) -> bool:
        link = FloorLink(lambda event: self._on_event(link, event))
        try:
            await link.open(agreed, self._certificate)
            self._link = link
            link.ask(lambda session, now: session.say_hello(now))
            link.ask(lambda session, now: session.watch_floors(FLOORS, now))
        except (OSError, HandshakeFailed, LocalProtocolError) as error:
            log.info("floor control can't be reached", extra={"reason": str(error)})
            return False
        return True

    def _ask(self, say: Callable[..., int]) -> int | None:
        if self._link is None:
            return None
        try:
            return self._link.ask(say)
        except LocalProtocolError:
            return None

    # ---- what the server says

    def _on_event(self, link: FloorLink, event: ClientEvent) -> None:
        match event:
            case RequestStatusChanged(information, transaction):
                self._on_request(information, transaction)
            case FloorStatusChanged(floor_ids, requests):
                for floor in floor_ids:
                    self._on_floor(floor, requests)
            case ErrorReceived(_, text, transaction) if transaction is not None:
                own = self._transactions.pop(transaction, None)
                if own is not None:
                    self._stands(own, Standing(own.floor, Status.DENIED, text))
            case ConnectionLost() if link is self._link:
                self._lost()
                if self._agreed is not None and not self._is_closed:
                    self._open()

    def _on_request(self, information: FloorRequestInformation, transaction: int | None) -> None:
        own = self._transactions.pop(transaction, None) if transaction is not None else None
        if own is not None:
            own.request_id = information.request_id
        own = own or next((each for each in self._own.values() if each.request_id == information.request_id), None)
        if own is None or information.status is None:
            return
        text = information.overall.info if information.overall is not None else ""
        desktop = text.removeprefix("desktop=").partition(";")[0] if text.startswith("desktop=") else ""
        self._stands(own, Standing(own.floor, Status(information.status), "" if desktop else text, information.queue_position,
                                   int(desktop) if desktop.isdecimal() else 0))

    def _stands(self, own: _Own, standing: Standing) -> None:
        own.standing = standing
        if standing.is_over and self._own.get(own.floor) is own:
            del self._own[own.floor]
        if standing.is_over or standing.status is Status.GRANTED:
            waiting, own.waiting = own.waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(standing)
        self._tell(standing)

    def _on_floor(self, floor: int, requests: tuple[FloorRequestInformation, ...]) -> None:
        held = next((each for each in requests if each.status == Status.GRANTED), None)
        before = self.holders.pop(floor, None)
        if held is not None and held.beneficiary is not None:
            who = held.beneficiary
            self.holders[floor] = Person(who.user_id, who.display_name, who.uri)
        if floor == CONTROL:
            self._control = held
        holder = self.holders.get(floor)
        if holder != before:
            self._tell(HolderChanged(floor, holder, holder is not None and holder.user_id == self.user_id))
        if floor == CONTROL:
            self._look_who_asks(requests)

    def _look_who_asks(self, requests: tuple[FloorRequestInformation, ...]) -> None:
        pending = {each.request_id: each for each in requests if each.status == Status.PENDING and self.shares()}
        for request_id in [each for each in self._asked if each not in pending]:
            del self._asked[request_id]
            self._tell(ControlSettled(request_id))
        for request_id, each in pending.items():
            if request_id not in self._asked:
                who = each.beneficiary
                person = Person(0, "") if who is None else Person(who.user_id, who.display_name, who.uri)
                self._asked[request_id] = ControlAsked(request_id, person, each.info)
                self._tell(self._asked[request_id])

    def _tell(self, event: FloorEvent) -> None:
        for listener in list(self.listeners):
            listener(event)

    def _lost(self) -> None:
        self._link = None
        self._forget("the connection to floor control was lost")

    def _forget(self, reason: str) -> None:
        for own in list(self._own.values()):
            was_granted = own.standing is not None and own.standing.status is Status.GRANTED
            self._stands(own, Standing(own.floor, Status.REVOKED if was_granted else Status.DENIED, reason))
        self._transactions.clear()
        for floor in list(self.holders):
            self._on_floor(floor, ())
        self._look_who_asks(())


async def _leave(link: FloorLink) -> None:
    try:
        link.ask(lambda session, now: session.say_goodbye(now))
    except LocalProtocolError:
        pass
    await link.close()
