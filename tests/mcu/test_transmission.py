"""Start and end of what members transmit: one message for each change, in turn, and the end before what caused it is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu.commands import CloseConference, KickParticipant, MuteParticipant
from mcu.conference import (
    Conference,
    ConferenceClosed,
    Event,
    ParticipantChanged,
    ParticipantLeft,
)
from mcu.floor import MEDIA, FloorEnded, FloorGranted, FloorId, Floors, FloorSettings, ReleaseFloor, RequestFloor
from mcu.happenings import CommandJudged, HostChanged
from mcu.participant import Identity, ParticipantId
from mcu.policy import Policy
from mcu.transmission import NAMES, Medium, Transmissions, TransmissionStarted, TransmissionStopped

ALICE, BOB, CAROL = (ParticipantId(number) for number in (1, 2, 3))
AUDIO, VIDEO, SCREEN, CONTROL = Medium


def meeting() -> Conference:
    """Alice, host, and Bob, whose phones send audio."""
    conference = Conference("daily", Policy(), 0.0)
    for who, name in ((ALICE, "alice"), (BOB, "bob")):
        conference.join(who, Identity(f"sip:{name}@example.org", name, name), 0.0)
        conference.send(who, AUDIO, True)
    return conference


def events_of(conference: Conference) -> list[Event]:
    """All that has happened, but for the audit log."""
    return [event for event in iter(conference.next_event, None) if not isinstance(event, CommandJudged | HostChanged)]


def test_there_are_eight_names() -> None:
    assert NAMES == ("audio-start", "audio-stop", "video-start", "video-stop", "screen-start", "screen-stop", "control-start",
                     "control-stop")
    assert TransmissionStarted(ALICE, SCREEN).name == "screen-start" and TransmissionStopped(ALICE, AUDIO).name == "audio-stop"


def test_audio_starts_when_the_phone_sends_it_and_not_before() -> None:
    conference = meeting()
    started = [event for event in events_of(conference) if isinstance(event, TransmissionStarted)]
    assert started == [TransmissionStarted(ALICE, AUDIO), TransmissionStarted(BOB, AUDIO)]
    assert conference.is_transmitting(ALICE, AUDIO) and not conference.is_transmitting(ALICE, VIDEO)


@pytest.mark.parametrize(("actor", "reason"), [(BOB, "muted"), (ALICE, "muted by the host"), (None, "muted by the host")],
                         ids=["self", "host", "operator"])
def test_mute_stops_audio_before_it_is_told_and_unmute_starts_it(actor: ParticipantId | None, reason: str) -> None:
    conference = meeting()
    events_of(conference)
    conference.execute(MuteParticipant(BOB, True), 1.0, actor)
    bob = conference.participants[BOB]
    assert events_of(conference) == [TransmissionStopped(BOB, AUDIO, reason), ParticipantChanged(bob)]
    conference.execute(MuteParticipant(BOB, False), 1.0, actor)
    assert events_of(conference) == [TransmissionStarted(BOB, AUDIO), ParticipantChanged(bob)]


def test_hold_stops_and_the_mute_outlasts_it() -> None:
    conference = meeting()
    conference.send(BOB, AUDIO, False, "on hold")
    assert events_of(conference)[-1] == TransmissionStopped(BOB, AUDIO, "on hold")
    conference.execute(MuteParticipant(BOB, True), 1.0, ALICE)
    conference.send(BOB, AUDIO, True)
    assert not conference.is_transmitting(BOB, AUDIO)
    assert not any(isinstance(event, TransmissionStarted | TransmissionStopped) for event in events_of(conference))


def test_who_leaves_or_is_kicked_stops_everything_first() -> None:
    conference = meeting()
    conference.send(BOB, VIDEO, True)
    bob = conference.participants[BOB]
    events_of(conference)
    conference.execute(KickParticipant(BOB, "too loud"), 1.0, ALICE)
    assert events_of(conference)[:3] == [
        TransmissionStopped(BOB, AUDIO, "too loud"), TransmissionStopped(BOB, VIDEO, "too loud"), ParticipantLeft(bob)]
    conference.send(BOB, AUDIO, True)
    assert events_of(conference) == []


def test_the_end_of_the_meeting_stops_all() -> None:
    conference = meeting()
    events_of(conference)
    conference.execute(CloseConference("bye"), 1.0, ALICE)
    due = conference.next_timer()
    assert due is not None
    conference.handle_timer(due)
    *stopped, closed = events_of(conference)[1:]
    assert stopped == [TransmissionStopped(ALICE, AUDIO, "bye"), TransmissionStopped(BOB, AUDIO, "bye")]
    assert isinstance(closed, ConferenceClosed)


def test_who_goes_on_at_another_phone_stays_muted() -> None:
    conference = meeting()
    conference.execute(MuteParticipant(BOB, True), 1.0, ALICE)
    conference.join(CAROL, conference.participants[BOB].identity, 2.0)
    conference.succeed(CAROL, BOB)
    conference.send(CAROL, AUDIO, True)
    assert not conference.is_transmitting(CAROL, AUDIO)


def test_a_screen_starts_with_its_floor_and_stops_with_it() -> None:
    conference, floors = meeting(), Floors(FloorSettings())
    for who in (ALICE, BOB):
        floors.join(who)
    conference.send(ALICE, SCREEN, True)
    events_of(conference)

    def follow() -> list[Event]:
        for event in iter(floors.next_event, None):
            if isinstance(event, FloorGranted | FloorEnded):
                is_open = isinstance(event, FloorGranted)
                conference.let_pass(event.grant.holder, MEDIA[event.grant.floor], is_open, "" if is_open else event.reason)
        return events_of(conference)

    floors.execute(RequestFloor(FloorId.SCREEN), 0.0, ALICE)
    assert follow() == [TransmissionStarted(ALICE, SCREEN)]
    floors.execute(ReleaseFloor(1), 1.0, ALICE)
    assert follow() == [TransmissionStopped(ALICE, SCREEN, "")]


@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "send", "pass"]), st.sampled_from([ALICE, BOB]),
                          st.sampled_from(Medium), st.booleans()), max_size=60))
def test_starts_and_stops_alternate_and_agree_with_what_is_on(steps: list[tuple[str, ParticipantId, Medium, bool]]) -> None:
    transmissions, running = Transmissions(), set()
    for what, who, medium, flag in steps:
        match what:
            case "join":
                transmissions.join(who)
            case "leave":
                transmissions.leave(who)
            case "send":
                transmissions.set_sent(who, medium, flag)
            case _:
                transmissions.set_may_pass(who, medium, flag)
        for event in iter(transmissions.next_event, None):
            key = (event.participant, event.medium)
            assert (key in running) == isinstance(event, TransmissionStopped)
            running ^= {key}
        for each in (ALICE, BOB):
            on = {medium for medium in Medium if transmissions.is_on(each, medium)}
            assert on == transmissions.of(each) == {medium for who, medium in running if who == each}
