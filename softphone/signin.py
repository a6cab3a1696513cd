"""Being signed in at a server: registration (RFC 3261 §10), its keep-alives, and what the registrar says in words."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from sip import events
from sip.auth import DigestClient
from sip.endpoint import Endpoint
from sip.flow import Flow
from sip.headers import NameAddr
from sip.uri import Uri
from softphone.line import Line, RegistrationUpdated
from softphone.words import registration_failed

REG_ID = 1
"""We keep one flow to the server (RFC 5626 §4.2)."""
EXPIRES_S = 600
"""How long a binding is asked to live: after a change of the network it is not wrong for long."""
KEEP_ALIVE_S = 30.0
"""The longest pause between two pings to the server: they keep the way through a NAT open, and notice a server that is gone."""


class SignIn:
    """One registration, as long as our address stays the same. tell: gets what changed; instance: the URN of this phone."""

    def __init__(self, endpoint: Endpoint, line: Line, *, registrar: Uri, aor: NameAddr, contact: Uri, flow: Flow,
                 credentials: DigestClient, tell: Callable[[RegistrationUpdated], None], keep_alive_s: float = 0.0,
                 instance: str = "") -> None:
        self.is_registered = False
        self.flow = flow
        self._line = line
        self._tell = tell
        self._is_over = False
        self._registration = endpoint.register(registrar, aor=aor, contact=contact, flow=flow, now=line.now(),
                                               credentials=credentials, expires_s=EXPIRES_S,
                                               keep_alive_s=keep_alive_s or KEEP_ALIVE_S,
                                               instance=instance, reg_id=REG_ID)

    def on_event(self, event: events.Registered | events.RegistrationFailed) -> None:
        """The registrar has answered, or has not."""
        if event.registration is not self._registration or self._is_over:
            return
        if isinstance(event, events.Registered):
            self.is_registered = True
            self._tell(RegistrationUpdated(True))
            return
        self.is_registered = False
        is_retrying = event.status in (408, 480) or event.status >= 500
        text = registration_failed(event.status, event.reason, self._registration.registrar.host_port)
        self._tell(RegistrationUpdated(False, text, event.status, is_retrying))

    def on_connection_lost(self, flow: Flow) -> None:
        """A connection broke: what the server knew of us by it is void (RFC 5626 §4.4)."""
        if self.is_registered and not self._is_over and flow.remote == self.flow.remote:
            asyncio.get_running_loop().call_later(0.5 + secrets.randbelow(1000) / 1000, self._refresh)

    def move(self, flow: Flow, contact: Uri) -> None:
        """Sign in at the next server of the same name (RFC 3263 §4.3)."""
        self.flow = flow
        self._registration.move(flow, contact, self._line.now())
        self._line.pump()

    def _refresh(self) -> None:
        if not self._is_over:
            self._registration.refresh(self._line.now())
            self._line.pump()

    def end(self) -> None:
        """Sign out (RFC 3261 §10.2.2), once."""
        if not self._is_over and self.is_registered:
            self._registration.unregister(self._line.now())
            self._line.pump()
        self.give_up()

    def give_up(self) -> None:
        """Forget it without a word: the way to the server is not there any more."""
        self._is_over, self.is_registered = True, False
