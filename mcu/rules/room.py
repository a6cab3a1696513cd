"""What is known of one conference (RFC 4353): its people, its timers, and the events that nobody has taken yet. Pure.

The rules of each subject are functions over it, so that this holds no rule: only what several of them need.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from mcu.happenings import Event, ParticipantChanged
from mcu.memory import MAX_REMEMBERED, Memory, Remembered, remember
from mcu.participant import Participant, ParticipantId, Role
from mcu.picture.layout import Layout
from mcu.policy import Policy, switches_of
from mcu.transmission import Medium, Transmissions


class State(Enum):
    """Life of a conference. WAITING: there are people in the lobby and nobody else."""

    CREATED = "created"
    WAITING = "waiting"
    ACTIVE = "active"
    CLOSING = "closing"
    CLOSED = "closed"


class Due(Enum):
    """What the timers of a conference are for."""

    GRACE = "nobody came back"
    CLOSING = "the end, after its chime"
    SUCCESSION = "the host has not come back"
    WARNING = "time runs out"
    LIMIT = "time is over"


class Room:
    """One conference.

    owner: the account that may reclaim it, owner_id: a guest who made it; rightful: the account of a host who is away;
    stand_in: the member who is host in their place, with the role that they had before; is_interrupted: its host was there
    before the server started anew, and has not come again; returning: accounts that were in it then, whom its lock lets in;
    may_invite: whether members may have such an address called.
    """

    def __init__(self, name: str, policy: Policy, now: float) -> None:
        self.name = name
        self.policy = policy
        self.base = policy
        self.state = State.CREATED
        self.is_locked = self.is_suspended = False
        self.participants: dict[ParticipantId, Participant] = {}
        self.lobby: dict[ParticipantId, Participant] = {}
        self.bans: dict[str, None] = {}
        self.people: dict[str, Remembered] = {}
        self.owner = policy.owner
        self.owner_id: ParticipantId | None = None
        self.rightful: str | None = None
        self.stand_in: tuple[ParticipantId, Role] | None = None
        self.is_interrupted = False
        self.returning: set[str] = set()
        self.before_suspension: dict[ParticipantId, tuple[bool, bool, bool]] = {}
        self.recording = "stop"
        self.layout = str(Layout.GALLERY)
        self.began_at: float | None = None
        self.closing_reason = ""
        self.timers: dict[Due, float] = {}
        self.may_invite: Callable[[str], bool] = lambda uri: True
        self.transmissions = Transmissions()
        self._events: deque[Event] = deque()
        if not policy.is_permanent:
            self.timers[Due.GRACE] = now + policy.grace_s

    # ---- events

    def emit(self, event: Event) -> None:
        """Something happened; what it began and ended of transmissions comes before it."""
        self.note_transmissions()
        self._events.append(event)

    def note_transmissions(self) -> None:
        """Take over what began and ended."""
        while (event := self.transmissions.next_event()) is not None:
            self._events.append(event)

    def next_event(self) -> Event | None:
        """What happened, in order."""
        return self._events.popleft() if self._events else None

    # ---- people

    @property
    def host(self) -> Participant | None:
        """The host, if there is one."""
        return next((one for one in self.participants.values() if one.role is Role.HOST), None)

    @property
    def hands(self) -> list[ParticipantId]:
        """Who wants to speak, in the order of raising."""
        raised = [(one.hand_at, one.id) for one in self.participants.values() if one.hand_at is not None]
        return [who for _, who in sorted(raised)]

    def anyone(self, target: ParticipantId) -> Participant | None:
        """Somebody in the conference or its lobby."""
        return self.participants.get(target) or self.lobby.get(target)

    def changed(self, participant: Participant, reason: str = "") -> None:
        """Something about a member changed: what may pass follows from it, then it is told. reason: of what stops."""
        if participant.role is Role.LISTENER:
            participant.is_muted = True
        gates = self.transmissions
        gates.set_may_pass(participant.id, Medium.AUDIO, not participant.is_muted, reason or "muted")
        gates.set_may_pass(participant.id, Medium.VIDEO, may_send_video(self, participant), reason or "stopped by the host")
        self.emit(ParticipantChanged(participant))

    def remember(self, participant: Participant) -> None:
        """Keep in mind who leaves, for when they come again."""
        account = participant.identity.account
        if account is None:
            return
        self.people.pop(account, None)
        self.people[account] = remember(participant)
        if len(self.people) > MAX_REMEMBERED:
            del self.people[next(iter(self.people))]

    def memory(self) -> Memory:
        """All that is to be kept of it."""
        present = {one.identity.account: remember(one) for one in self.participants.values() if one.identity.account}
        host, base = self.host, switches_of(self.base)
        account = self.rightful or (host.identity.account if host is not None else None)
        turned = {name: value for name, value in switches_of(self.policy).items() if value != base[name]}
        return Memory(self.owner, account, account is not None or host is not None, self.is_locked,
                      {**self.people, **present}, tuple(self.bans), turned)


def may_send_video(room: Room, participant: Participant) -> bool:
    """Whether video of a participant may pass."""
    return not participant.is_video_stopped and participant.role is not Role.LISTENER
