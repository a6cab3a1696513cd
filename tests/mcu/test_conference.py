"""The rules of a conference: who gets in, who is host, what commands do, when it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu import conference as rules
from mcu.commands import CloseConference, KickParticipant, LockConference, MuteParticipant
from mcu.conference import (
    Admitted,
    Conference,
    ConferenceClosed,
    ConferenceClosing,
    Done,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantKicked,
    ParticipantLeft,
    Refused,
    State,
)
from mcu.happenings import CommandJudged, HostChanged
from mcu.participant import Identity, ParticipantId, Role, clean_name
from mcu.policy import Policy

ALICE = Identity("sip:alice@example.org", "Alice", "alice")
BOB = Identity("sip:bob@example.org", "Bob", "bob")
GUEST = Identity("sip:guest-1@example.org", "Guest")


def events_of(conference: Conference) -> Iterator[rules.Event]:
    """All that has happened, but for the audit log."""
    while (event := conference.next_event()) is not None:
        if not isinstance(event, CommandJudged | HostChanged):
            yield event


def admitted(verdict: Admitted | Refused) -> rules.Participant:
    """The participant, when the verdict was good."""
    assert isinstance(verdict, Admitted), verdict
    return verdict.participant


def room(**policy: object) -> Conference:
    """An ad hoc conference at time 0."""
    return Conference("daily", Policy(**policy), 0.0)       # type: ignore[arg-type]


def join(conference: Conference, number: int, identity: Identity, now: float = 0.0, **how: object) -> rules.Participant:
    """Somebody who gets in."""
    return admitted(conference.join(ParticipantId(number), identity, now, **how))       # type: ignore[arg-type]


def test_first_account_is_host_and_guests_are_not() -> None:
    conference = room()
    assert join(conference, 1, GUEST).role is Role.ATTENDEE
    assert join(conference, 2, ALICE).role is Role.HOST
    assert join(conference, 3, BOB).role is Role.ATTENDEE


def test_creator_is_host_whoever_they_are() -> None:
    assert join(room(), 1, GUEST, is_creator=True).role is Role.HOST


def test_owner_takes_the_host_role_back() -> None:
    conference = room(owner="alice", guests_may_host=True)
    assert join(conference, 1, BOB).role is Role.ATTENDEE
    assert join(conference, 2, ALICE).role is Role.HOST


def test_host_pin_makes_host_and_demotes_the_other() -> None:
    conference = room(pin="123456", host_pin="654321")
    first = join(conference, 1, ALICE, pin="654321")
    second = join(conference, 2, GUEST, pin="654321")
    assert (first.role, second.role) == (Role.ATTENDEE, Role.HOST)


def test_longest_present_account_inherits_the_host_role() -> None:
    conference = room()
    join(conference, 1, ALICE, 0.0)
    join(conference, 2, GUEST, 1.0)
    bob = join(conference, 3, BOB, 2.0)
    conference.leave(ParticipantId(1), 3.0)
    assert bob.role is Role.HOST
    assert ParticipantChanged(bob) in list(events_of(conference))


@pytest.mark.parametrize(("pin", "status"), [(None, 403), ("", 403), ("000000", 403), ("123456", None)])
def test_a_room_with_a_pin_wants_it(pin: str | None, status: int | None) -> None:
    verdict = room(pin="123456").join(ParticipantId(1), ALICE, 0.0, pin=pin)
    assert (verdict.status if isinstance(verdict, Refused) else None) == status


def test_owner_needs_no_pin_and_passes_the_lock() -> None:
    conference = room(pin="123456", owner="alice")
    conference.execute(LockConference(True), 0.0)
    assert join(conference, 1, ALICE).role is Role.HOST


def test_full_room_refuses_with_486() -> None:
    conference = room(max_members=1)
    join(conference, 1, ALICE)
    verdict = conference.join(ParticipantId(2), BOB, 0.0)
    assert verdict == Refused(486, "the room is full (1 people)")


def test_locked_room_lets_nobody_in_and_opens_again_when_empty() -> None:
    conference = room()
    join(conference, 1, ALICE)
    assert conference.execute(LockConference(True), 0.0, ParticipantId(1)) == Done()
    assert conference.join(ParticipantId(2), BOB, 0.0) == Refused(403, "the room is locked")
    conference.leave(ParticipantId(1), 1.0)
    join(conference, 3, BOB, 2.0)


def test_only_the_host_may_close_mute_others_kick_and_lock() -> None:
    conference = room()
    join(conference, 1, ALICE)
    join(conference, 2, BOB)
    for command in (CloseConference(), MuteParticipant(ParticipantId(1), True), KickParticipant(ParticipantId(1)),
                    LockConference(True)):
        assert isinstance(conference.execute(command, 0.0, ParticipantId(2)), Refused)
    assert conference.execute(MuteParticipant(ParticipantId(2), True), 0.0, ParticipantId(2)) == Done()
    assert conference.execute(MuteParticipant(ParticipantId(2), False), 0.0, ParticipantId(1)) == Done()
    assert conference.execute(MuteParticipant(ParticipantId(2), False), 0.0, ParticipantId(1)) == Done(0)


def test_a_stranger_commands_nothing() -> None:
    conference = room()
    join(conference, 1, ALICE)
    assert isinstance(conference.execute(CloseConference(), 0.0, ParticipantId(99)), Refused)


def test_closing_tells_everybody_first_and_hangs_up_after_the_chime() -> None:
    conference = room()
    alice, bob = join(conference, 1, ALICE), join(conference, 2, BOB)
    list(events_of(conference))
    assert conference.execute(CloseConference("bye"), 10.0, ParticipantId(1)) == Done(2)
    assert list(events_of(conference)) == [ConferenceClosing("bye")]
    assert isinstance(conference.join(ParticipantId(3), GUEST, 10.1), Refused)
    due = conference.next_timer()
    assert due == pytest.approx(10.0 + rules.CLOSING_S)
    conference.handle_timer(due)
    assert list(events_of(conference)) == [ConferenceClosed("bye", (alice, bob))]
    assert conference.state is State.CLOSED
    assert isinstance(conference.execute(CloseConference(), 20.0), Refused)


def test_ad_hoc_room_is_gone_after_its_grace_time_and_not_before() -> None:
    conference = room(grace_s=30.0)
    join(conference, 1, ALICE, 0.0)
    conference.leave(ParticipantId(1), 100.0)
    assert conference.next_timer() == 130.0
    conference.handle_timer(129.9)
    assert conference.state is State.CREATED
    conference.handle_timer(130.0)
    assert conference.state is State.CLOSED
    assert isinstance(list(events_of(conference))[-1], ConferenceClosed)


def test_coming_back_within_the_grace_time_keeps_the_room() -> None:
    conference = room(grace_s=30.0)
    join(conference, 1, ALICE, 0.0)
    conference.leave(ParticipantId(1), 100.0)
    join(conference, 2, ALICE, 120.0)
    assert conference.next_timer() is None
    conference.handle_timer(140.0)
    assert conference.state is State.ACTIVE


def test_permanent_room_stays_when_empty() -> None:
    conference = room(is_permanent=True)
    join(conference, 1, ALICE)
    conference.leave(ParticipantId(1), 5.0)
    assert (conference.state, conference.next_timer()) == (State.CREATED, None)


def test_kicked_participant_is_out_at_once() -> None:
    conference = room()
    join(conference, 1, ALICE)
    bob = join(conference, 2, BOB)
    list(events_of(conference))
    assert conference.execute(KickParticipant(ParticipantId(2), "too loud"), 1.0, ParticipantId(1)) == Done()
    assert list(events_of(conference)) == [ParticipantLeft(bob), ParticipantKicked(bob, "too loud")]
    assert ParticipantId(2) not in conference.participants


def test_names_are_fit_to_be_shown() -> None:
    assert clean_name("Bob\x1b[31m\r\nX-Evil: 1\u202e\u2066") == "Bob[31mX-Evil: 1"
    assert len(clean_name("x" * 10000)) == 64
    assert clean_name("王小明") == "王小明"


PEOPLE = st.sampled_from([ALICE, BOB, GUEST])
STEPS = st.lists(st.tuples(
    st.sampled_from(["join", "leave", "mute", "kick", "lock", "unlock", "close", "time"]), st.integers(1, 5), st.integers(1, 5),
    PEOPLE), max_size=40)


@given(STEPS, st.booleans(), st.booleans(), st.sampled_from([None, "alice"]))
def test_no_sequence_of_commands_breaks_the_rules(
    steps: list[tuple[str, int, int, Identity]], permanent: bool, guests: bool, owner: str | None,
) -> None:
    conference = Conference("r", Policy(max_members=3, is_permanent=permanent, guests_may_host=guests, owner=owner), 0.0)
    inside: set[int] = set()
    now = 0.0
    for verb, actor, target, identity in steps:
        now += 1.0
        who, whom = ParticipantId(actor), ParticipantId(target)
        match verb:
            case "join":
                conference.join(who, identity, now)
            case "leave":
                conference.leave(who, now)
            case "mute":
                conference.execute(MuteParticipant(whom, True), now, who)
            case "kick":
                conference.execute(KickParticipant(whom), now, who)
            case "lock" | "unlock":
                conference.execute(LockConference(verb == "lock"), now, who)
            case "close":
                conference.execute(CloseConference(), now, who)
            case _:
                now += 100.0
                conference.handle_timer(now)
        for event in events_of(conference):
            if isinstance(event, ParticipantJoined):
                assert event.participant.id not in inside
                inside.add(event.participant.id)
            elif isinstance(event, ParticipantLeft):
                inside.remove(event.participant.id)
            elif isinstance(event, ConferenceClosed):
                inside.clear()
        assert inside == set(conference.participants)
        assert len(inside) <= 3
        hosts = [p for p in conference.participants.values() if p.role is Role.HOST]
        assert len(hosts) <= 1
        assert all(p.identity.account or guests for p in hosts)
        assert (conference.state is State.ACTIVE) <= bool(inside)
