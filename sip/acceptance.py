"""The 2xx of an INVITE and its ACK, which no transaction takes care of (RFC 3261 §13.2.2.4, §13.3.1.4).

`Acceptance` is ours of the peer's INVITE: the 2xx, repeated until its ACK. `Acknowledgement` is our ACK of the peer's, sent
again with each repeated 2xx. Both serve the first INVITE and every re-INVITE after it.
"""

from __future__ import annotations

from collections.abc import Callable

from sip.core import Core
from sip.dialog import Dialog
from sip.flow import Flow
from sip.message import Request, Response
from sip.settings import SDP
from sip.timers import GIVE_UP, T1, T2
from sip.transaction import Transaction


class Acceptance:
    """A 2xx of ours that waits for its ACK. gave_up: called when none came in 64·T1."""

    def __init__(self, core: Core, gave_up: Callable[[float], None]) -> None:
        self._core = core
        self._gave_up = gave_up
        self._transaction: Transaction | None = None
        self._bytes = b""
        self._interval = T1

    @property
    def is_waiting(self) -> bool:
        """Whether the ACK has not come yet."""
        return self._transaction is not None

    def send(self, transaction: Transaction, response: Response, now: float) -> None:
        """Send the 2xx, and again until its ACK."""
        self._core.send_response(transaction, response, now)
        self._transaction, self._bytes, self._interval = transaction, bytes(response), T1
        self._core.timers.start((self, "repeat"), now + T1)
        self._core.timers.start((self, "give up"), now + GIVE_UP)

    def receive_ack(self, ack: Request) -> bool:
        """Whether this is the ACK that was waited for."""
        if self._transaction is None or ack.cseq.number != self._transaction.request.cseq.number:
            return False
        self.stop()
        return True

    def handle_timer(self, name: str, now: float) -> None:
        """Time to repeat (the interval doubles up to T2), or to give up."""
        if name == "repeat" and self._transaction is not None:
            self._core.transmit(self._bytes, self._transaction.flow)
            self._interval = min(2 * self._interval, T2)
            self._core.timers.start((self, "repeat"), now + self._interval)
        elif name == "give up":
            self.stop()
            self._gave_up(now)

    def stop(self) -> None:
        """Nothing is repeated any more."""
        self._transaction, self._bytes = None, b""
        self._core.timers.stop((self, "repeat"))
        self._core.timers.stop((self, "give up"))


class Acknowledgement:
    """Our newest ACK of a 2xx."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._bytes = b""
        self._cseq = 0

    @property
    def is_sent(self) -> bool:
        """Whether a 2xx has been acknowledged."""
        return bool(self._bytes)

    def send(self, dialog: Dialog, flow: Flow, invite: Request, body: bytes = b"") -> None:
        """Acknowledge the 2xx to an INVITE of ours. body: our answer to the offer in it."""
        ack = make_ack(dialog, self._core.make_via(flow), invite)
        if body:
            ack.headers.add("Content-Type", SDP)
            ack.body = body
        self._bytes, self._cseq = bytes(ack), invite.cseq.number
        self._core.transmit(self._bytes, flow)

    def repeat(self, cseq: int, flow: Flow) -> None:
        """The 2xx to the INVITE of that number came again."""
        if self._bytes and self._cseq == cseq:
            self._core.transmit(self._bytes, flow)


def make_ack(dialog: Dialog, via: str, invite: Request) -> Request:
    """The ACK of a 2xx: in the dialog, with the number and the credentials of its INVITE, since it can't be challenged."""
    ack = dialog.make_request("ACK", via, cseq=invite.cseq.number)
    for name in ("Authorization", "Proxy-Authorization"):
        for value in invite.headers.get_lines(name):
            ack.headers.add(name, value)
    return ack
