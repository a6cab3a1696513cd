"""Roles, lobby, bans, switches, suspension and memory of a conference; and what no sequence of commands may bring about."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcu import commands
from mcu.commands import (
    AdmitParticipant,
    AppointParticipant,
    BanParticipant,
    Command,
    LockConference,
    MuteParticipant,
    ReclaimHost,
    SendToLobby,
    SetSwitch,
    SuspendAll,
    TransferHost,
    Unban,
)
from mcu.conference import Admitted, Conference, Done, InLobby, Refused, State
from mcu.happenings import (
    CommandJudged,
    ConferenceClosed,
    Event,
    LobbyEntered,
    ParticipantJoined,
    ParticipantLeft,
    TimeRunsOut,
)
from mcu.memory import Memory
from mcu.participant import Identity, Participant, ParticipantId, Role
from mcu.policy import Policy
from mcu.transmission import Medium
from mcu.verbs import VERBS

NAMES = ("alice", "bob", "carol", "dave")
ALICE, BOB, CAROL, DAVE = (Identity(f"sip:{name}@example.org", name.capitalize(), name) for name in NAMES)
GUEST = Identity("sip:guest-1@example.org", "Guest")
AUDIO, VIDEO = Medium.AUDIO, Medium.VIDEO
ONE, TWO, THREE, FOUR = (ParticipantId(number) for number in (1, 2, 3, 4))


def room(memory: Memory | None = None, **policy: object) -> Conference:
    """A conference at time 0."""
    return Conference("daily", Policy(**policy), 0.0, memory)       # type: ignore[arg-type]


def come(conference: Conference, number: int, identity: Identity, now: float = 0.0, **how: object) -> Participant:
    """Somebody whom nothing keeps out; their phone sends audio and video."""
    verdict = conference.join(ParticipantId(number), identity, now, **how)       # type: ignore[arg-type]
    assert isinstance(verdict, Admitted | InLobby), verdict
    for medium in (AUDIO, VIDEO):
        conference.send(ParticipantId(number), medium, True)
    return verdict.participant


def refused(conference: Conference, command: Command, actor: ParticipantId) -> int:
    """The status of a command that is refused."""
    verdict = conference.execute(command, 1.0, actor)
    assert isinstance(verdict, Refused), verdict
    return verdict.status


def events_of(conference: Conference) -> list[Event]:
    """All that has happened."""
    return list(iter(conference.next_event, None))


def pass_time(conference: Conference, until: float) -> None:
    """Let timers run."""
    while (due := conference.next_timer()) is not None and due <= until:
        conference.handle_timer(due)


# ---- roles


def test_host_hands_the_role_on_and_the_owner_takes_it_back() -> None:
    conference = room()
    alice, bob = come(conference, 1, ALICE, is_creator=True), come(conference, 2, BOB)
    assert conference.execute(TransferHost(TWO), 1.0, ONE) == Done()
    assert (alice.role, bob.role) == (Role.ATTENDEE, Role.HOST)
    assert refused(conference, TransferHost(ONE), ONE) == 403
    assert conference.execute(ReclaimHost(), 2.0, ONE) == Done()
    assert (alice.role, bob.role) == (Role.HOST, Role.ATTENDEE)
    assert refused(conference, ReclaimHost(), TWO) == 403


def test_a_guest_who_made_the_meeting_may_reclaim_it() -> None:
    conference = room(guests_may_host=True)
    guest = come(conference, 1, GUEST, is_creator=True)
    come(conference, 2, BOB)
    conference.execute(TransferHost(TWO), 1.0, ONE)
    assert conference.execute(ReclaimHost(), 2.0, ONE) == Done()
    assert guest.role is Role.HOST


def test_an_owner_with_two_phones_is_host_at_the_one_that_asks() -> None:
    conference = room()
    first, second = come(conference, 1, ALICE, is_creator=True), come(conference, 2, ALICE)
    assert conference.execute(ReclaimHost(), 1.0, TWO) == Done()
    assert (first.role, second.role) == (Role.ATTENDEE, Role.HOST)
    assert conference.execute(ReclaimHost(), 2.0, ONE) == Done()
    assert (first.role, second.role) == (Role.HOST, Role.ATTENDEE)


def test_a_host_who_drops_may_come_back_before_anybody_takes_over() -> None:
    conference = room(succession_s=20.0)
    come(conference, 1, ALICE)
    bob = come(conference, 2, BOB)
    conference.leave(ONE, 10.0, is_dropped=True)
    pass_time(conference, 29.0)
    assert (conference.host, bob.role) == (None, Role.ATTENDEE)
    assert come(conference, 3, ALICE, 29.5).role is Role.HOST
    pass_time(conference, 100.0)
    assert bob.role is Role.ATTENDEE


def test_a_cohost_stands_in_and_gives_the_role_back() -> None:
    conference = room(succession_s=20.0)
    come(conference, 1, ALICE)
    bob, carol = come(conference, 2, BOB, 1.0), come(conference, 3, CAROL, 2.0)
    conference.execute(AppointParticipant(THREE, Role.COHOST), 3.0, ONE)
    conference.leave(ONE, 10.0, is_dropped=True)
    pass_time(conference, 31.0)
    assert (bob.role, carol.role) == (Role.ATTENDEE, Role.HOST)
    alice = come(conference, 4, ALICE, 40.0)
    assert (alice.role, carol.role) == (Role.HOST, Role.COHOST)


def test_whom_the_stand_in_has_made_host_stays_it() -> None:
    conference = room()
    come(conference, 1, ALICE)
    come(conference, 2, BOB)
    come(conference, 3, CAROL)
    conference.leave(ONE, 10.0)
    assert conference.execute(TransferHost(THREE), 11.0, TWO) == Done()
    assert come(conference, 4, ALICE, 12.0).role is Role.ATTENDEE


def test_the_meeting_ends_when_the_host_does_not_come_back() -> None:
    conference = room(ends_with_host=True, succession_s=20.0)
    come(conference, 1, ALICE)
    come(conference, 2, BOB)
    conference.leave(ONE, 10.0)
    pass_time(conference, 29.0)
    assert conference.state is State.ACTIVE
    pass_time(conference, 32.0)
    assert conference.state is State.CLOSED
    assert isinstance(events_of(conference)[-1], ConferenceClosed)


@pytest.mark.parametrize("command", [
    MuteParticipant(ONE, True), commands.KickParticipant(ONE), BanParticipant(ONE), SendToLobby(ONE),
    commands.StopVideo(ONE, True), commands.RenameParticipant(ONE, "X"), commands.StopIncomingAudio(ONE, True)],
    ids=lambda command: command.verb)
def test_a_cohost_can_do_nothing_to_the_host(command: Command) -> None:
    conference = room()
    come(conference, 1, ALICE)
    come(conference, 2, BOB)
    conference.execute(AppointParticipant(TWO, Role.COHOST), 1.0, ONE)
    assert refused(conference, command, TWO) == 403


def test_a_listener_is_not_heard_and_can_not_change_that() -> None:
    conference = room()
    come(conference, 1, ALICE)
    bob = come(conference, 2, BOB)
    conference.execute(AppointParticipant(TWO, Role.LISTENER), 1.0, ONE)
    assert bob.is_muted and not conference.is_transmitting(TWO, AUDIO) and not conference.is_transmitting(TWO, VIDEO)
    assert refused(conference, MuteParticipant(TWO, False), TWO) == 403
    assert refused(conference, MuteParticipant(TWO, False), ONE) == 403
    conference.leave(TWO, 2.0)
    assert come(conference, 3, BOB, 3.0).role is Role.LISTENER
    conference.execute(AppointParticipant(THREE, Role.ATTENDEE), 4.0, ONE)
    conference.execute(MuteParticipant(THREE, False), 5.0, THREE)
    assert conference.is_transmitting(THREE, AUDIO)


# ---- lobby, ban, lock


def test_in_the_lobby_nothing_is_transmitted_until_a_host_admits() -> None:
    conference = room(lobby=True)
    come(conference, 1, ALICE)
    bob = come(conference, 2, BOB)
    assert bob.is_in_lobby and not conference.is_transmitting(TWO, AUDIO)
    assert LobbyEntered(bob, False) in events_of(conference)
    assert refused(conference, AdmitParticipant(TWO), TWO) == 403
    assert conference.execute(AdmitParticipant(TWO), 1.0, ONE) == Done()
    assert ParticipantJoined(bob) in events_of(conference)
    conference.execute(SendToLobby(TWO), 2.0, ONE)
    assert TWO in conference.lobby and TWO not in conference.participants


def test_who_comes_before_the_host_waits_for_them() -> None:
    conference = room(early="hosts", owner="alice")
    come(conference, 1, BOB)
    assert (conference.state, list(conference.lobby)) == (State.WAITING, [ONE])
    come(conference, 2, ALICE)
    assert (conference.lobby, list(conference.participants)) == ({}, [TWO, ONE])


def test_who_is_banned_stays_out_until_they_are_not() -> None:
    conference = room()
    come(conference, 1, ALICE, is_creator=True)
    come(conference, 2, BOB, source="192.0.2.2")
    come(conference, 3, GUEST, source="192.0.2.3")
    for target in (TWO, THREE):
        conference.execute(BanParticipant(target), 1.0, ONE)
    assert conference.check(BOB, None, "192.0.2.9") == Refused(403, "you are banned from this room")
    assert conference.check(GUEST, None, "192.0.2.3") == Refused(403, "you are banned from this room")
    assert conference.check(GUEST, None, "192.0.2.4") is None and conference.check(CAROL, None, "192.0.2.3") is None
    conference.execute(Unban("bob"), 2.0, ONE)
    assert conference.check(BOB, None, "192.0.2.9") is None
    conference.execute(TransferHost(come(conference, 4, BOB).id), 3.0, ONE)
    assert refused(conference, BanParticipant(ONE), FOUR) == 403


@pytest.mark.parametrize("command", [commands.KickParticipant(ONE), SendToLobby(ONE), BanParticipant(ONE)],
                         ids=lambda command: command.verb)
def test_a_host_whom_the_operator_puts_out_does_not_come_back_as_one(command: Command) -> None:
    conference = room()
    come(conference, 1, ALICE)
    bob = come(conference, 2, BOB)
    conference.execute(command, 1.0)
    conference.leave(ONE, 2.0)
    verdict = conference.join(THREE, ALICE, 3.0)
    if command.verb == "ban":
        assert verdict == Refused(403, "you are banned from this room")
    else:
        assert isinstance(verdict, Admitted) and verdict.participant.role is Role.ATTENDEE
    assert bob.role is Role.HOST


# ---- mute, switches, suspension, time


def test_who_was_muted_by_a_host_unmutes_only_where_that_is_allowed() -> None:
    conference = room()
    come(conference, 1, ALICE)
    bob = come(conference, 2, BOB)
    conference.execute(SetSwitch("unmute", "hosts"), 1.0, ONE)
    conference.execute(MuteParticipant(TWO, True), 1.0, TWO)
    assert conference.execute(MuteParticipant(TWO, False), 2.0, TWO) == Done()
    conference.execute(commands.MuteAll(True), 3.0, ONE)
    assert refused(conference, MuteParticipant(TWO, False), TWO) == 403 and not conference.participants[ONE].is_muted
    conference.leave(TWO, 4.0)
    assert come(conference, 3, BOB, 5.0).is_muted
    conference.execute(commands.AskToUnmute(THREE), 6.0, ONE)
    assert conference.execute(MuteParticipant(THREE, False), 7.0, THREE) == Done()
    assert bob.is_muted


def test_suspension_silences_all_and_its_end_gives_back_what_there_was() -> None:
    conference = room()
    come(conference, 1, ALICE)
    come(conference, 2, BOB)
    come(conference, 3, CAROL)
    conference.execute(MuteParticipant(THREE, True), 1.0, THREE)
    assert refused(conference, SuspendAll(True), TWO) == 403
    conference.execute(SuspendAll(True), 2.0, ONE)
    assert not any(conference.is_transmitting(who, medium) for who in (ONE, TWO, THREE) for medium in Medium)
    assert refused(conference, MuteParticipant(TWO, False), TWO) == 403 and not conference.may_share(TWO)
    conference.execute(SuspendAll(False), 3.0, ONE)
    assert [conference.is_transmitting(who, AUDIO) for who in (ONE, TWO, THREE)] == [True, True, False]
    assert conference.is_transmitting(TWO, VIDEO)


def test_hands_are_a_queue_in_the_order_of_raising() -> None:
    conference = room()
    for number, who in enumerate((ALICE, BOB, CAROL), 1):
        come(conference, number, who)
    for at, number in ((1.0, 3), (2.0, 1)):
        conference.execute(commands.RaiseHand(ParticipantId(number), True), at, ParticipantId(number))
    raised = [one for one in conference.participants.values() if one.hand_at is not None]
    assert [one.id for one in sorted(raised, key=lambda one: one.hand_at or 0.0)] == [THREE, ONE]
    assert refused(conference, commands.RaiseHand(THREE, False), TWO) == 403
    conference.execute(commands.RaiseHand(THREE, False), 3.0, ONE)
    assert conference.participants[THREE].hand_at is None


def test_a_time_limit_warns_and_ends() -> None:
    conference = room(time_limit_min=10)
    come(conference, 1, ALICE, 100.0)
    pass_time(conference, 100.0 + 600.0)
    assert [event.minutes for event in events_of(conference) if isinstance(event, TimeRunsOut)] == [5, 1]
    pass_time(conference, 100.0 + 602.0)
    assert conference.state is State.CLOSED


@pytest.mark.parametrize(("name", "value"), [("dance", "on"), ("chat", "on"), ("lobby", "hosts"), ("max-members", "-1"),
                                             ("max-members", "99999999"), ("time-limit-min", "١")])
def test_a_switch_takes_its_own_values_alone(name: str, value: str) -> None:
    conference = room()
    come(conference, 1, ALICE)
    assert refused(conference, SetSwitch(name, value), ONE) == 400


def test_refusals_and_what_is_done_to_others_are_judged_for_the_audit_log() -> None:
    conference = room()
    come(conference, 1, ALICE)
    come(conference, 2, BOB)
    events_of(conference)
    conference.execute(LockConference(True), 1.0, TWO)
    conference.execute(commands.KickParticipant(TWO, "loud"), 2.0, ONE)
    conference.execute(MuteParticipant(ONE, True), 3.0, ONE)
    conference.execute(LockConference(True), 4.0, None, "the dashboard")
    judged = [event for event in events_of(conference) if isinstance(event, CommandJudged)]
    assert judged == [
        CommandJudged(BOB.entity, "lock", "", "", "only a host or co-host may do that"),
        CommandJudged(ALICE.entity, "kick", BOB.entity, "loud", ""), CommandJudged("the dashboard", "lock", "", "", "")]


# ---- a restart


def test_after_a_restart_all_is_as_before_and_nobody_gains_a_right() -> None:
    before = room(is_permanent=True)
    for number, who in enumerate((ALICE, BOB, CAROL), 1):
        come(before, number, who, is_creator=number == 1)
    for command in (AppointParticipant(TWO, Role.COHOST), MuteParticipant(THREE, True), SetSwitch("unmute", "hosts"),
                    LockConference(True)):
        before.execute(command, 1.0, ONE)
    come(before, 4, DAVE, is_invited=True)
    before.execute(BanParticipant(FOUR), 2.0, ONE)
    memory = Memory.parse(str(before.memory()))
    assert memory == before.memory()

    after = room(memory, is_permanent=True)
    assert after.check(GUEST, None) == Refused(403, "the room is locked")
    assert after.check(DAVE, None) == Refused(403, "you are banned from this room")
    carol, bob = come(after, 5, CAROL, 100.0), come(after, 6, BOB, 101.0)
    assert (carol.role, carol.is_muted, bob.role) == (Role.ATTENDEE, True, Role.COHOST)
    assert refused(after, MuteParticipant(carol.id, False), carol.id) == 403
    assert come(after, 7, ALICE, 110.0).role is Role.HOST
    assert after.is_locked and (carol.role, bob.role) == (Role.ATTENDEE, Role.COHOST)


def test_after_a_restart_without_the_host_a_cohost_stands_in() -> None:
    memory = Memory(host="alice", had_host=True, people=room().memory().people)
    after = room(memory, succession_s=20.0)
    bob = come(after, 1, BOB, 100.0)
    assert bob.role is Role.ATTENDEE
    pass_time(after, 119.0)
    assert bob.role is Role.ATTENDEE
    pass_time(after, 121.0)
    assert bob.role is Role.HOST
    assert come(after, 2, ALICE, 130.0).role is Role.HOST and bob.role is Role.ATTENDEE


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"owner": 1}', '{"people": {"a": ["king", 1, 2]}}'])
def test_a_memory_that_cannot_be_read_is_an_empty_one(text: str) -> None:
    assert Memory.parse(text) == Memory()


# ---- no sequence of commands


IDS = tuple(ParticipantId(number) for number in range(1, 7))
PEOPLE = (ALICE, BOB, CAROL, GUEST)
VALUES = {"new_name": "X", "reason": "no", "banned": "bob", "role": "listener", "switch": "unmute", "value": "hosts",
          "uri": "bob", "action": "start", "layout": "speaker", "text": "x", "what": "x"}
ORDERS = sorted({*VERBS} - {"close"}) + ["admit", "lobby", "appoint", "unmute", "transfer", "set"] * 4
ROLES = ("co-host", "presenter", "attendee", "listener")
TURNED = (("unmute", "hosts"), ("lobby", "on"), ("lobby", "off"), ("early", "hosts"), ("video", "hosts"),
          ("ends-with-host", "on"), ("max-members", "3"))
WHAT = ("join", "join", "join", "leave", "drop", "time", "verb", "verb", "verb", "verb", "verb")
Step = tuple[str, str, ParticipantId, ParticipantId | None, Identity, str, tuple[str, str]]
CHOICES = (WHAT, ORDERS, IDS, (None, None, *IDS), PEOPLE, ROLES, TURNED)


class Meeting:
    """A conference to which anything may happen, and what must hold after each step of it."""

    def __init__(self, owner: str | None, *, lobby: bool, guests: bool) -> None:
        self.conference = room(owner=owner, lobby=lobby, guests_may_host=guests, is_permanent=True)
        self.owner = owner
        self.now = 0.0
        self.inside: set[ParticipantId] = set()

    def step(self, step: Step) -> None:
        """Let something happen."""
        what, name, target, actor, identity, role, switch = step
        conference = self.conference
        self.now += 7.0
        match what:
            case "join":
                verdict = conference.join(target, identity, self.now, source="192.0.2.1")
                is_host = self.owner is not None and identity.account == self.owner
                assert not (is_host and isinstance(verdict, Refused) and verdict.status == 403), verdict
                assert not (is_host and isinstance(verdict, InLobby))
                conference.send(target, AUDIO, True)
            case "leave" | "drop":
                conference.leave(target, self.now, is_dropped=what == "drop")
            case "time":
                pass_time(conference, self.now)
            case _:
                verb = VERBS[name]
                values = VALUES | {"role": role, "switch": switch[0], "value": switch[1]}
                given_to = {argument.name: values[argument.name] for argument in verb.arguments if argument.kind != "who"}
                conference.execute(verb.make(target, given_to), self.now, actor)
        self.check()

    def check(self) -> None:
        """One host at most, nobody in two places, only members heard and no listener of them, events that tell it as it is."""
        conference = self.conference
        members = conference.participants
        assert sum(one.role is Role.HOST for one in members.values()) <= 1
        assert not set(members) & set(conference.lobby)
        heard = {who for who in IDS if conference.is_transmitting(who, AUDIO)}
        assert heard <= set(members)
        assert not any(members[who].role is Role.LISTENER or members[who].is_muted for who in heard)
        assert all(one.role is not Role.HOST and one.is_in_lobby for one in conference.lobby.values())
        assert not any(one.is_in_lobby for one in members.values())
        for event in events_of(conference):
            match event:
                case ParticipantJoined(participant):
                    assert participant.id not in self.inside
                    self.inside.add(participant.id)
                case ParticipantLeft(participant):
                    self.inside.remove(participant.id)
                case ConferenceClosed():
                    self.inside.clear()
        assert self.inside == set(members)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(*(st.sampled_from(one) for one in CHOICES)), max_size=40), st.sampled_from([None, "alice"]),
       st.booleans(), st.booleans())
def test_no_sequence_of_commands_breaks_the_rules(steps: list[Step], owner: str | None, lobby: bool, guests: bool) -> None:
    meeting = Meeting(owner, lobby=lobby, guests=guests)
    for step in steps:
        meeting.step(step)


@pytest.mark.parametrize("seed", range(8))
def test_no_long_meeting_breaks_the_rules(seed: int) -> None:
    chance = random.Random(seed)
    meeting = Meeting("alice" if seed & 1 else None, lobby=bool(seed & 2), guests=bool(seed & 4))
    for _ in range(1500):
        meeting.step(tuple(chance.choice(one) for one in CHOICES))             # type: ignore[arg-type]
        if meeting.conference.state is State.CLOSED:
            meeting = Meeting(meeting.owner, lobby=bool(seed & 2), guests=bool(seed & 4))
