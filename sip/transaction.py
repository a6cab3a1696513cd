"""The four transaction machines of RFC 3261 §17, with the corrections of RFC 6026, as tables.

A table gives for (state, event) the next state and the actions. Actions are carried out by `sip.transactions`: `send` the
message given, `resend` the last one, `ack` a refusal, `pass` to the user, `fail` to the user, `start_X` and `stop_X` a timer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sip.flow import Flow
from sip.message import Request, Response
from sip.timers import GIVE_UP, T1, T2, T4, TIMER_D


class State(Enum):
    """States of all four machines."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Kind(Enum):
    """Which machine."""

    INVITE_CLIENT = "invite client"
    CLIENT = "client"
    INVITE_SERVER = "invite server"
    SERVER = "server"


Table = dict[tuple[State, str], tuple[State, tuple[str, ...]]]
_CALLING, _TRYING, _PROCEEDING, _ACCEPTED = State.CALLING, State.TRYING, State.PROCEEDING, State.ACCEPTED
_COMPLETED, _CONFIRMED, _TERMINATED = State.COMPLETED, State.CONFIRMED, State.TERMINATED

INVITE_CLIENT: Table = {          # RFC 3261 figure 5 with RFC 6026 §8.4
    (_CALLING, "A"): (_CALLING, ("resend", "start_A")),
    (_CALLING, "B"): (_TERMINATED, ("fail",)),
    (_CALLING, "1xx"): (_PROCEEDING, ("stop_A", "stop_B", "pass")),
    (_CALLING, "2xx"): (_ACCEPTED, ("stop_A", "stop_B", "start_M", "pass")),
    (_CALLING, "refusal"): (_COMPLETED, ("stop_A", "stop_B", "ack", "start_D", "pass")),
    (_CALLING, "transport"): (_TERMINATED, ("fail",)),
    (_PROCEEDING, "1xx"): (_PROCEEDING, ("pass",)),
    (_PROCEEDING, "2xx"): (_ACCEPTED, ("start_M", "pass")),
    (_PROCEEDING, "refusal"): (_COMPLETED, ("ack", "start_D", "pass")),
    (_PROCEEDING, "transport"): (_TERMINATED, ("fail",)),
    (_ACCEPTED, "2xx"): (_ACCEPTED, ("pass",)),
    (_ACCEPTED, "M"): (_TERMINATED, ()),
    (_COMPLETED, "refusal"): (_COMPLETED, ("ack",)),
    (_COMPLETED, "D"): (_TERMINATED, ()),
}

CLIENT: Table = {                 # RFC 3261 figure 6
    (_TRYING, "E"): (_TRYING, ("resend", "start_E")),
    (_TRYING, "F"): (_TERMINATED, ("fail",)),
    (_TRYING, "1xx"): (_PROCEEDING, ("pass",)),
    (_TRYING, "2xx"): (_COMPLETED, ("stop_E", "stop_F", "start_K", "pass")),
    (_TRYING, "refusal"): (_COMPLETED, ("stop_E", "stop_F", "start_K", "pass")),
    (_TRYING, "transport"): (_TERMINATED, ("fail",)),
    (_PROCEEDING, "E"): (_PROCEEDING, ("resend", "start_E")),
    (_PROCEEDING, "F"): (_TERMINATED, ("fail",)),
    (_PROCEEDING, "1xx"): (_PROCEEDING, ("pass",)),
    (_PROCEEDING, "2xx"): (_COMPLETED, ("stop_E", "stop_F", "start_K", "pass")),
    (_PROCEEDING, "refusal"): (_COMPLETED, ("stop_E", "stop_F", "start_K", "pass")),
    (_PROCEEDING, "transport"): (_TERMINATED, ("fail",)),
    (_COMPLETED, "K"): (_TERMINATED, ()),
}

INVITE_SERVER: Table = {          # RFC 3261 figure 7 with RFC 6026 §8.7
    (_PROCEEDING, "request"): (_PROCEEDING, ("resend",)),
    (_PROCEEDING, "send_1xx"): (_PROCEEDING, ("send",)),
    (_PROCEEDING, "send_2xx"): (_ACCEPTED, ("send", "start_L")),
    (_PROCEEDING, "send_refusal"): (_COMPLETED, ("send", "start_G", "start_H")),
    (_ACCEPTED, "request"): (_ACCEPTED, ()),
    (_ACCEPTED, "send_2xx"): (_ACCEPTED, ("send",)),
    (_ACCEPTED, "L"): (_TERMINATED, ()),
    (_COMPLETED, "request"): (_COMPLETED, ("resend",)),
    (_COMPLETED, "G"): (_COMPLETED, ("resend", "start_G")),
    (_COMPLETED, "H"): (_TERMINATED, ()),
    (_COMPLETED, "ack"): (_CONFIRMED, ("stop_G", "stop_H", "start_I")),
    (_CONFIRMED, "I"): (_TERMINATED, ()),
}

