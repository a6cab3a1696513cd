"""The loop of the desktop relay: doors, links and sessions on one selector, control's messages in between.

Nothing here waits for one connection: a slow end only stops its own other end from being read. What a session raises ends that
session. Ends when control closes its socket.
"""

from __future__ import annotations

import logging
import os
import resource
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

from mcu.errors import ProtocolError
from mcu.messages import MAX_MESSAGE, Heartbeat
from mcu.relay.doors import WAIT_S, Doors
from mcu.relay.link import Link
from mcu.relay.messages import (
    CloseDesktop,
    Door,
    OpenDesktop,
    OpenDoor,
    RelayMessage,
    RelayReady,
    SetHolder,
    TicketRefused,
    pack,
    parse,
)
from mcu.relay.session import Session
from mcu.relay.tickets import OWNER, VIEWER, Ticket, Tickets
from rtp.keying.certificate import Certificate

BEAT_S = 0.25
MAX_LINKS = 512
"""Connections at once; further ones are closed."""
MAX_SESSIONS = 256
MAX_KEPT = 4096
"""Reports kept while control is slow."""

logger = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, also as IPv6 writes those of IPv4."""
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


class Relay:
    """Doors, sessions and the line to control. certificate: what this relay shows to all who come."""

    def __init__(self, control: socket.socket, certificate: Certificate, certificate_der: bytes) -> None:
        control.setblocking(False)
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, "control")
        self._sessions: dict[int, Session] = {}
        self._tickets = Tickets()
        self._doors = Doors(certificate, self._tickets, self._sessions, os.urandom)
        self._links: set[Link] = set()
        self._kept: deque[bytes] = deque()
        self._is_open = True
        self._failures = self._dropped = self._refused = 0
        self._tell(RelayReady(certificate_der))

    def run(self) -> None:
        """Work until control is gone."""
        beat_at = 0.0
        figures_at = time.monotonic() + 1.0
        while self._is_open:
            now = time.monotonic()
            if now >= beat_at:
                beat_at = now + BEAT_S
                self._beat(now, has_figures=now >= figures_at)
                figures_at = figures_at + 1.0 if now >= figures_at else figures_at
            for key, mask in self._selector.select(max(0.0, self._next_timer(beat_at) - time.monotonic())):
                self._serve(key.data, key.fileobj, mask, time.monotonic())
            self._tend(time.monotonic())
        self._close()

    def _next_timer(self, beat_at: float) -> float:
        return min([beat_at, *(due for session in self._sessions.values() if (due := session.next_timer()) is not None)])

    def _serve(self, data: object, fileobj: object, mask: int, now: float) -> None:
        if data == "control":
            self._take_commands(now)
        elif isinstance(data, Door) and isinstance(fileobj, socket.socket):
            self._accept(data, fileobj, now)
        elif isinstance(data, Link):
            with_session = self._session_of(data)
            try:
                if mask & selectors.EVENT_WRITE:
                    data.flush()
                if mask & selectors.EVENT_READ:
                    data.read(now)
            except Exception:
                logger.exception("a connection of the relay failed")
                self._failures += 1
                data.is_open = False
                if with_session is not None:
                    with_session.end("an error of the relay", now)

    def _session_of(self, link: Link) -> Session | None:
        return next((each for each in self._sessions.values() if link in (each.owner, each.viewer)), None)

    def _accept(self, door: Door, listener: socket.socket, now: float) -> None:
        """Let in who comes; what control said before they could know of this door is taken before they are judged."""
        self._take_commands(now)
        try:
            sock = listener.accept()[0]
        except OSError:
            return
        if len(self._links) >= MAX_LINKS:
            sock.close()
            return
        link = Link(sock, now, self._doors.tls_for(door, now))
        self._links.add(link)
        self._doors.welcome(door, link, now)

    def _tend(self, now: float) -> None:
        """Timers, links that are over, and who is read or written next."""
        for session in list(self._sessions.values()):
            session.handle_timer(now)
            if not session.is_joined and now >= session.expires_at:
                session.end("nobody came in time", now)
            if session.is_over:
                self._forget(session)
        throttled = set(self._throttled())
        seated = {link for session in self._sessions.values() for link in (session.owner, session.viewer)}
        for link in list(self._links):
            if link not in seated and now - link.opened_at >= WAIT_S:
                link.is_open = False
            if not link.is_open:
                self._links.discard(link)
                self._watch(link, 0)
                link.close()
                continue
            self._watch(link, (0 if link in throttled else selectors.EVENT_READ)
                        | (selectors.EVENT_WRITE if link.wants_to_write else 0))

    def _throttled(self) -> Iterator[Link]:
        """Ends whose other end is slow."""
        for session in self._sessions.values():
            if session.owner is not None and session.viewer is not None:
                if session.viewer.is_busy:
                    yield session.owner
                if session.owner.is_busy:
                    yield session.viewer

    def _watch(self, link: Link, events: int) -> None:
        if events == link.watched:
            return
        if not link.watched:
            self._selector.register(link.socket, events, link)
        elif not events:
            self._selector.unregister(link.socket)
        else:
            self._selector.modify(link.socket, events, link)
        link.watched = events

    def _forget(self, session: Session) -> None:
        self._tickets.forget(session.opened.session_id)
        self._sessions.pop(session.opened.session_id, None)

    def _take_commands(self, now: float) -> None:
        """All that control has sent so far."""
        while self._is_open:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE + 1, 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data, descriptors = b"", []
            self._is_open = bool(data)
            if data:
                self._take(data, descriptors, now)

    def _take(self, data: bytes, descriptors: list[int], now: float) -> None:
        try:
            self._carry_out(parse(data), descriptors, now)
        except ProtocolError:
            self._failures += 1
            logger.warning("control sent no message", exc_info=True)
            for descriptor in descriptors:
                os.close(descriptor)

    def _carry_out(self, command: RelayMessage, descriptors: list[int], now: float) -> None:
        match command:
            case OpenDoor(door) if descriptors:
                self._open_door(door, socket.socket(fileno=descriptors.pop()))
            case OpenDesktop():
                self._open(command, now)
            case SetHolder(session_id, participant_id) if session_id in self._sessions:
                self._sessions[session_id].set_holder(participant_id, now)
            case CloseDesktop(session_id) if session_id in self._sessions:
                self._sessions[session_id].end("closed", now)

    def _open_door(self, door: Door, listener: socket.socket) -> None:
        """VNC authentication is heard by who listens, and guessed by who tries: only this machine may come in by it."""
        if door is Door.VNC_PLAIN and not is_loopback(listener.getsockname()[0]):
            logger.error("a door with VNC authentication must be on loopback; it stays shut")
            self._failures += 1
            listener.close()
            return
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, door)

    def _open(self, opened: OpenDesktop, now: float) -> None:
        session = Session(opened, self._tell, now)
        if len(self._sessions) >= MAX_SESSIONS or opened.session_id in self._sessions:
            session.end("the server has no room for another desktop", now)
            return
        self._sessions[opened.session_id] = session
        for end, seat in ((OWNER, opened.owner), (VIEWER, opened.viewer)):
            self._tickets.add(seat.digest, Ticket(opened.session_id, end, seat.participant_id, seat.fingerprint,
                                                  session.expires_at))

    def _beat(self, now: float, *, has_figures: bool) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu_us = round((usage.ru_utime + usage.ru_stime) * 1e6)
        self._tickets.expire(now)
        self._tell(Heartbeat(len(self._sessions), len(self._links), cpu_us, 0, self._failures, self._dropped))
        if has_figures:
            for session in self._sessions.values():
                session.report()
        if self._doors.refused != self._refused:
            self._tell(TicketRefused(self._doors.refused - self._refused))
            self._refused = self._doors.refused

    def _tell(self, report: RelayMessage) -> None:
        """Send a report, never waiting; kept for a while when control is slow."""
        if len(self._kept) >= MAX_KEPT:
            self._dropped += 1
        else:
            self._kept.append(pack(report))
        try:
            while self._kept:
                self._control.send(self._kept[0])
                self._kept.popleft()
        except BlockingIOError:
            return
        except OSError:                     # control is gone: the loop finds out by reading
            self._kept.clear()

    def _close(self) -> None:
        now = time.monotonic()
        for session in list(self._sessions.values()):
            session.end("the server stops", now)
        for link in self._links:
            link.close()
        self._selector.close()
