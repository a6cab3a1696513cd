"""Desktops in one call: who asks to control ours and what the owner says, whose we see and whether we may act there.

Requests and answers are BFCP's (RFC 8855, `softphone.floors`); a seat at the server's relay comes by the call's SDP
(`softphone.remote.line`); pictures and input go over it in threads (`softphone.remote.ends`). What a window needs to know is
one `DesktopState`, published at each change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sip.bfcp.attributes import Status
from softphone.errors import CallFailed
from softphone.floors import (
    CONTROL,
    SCREEN,
    VIEW_ONLY,
    ControlAsked,
    ControlSettled,
    FloorEvent,
    Floors,
    HolderChanged,
    Person,
    Standing,
)
from softphone.model import (
    AnswerControl,
    AskForControl,
    CloseDesktop,
    Command,
    ControlRequest,
    CopyToDesktop,
    DesktopState,
    ReleaseControl,
    TakeBackControl,
)
from softphone.remote.line import DesktopLine, Direction, Invitation
from softphone.remote.part import Part
from softphone.shares import Choice

if TYPE_CHECKING:
    from softphone.remote.ends import SeenDesktop, ShownDesktop

TRIES, PAUSE_S = 20, 0.3
"""How often a seat is asked for: the server's relay starts when it is first needed, and both phones are told at different
times."""
CONTROL_IT, VIEW, DENY = "control", "view", "deny"
"""What an owner may say."""
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Shown:
    """Our desktop at one viewer. end: None while the seat is asked for; has_clipboard: as it was answered at first."""

    who: Person
    end: ShownDesktop | None = None
    has_clipboard: bool = False


@dataclass(slots=True)
class _Tasks:
    """Tasks that end with the call."""

    running: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)


class Desktops:
    """The desktops of one call. part: what of this machine's screen is shown, None where nothing could be steered; publish:
    gets the state; tell: gets a sentence for the user; copied: gets a text for our clipboard; offer_again: sends an offer in
    the call."""

    def __init__(self, floors: Floors, line: DesktopLine, offer_again: Callable[[], Awaitable[int]]) -> None:
        self.part: Part | None = Part()
        self.publish: Callable[[DesktopState], None] = lambda state: None
        self.tell: Callable[[str], None] = lambda text: None
        self.copied: Callable[[str], None] = lambda text: None
        self.shown: dict[int, _Shown] = {}
        self.seen: SeenDesktop | None = None
        self._floors, self._line, self._offer_again = floors, line, offer_again
        self._asked: dict[int, ControlAsked] = {}
        self._state = DesktopState()
        self._wants_to_see = False
        self._tasks, self._asking = _Tasks(), asyncio.Lock()
        self._is_closed = False
        floors.listeners.append(self._on_floor_event)

    @property
    def state(self) -> DesktopState:
        """What a window shows."""
        floors = self._floors
        sharer, controller = floors.holders.get(SCREEN), floors.holders.get(CONTROL)
        standing = floors.standing(CONTROL)
        is_ours = floors.shares()
        seen = self.seen
        return DesktopState(
            is_possible=floors.is_there and self._line.is_there,
            sharer=sharer.name or sharer.uri if sharer is not None else "", is_ours=is_ours,
            requests=tuple(ControlRequest(key, each.who.name or each.who.uri) for key, each in self._asked.items()),
            controller=controller.name or controller.uri if controller is not None else "",
            is_asking=standing is not None and standing.status in (Status.PENDING, Status.ACCEPTED),
            may_act=standing is not None and standing.status is Status.GRANTED,
            view=seen.watching if seen is not None else None, view_size=seen.size if seen is not None else (0, 0),
            viewers=tuple(each.who.name for each in self.shown.values() if each.end is not None),
            has_clipboard=any(each.has_clipboard and each.end is not None and each.end.may_act for each in self.shown.values()),
        )

    # ---- what the user does

    def choose(self, choice: Choice) -> None:
        """This is what others see from now on: what they may steer is that and no more."""
        match choice.kind:
            case "screen":
                self.part = Part(monitor=choice.number)
            case "window":
                self.part = Part(window=choice.number)
            case "region":
                self.part = Part(region=choice.region)
            case _:
                self.part = None

    def begin(self, publish: Callable[[DesktopState], None], tell: Callable[[str], None],
              copied: Callable[[str], None] = lambda text: None) -> None:
        """Somebody wants to know from now on."""
        self.publish, self.tell, self.copied = publish, tell, copied
        publish(self.state)

    def handle(self, command: Command) -> None:
        """A command of the window."""
        match command:
            case AskForControl():
                self.ask_for_control()
            case ReleaseControl():
                self.release()
            case AnswerControl(request_id, answer, has_clipboard):
                self.answer(request_id, answer, has_clipboard=has_clipboard)
            case CopyToDesktop(text):
                self.set_clipboard(text)
            case TakeBackControl():
                self.take_back()
            case CloseDesktop():
                self.stop_seeing()

    def ask_for_control(self) -> None:
        """Ask the owner of the shared desktop to let us act there."""
        self._floors.request(CONTROL)
        self._show()

    def release(self) -> None:
        """Give control back, or ask no more."""
        self._floors.release(CONTROL)

    def set_clipboard(self, text: str) -> None:
        """A text was copied here, for who acts on our desktop."""
        for each in self.shown.values():
            if each.end is not None and each.has_clipboard:
                each.end.set_clipboard(text)

    def answer(self, request_id: int, answer: str, *, has_clipboard: bool = False) -> None:
        """What the owner says to a request: `control`, `view`, or `deny`. has_clipboard: whether texts go to and fro."""
        asked = self._asked.pop(request_id, None)
        if asked is None:
            return
        if answer == CONTROL_IT:
            self._floors.decide(request_id, Status.GRANTED)
        else:
            self._floors.decide(request_id, Status.DENIED, VIEW_ONLY if answer == VIEW else "")
        if answer in (CONTROL_IT, VIEW):
            may_act = answer == CONTROL_IT and CONTROL not in self._floors.holders
            self._show_to(asked.who, may_act=may_act, has_clipboard=has_clipboard)
        self._show()

    def take_back(self, reason: str = "taken back by the owner") -> None:
        """As the owner: nobody acts here any more."""
        for each in self.shown.values():
            if each.end is not None:
                each.end.take()
        self._floors.take_back(reason)

    def stop_seeing(self) -> None:
        """Look at the desktop no more; control goes back, too."""
        self._wants_to_see = False
        self.release()
        if self.seen is not None:
            self.seen.stop()

    def close(self) -> None:
        """The call is over."""
        self._is_closed = True
        for task in self._tasks.running:
            task.cancel()
        for each in self.shown.values():
            if each.end is not None:
                each.end.stop()
        if self.seen is not None:
            self.seen.stop()
        self.shown.clear()

    # ---- what floor control tells

    def _on_floor_event(self, event: FloorEvent) -> None:
        match event:
            case Standing() if event.floor == CONTROL:
                self._on_standing(event)
            case ControlAsked() if self.part is None:
                self._floors.decide(event.request_id, Status.DENIED, "what is shared is no desktop")
            case ControlAsked():
                self._asked[event.request_id] = event
            case ControlSettled(request_id):
                self._asked.pop(request_id, None)
            case HolderChanged(floor, holder, _) if floor == CONTROL:
                self._on_controller(holder)
            case HolderChanged(floor, _, is_ours) if floor == SCREEN:
                self._on_sharer(is_ours)
        self._show()

    def _on_standing(self, standing: Standing) -> None:
        owner = self._floors.holders.get(SCREEN)
        name = owner.name if owner is not None and owner.name else "the owner"
        if standing.status is Status.GRANTED:
            self.tell(f"You control the desktop of {name}")
            self._see()
        elif standing.status is Status.DENIED and standing.reason == VIEW_ONLY:
            self.tell(f"{name} lets you look, but not act")
            self._see()
        elif standing.status is Status.DENIED:
            self.tell(f"Control was refused: {standing.reason or 'no'}")
        elif standing.status is Status.REVOKED:
            self.tell(f"Control has ended: {standing.reason or 'taken back'}")

    def _on_controller(self, holder: Person | None) -> None:
        """Another may act on our desktop, or nobody."""
        for user_id, each in self.shown.items():
            if each.end is not None and self._floors.shares():
                if holder is not None and holder.user_id == user_id:
                    each.end.give()
                else:
                    each.end.take()

    def _on_sharer(self, is_ours: bool) -> None:
        """Another share, or none: what was seen of the last one is over."""
        self._wants_to_see = False
        if self.seen is not None:
            self.seen.stop()
        if not is_ours:
            for each in self.shown.values():
                if each.end is not None:
                    each.end.stop()
            self.shown.clear()
            self._asked.clear()

    def _show(self) -> None:
        state = self.state
        if state != self._state and not self._is_closed:
            self._state = state
            self.publish(state)

    # ---- our desktop at another's

    def _show_to(self, who: Person, *, may_act: bool, has_clipboard: bool) -> None:
        there = self.shown.get(who.user_id)
        if there is None:
            self.shown[who.user_id] = there = _Shown(who, has_clipboard=has_clipboard)
            self._tasks.start(self._begin_showing(there, may_act))
        elif may_act and there.end is not None:
            there.end.give()

    async def _begin_showing(self, shown: _Shown, may_act: bool) -> None:
        from softphone.remote.ends import ShownDesktop

        user_id = shown.who.user_id
        seat = await self._seat("sendonly", lambda: self.shown.get(user_id) is shown)
        part, certificate = self.part, self._line.certificate
        if seat is None or certificate is None or part is None or self.shown.get(user_id) is not shown:
            self.shown.pop(user_id, None)
            return
        shown.end = ShownDesktop(seat, certificate, replace(part, allows_clipboard=shown.has_clipboard), "desktop",
                                 on_taken_back=self.take_back, on_text=self._copied,
                                 on_end=lambda reason: self._shown_ended(user_id, shown, reason))
        controller = self._floors.holders.get(CONTROL)
        if (controller is None and may_act) or (controller is not None and controller.user_id == user_id):
            shown.end.give()
        self._show()

    def _shown_ended(self, user_id: int, shown: _Shown, reason: str) -> None:
        if reason and not self._is_closed:
            log.warning("a desktop can't be shown", extra={"reason": reason})
            self.tell(reason)
        if self.shown.get(user_id) is shown:
            del self.shown[user_id]
        self._show()

    def _copied(self, text: str) -> None:
        self.copied(text)

    # ---- another's desktop here

    def _see(self) -> None:
        self._wants_to_see = True
        if self.seen is None and not self._asking.locked():
            self._tasks.start(self._begin_seeing())

    async def _begin_seeing(self) -> None:
        from softphone.remote.ends import SeenDesktop

        seat = await self._seat("recvonly", lambda: self._wants_to_see)
        if seat is None or self._line.certificate is None:
            if self._wants_to_see:
                self.tell("The server gave no way to the desktop")
            return
        if self.seen is None and self._wants_to_see:
            self.seen = SeenDesktop(seat, self._line.certificate, on_open=lambda _: self._show(), on_end=self._seen_ended,
                                    on_text=self._copied)

    def _seen_ended(self, seen: SeenDesktop, reason: str) -> None:
        log.info("a desktop is seen no longer", extra={"reason": reason})
        if self.seen is seen:
            self.seen = None
        self._show()

    async def _seat(self, direction: Direction, is_wanted: Callable[[], bool]) -> Invitation | None:
        """Ask the server for a seat until there is one."""
        for _ in range(TRIES):
            if not is_wanted() or self._is_closed:
                return None
            async with self._asking:
                try:
                    seat = await self._line.ask(direction, self._offer_again)
                except CallFailed as error:
                    log.info("no seat at the relay", extra={"reason": str(error)})
                    return None
            if seat is not None:
                return seat
            await asyncio.sleep(PAUSE_S)
        return None