SERVER: Table = {                 # RFC 3261 figure 8; U: what the user has not answered in 64*T1 is of no use (RFC 4320 §4.2)
    (_TRYING, "U"): (_TERMINATED, ()),
    (_PROCEEDING, "U"): (_TERMINATED, ()),
    (_TRYING, "send_1xx"): (_PROCEEDING, ("send",)),
    (_TRYING, "send_2xx"): (_COMPLETED, ("send", "start_J")),
    (_TRYING, "send_refusal"): (_COMPLETED, ("send", "start_J")),
    (_PROCEEDING, "request"): (_PROCEEDING, ("resend",)),
    (_PROCEEDING, "send_1xx"): (_PROCEEDING, ("send",)),
    (_PROCEEDING, "send_2xx"): (_COMPLETED, ("send", "start_J")),
    (_PROCEEDING, "send_refusal"): (_COMPLETED, ("send", "start_J")),
    (_COMPLETED, "request"): (_COMPLETED, ("resend",)),
    (_COMPLETED, "J"): (_TERMINATED, ()),
}

TABLES = {Kind.INVITE_CLIENT: INVITE_CLIENT, Kind.CLIENT: CLIENT, Kind.INVITE_SERVER: INVITE_SERVER, Kind.SERVER: SERVER}
TIMERS = {kind: tuple(sorted({event for _, event in table if len(event) == 1})) for kind, table in TABLES.items()}
"""The timers of each machine."""
START = {
    Kind.INVITE_CLIENT: (_CALLING, ("send", "start_A", "start_B")), Kind.CLIENT: (_TRYING, ("send", "start_E", "start_F")),
    Kind.INVITE_SERVER: (_PROCEEDING, ()), Kind.SERVER: (_TRYING, ("start_U",)),
}
"""The state in which each machine begins, and what it does then."""

_UNRELIABLE_ONLY = frozenset("AEG")
_ZERO_IF_RELIABLE = frozenset("DIJK")
_FIXED = dict.fromkeys("BFHLMUJ", GIVE_UP) | {"D": TIMER_D, "I": T4, "K": T4}


def event_of(status: int) -> str:
    """The class of a status code as the tables name it."""
    return "1xx" if status < 200 else "2xx" if status < 300 else "refusal"


@dataclass(slots=True, eq=False)
class Transaction:
    """One transaction: its machine's state and what the actions need. `owner` is whom the user's events go to; `keys`: by what
    a request finds a server's."""

    id: int
    kind: Kind
    request: Request
    flow: Flow
    owner: Any = None
    keys: tuple[tuple[str, ...], ...] = ()
    state: State = field(init=False)
    last: bytes = b""
    final_status: int = 0
    intervals: dict[str, float] = field(default_factory=dict)
    attempt: int = 1

    def __post_init__(self) -> None:
        self.state = START[self.kind][0]

    @property
    def is_client(self) -> bool:
        """Whether we sent the request."""
        return self.kind in (Kind.INVITE_CLIENT, Kind.CLIENT)

    def forget(self) -> None:
        """A server has answered for good: for the half minute in which the request may come again the response is enough, and
        a flood of calls that were refused is not kept with all its parts."""
        self.owner = None
        self.request = Request(self.request.method, self.request.uri)

    def handle(self, event: str) -> tuple[str, ...]:
        """Move by one event; the actions to carry out. An event that the state does not know does nothing."""
        step = TABLES[self.kind].get((self.state, event))
        if step is None:
            return ()
        self.state = step[0]
        return step[1]

    def delay(self, timer: str) -> float | None:
        """How long a timer runs when it is started now; None when this transport needs none (RFC 3261 table 4)."""
        if timer in _UNRELIABLE_ONLY:
            if self.flow.is_reliable:
                return None
            before = self.intervals.get(timer, 0.0)
            longest = GIVE_UP if timer == "A" else T2
            self.intervals[timer] = interval = min(2 * before, longest) if before else T1
            if timer == "E" and self.state is State.PROCEEDING:
                self.intervals[timer] = interval = T2
            return interval
        if timer in _ZERO_IF_RELIABLE and self.flow.is_reliable:
            return 0.0
        return _FIXED[timer]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a client transaction hands up: a response."""

    transaction: Transaction
    response: Response
