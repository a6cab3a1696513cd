"""A SIP call as a story: its state, how long each part took, why it ended, and the dialogs that its INVITE made.

RFC 3261 §13 and §12: an INVITE that forks makes a dialog for each To tag among its responses. Times are those of the capture,
on the first hop that it shows; the delays follow RFC 6076 §4.3 where it has a name for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pcap.sip_ladder import SeenMessage, user_of
from pcap.survey import Call, title_of
from pcap.transactions import Transaction, is_authorised, status_of, transactions
from sip.errors import ParseError
from sip.message import Request

NO_RESPONSE, CALLING, RINGING, TALKING, ENDED, REFUSED, CANCELLED = (
    "no response", "calling", "ringing", "talking", "ended", "refused", "cancelled")


@dataclass(frozen=True, slots=True)
class Dialog:
    """A dialog of a call by the callee's tag. state: "early" or "confirmed"; status: of the last response that made it."""

    tag: str
    state: str
    status: int


@dataclass(frozen=True, slots=True)
class CallStory:
    """What became of a call. Times in ns since 1970, 0 for what didn't happen.

    cause: the refusal's status line, or who hung up and the Reason header (RFC 3326); status: of the final response, or 0.
    """

    call: Call
    title: str
    state: str
    cause: str
    status: int
    invited_ns: int
    trying_ns: int = 0
    ringing_ns: int = 0
    answered_ns: int = 0
    acknowledged_ns: int = 0
    ended_ns: int = 0
    dialogs: tuple[Dialog, ...] = ()
    transactions: tuple[Transaction, ...] = ()

    @property
    def post_dial_delay_s(self) -> float | None:
        """From the INVITE to the first sign of ringing, or to the answer."""
        return _seconds(self.invited_ns, self.ringing_ns or self.answered_ns)

    @property
    def ring_s(self) -> float | None:
        """From ringing to the answer."""
        return _seconds(self.ringing_ns, self.answered_ns)

    @property
    def talk_s(self) -> float | None:
        """From the answer to the BYE; None while they talk."""
        return _seconds(self.answered_ns, self.ended_ns)

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {"call_id": self.call.call_id, "title": self.title, "state": self.state, "cause": self.cause,
                "status": self.status, "post_dial_delay_s": self.post_dial_delay_s, "ring_s": self.ring_s,
                "talk_s": self.talk_s, "messages": len(self.call.messages),
                "dialogs": [{"tag": one.tag, "state": one.state, "status": one.status} for one in self.dialogs]}


def story_of(call: Call) -> CallStory:
    """The story of a call, of its first INVITE and what follows."""
    found = transactions(call.messages)
    dialogs = _dialogs(found)
    first_tags = {one.tag for one in dialogs if one.state == "confirmed"}
    invites = [one for one in found if one.method == "INVITE" and _is_first(one)]
    begun = next((one.request for one in invites if one.request is not None), call.messages[0])
    decisive = _decisive(invites)
    answer = decisive.first(200, 299) if decisive is not None else None
    trying = min((one.responses[0].time_ns for one in invites if one.responses), default=0)
    ringing = min((one.time_ns for transaction in invites if (one := transaction.first(180, 199)) is not None), default=0)
    ack = next((one.request for one in found if answer is not None and one.method == "ACK"
                and one.request is not None and one.request.time_ns >= answer.time_ns), None)
    bye = next((one.request for one in found if one.method == "BYE" and one.request is not None), None)
    state, cause = _ending(found, decisive, answer, ringing, trying, bye)
    final = decisive.final if decisive is not None else None
    return CallStory(
        call, title_of(call), state, cause, status_of(final) if final is not None else 0, begun.time_ns, trying, ringing,
        answer.time_ns if answer is not None else 0, ack.time_ns if ack is not None else 0,
        bye.time_ns if bye is not None and (answer is not None or not first_tags) else 0, dialogs, tuple(found))


def _seconds(begin_ns: int, end_ns: int) -> float | None:
    return round((end_ns - begin_ns) / 1e9, 3) if begin_ns and end_ns >= begin_ns else None


def _is_first(one: Transaction) -> bool:
    """Whether it begins the call, rather than changing it: its INVITE has no To tag yet (RFC 3261 §12.2)."""
    return one.request is not None and not _to_tag(one.request)


def _to_tag(one: SeenMessage) -> str:
    try:
        return one.message.to.tag or ""
    except ParseError:
        return ""


def _decisive(invites: list[Transaction]) -> Transaction | None:
    """The INVITE that the caller's fate hangs on: one that was taken, else the last one that was no question for a password."""
    taken = next((one for one in invites if one.first(200, 299) is not None), None)
    rest = [one for one in invites if one.status not in (401, 407) or (one.request is not None and is_authorised(one.request))]
    return taken or (rest[-1] if rest else invites[-1] if invites else None)


def _dialogs(found: list[Transaction]) -> tuple[Dialog, ...]:
    dialogs: dict[str, Dialog] = {}
    for one in (response for transaction in found if transaction.method == "INVITE" and _is_first(transaction)
                for response in transaction.responses):
        status, tag = status_of(one), _to_tag(one)
        if 100 < status < 300 and tag and (tag not in dialogs or dialogs[tag].state == "early"):
            dialogs[tag] = Dialog(tag, "confirmed" if status >= 200 else "early", status)
    return tuple(dialogs.values())


def _ending(found: list[Transaction], decisive: Transaction | None, answer: SeenMessage | None, ringing: int, trying: int,
            bye: SeenMessage | None) -> tuple[str, str]:
    """State and cause."""
    if answer is not None or (decisive is None and bye is not None):
        return (ENDED, _hung_up(bye)) if bye is not None else (TALKING, "")
    final = decisive.final if decisive is not None else None
    if final is not None and not isinstance(final.message, Request):
        cause = f"{final.message.status} {final.message.reason}".strip()
        if warning := final.message.headers.get("Warning"):
            cause = f"{cause} ({warning})"
        is_cancelled = final.message.status == 487 and any(one.method == "CANCEL" for one in found)
        return CANCELLED if is_cancelled else REFUSED, cause
    if any(one.method == "CANCEL" for one in found):
        return CANCELLED, ""
    return (RINGING if ringing else CALLING if trying else NO_RESPONSE), ""


def _hung_up(bye: SeenMessage) -> str:
    reason = bye.message.headers.get("Reason")
    return f"BYE by {user_of(bye.message, 'from') or bye.source[0]}" + (f": {reason}" if reason else "")
