"""The roster of a conference as conference-info (RFC 4575): full for who comes new, partial for who knows the rest. Pure.

All subscribers share one sequence of versions. A user's element is rendered once for each change of theirs, and once more,
with the dialog's id in it, for the member's own phone, which so knows which of them it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mcu.participant import Identity, Participant, ParticipantId, Role
from mcu.policy import Policy, switches_of
from sip.conference_extension import PLAIN, UNDECIDED, Meeting, UserState, Waiting
from sip.conference_info import ConferenceInfo, Endpoint, Media, User, document

SLIDES = "slides"
_STATUS = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly", (False, False): "inactive"}


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines of pictures of a participant. content: `main` or `slides`; is_sent: the meeting lets theirs pass now; is_got:
    their phone is sent some."""

    content: str
    codec: str
    is_sent: bool
    is_got: bool


@dataclass(frozen=True, slots=True)
class Device:
    """The call through which a participant takes part: its contact, codec and direction (as the member sees it), the tags of
    From and To of its INVITE."""

    contact: str
    codec: str
    call_id: str
    is_held: bool = False
    pictures: tuple[Picture, ...] = ()
    tags: tuple[str, str] = ("", "")


DIALED_OUT = "dialed-out"
_USUAL = frozenset(switches_of(Policy()).items())


@dataclass(frozen=True, slots=True)
class _Entry:
    """A participant as the roster shows them."""

    entity: str
    name: str
    roles: tuple[str, ...]
    endpoint: Endpoint
    call_id: str
    decided: UserState = UNDECIDED
    is_hosts: bool = False
    tags: tuple[str, str] = ("", "")


