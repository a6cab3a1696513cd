"""A transfer that the other side asks of us (REFER, RFC 3515; RFC 5589 §6.1): to call somebody else in its place.

Where the two others have spoken already, our call takes the place of theirs (Replaces, RFC 3891). What becomes of it is told to
who asked. A server of ours does transfers by itself and asks nobody.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Literal, Protocol

from sip.headers import HeaderList
from sip.refer import Referral
from sip.uri import Uri
from softphone.addresses import shown, title_of, without_pin
from softphone.errors import CallFailed
from softphone.line import PhoneEvent, TransferAsked
from softphone.words import TRANSFERRED

if TYPE_CHECKING:
    from softphone.call import Call

log = logging.getLogger(__name__)

Policy = Literal["refuse", "ask", "follow"]
"""What a phone does when it is asked to call somebody else."""
UNANSWERED_S = 30.0
"""So long the user may think about it; then the other side is told no."""
REFUSED = "the other phone follows no transfers"
DECLINED = "the transfer was declined"


class Follower(Protocol):
    """What a handover asks of its phone."""

    def now(self) -> float:
        """The clock of signalling, monotonic seconds."""

    def pump(self) -> None:
        """Send what the endpoint has to send."""

    async def dial(self, target: str, headers: HeaderList = ()) -> Call:
        """Send an INVITE. Raises CallFailed."""

    def notify(self, event: PhoneEvent) -> None:
        """Tell who uses the phone."""

    def put_in_place_of(self, old: Call, new: Call, reason: str) -> None:
        """A call goes on as another one: the old one is hung up."""


class Handover:
    """One transfer that was asked for in `call`. `uri`: whom to call, to show; `id`: to tell it from others."""

    def __init__(self, phone: Follower, call: Call, referral: Referral) -> None:
        self.call = call
        self.uri = without_pin(referral.refer_to.uri)
        self.name = shown(referral.refer_to.display_name) or shown(title_of(referral.refer_to.uri))
        self.id = f"transfer {call.id} {referral.request.cseq.number}"
        self.asked_at = phone.now()
        self.is_open = True
        self._phone = phone
        self._referral = referral
        self._target: Uri = referral.refer_to.uri

    def decline(self, reason: str = DECLINED) -> None:
        """Say no; twice is once."""
        if self.is_open:
            self.is_open = False
            self._referral.reject(603, self._phone.now(), reason)
            self._phone.pump()

    async def follow(self) -> Call:
        """Call whom we are handed on to; the call that takes the place of the old one, when it is answered.

        Raises CallFailed in words when it is not, or when there is nothing to follow any more; the old call then goes on.
        """
        if not self.is_open or not self.call.is_up:
            raise CallFailed("there is no transfer to follow any more")
        self.is_open = False
        self._referral.accept(self._phone.now())
        self._phone.pump()
        try:
            new = await self._phone.dial(str(self._target), self._headers())
            new.on_ringing = self._on_ringing
            await new.established()
        except CallFailed as error:
            self._tell(error.status or 500, str(error))
            raise
        self._tell(200)
        self._phone.put_in_place_of(self.call, new, TRANSFERRED)
        return new

    def _headers(self) -> list[tuple[str, object]]:
        replaces, by = self._referral.replaces, self._referral.request.headers.get("Referred-By")
        headers: list[tuple[str, object]] = [("Replaces", replaces)] if replaces is not None else []
        return [*headers, ("Referred-By", by)] if by is not None else headers

    def _on_ringing(self) -> None:
        self._tell(180)

    def _tell(self, status: int, reason: str | None = None) -> None:
        self._referral.notify(status, self._phone.now(), reason)
        self._phone.pump()


class Handovers:
    """What a phone is asked to follow. policy: whether it does."""

    def __init__(self, phone: Follower, policy: Policy) -> None:
        self.policy: Policy = policy
        self._phone = phone
        self._open: list[Handover] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, call: Call, referral: Referral) -> None:
        """A REFER came in a call."""
        if self.policy == "refuse" or not call.is_up or call.is_conference or referral.method != "INVITE":
            referral.reject(603, self._phone.now(), REFUSED)
            return
        handover = Handover(self._phone, call, referral)
        if self.policy == "ask":
            self._open.append(handover)
            self._phone.notify(TransferAsked(handover))
        else:
            task = asyncio.get_running_loop().create_task(_follow(handover), name="phone: transfer")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def check(self, now: float) -> None:
        """Called every second: decline what nobody has answered, forget what is over."""
        for handover in self._open:
            if now - handover.asked_at > UNANSWERED_S or not handover.call.is_up:
                handover.decline("nobody answered")
        self._open = [one for one in self._open if one.is_open]

    async def close(self) -> None:
        """Follow nothing any more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _follow(handover: Handover) -> None:
    try:
        await handover.follow()
    except CallFailed as error:
        log.info("a transfer could not be followed", extra={"to": str(handover.uri), "reason": str(error)})
