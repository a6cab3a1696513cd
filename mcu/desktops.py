"""The desktops that one conference shares, each between two ends: who shows, who looks, and which words open their seats. Pure.

    desktops = RoomDesktops(relay, random)
    desktops.present(anna, fingerprint)                      # of the certificate in her SDP
    desktops.open(anna, bernd)                               # the owner agrees; both phones may fetch their words
    desktops.set_holder(anna, bernd)                         # as the floor *control* says, 0 for nobody
    word = desktops.take_word(bernd, VIEWER)                 # for his next answer

One viewer at a time has the floor; others may only look. A guest is a stock VNC viewer, who comes by a ticket of the operator's
and shows no certificate. What the relay is told goes out through `Relay`; what it reports comes in by `joined` and `ended`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from mcu.participant import ParticipantId
from mcu.relay.messages import NO_FINGERPRINT, OpenDesktop, Seat
from mcu.relay.tickets import OWNER, VIEWER, digest_of, make_word

LIFETIME_S = 30
"""For both phones to come; a person at a stock viewer gets GUEST_LIFETIME_S."""
GUEST_LIFETIME_S = 120
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
PLAIN_LETTERS = 8
"""VNC authentication looks at no more."""
MAX_DESKTOPS = 16
"""At once in one conference."""


class Relay(Protocol):
    """Where sessions are opened; calls return at once."""

    def new_session(self) -> int:
        """A number that no session has."""

    def open_desktop(self, opened: OpenDesktop) -> None:
        """Expect two ends."""

    def set_holder(self, session_id: int, participant_id: int) -> None:
        """Whose input passes, 0 for nobody's."""

    def close_desktop(self, session_id: int) -> None:
        """End a session."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A stock viewer's ticket. word: its password over TLS; plain_word: on loopback."""

    participant: ParticipantId
    word: str
    plain_word: str


@dataclass(slots=True)
class Session:
    """One desktop between two. words: not fetched yet, by end; passed: input events so far."""

    id: int
    owner: ParticipantId
    viewer: ParticipantId
    words: dict[int, str] = field(default_factory=dict)
    is_joined: bool = False
    passed: int = 0


class RoomDesktops:
    """The sessions of one conference, by their numbers."""

    def __init__(self, relay: Relay, random: Callable[[int], bytes]) -> None:
        self.sessions: dict[int, Session] = {}
        self._relay, self._random = relay, random
        self._fingerprints: dict[ParticipantId, bytes] = {}
        self._guests: dict[ParticipantId, Guest] = {}

    def present(self, participant: ParticipantId, fingerprint: bytes) -> None:
        """A phone showed the fingerprint (SHA-256) of the certificate by which it will be known."""
        self._fingerprints[participant] = fingerprint

    def invite(self, participant: ParticipantId) -> Guest:
        """A ticket for a stock viewer, good once the owner agrees."""
        plain = "".join(LETTERS[byte % len(LETTERS)] for byte in self._random(PLAIN_LETTERS))
        guest = self._guests[participant] = Guest(participant, make_word(self._random), plain)
        return guest

    def open(self, owner: ParticipantId, viewer: ParticipantId) -> Session | None:
        """Let the viewer look at the owner's desktop; None when either has no way to the relay, or there are too many."""
        there = self.between(owner, viewer)
        if there is not None:
            return there
        guest = self._guests.pop(viewer, None)
        if owner not in self._fingerprints or (guest is None and viewer not in self._fingerprints):
            return None
        if len(self.sessions) >= MAX_DESKTOPS:
            return None
        words = {OWNER: make_word(self._random)}
        if guest is None:
            words[VIEWER] = make_word(self._random)
            seat = Seat(viewer, digest_of(words[VIEWER]), self._fingerprints[viewer])
        else:
            seat = Seat(viewer, digest_of(guest.word), NO_FINGERPRINT)
        session = Session(self._relay.new_session(), owner, viewer, words)
        self.sessions[session.id] = session
        self._relay.open_desktop(OpenDesktop(
            session.id, Seat(owner, digest_of(words[OWNER]), self._fingerprints[owner]), seat,
            LIFETIME_S if guest is None else GUEST_LIFETIME_S, allows_clipboard=True,
            plain_word="" if guest is None else guest.plain_word))
        return session

    def set_holder(self, owner: ParticipantId, holder: ParticipantId | None) -> None:
        """Whose input passes to this owner's desktop: before anybody else's, nobody's."""
        for session in self.sessions.values():
            if session.owner == owner and session.viewer != holder:
                self._relay.set_holder(session.id, 0)
        for session in self.sessions.values():
            if session.owner == owner and session.viewer == holder:
                self._relay.set_holder(session.id, session.viewer)

    def between(self, owner: ParticipantId, viewer: ParticipantId) -> Session | None:
        """The session of these two."""
        return next((each for each in self.sessions.values() if (each.owner, each.viewer) == (owner, viewer)), None)

    def take_word(self, participant: ParticipantId, end: int) -> str:
        """The word for a participant's seat, once; empty when none waits."""
        for session in self.sessions.values():
            if participant == (session.owner if end == OWNER else session.viewer) and end in session.words:
                return session.words.pop(end)
        return ""

    def close_of(self, participant: ParticipantId, *, as_owner_only: bool = False) -> None:
        """End what a participant shows and, unless `as_owner_only`, sees."""
        for session in list(self.sessions.values()):
            if participant == session.owner or (participant == session.viewer and not as_owner_only):
                self.close(session.id)

    def leave(self, participant: ParticipantId) -> None:
        """A participant is gone."""
        self.close_of(participant)
        self._fingerprints.pop(participant, None)
        self._guests.pop(participant, None)

    def close(self, session_id: int) -> None:
        """End a session: nothing passes first, then it is over."""
        if self.sessions.pop(session_id, None) is not None:
            self._relay.set_holder(session_id, 0)
            self._relay.close_desktop(session_id)

    def ended(self, session_id: int) -> Session | None:
        """The relay says that a session is over; which it was."""
        return self.sessions.pop(session_id, None)
