"""Being signed in at a server: registration (RFC 3261 §10), keep-alives through a NAT, and what the registrar says in words."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from sip import events
from sip.auth import DigestClient
from sip.endpoint import Endpoint
from sip.flow import Flow
from sip.headers import NameAddr
from sip.message import Response
from sip.uri import Uri
from softphone.line import Line, RegistrationUpdated
from softphone.words import registration_failed

EXPIRES_S = 600
"""How long a binding is asked to live: after a change of the network it is not wrong for long."""
KEEP_ALIVE_S = 25.0
"""Between two OPTIONS to the server: keeps the way through a NAT open, and notices a server that is gone."""


class SignIn:
    """One registration, as long as our address stays the same. tell: gets what changed."""

    def __init__(self, endpoint: Endpoint, line: Line, *, registrar: Uri, aor: NameAddr, contact: Uri, flow: Flow,
                 credentials: DigestClient, tell: Callable[[RegistrationUpdated], None]) -> None:
        self.is_registered = False
        self.flow = flow
        self._endpoint = endpoint
        self._line = line
        self._credentials = credentials
        self._tell = tell
        self._is_probing = self._is_over = False
        self._keep_alive_at = 0.0
        self._registration = endpoint.register(registrar, aor=aor, contact=contact, flow=flow, now=line.now(),
                                               credentials=credentials, expires_s=EXPIRES_S)

    def on_event(self, event: events.Registered | events.RegistrationFailed) -> None:
        """The registrar has answered, or has not."""
        if event.registration is not self._registration or self._is_over:
            return
        if isinstance(event, events.Registered):
            self.is_registered = True
            self._keep_alive_at = self._line.now() + KEEP_ALIVE_S
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

    def check(self, now: float) -> None:
        """Called every second: a keep-alive where one is due. One that is not answered makes us register again."""
        if not self.is_registered or self._is_probing or now < self._keep_alive_at:
            return
        self._keep_alive_at = now + KEEP_ALIVE_S
        self._is_probing = True
        registration = self._registration
        request_id = self._endpoint.request("OPTIONS", registration.registrar, from_=registration.aor, flow=self.flow, now=now,
                                            contact=registration.contact, credentials=self._credentials)
        self._line.response_to(request_id).add_done_callback(self._kept_alive)
        self._line.pump()

    def _kept_alive(self, done: asyncio.Future[Response | None]) -> None:
        self._is_probing = False
        if not done.cancelled() and done.result() is None and self.is_registered:
            self._refresh()

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
