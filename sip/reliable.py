"""Reliable provisional responses (RFC 3262) and the early dialogs of a forked INVITE (RFC 3261 §12.1, §13.2.2.4).

`ReliableResponses` is the callee's half: one response at a time, repeated until its PRACK (§3). `EarlyDialogs` is the caller's:
a dialog for each To tag, with the order of its RSeq (§4) and the description that the peer gave in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sip.core import Core
from sip.dialog import Dialog
from sip.errors import ParseError
from sip.flow import Flow
from sip.grammar import number
from sip.message import Request, Response
from sip.timers import GIVE_UP, T1
from sip.transaction import Transaction
from sip.uri import Uri

OPTION = "100rel"
MAX_EARLY_DIALOGS = 10
"""Phones that one INVITE may reach: more early dialogs than that get no PRACK."""
MAX_RSEQ = 0xFFFFFFFF


def rseq_of(response: Response) -> int:
    """The RSeq of a response that wants a PRACK, 0 for any other."""
    if OPTION not in response.require or not 100 < response.status < 200:
        return 0
    try:
        return number(response.headers.get("RSeq") or "", "RSeq", MAX_RSEQ)
    except ParseError:
        return 0


def rack_of(prack: Request) -> tuple[int, int, str] | None:
    """What a PRACK acknowledges: (RSeq, number and method of CSeq); None when that can't be read."""
    words = (prack.headers.get("RAck") or "").split()
    try:
        return (number(words[0], "RAck", MAX_RSEQ), number(words[1], "RAck"), words[2]) if len(words) == 3 else None
    except ParseError:
        return None


class ReliableResponses:
    """The reliable provisional responses to one INVITE. gave_up: called when no PRACK came in 64·T1.

    `has_description` once one of them carried SDP, `is_settled` once that one was acknowledged: then the answer has been given
    (or our offer answered) and the final response brings no other.
    """

    def __init__(self, core: Core, gave_up: Callable[[float], None]) -> None:
        self._core = core
        self._gave_up = gave_up
        self._rseq = int(core.token(3), 16)
        self._queue: deque[tuple[Transaction, Response]] = deque()
        self._waiting: tuple[int, int, Response] | None = None
        self._bytes, self._flow = b"", Flow("UDP", ("", 0), ("", 0))
        self._interval = T1
        self.has_description = False
        self.is_settled = False

    @property
    def delays_answer(self) -> bool:
        """Whether a 2xx has to wait for a PRACK: the one that acknowledges a description (§3)."""
        return self.has_description and not self.is_settled

    def send(self, transaction: Transaction, response: Response, now: float) -> None:
        """Send a response as soon as those before it are acknowledged."""
        self.has_description = self.has_description or bool(response.body)
        self._queue.append((transaction, response))
        if self._waiting is None:
            self._send_next(now)

    def _send_next(self, now: float) -> None:
        transaction, response = self._queue.popleft()
        self._rseq += 1
        response.headers.add("Require", OPTION)
        response.headers.add("RSeq", self._rseq)
        self._waiting = (self._rseq, response.cseq.number, response)
        self._core.send_response(transaction, response, now)
        self._bytes, self._flow, self._interval = bytes(response), transaction.flow, T1
        self._core.timers.start((self, "repeat"), now + T1)
        self._core.timers.start((self, "give up"), now + GIVE_UP)

    def receive_prack(self, prack: Request, now: float) -> Response | None:
        """The response that this PRACK acknowledges, or None when it fits none. One that did before fits nothing twice."""
        rack = rack_of(prack)
        if rack is None or self._waiting is None:
            return None
        rseq, cseq, response = self._waiting
        if rack != (rseq, cseq, "INVITE"):
            return None
        self._waiting = None
        self._stop_timers()
        if response.body:
            self.is_settled = True
        if self._queue:
            self._send_next(now)
        return response

    def handle_timer(self, name: str, now: float) -> None:
        """Time to repeat (the interval doubles and has no bound but 64·T1, §3), or to give up."""
        if name == "repeat" and self._waiting is not None:
            self._core.transmit(self._bytes, self._flow)
            self._interval *= 2
            self._core.timers.start((self, "repeat"), now + self._interval)
        elif name == "give up":
            self.stop()
            self._gave_up(now)

    def stop(self) -> None:
        """The final response has gone out: nothing is repeated any more; a PRACK that is under way is still taken."""
        self._queue.clear()
        self._stop_timers()

    def _stop_timers(self) -> None:
        self._core.timers.stop((self, "repeat"))
        self._core.timers.stop((self, "give up"))


@dataclass(slots=True, eq=False)
class EarlyDialog:
    """What the caller knows of one phone that rings: its `description`, `is_settled` once that came reliably."""

    dialog: Dialog
    rseq: int = 0
    description: bytes = b""
    is_settled: bool = False

    def takes(self, rseq: int) -> bool:
        """Whether a reliable response is the next in order (§4); the first one begins anywhere."""
        if self.rseq and rseq != self.rseq + 1:
            return False
        self.rseq = rseq
        return True


class EarlyDialogs:
    """The early dialogs of an INVITE of ours, by To tag."""

    def __init__(self, core: Core, owner: object) -> None:
        self._core = core
        self._owner = owner
        self._by_tag: dict[str, EarlyDialog] = {}

    def __iter__(self) -> Iterator[EarlyDialog]:
        return iter(self._by_tag.values())

    def find(self, tag: str) -> EarlyDialog | None:
        """The early dialog of a To tag."""
        return self._by_tag.get(tag)

    @property
    def latest_settled(self) -> EarlyDialog | None:
        """The newest one in which offer and answer have been exchanged."""
        return next((early for early in reversed(self._by_tag.values()) if early.is_settled), None)

    def receive(self, invite: Request, response: Response, contact: Uri, flow: Flow) -> EarlyDialog | None:
        """The early dialog of a provisional response, made by the first one; None without a tag, or for too many."""
        tag = response.to.tag
        early = self._by_tag.get(tag)
        if early is None and tag and len(self._by_tag) < MAX_EARLY_DIALOGS:
            early = self._by_tag[tag] = EarlyDialog(Dialog.from_response(invite, response, contact, flow))
            self._core.add_dialog(early.dialog, self._owner)
        elif early is not None:
            early.dialog.refresh_target(response)
        return early

    def confirm(self, response: Response) -> EarlyDialog | None:
        """The 2xx came: its early dialog, if there was one; the others are over."""
        chosen = self._by_tag.pop(response.to.tag, None)
        self.clear()
        return chosen

    def drop(self, tag: str) -> None:
        """One phone has left."""
        early = self._by_tag.pop(tag, None)
        if early is not None:
            self._core.remove_dialog(early.dialog, self._owner)

    def clear(self) -> None:
        """All are over."""
        for tag in list(self._by_tag):
            self.drop(tag)