class Roster:
    """Who is in the conference `entity`, called `title`. max_members: told to subscribers, 0 for no limit.

    One person with two phones is one user with two endpoints (§5.7).
    """

    def __init__(self, entity: str, title: str, max_members: int = 0) -> None:
        self.version = 0
        self.is_locked = False
        self.recording = ""
        self._entity = entity
        self._title = title
        self._max_members = max_members
        self._entries: dict[ParticipantId, _Entry] = {}
        self._dialled: dict[ParticipantId, _Entry] = {}
        self._was_dialled: set[ParticipantId] = set()
        self._by_entity: dict[str, list[ParticipantId]] = {}
        self._texts: dict[str, str] = {}
        self._changed: set[str] = set()
        self._partial: list[str] = []
        self._is_dirty = False
        self._lobby: dict[ParticipantId, _Entry] = {}
        self._hands: dict[ParticipantId, int] = {}
        self._last_hand = 0
        self._meeting = PLAIN

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, participant: Participant, device: Device) -> None:
        """A participant is new, or something about them changed."""
        entry = _entry(participant, device, self._hand_of(participant))
        if participant.id in self._was_dialled:
            entry = replace(entry, endpoint=replace(entry.endpoint, joining_method=DIALED_OUT))
        if self._entries.get(participant.id) == entry:
            return
        if participant.id not in self._entries:
            self._by_entity.setdefault(entry.entity, []).append(participant.id)
        self._entries[participant.id] = entry
        self._note(entry.entity)

    def put_dialled(self, participant_id: ParticipantId, identity: Identity, contact: str, status: str,
                    reason: str = "") -> None:
        """Somebody is being called. status: dialing-out or alerting (RFC 4575 §5.7.2)."""
        self._dialled[participant_id] = _Entry(identity.entity, identity.display_name, (),
                                               Endpoint(contact, status, (), "", DIALED_OUT), "")
        if participant_id not in self._by_entity.setdefault(identity.entity, []):
            self._by_entity[identity.entity].append(participant_id)
        self._note(identity.entity)

    def lose_dialled(self, participant_id: ParticipantId, method: str, reason: str) -> None:
        """Somebody could not be reached. method: busy or failed; shown until `forget_dialled`."""
        entry = self._dialled.get(participant_id)
        if entry is not None:
            endpoint = replace(entry.endpoint, status="disconnected", disconnection_method=method, reason=reason)
            self._dialled[participant_id] = replace(entry, endpoint=endpoint)
            self._note(entry.entity)

    def forget_dialled(self, participant_id: ParticipantId) -> None:
        """They are called no more: they are in, or it is over; an unknown one is no error."""
        entry = self._dialled.pop(participant_id, None)
        if entry is not None:
            self._was_dialled.add(participant_id)
            self._drop(entry.entity, participant_id)

    def remove(self, participant_id: ParticipantId) -> None:
        """A participant has left; an unknown one is no error."""
        entry = self._entries.pop(participant_id, None)
        self._was_dialled.discard(participant_id)
        if entry is not None:
            self._drop(entry.entity, participant_id)

    def _drop(self, entity: str, participant_id: ParticipantId) -> None:
        ids = self._by_entity[entity]
        ids.remove(participant_id)
        if not ids:
            del self._by_entity[entity]
        self._note(entity)

    def _hand_of(self, participant: Participant) -> int:
        """Which hand it is that they have raised."""
        if participant.hand_at is None:
            self._hands.pop(participant.id, None)
            return 0
        if participant.id not in self._hands:
            self._last_hand += 1
            self._hands[participant.id] = self._last_hand
        return self._hands[participant.id]

    def put_waiting(self, participant: Participant, device: Device) -> None:
        """Somebody waits in the lobby, of whom hosts alone are told."""
        entry = _entry(participant, device, 0)
        pending = replace(entry.endpoint, status="pending", media=())
        self._lobby[participant.id] = replace(entry, roles=(), endpoint=pending)
        self._is_dirty = True

    def remove_waiting(self, participant_id: ParticipantId) -> None:
        """Somebody waits no longer; an unknown one is no error."""
        if self._lobby.pop(participant_id, None) is not None:
            self._is_dirty = True

    def is_waiting(self, participant_id: ParticipantId | None) -> bool:
        """Whether somebody is in the lobby."""
        return participant_id in self._lobby

    def set_policy(self, policy: Policy, *, is_suspended: bool) -> None:
        """What is allowed in the conference now; told is what is not as usual, for documents are to be small."""
        turned = tuple(one for one in switches_of(policy).items() if one not in _USUAL)
        meeting = Meeting((), turned, is_suspended)
        if meeting != self._meeting:
            self._meeting = meeting
            self._max_members = policy.max_members
            self._is_dirty = True

    def set_locked(self, locked: bool) -> None:
        """The conference was locked or opened."""
        if locked != self.is_locked:
            self.is_locked = locked
            self._is_dirty = True

    def set_recording(self, state: str) -> None:
        """The conference is recorded: "recording", "paused", or "" for no longer."""
        if state != self.recording:
            self.recording = state
            self._is_dirty = True

    def _note(self, entity: str) -> None:
        self._texts.pop(entity, None)
        self._changed.add(entity)
        self._is_dirty = True

    def advance(self) -> bool:
        """Close the collection of changes: the next version, with `partial` telling what is new. False when nothing is."""
        if not self._is_dirty:
            return False
        self.version += 1
        self._partial = sorted(self._changed)
        self._changed.clear()
        self._is_dirty = False
        return True

    def full(self, own: ParticipantId | None = None) -> bytes:
        """Everything; own: the participant whose phone asks. Who waits in the lobby sees themselves alone."""
        waiting = self._lobby.get(own) if own is not None else None
        if waiting is None:
            return document(self._info("full", own), self._texts_for(self._by_entity, own))
        info = replace(self._info("full"), user_count=0, recording="", meeting=Meeting(is_waiting=True))
        endpoint = replace(waiting.endpoint, call_id=waiting.call_id, tags=waiting.tags)
        return document(info, [str(User(waiting.entity, waiting.name, (), (endpoint,)))])

    def partial(self, own: ParticipantId | None = None) -> bytes:
        """What the last `advance` changed; to be asked before the next change."""
        return document(self._info("partial", own), self._texts_for(self._partial, own))

    def deleted(self) -> bytes:
        """The last document: the conference is over."""
        return document(replace(self._info("deleted"), version=self.version + 1, is_active=False), [])

    def _info(self, state: str, own: ParticipantId | None = None) -> ConferenceInfo:
        reader = self._entries.get(own) if own is not None else None
        meeting = self._meeting
        if reader is not None and reader.is_hosts:
            meeting = replace(meeting, lobby=tuple(Waiting(str(who), one.entity, one.name) for who, one in self._lobby.items()))
        return ConferenceInfo(self._entity, self.version, state, (), self._title, self._count(), self._max_members,
                              bool(self._entries), self.is_locked, self.recording, meeting)

    def _count(self) -> int:
        """Users who are in it: who is only being called is none."""
        return len({entry.entity for entry in self._entries.values()})

    def _texts_for(self, entities: Iterable[str], own: ParticipantId | None) -> list[str]:
        entry = self._entries.get(own) if own is not None else None
        special = None if entry is None else entry.entity
        return [self._render(entity, own) if entity == special else self._text(entity) for entity in entities]

    def _text(self, entity: str) -> str:
        if entity not in self._by_entity:
            return self._render(entity, None)
        text = self._texts.get(entity)
        if text is None:
            text = self._texts[entity] = self._render(entity, None)
        return text

    def _render(self, entity: str, own: ParticipantId | None) -> str:
        ids = self._by_entity.get(entity)
        if not ids:
            return str(User(entity, state="deleted"))
        entries = [self._entries.get(pid) or self._dialled[pid] for pid in ids]
        endpoints = tuple(
            replace(entry.endpoint, call_id=entry.call_id, tags=entry.tags) if pid == own else entry.endpoint
            for pid, entry in zip(ids, entries, strict=True)
        )
        roles = tuple(dict.fromkeys(role for entry in entries for role in entry.roles))
        return str(User(entity, entries[0].name, roles, endpoints, decided=entries[0].decided))


def _entry(participant: Participant, device: Device, hand: int) -> _Entry:
    status = "inactive" if device.is_held else "recvonly" if participant.is_muted else "sendrecv"
    media = (Media("audio", participant.id, status, device.codec), *(_video(participant, each) for each in device.pictures))
    endpoint = Endpoint(device.contact, "on-hold" if device.is_held else "connected", media)
    identity = participant.identity
    roles = (participant.role.value,) if identity.account else (participant.role.value, "guest")
    decided = UserState(hand, participant.muted_by_host, participant.is_deaf, participant.is_video_stopped,
                        participant.is_spotlit)
    return _Entry(identity.entity, identity.display_name, roles, endpoint, device.call_id, decided,
                  participant.role in (Role.HOST, Role.COHOST), device.tags)


def _video(participant: Participant, picture: Picture) -> Media:
    status = _STATUS[picture.is_sent, picture.is_got]
    return Media("video", participant.id, status, picture.codec, "3" if picture.content == SLIDES else "2")
