"""Joins the two ends of a shared desktop (RFC 6143): a viewer on one side, the desktop on the other, the gate between. Pure.

The server speaks the handshake with both: it is a server to the viewer, which may prove itself as the door wants it, and a
viewer to the desktop, which asks for nothing (TLS and its ticket have been seen by then). From ClientInit on pictures go
through as they are; a viewer's bytes are read message by message, judged, and written anew. Bytes that are no RFB end the
session.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from mcu.relay.gate import Flooded, Gate, GateEvent
from rtp.errors import ParseError
from rtp.rfb.handshake import ServerSecurity, ViewerSecurity, serve, view
from rtp.rfb.messages import read_client_message
from rtp.rfb.stream import Incoming, Reading


@dataclass(frozen=True, slots=True)
class DesktopJoined:
    """Pictures flow."""


@dataclass(frozen=True, slots=True)
class JunctionEnded:
    """The session is over; why, for the audit."""

    reason: str


@dataclass(frozen=True, slots=True)
class TlsWanted:
    """The viewer chose VeNCrypt: TLS begins on its connection. rest: bytes that came behind."""

    rest: bytes


JunctionEvent = DesktopJoined | JunctionEnded | TlsWanted | GateEvent


class Junction:
    """One desktop and one viewer. `state`: joining, joined or ended. gate: what decides about input; where only the viewer's
    handshake tells whose connection this is, it is put here while that is judged (`security`).

    bytes_to_viewer, bytes_to_owner: how much went either way.
    """

    def __init__(self, gate: Gate | None, security: ServerSecurity | None = None) -> None:
        self.state = "joining"
        self.gate = gate
        self.bytes_to_viewer = self.bytes_to_owner = 0
        self._now = 0.0
        self._security = security or ServerSecurity()
        self._client_init: bytes | None = None
        self._is_owner_ready = self._begins_tls = False
        self._for_viewer: list[bytes] = []
        self._for_owner: list[bytes] = []
        self._events: deque[JunctionEvent] = deque()
        self._viewer = Incoming(self._read_viewer())
        self._owner = Incoming(self._read_owner())

    def receive_from_viewer(self, data: bytes, now: float) -> None:
        """Bytes of the viewer; empty ones mean that it is gone."""
        if self.state == "ended":
            return
        self._now = now
        if not data:
            self.end("the viewer left", now)
            return
        try:
            self._viewer.receive(data)
        except ParseError as error:
            self.end(f"the viewer: {error}", now)
        if self._begins_tls:
            self._begins_tls = False
            self._events.append(TlsWanted(self._viewer.take_rest()))
        self._drain_gate(now)

    def receive_from_owner(self, data: bytes, now: float) -> None:
        """Bytes of the desktop; empty ones mean that it is gone."""
        if self.state == "ended":
            return
        if not data:
            self.end("the desktop left", now)
        elif self.state == "joined":
            self._to_viewer(data)
        else:
            try:
                self._owner.receive(data)
            except ParseError as error:
                self.end(f"the desktop: {error}", now)
            self._join()

    def tls_established(self, now: float) -> None:
        """TLS stands on the viewer's connection, after `TlsWanted`."""
        self._now = now
        self._viewer.resume()

    def set_holder(self, participant_id: int, now: float) -> None:
        """Who holds the floor now; 0 for nobody."""
        if self.state != "ended" and self.gate is not None:
            self.gate.set_holder(participant_id, now)
            self._drain_gate(now)

    def end(self, reason: str, now: float) -> None:
        """Close the gate, let go of what is held, and be over. A second call does nothing."""
        if self.state == "ended":
            return
        self.set_holder(0, now)
        self.state = "ended"
        self._events.append(JunctionEnded(reason))

    def data_for_viewer(self) -> bytes:
        """Bytes for the viewer's connection."""
        return _drained(self._for_viewer)

    def data_for_owner(self) -> bytes:
        """Bytes for the desktop's connection; after the end, too: the last are the releases."""
        return _drained(self._for_owner)

    def next_timer(self) -> float | None:
        """When to call `handle_timer`, None for never."""
        return self.gate.next_timer() if self.state != "ended" and self.gate is not None else None

    def handle_timer(self, now: float) -> None:
        """Let the gate do what is due."""
        if self.gate is not None:
            self.gate.handle_timer(now)
            self._drain_gate(now)

    def next_event(self) -> JunctionEvent | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    def _read_viewer(self) -> Reading[None]:
        refused = yield from serve(self._security, self._for_viewer.append, self._begin_tls)
        if refused or self.gate is None:
            raise ParseError(refused or "a viewer of no session")
        self._client_init = yield 1
        self._join()
        while True:
            self.gate.receive((yield from read_client_message()), self._now)

    def _begin_tls(self) -> None:
        self._begins_tls = True

    def _read_owner(self) -> Reading[None]:
        refused = yield from view(ViewerSecurity(), self._to_owner, self._begin_tls)
        if refused:
            raise ParseError(refused)
        self._is_owner_ready = True

    def _join(self) -> None:
        if self.state == "joining" and self._is_owner_ready and self._client_init is not None:
            self.state = "joined"
            self._to_owner(self._client_init)
            self._events.append(DesktopJoined())
            rest = self._owner.take_rest()
            if rest:
                self._to_viewer(rest)
            self._drain_gate(self._now)

    def _drain_gate(self, now: float) -> None:
        gate = self.gate
        if gate is None:
            return
        if self.state == "joined":
            for message in gate.messages_to_send():
                self._to_owner(bytes(message))
        while (event := gate.next_event()) is not None:
            self._events.append(event)
            if isinstance(event, Flooded):
                self.end("the viewer sends more than anybody needs", now)

    def _to_viewer(self, data: bytes) -> None:
        self._for_viewer.append(data)
        self.bytes_to_viewer += len(data)

    def _to_owner(self, data: bytes) -> None:
        self._for_owner.append(data)
        self.bytes_to_owner += len(data)


def _drained(parts: list[bytes]) -> bytes:
    data = b"".join(parts)
    parts.clear()
    return data
