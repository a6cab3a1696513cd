"""Session timers (RFC 4028): how long a session may live without a refresh, and who refreshes it.

`Session` is values and rules alone: it writes and reads the headers of INVITE, UPDATE and their 2xx, and says when to refresh
and when to give up. `SessionTimer` lets that time run. The refresh is sent by `sip.own_offers`, the BYE at the end by the call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sip.core import Core
from sip.errors import ParseError
from sip.grammar import number, parameters
from sip.message import Request, Response
from sip.transaction import Transaction

OPTION = "timer"
LEAST_S = 90
"""No interval may be shorter (§4)."""
MOST_S = 86400
MAX_422 = 3
"""How often a refusal for too short an interval is answered with a longer one."""
RETRY_REFRESH_S = 5.0
"""The wait before a refresh of the session that could not be sent, or was refused, is tried again."""


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The value of a Session-Expires header (§4): `refresher` is uac, uas or empty."""

    interval_s: int
    refresher: str = ""

    @classmethod
    def parse(cls, value: str) -> SessionExpires:
        """Read a value. Raises ParseError."""
        seconds, semicolon, rest = value.partition(";")
        refresher = dict(parameters(semicolon + rest, "Session-Expires")).get("refresher") or ""
        return cls(number(seconds, "Session-Expires"), refresher if refresher in ("uac", "uas") else "")

    def __str__(self) -> str:
        return str(self.interval_s) + (f";refresher={self.refresher}" if self.refresher else "")


def session_expires_of(message: Request | Response) -> SessionExpires | None:
    """What a message asks for, None where it asks for nothing that can be read."""
    value = message.headers.get("Session-Expires")
    try:
        return None if value is None else SessionExpires.parse(value)
    except ParseError:
        return None


def min_se_of(message: Request | Response) -> int:
    """The least interval that a message takes, s (§5); 0 where it does not say."""
    try:
        return min(number((message.headers.get("Min-SE") or "0").partition(";")[0], "Min-SE"), MOST_S)
    except ParseError:
        return 0


def is_too_small(request: Request, min_se_s: int) -> bool:
    """Whether an INVITE or UPDATE is to be refused with 422 (§9): only to a peer that knows what that is."""
    asked = session_expires_of(request)
    return asked is not None and OPTION in request.supported and asked.interval_s < max(min_se_s, LEAST_S)


class Session:
    """The session timer of one call. wanted_s: the interval that we ask for, 0 for none; min_se_s: the least that we take.

    `interval_s` is 0 while the session has no end; `is_refresher` tells whether refreshing is our part.
    """

    def __init__(self, wanted_s: int, min_se_s: int) -> None:
        self._least_s = max(min_se_s, LEAST_S)
        self._wanted_s = max(wanted_s, self._least_s) if wanted_s else 0
        self._must_say_least = self._least_s > LEAST_S
        self._refusals = 0
        self.interval_s = 0
        self.is_refresher = False

    @property
    def refresh_after_s(self) -> float:
        """Seconds from one refresh to the next: half of the interval (§10)."""
        return self.interval_s / 2

    @property
    def ends_after_s(self) -> float:
        """Seconds without a refresh after which the call is ended, a little before the interval is over (§10)."""
        return self.interval_s - min(32.0, self.interval_s / 3)

    def ask(self, request: Request) -> None:
        """Write into an INVITE or UPDATE of ours what we ask for (§7.1, §7.4)."""
        seconds = self.interval_s or self._wanted_s
        if not seconds:
            return
        refresher = ("uac" if self.is_refresher else "uas") if self.interval_s else ""
        request.headers.set("Session-Expires", SessionExpires(max(seconds, self._least_s), refresher))
        if self._must_say_least:
            request.headers.set("Min-SE", self._least_s)

    def take_refusal(self, refusal: Response) -> bool:
        """A 422: whether the request may be sent again with a longer interval (§7.3)."""
        least = min_se_of(refusal)
        if refusal.status != 422 or least <= 0 or self._refusals >= MAX_422:
            return False
        self._refusals += 1
        self._least_s, self._must_say_least = max(self._least_s, least), True
        self._wanted_s = max(self._wanted_s, self._least_s)
        return True

    def answer(self, request: Request) -> list[tuple[str, object]]:
        """The headers of our 2xx to this INVITE or UPDATE (§9, table 2), which set the timer."""
        asked, knows = session_expires_of(request), OPTION in request.supported
        if asked is None and not (knows and self._wanted_s):
            self.interval_s = 0
            return []
        least = max(min_se_of(request), self._least_s)
        limits = [s for s in (asked.interval_s if asked is not None else 0, self._wanted_s, MOST_S) if s]
        self.interval_s = max(min(limits), least)
        refresher = asked.refresher if asked is not None and knows and asked.refresher else "uas"
        self.is_refresher = refresher == "uas"
        required: list[tuple[str, object]] = [("Require", OPTION)] if knows else []
        return [("Session-Expires", SessionExpires(self.interval_s, refresher)), *required]

    def receive(self, response: Response) -> None:
        """The 2xx to our INVITE or UPDATE sets the timer, or, without the header, ends it (§7.2)."""
        given = session_expires_of(response)
        if given is None:
            self.interval_s = 0
            return
        self.interval_s = min(max(given.interval_s, LEAST_S), MOST_S)
        self.is_refresher = given.refresher != "uas"


class SessionTimer:
    """The session of one call as its time runs. refresh: called when a refresh by us is due; expired: when none came."""

    def __init__(self, core: Core, refresh: Callable[[float], None], expired: Callable[[float], None]) -> None:
        self._core = core
        self._refresh = refresh
        self._expired = expired
        self._session = Session(core.settings.session_expires_s, core.settings.min_se_s)
        self._is_over = False

    def ask(self, request: Request) -> None:
        """Write into an INVITE or UPDATE of ours what we ask for."""
        self._session.ask(request)

    def ask_again_for_longer(self, transaction: Transaction, refusal: Response, now: float) -> bool:
        """After a 422 send the request again with the interval that the peer wants (§7.3); False for any other refusal."""
        if not self._session.take_refusal(refusal):
            return False
        request = transaction.request.copy()
        request.headers.remove("Authorization")
        request.headers.remove("Proxy-Authorization")
        self._session.ask(request)
        self._core.send_again(transaction, request, now)
        return True

    def answer(self, request: Request, now: float) -> list[tuple[str, object]]:
        """The headers of our 2xx, from which on the time runs anew (§10)."""
        headers = self._session.answer(request)
        self._restart(now)
        return headers

    def receive(self, response: Response, now: float) -> None:
        """The peer's 2xx came: the time runs anew (§10)."""
        self._session.receive(response)
        self._restart(now)

    def retry(self, now: float) -> None:
        """A refresh failed: it is tried again until the session's time is over (§10)."""
        self._core.timers.start((self, "refresh"), now + RETRY_REFRESH_S)

    def stop(self) -> None:
        """The call is over."""
        self._is_over = True
        self._stop_timers()

    def handle_timer(self, name: str, now: float) -> None:
        """Time to refresh, or to give up."""
        if name == "refresh":
            self._refresh(now)
        else:
            self._expired(now)

    def _restart(self, now: float) -> None:
        self._stop_timers()
        if self._session.interval_s and not self._is_over:
            self._core.timers.start((self, "session"), now + self._session.ends_after_s)
            if self._session.is_refresher:
                self._core.timers.start((self, "refresh"), now + self._session.refresh_after_s)

    def _stop_timers(self) -> None:
        self._core.timers.stop((self, "session"))
        self._core.timers.stop((self, "refresh"))
