"""Who comes to the relay, and by which door: TLS, a ticket, a seat; or nothing.

Phones show their certificate and then their ticket in a preface. Stock VNC viewers say the ticket as a password, inside TLS,
or, on loopback alone, as the answer to a challenge. Until a seat is taken a connection has WAIT_S and may say very little.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable

from mcu.relay.junction import Junction, JunctionEnded, TlsWanted
from mcu.relay.link import Link
from mcu.relay.messages import NO_FINGERPRINT, Door
from mcu.relay.session import Session
from mcu.relay.tickets import OWNER, Ticket, Tickets
from rtp.errors import ParseError
from rtp.keying.certificate import Certificate, Fingerprint
from rtp.keying.dtls import Role
from rtp.keying.tls import TlsDoor, TlsEndpoint
from rtp.rfb.handshake import ServerSecurity
from rtp.rfb.preface import PREFACE_SIZE, parse_preface
from rtp.rfb.security import VENCRYPT, VNC_AUTH, vnc_response

WAIT_S = 20.0
"""From the connection to the seat; a person may have to paste a password."""


class Doors:
    """Lets connections in to seats. sessions: those of now, by id; refused: how often somebody had no right ticket, or no
    right certificate."""

    def __init__(self, certificate: Certificate, tickets: Tickets, sessions: dict[int, Session],
                 random: Callable[[int], bytes]) -> None:
        self.refused = 0
        self._certificate = certificate
        self._tickets = tickets
        self._sessions = sessions
        self._random = random

    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """The certificates that are expected now."""
        return tuple(Fingerprint("sha-256", each) for each in self._tickets.fingerprints() if each != NO_FINGERPRINT)

    def tls_for(self, door: Door, now: float) -> TlsEndpoint | None:
        """What protects a new connection of a door from its first byte on."""
        if door is not Door.PHONES:
            return None
        return TlsEndpoint(Role.SERVER, self._certificate, self.fingerprints(), now=now)

    def welcome(self, door: Door, link: Link, now: float) -> None:
        """A new connection."""
        if door is Door.PHONES:
            _Preface(self, link)
        else:
            _Viewer(self, link, door, self._random, now)

    def seat_phone(self, link: Link, word: str, rest: bytes, now: float) -> None:
        """A phone showed its ticket; rest: what came behind the preface."""
        fingerprint = link.fingerprint.digest if link.fingerprint is not None else NO_FINGERPRINT
        ticket = self._tickets.redeem(word, fingerprint, now)
        session = self._free_seat(ticket)
        if session is None or ticket is None:
            self.refuse(link)
            return
        if ticket.end == OWNER:
            session.take_owner(link, now)
            session.start(now)
            if rest:
                link.on_data(rest, now)
        else:
            junction = Junction(None)
            session.take_viewer(link, junction, now)
            link.on_data = session.receive_viewer
            session.start(now)
            if rest:
                session.receive_viewer(rest, now)

    def seat_by_word(self, word: str, now: float) -> Session | None:
        """The session whose viewer's ticket this is, used up by that."""
        return self._free_seat(self._tickets.redeem(word, NO_FINGERPRINT, now))

    def seat_by_answer(self, challenge: bytes, response: bytes) -> Session | None:
        """The session whose eight letters answer a challenge so, used up by that."""
        for session in self._waiting():
            if session.plain_word and hmac.compare_digest(vnc_response(session.plain_word, challenge), response):
                session.plain_word = ""
                return session
        return None

    def certificate_door(self, now: float) -> TlsDoor:
        """TLS for who shows no certificate."""
        return TlsDoor(self._certificate, now=now)

    def refuse(self, link: Link) -> None:
        """Nobody who may sit here."""
        self.refused += 1
        link.end()

    def _waiting(self) -> Iterable[Session]:
        return (session for session in self._sessions.values() if session.viewer is None and not session.is_over)

    def _free_seat(self, ticket: Ticket | None) -> Session | None:
        """The session of a ticket, when that seat is free."""
        session = self._sessions.get(ticket.session_id) if ticket is not None else None
        if session is None or ticket is None or session.is_over:
            return None
        taken = session.owner if ticket.end == OWNER else session.viewer
        return None if taken is not None else session


class _Preface:
    """Reads a phone's preface."""

    def __init__(self, doors: Doors, link: Link) -> None:
        self._doors, self._link = doors, link
        self._data = bytearray()
        link.on_data = self._receive

    def _receive(self, data: bytes, now: float) -> None:
        if not data:
            self._doors.refuse(self._link)
            return
        self._data += data
        if len(self._data) < PREFACE_SIZE:
            return
        try:
            word = parse_preface(bytes(self._data[:PREFACE_SIZE]))
        except ParseError:
            self._doors.refuse(self._link)
            return
        self._doors.seat_phone(self._link, word, bytes(self._data[PREFACE_SIZE:]), now)


class _Viewer:
    """Carries a stock viewer through its handshake; the seat is taken while its password is judged."""

    def __init__(self, doors: Doors, link: Link, door: Door, random: Callable[[int], bytes], now: float) -> None:
        self._doors, self._link = doors, link
        self._session: Session | None = None
        self._now = now
        kind = VENCRYPT if door is Door.VNC_TLS else VNC_AUTH
        security = ServerSecurity((kind,), random, may_answer=self._may_answer, may_enter=self._may_enter)
        self._junction = Junction(None, security)
        link.on_data = self._receive
        link.on_tls = self._junction.tls_established
        link.send(self._junction.data_for_viewer())

    def _may_enter(self, user: str, password: str) -> bool:
        return self._sit(self._doors.seat_by_word(password, self._now))

    def _may_answer(self, challenge: bytes, response: bytes) -> bool:
        return self._sit(self._doors.seat_by_answer(challenge, response))

    def _sit(self, session: Session | None) -> bool:
        if session is None:
            self._doors.refused += 1
            return False
        session.take_viewer(self._link, self._junction, self._now)
        self._session = session
        return True

    def _receive(self, data: bytes, now: float) -> None:
        self._now = now
        self._junction.receive_from_viewer(data, now)
        if self._session is not None:
            self._link.on_data = self._session.receive_viewer
            self._session.start(now)
            return
        self._link.send(self._junction.data_for_viewer())
        while (event := self._junction.next_event()) is not None:
            if isinstance(event, TlsWanted):
                self._link.start_tls(self._doors.certificate_door(now), event.rest, now)
            elif isinstance(event, JunctionEnded):
                self._link.end()
