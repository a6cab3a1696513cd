"""Keeping the way to a registrar open, and noticing that it is lost or has become another one (RFC 5626 §3.5, §4.4).

Over a connection a ping is CRLF CRLF, which a server that knows RFC 5626 answers by CRLF within ten seconds. Over UDP it is an
OPTIONS, to which any answer will do: its Via tells the address that the server sees (RFC 3581), as a STUN answer would, but
of every server; another one than before means that a NAT has given us a new way. A connection without a pong is asked by
OPTIONS too, before it is given up. Timers are those of the registration that the keep-alive belongs to.
"""

from __future__ import annotations

from typing import Protocol

from sip.core import Core
from sip.flow import Flow
from sip.headers import NameAddr
from sip.message import Response
from sip.transaction import Transaction
from sip.uri import Uri

INTERVAL_S = 30.0
"""The longest pause between pings over UDP; each is drawn from the last fifth of it (RFC 5626 §4.4.2: 24 to 29 s)."""
PONG_S = 10.0
"""How long a pong may take (RFC 5626 §4.4.1)."""
PING = b"\r\n\r\n"


class FlowUser(Protocol):
    """Whose flow it is."""

    flow: Flow
    registrar: Uri
    aor: NameAddr

    def on_flow_moved(self, now: float) -> None:
        """The peer sees us at another address than before."""

    def on_flow_failed(self, now: float) -> None:
        """No answer comes over the flow any more."""

    def handle_timer(self, name: str, now: float) -> None:
        """The timers "ping" and "pong" come back to `KeepAlive.handle_timer`."""


class KeepAlive:
    """The pings of one flow. interval_s: the longest pause between two."""

    def __init__(self, core: Core, user: FlowUser, interval_s: float = INTERVAL_S) -> None:
        self.is_waiting = False
        self._core = core
        self._user = user
        self._interval_s = interval_s
        self._seen: tuple[str, str] | None = None
        self._probe: Transaction | None = None

    def start(self, now: float) -> None:
        """Ping from now on; running ones begin anew."""
        self.is_waiting = False
        self._core.timers.stop((self._user, "pong"))
        chance = int(self._core.token(2), 16) / 0xFFFF
        self._core.timers.start((self._user, "ping"), now + self._interval_s * (0.8 + 0.17 * chance))

    def stop(self) -> None:
        """Ping no more."""
        self.is_waiting, self._probe = False, None
        for name in ("ping", "pong"):
            self._core.timers.stop((self._user, name))

    def handle_timer(self, name: str, now: float) -> None:
        """Time to ping, or no pong has come."""
        if name == "ping":
            self.start(now)
            if self._user.flow.is_reliable:
                self.is_waiting = True
                self._core.transmit(PING, self._user.flow)
                self._core.timers.start((self._user, "pong"), now + PONG_S)
                return
        self.is_waiting = False
        if self._probe is None:
            user = self._user
            request = self._core.make_request("OPTIONS", user.registrar, user.aor, NameAddr(user.registrar), user.flow, None)
            self._probe = self._core.send_request(request, user.flow, self, now)

    def receive_pong(self) -> bool:
        """A CRLF came over the connection; False when none was waited for."""
        if not self.is_waiting:
            return False
        self.is_waiting = False
        self._core.timers.stop((self._user, "pong"))
        return True

    def observe(self, response: Response) -> bool:
        """Look at where the server saw our request come from; True when that has changed. Only UDP has such ways."""
        via = response.via
        port = via.parameter("rport")
        if not port or self._user.flow.is_reliable:
            return False
        before, self._seen = self._seen, (via.parameter("received") or via.host, port)
        return before is not None and before != self._seen

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """The OPTIONS was answered."""
        if transaction is self._probe and response.status >= 200:
            self._probe = None
            if self.observe(response):
                self._user.on_flow_moved(now)

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """The OPTIONS was not answered."""
        if transaction is self._probe:
            self.stop()
            self._user.on_flow_failed(now)
